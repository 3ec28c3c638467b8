"""The last frames of the causal filter, and what the newest say of the oldest."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from mv3d.data.poses import MISSING
from mv3d.reconstruct import causal_kernels as kernels
from mv3d.reconstruct.causal_model import CausalModel


@dataclass(frozen=True, slots=True, eq=False)
class CausalSkeleton:
    """One frame's skeleton.

    Attributes:
        time: s.
        xyz: (joint, 3) m; NaN where missing.
        covariance: (joint, 3, 3) m2; NaN where missing.
        state: (joint,) missing, measured or filled, as in Poses3D.
    """

    time: float
    xyz: np.ndarray
    covariance: np.ndarray
    state: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """The filter around one frame.

    Attributes:
        time: s.
        predicted: (joint, 3, 3) position, velocity and acceleration by the frames before.
        predicted_P: (joint, 9, 9) their covariance.
        gain: (joint, 9, 9) of the smoother, from this frame to the one before.
        filtered: as `predicted`, after this frame's observations.
        filtered_P: its covariance.
        single: (joint, 3, 3) covariance of a frame alone, m2.
        state: (joint,) as in Poses3D.
    """

    time: float
    predicted: np.ndarray
    predicted_P: np.ndarray
    gain: np.ndarray
    filtered: np.ndarray
    filtered_P: np.ndarray
    single: np.ndarray
    state: np.ndarray


class Lag:
    """As many moments as the lag has frames, and one."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._moments: deque[Moment] = deque(maxlen=frames + 1)

    def append(self, moment: Moment) -> None:
        """Take in the newest; the oldest is forgotten."""
        self._moments.append(moment)

    def oldest(self, model: CausalModel) -> CausalSkeleton | None:
        """The frame `frames` before the newest, given all up to the newest; None as long as there is none."""
        return self._smoothed(model) if len(self._moments) > self._frames else None

    def rest(self, model: CausalModel) -> list[CausalSkeleton]:
        """The frames after the last `oldest`, given all there are; forgets them."""
        out = []
        if len(self._moments) > self._frames:
            self._moments.popleft()
        while self._moments:
            out.append(self._smoothed(model))
            self._moments.popleft()
        return out

    def _smoothed(self, model: CausalModel) -> CausalSkeleton:
        oldest = self._moments[0]
        x, P = (oldest.filtered, oldest.filtered_P) if len(self._moments) == 1 else self._told_by_the_others()
        missing = oldest.state == MISSING
        return CausalSkeleton(
            oldest.time,
            np.where(missing[:, None], np.nan, x[:, 0]),
            np.where(missing[:, None, None], np.nan, _honest(P[:, :3, :3], oldest.single, model)),
            oldest.state,
        )

    def _told_by_the_others(self) -> tuple[np.ndarray, np.ndarray]:
        """State and covariance of the oldest frame given all of them."""
        filtered, filtered_P, predicted, predicted_P, gain = (
            np.stack([getattr(moment, name) for moment in self._moments])
            for name in ("filtered", "filtered_P", "predicted", "predicted_P", "gain")
        )
        x, P = np.empty_like(filtered[0]), np.empty_like(filtered_P[0])
        kernels.smooth(filtered, filtered_P, predicted, predicted_P, gain, x, P)
        return x, P


def _honest(covariance: np.ndarray, single: np.ndarray, model: CausalModel) -> np.ndarray:
    """With what averaging over frames does not take away, as `Fit.honest_covariance` has it offline."""
    size, limit = (np.einsum("jii->j", c) for c in (covariance, single))
    factor = np.clip(limit / np.maximum(size, 1e-30), 1.0, model.memory)
    factor = np.where(np.isfinite(factor), factor, 1.0)
    lasting = np.where(np.isfinite(single), model.bias[:, None, None] * single, 0.0)
    return factor[:, None, None] * covariance + lasting
