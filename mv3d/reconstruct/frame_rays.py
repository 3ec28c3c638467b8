"""All detections of all views of one frame as rays, and what is asked of them when people are told apart."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment

from mv3d.geometry.triangulation import triangulate_robust
from mv3d.reconstruct import people_kernels as kernels
from mv3d.reconstruct.association import angular_scale, within_reach
from mv3d.reconstruct.ray_table import RayTable


@dataclass(frozen=True, slots=True, eq=False)
class FrameRays:
    """Detections one after the other, whatever their view.

    Attributes:
        centers: (view, 3) m.
        view: (detection,) index of its camera.
        number: (detection,) its place in that view's list.
        bearings: (detection, joint, 3).
        jacobians: (detection, joint, 2, 3).
        score: (detection, joint); 0 where missing.
    """

    centers: np.ndarray
    view: np.ndarray
    number: np.ndarray
    bearings: np.ndarray
    jacobians: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.view)

    def only(self, index: Int[np.ndarray, " kept"]) -> "FrameRays":
        """Some of the detections."""
        kept = {name: getattr(self, name)[index] for name in ("view", "number", "bearings", "jacobians", "score")}
        return replace(self, **kept)

    def clearest(self, most: int) -> "FrameRays":
        """Without those of a view beyond so many, the ones of the lowest scores."""
        counts = np.bincount(self.view, minlength=1)
        if counts.max() <= most:
            return self
        falling = np.lexsort((-self.score.sum(1), self.view))
        place = np.arange(len(self)) - (np.cumsum(counts) - counts)[self.view[falling]]
        return self.only(np.sort(falling[place < most]))

    def supports(
        self, xyz: Float[np.ndarray, "person joint 3"], tolerance: Float[np.ndarray, " person"]
    ) -> tuple[Float[np.ndarray, "person detection"], Float[np.ndarray, "person detection"]]:
        """The share of each detection's score that agrees with each skeleton (tolerance in m), and how much that is."""
        support, possible = np.zeros((len(xyz), len(self))), np.zeros((len(xyz), len(self)))
        kernels.supports(xyz, tolerance, self.centers, self.bearings, self.score, self.view, support, possible)
        return support / np.maximum(possible, 1e-9), support

    def assigned(self, support: Float[np.ndarray, "person detection"]) -> Int[np.ndarray, "person view"]:
        """In each view every detection given to at most one person so that the support is greatest; -1 for none."""
        out = np.full((len(support), len(self.centers)), -1)
        for v in range(len(self.centers)):
            of_view = np.flatnonzero(self.view == v)
            if not len(of_view):
                continue
            own = support[:, of_view]
            rows, columns = linear_sum_assignment(own, maximize=True)
            good = own[rows, columns] > 0
            out[rows[good], v] = of_view[columns[good]]
        return out

    def triangulated(
        self, chosen: Int[np.ndarray, "person view"], reach_m: float
    ) -> Float[np.ndarray, "person joint 3"]:
        """Robust points of the chosen detections; NaN where two views do not agree or too far from the middle."""
        people, views = chosen.shape
        joints = self.score.shape[1]
        score = np.where((chosen >= 0)[..., None], self.score[chosen], 0.0).swapaxes(1, 2)
        bearings, jacobians = self.bearings[chosen].swapaxes(1, 2), self.jacobians[chosen].swapaxes(1, 2)
        jacobians = jacobians.reshape(-1, views, 2, 3)
        xyz, _, _ = triangulate_robust(
            self.centers, bearings.reshape(-1, views, 3), jacobians, score.reshape(-1, views), angular_scale(jacobians)
        )
        xyz = xyz.reshape(people, joints, 3)
        return np.stack([within_reach(points, reach_m) for points in xyz])

    def still_agreeing(
        self, chosen: Int[np.ndarray, "person view"], xyz: np.ndarray, tolerance_m: float, least: float
    ) -> Int[np.ndarray, "person view"]:
        """The chosen detections without those that the points of all of them contradict."""
        ratio, _ = self.supports(xyz, np.full(len(xyz), tolerance_m))
        own = np.take_along_axis(ratio, np.maximum(chosen, 0), axis=1)
        return np.where((chosen >= 0) & (own > least), chosen, -1)

    def meeting_pairs(
        self, tolerance_m: float, reach_m: float, least_joints: int, least_share: float
    ) -> tuple[Int[np.ndarray, "pair 2"], Float[np.ndarray, " pair"]]:
        """Pairs of detections of different views whose rays meet in so many of the joints that both see, and the share.

        Those that meet in most joints come first.
        """
        agreement, common = np.zeros((len(self),) * 2), np.zeros((len(self),) * 2, np.int64)
        kernels.pair_agreements(
            tolerance_m, reach_m, self.centers, self.bearings, self.score, self.view, agreement, common
        )
        possible: Bool[np.ndarray, "detection detection"] = common >= least_joints
        possible &= agreement >= least_share * common
        order = np.argsort(-agreement[possible], kind="stable")
        return np.argwhere(possible)[order], (agreement / np.maximum(common, 1))[possible][order]


def rays_of_frame(
    table: RayTable,
    centers: Float[np.ndarray, "view 3"],
    xy: Sequence[Float[np.ndarray, "_ joint 2"]],
    score: Sequence[Float[np.ndarray, "_ joint"]],
) -> FrameRays:
    """Each view's detections (px, NaN where missing; score 0 where missing) as rays."""
    counts = [len(own) for own in xy]
    view = np.repeat(np.arange(len(xy)), counts)
    bearings, jacobians = table.look_up(np.concatenate(list(xy)).astype(float), view)
    scores = np.where(np.isfinite(bearings[..., 0]), np.nan_to_num(np.concatenate(list(score)).astype(float)), 0.0)
    return FrameRays(centers, view, np.concatenate([np.arange(n) for n in counts]), bearings, jacobians, scores)
