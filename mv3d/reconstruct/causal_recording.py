"""A whole recording through the causal filter, as a live run would have seen it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.reconstruct.causal import CausalReconstructor
from mv3d.reconstruct.causal_model import CausalConfig, Learning


@dataclass(frozen=True, slots=True, eq=False)
class Filtered:
    """Skeletons by frame.

    Attributes:
        xyz: (frame, joint, 3) m; NaN where missing.
        covariance: (frame, joint, 3, 3) m2.
        state: (frame, joint) as in Poses3D.
    """

    xyz: np.ndarray
    covariance: np.ndarray
    state: np.ndarray

    def of(self, frames: slice) -> "Filtered":
        """Some of the frames."""
        return Filtered(self.xyz[frames], self.covariance[frames], self.state[frames])


def filter_recording(
    rig: Rig,
    skeleton: Skeleton,
    xy: Float[np.ndarray, "frame view joint 2"],
    score: Float[np.ndarray, "frame view joint"],
    timestamps: Float[np.ndarray, " frame"],
    config: CausalConfig,
    learning: Learning,
    delay: Float[np.ndarray, "frame view"] | None = None,
) -> Filtered:
    """Every frame from those before it, and from the `lag` frames after it.

    Args:
        rig: cameras in view order.
        skeleton: joints of the keypoints.
        xy: px; NaN where missing.
        score: confidence; 0 where missing.
        timestamps: s.
        config: of the filter.
        learning: how its model is learnt.
        delay: s by which each view's picture is later than its frame's instant.
    """
    reconstructor = CausalReconstructor(rig, skeleton, config, learning)
    found = []
    for f, time in enumerate(timestamps):
        late = None if delay is None else delay[f]
        found.append(reconstructor.step(xy[f], score[f], float(time), late))
    skeletons = [skeleton for skeleton in found if skeleton is not None] + reconstructor.finish()
    return Filtered(
        np.stack([one.xyz for one in skeletons]),
        np.stack([one.covariance for one in skeletons]),
        np.stack([one.state for one in skeletons]),
    )
