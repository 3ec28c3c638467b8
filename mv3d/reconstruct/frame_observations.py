"""One person's keypoints of one frame in all views as rays, for the causal filter."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from mv3d.geometry.triangulation import pixel_residuals, triangulate_robust


@dataclass(frozen=True, slots=True, eq=False)
class FrameObservations:
    """Rays with the views outermost.

    Attributes:
        centers: (view, 3) m.
        bearings: (view, joint, 3).
        jacobians: (view, joint, 2, 3) px.
        share: (view, joint) precision as a share of that of a typical score; 0 where missing.
        variance: (view, joint) of a coordinate at a typical score, px^2.
    """

    centers: np.ndarray
    bearings: np.ndarray
    jacobians: np.ndarray
    share: np.ndarray
    variance: np.ndarray

    @property
    def weight(self) -> Float[np.ndarray, "view joint"]:
        """Inverse variance of each observation, 1/px^2; 0 where missing."""
        return self.share / self.variance

    def exchanged(
        self, swapped: Bool[np.ndarray, "view joint"], mirror: Int[np.ndarray, " joint"]
    ) -> "FrameObservations":
        """The same with swapped observations given to the joint that they belong to."""
        if not swapped.any():
            return self
        return replace(
            self,
            bearings=np.where(swapped[..., None], self.bearings[:, mirror], self.bearings),
            jacobians=np.where(swapped[..., None, None], self.jacobians[:, mirror], self.jacobians),
            share=np.where(swapped, self.share[:, mirror], self.share),
        )

    def triangulated(
        self, joints: Int[np.ndarray, " wanted"], inlier_sigmas: float
    ) -> tuple[Float[np.ndarray, "wanted 3"], Float[np.ndarray, "wanted 3 3"], Int[np.ndarray, " wanted"]]:
        """Robust points (m), information (1/m2), and the number of views within so many standard deviations."""
        bearings, jacobians = self.bearings[:, joints].swapaxes(0, 1), self.jacobians[:, joints].swapaxes(0, 1)
        weight, scale = self.weight[:, joints].T, inlier_sigmas * np.sqrt(self.variance[:, joints].T)
        xyz, information, _ = triangulate_robust(self.centers, bearings, jacobians, weight, scale)
        residual, _, front = pixel_residuals(xyz, self.centers, bearings, jacobians)
        near = front & (weight > 0) & ((residual**2).sum(-1) < scale**2)
        return xyz, information, near.sum(1)
