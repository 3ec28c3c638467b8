"""Whether the cameras of a video are in sync: then time offsets only add noise."""

from copy import deepcopy

import numpy as np

from calib.bundle import HUBER, Bundle
from calib.config import CalibrationConfig
from calib.joint import Joint, solve_joint
from calib.offset_statistics import offset_variances

# A rig may be synchronous if its offsets scatter by no more than this many times what the corners tell of one.
_POSSIBLY_SYNCHRONOUS = 4.0


def synchronous(joint: Joint, bundle: Bundle, config: CalibrationConfig) -> Joint | None:
    """The same without time offsets, where they gain no more than that many numbers gain from noise.

    Without an offset each view that had one loses up to one degree of freedom, and a view that had a board of its own
    for want of a known motion loses six: the cost rises by as much, with the spread of a chi-square. Line times are
    estimated with the offsets and would be lost too, however sure, among so many numbers: who asks for them keeps both.
    """
    if config.time.rolling_shutter or joint.spread > _POSSIBLY_SYNCHRONOUS * _told(joint, bundle):
        return None
    static = deepcopy(joint)
    static.timed, static.s[:], static.mean[:] = False, 0.0, 0.0
    _, outcome = solve_joint(static, config, HUBER, 1e-6)
    lost = float((joint.meets & ~joint.sets_clock).sum() + 6 * (static.meets & ~joint.meets).sum())
    return static if outcome.cost - bundle.linearise() <= lost + 4 * np.sqrt(2 * lost) else None


def _told(joint: Joint, bundle: Bundle) -> float:
    """How well the corners tell one view's offset, s."""
    variance = offset_variances(bundle)
    told = 1 / np.maximum(1 / variance - bundle.precision, 1e-12)
    free = (joint.meets & ~joint.sets_clock)[bundle.views.camera, bundle.views.frame]
    return float(np.sqrt(np.median(told[free]))) if free.any() else 0.0
