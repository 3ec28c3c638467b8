"""Whether cameras show a rolling shutter that the fit does not know of."""

from copy import deepcopy
from dataclasses import replace

import numpy as np

from calib.config import CalibrationConfig
from calib.dispersion import score_dispersion
from calib.joint import Joint, solve_joint

# A few steps from a solution without line times tell them to a few percent.
_STEPS = 4
# Line times that are no chance, and that shift corners by this share of their noise or more: below it they change
# nothing that could be measured.
_SURE_SIGMAS, _NOTED_SHARE = 6.0, 0.5
# Where the fit had no time offsets, views may now differ by as much, s.
_SPREAD_S = 1e-3


def hinted_line_times(joint: Joint, config: CalibrationConfig) -> dict[int, float]:
    """Cameras whose line times are sure and matter, though the fit had none: their numbers, and s between lines.

    Empty where line times are free already, or nothing is known to move.

    Rolling shutter skews a moving board, and a fit without it bends cameras and boards to follow the skew; what is left
    in the residuals along image velocity times line still tells the line time.
    """
    moving = joint.moves & joint.keep.any(-1)
    if not config.time.enabled or config.time.rolling_shutter or not moving.any():
        return {}
    trial = deepcopy(joint)
    trial.timed, trial.spread = True, max(joint.spread, _SPREAD_S)
    free = replace(config, time=replace(config.time, rolling_shutter=True), max_iterations=_STEPS)
    bundle, _ = solve_joint(trial, free)
    covariance = bundle.covariance()
    if covariance is None:
        return {}
    covariance = covariance * score_dispersion(bundle, covariance)
    sd = np.sqrt(np.diag(covariance).reshape(len(joint.lenses), -1)[:, -2])
    shift = np.array([_rms_shift(trial, c) for c in range(len(joint.lenses))])
    noted = (np.abs(trial.line) > _SURE_SIGMAS * sd) & (shift > _NOTED_SHARE * joint.noise)
    return {int(c): float(trial.line[c]) for c in np.flatnonzero(noted)}


def _rms_shift(joint: Joint, c: int) -> float:
    used = joint.keep[c] & joint.moves[c, :, None]
    if not used.any():
        return 0.0
    later = joint.line[c] * (joint.xy[c, ..., 1] - (joint.sizes[c, 1] - 1) / 2)
    moved = later[..., None] * joint.motion[c, ..., :2]
    return float(np.sqrt(np.mean((moved[used] ** 2).sum(-1))))
