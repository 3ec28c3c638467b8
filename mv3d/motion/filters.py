"""Filters over time for those who want them: Butterworth without delay, one-euro as in live use, Hampel against spikes.

The reconstruction is a smoother already, with uncertainties, and so is the fit of a body; a filter forgets both. They
are here since laboratories report with them. Runs between gaps are filtered on their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import butter, sosfiltfilt

from mv3d.data.poses import MISSING, Poses3D
from mv3d.errors import ConfigError
from mv3d.motion.filters_kernels import one_euro

# A normal standard deviation is this many median absolute deviations.
_MAD = 1.4826


@dataclass(frozen=True, slots=True)
class FilterConfig:
    """One filter.

    Attributes:
        kind: which.
        cutoff_hz: Butterworth: where the filter as a whole, both passes, lets half of the power pass. One-euro: the
            cut-off at rest.
        order: Butterworth, of each of the two passes; together it is twice that.
        beta: one-euro, by how many Hz the cut-off grows per m/s (rad/s for angles).
        window_s: Hampel, on either side.
        sigmas: Hampel, distance from the window's median beyond which a value is replaced by it.
        joints: cut-offs (Hz) of single joints, by name.
    """

    kind: Literal["butterworth", "one_euro", "hampel"] = "butterworth"
    cutoff_hz: float = 6.0
    order: int = 2
    beta: float = 2.0
    window_s: float = 0.1
    sigmas: float = 3.0
    joints: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cutoffs = (self.cutoff_hz, *self.joints.values())
        if not min(*cutoffs, self.window_s, self.sigmas) > 0 or self.order < 1 or self.beta < 0:
            raise ConfigError("a filter's cut-offs, window, sigmas and order must be above 0, beta at least 0")

    def delay(self) -> float:
        """By how much (s) slow changes come late: nothing for Butterworth and Hampel, which look ahead."""
        return 1 / (2 * np.pi * self.cutoff_hz) if self.kind == "one_euro" else 0.0


def filtered_poses(poses: Poses3D, config: FilterConfig) -> Poses3D:
    """The skeletons with `xyz` filtered; states, covariances and `xyz_per_frame` stay.

    Raises:
        ConfigError: a cut-off for a joint that is not there, or one at or above half of the frame rate.
    """
    names = poses.skeleton.keypoints
    unknown = sorted(set(config.joints) - set(names))
    if unknown:
        raise ConfigError(f"{poses.skeleton.name} has no joint {', '.join(unknown)} to filter")
    xyz = np.array(poses.xyz)
    for person in range(xyz.shape[1]):
        for j, name in enumerate(names):
            xyz[:, person, j] = filtered(xyz[:, person, j], poses.timestamps, config, config.joints.get(name))
    xyz[poses.state == MISSING] = np.nan
    return replace(poses, xyz=xyz)


def filtered(
    x: Float[np.ndarray, "frame channel"],
    times: Float[np.ndarray, " frame"],
    config: FilterConfig,
    cutoff_hz: float | None = None,
) -> Float[np.ndarray, "frame channel"]:
    """Channels filtered over time.

    Args:
        x: NaN where missing; a frame with a missing channel ends a run.
        times: s. Butterworth and Hampel take the median interval for all.
        config: which filter.
        cutoff_hz: in place of the configuration's.

    Returns:
        The same shape; NaN where it was. Runs too short for the filter stay as they are.

    Raises:
        ConfigError: a Butterworth cut-off at or above half of the frame rate.
    """
    out = np.array(x, float)
    if len(times) < 2:
        return out
    rate = 1 / float(np.median(np.diff(times)))
    cutoff = config.cutoff_hz if cutoff_hz is None else cutoff_hz
    there = np.flatnonzero(np.isfinite(out).all(axis=-1))
    for run in np.split(there, np.flatnonzero(np.diff(there) > 1) + 1):
        if len(run) > 1:
            out[run] = _run(out[run], times[run], config, cutoff, rate)
    return out


def _run(x: np.ndarray, times: np.ndarray, config: FilterConfig, cutoff: float, rate: float) -> np.ndarray:
    if config.kind == "one_euro":
        out = np.empty_like(x)
        one_euro(x, times, cutoff, config.beta, cutoff, out)
        return out
    if config.kind == "hampel":
        half = max(1, round(config.window_s * rate))
        around = sliding_window_view(np.pad(x, ((half, half), (0, 0)), mode="edge"), 2 * half + 1, axis=0)
        middle = np.median(around, axis=-1)
        spread = _MAD * np.median(np.abs(around - middle[..., None]), axis=-1)
        return np.where(np.abs(x - middle) > config.sigmas * spread, middle, x)
    return _butterworth(x, config.order, cutoff, rate)


def _butterworth(x: np.ndarray, order: int, cutoff: float, rate: float) -> np.ndarray:
    """Forwards and backwards; each pass has a higher cut-off, such that both together have the one asked for."""
    each = cutoff / (np.sqrt(2) - 1) ** (1 / (2 * order))
    if each >= rate / 2:
        raise ConfigError(
            f"a cut-off of {cutoff:g} Hz is too high for {rate:.4g} frames per second; "
            f"{0.99 * rate / 2 * cutoff / each:.3g} Hz are possible"
        )
    sections = np.asarray(butter(order, each, fs=rate, output="sos"))
    padding = min(3 * (2 * len(sections) + 1), len(x) - 1)
    return sosfiltfilt(sections, x, axis=0, padlen=padding)
