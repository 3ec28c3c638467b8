"""Observations: one person's keypoints in every view, ready for triangulation."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from mv3d.data.rig import Rig
from mv3d.geometry.triangulation import pixel_scale

# A detector may guess a joint a little outside of its picture; further than a picture's side beyond, it is none.
_OUTSIDE = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """What the cameras say of one person over time.

    Attributes:
        rig: the cameras, in the order of the view axis.
        xy: (frame, view, joint, 2) px of the source images; NaN where missing.
        score: (frame, view, joint) in [0, 1]; 0 where missing.
        bearings: (frame, view, joint, 3) unit directions in the world, lens distortion undone.
        pixel_jacobians: (frame, view, joint, 2, 3) pixels by world direction, at the bearing.
        typical_score: of the recording; an observation of this score has the typical noise.
    """

    rig: Rig
    xy: np.ndarray
    score: np.ndarray
    bearings: np.ndarray
    pixel_jacobians: np.ndarray
    typical_score: float

    @property
    def seen(self) -> Bool[np.ndarray, "frame view joint"]:
        """Where there is an observation."""
        return self.score > 0

    @property
    def pixels_per_radian(self) -> Float[np.ndarray, "frame view joint"]:
        """Local focal length: square root of the area in px^2 that a steradian covers there."""
        return pixel_scale(self.pixel_jacobians)

    def precision(self, noise_px: Float[np.ndarray, "frame view joint"]) -> Float[np.ndarray, "frame view joint"]:
        """Inverse variance (1/px^2) of each observation of typical noise `noise_px`, by its score; 0 where unseen."""
        return np.where(self.seen, self.score / self.typical_score / noise_px**2, 0.0)

    def of(self, frames: np.ndarray) -> "Observations":
        """The same of some frames."""
        of_them = {name: getattr(self, name)[frames] for name in ("xy", "score", "bearings", "pixel_jacobians")}
        return replace(self, **of_them)

    def without_view(self, view: int) -> "Observations":
        """The same with one view's observations gone."""
        return self.only_where(np.arange(len(self.rig))[:, None] != view)

    def only_where(self, keep: Bool[np.ndarray, "..."]) -> "Observations":
        """The same with observations gone where `keep`, broadcast to (frame, view, joint), is false."""
        return replace(self, score=np.where(keep, self.score, 0.0))


def observe(
    rig: Rig,
    xy: Float[np.ndarray, "frame view joint 2"],
    score: Float[np.ndarray, "frame view joint"],
    typical_score: float | None = None,
) -> Observations:
    """Undo the lenses of all keypoints at once; keypoints far outside of their picture are taken as missing.

    Args:
        rig: cameras in the order of the view axis.
        xy: source pixels; NaN where missing.
        score: detector's confidence; 0 where missing.
        typical_score: of the recording that these frames are a part of; their median if not given.
    """
    xy = np.asarray(xy, float)
    frames, views, joints = xy.shape[:-1]
    # In memory the views lie innermost, as the kernels of triangulation read them without a copy.
    bearings = np.moveaxis(np.empty((frames, joints, views, 3)), 2, 1)
    jacobians = np.moveaxis(np.empty((frames, joints, views, 2, 3)), 2, 1)
    for v, camera in enumerate(rig):
        farthest = (0.5 + _OUTSIDE) * max(camera.size)
        across, down = np.moveaxis(np.abs(xy[:, v] - np.array(camera.size) / 2) < farthest, -1, 0)
        direction = camera.lens.unproject(np.where((across & down)[..., None], xy[:, v], np.nan))
        _, by_cam = camera.lens.project_with_jacobian(direction)
        bearings[:, v] = direction @ camera.R
        jacobians[:, v] = by_cam @ camera.R
    # A sum is finite only if all its terms are; numpy reduces many short axes ten times more slowly.
    sums = np.einsum("...i->...", bearings) + np.einsum("...ij->...", jacobians)
    usable = np.isfinite(sums) & (np.nan_to_num(score) > 0)
    score = np.where(usable, score, 0.0).astype(float)
    if typical_score is None:
        typical_score = float(np.median(score[score > 0])) if (score > 0).any() else 1.0
    return Observations(rig, xy, score, bearings, jacobians, typical_score)
