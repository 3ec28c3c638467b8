"""What has been shown of a board so far while it is being filmed, and whether that is enough."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from calib.boards import Target
from calib.detection_refine import BoardView
from calib.guidance_estimate import RunningEstimate, estimate_rig, view_tilts
from calib.guidance_state import (
    COVERAGE_CELLS,
    PLACES,
    TILTS,
    CameraCoverage,
    GuidanceConfig,
    GuidanceState,
    PairCoverage,
    joining_pairs,
)
from calib.observations import BoardObservations

# A homography has eight numbers.
_FEWEST_CORNERS = 5
# When there are too many views, what counts as a new one becomes this much coarser.
_COARSER = 1.3


@dataclass(slots=True, eq=False)
class _Kept:
    """Frames to estimate from: (camera, corner, 2) px, (camera,) sigma px, (camera,) whether it was new there."""

    xy: list[np.ndarray] = field(default_factory=list)
    sigma: list[np.ndarray] = field(default_factory=list)
    new: list[np.ndarray] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Counts:
    """All that was ever shown: (camera,) views, (camera, camera) views, coverage maps, views by place and tilt."""

    views: np.ndarray
    together: np.ndarray
    cells: np.ndarray
    shown: np.ndarray

    @classmethod
    def none(cls, cameras: int) -> "_Counts":
        shapes = (cameras,), (cameras, cameras), (cameras, COVERAGE_CELLS, COVERAGE_CELLS)
        return cls(*(np.zeros(s, np.int64) for s in (*shapes, (cameras, PLACES**2, len(TILTS)))))


class ShootingGuide:
    """Takes what cameras see of a board, and tells what is still missing."""

    def __init__(
        self, board: Target, sizes: Mapping[str, tuple[int, int]], config: GuidanceConfig | None = None
    ) -> None:
        """Nothing has been seen yet.

        Args:
            board: the board.
            sizes: (width, height) px by camera.
            config: when it is enough.
        """
        self.board, self.cameras, self.config = board, tuple(sizes), config or GuidanceConfig()
        self._sizes = np.array(list(sizes.values()), np.int64).reshape(-1, 2)
        self._kept, self._counts, self._new_view = _Kept(), _Counts.none(len(sizes)), self.config.new_view
        self._estimate = RunningEstimate.unknown(len(sizes))

    def add(self, views: Mapping[str, BoardView]) -> bool:
        """Take the views of one instant.

        Args:
            views: what was seen, by camera; cameras that saw no board are left out.

        Returns:
            Whether any of them tells something new.
        """
        count = len(self.cameras)
        xy, sigma = np.full((count, self.board.corner_count, 2), np.nan), np.full(count, np.nan)
        for name, view in views.items():
            if len(view.ids) >= _FEWEST_CORNERS:
                c = self.cameras.index(name)
                xy[c, view.ids], sigma[c] = view.xy, view.sigma_px
        new = self._keep(xy, sigma)
        if not new.any():
            return False
        self._count(xy, new)
        if len(self._kept.xy) > self.config.most_frames:
            self._thin_out()
        return True

    def estimate(self) -> None:
        """Learn lenses and distances from what was kept; takes from milliseconds to some seconds."""
        self._estimate = estimate_rig(self._observations())

    def state(self) -> GuidanceState:
        """Where things stand, by the last estimate."""
        count = len(self.cameras)
        cameras = tuple(self._camera(c) for c in range(count))
        pairs = tuple(self._pair(a, b) for a in range(count) for b in range(a + 1, count))
        joining = joining_pairs(self.cameras, pairs)
        target = self.config.distance_share
        enough = all(c.enough for c in cameras) and not joining and all(p.distance_sd <= target for p in pairs)
        return GuidanceState(cameras, pairs, joining, enough)

    def _camera(self, c: int) -> CameraCoverage:
        views, focal_sd = int(self._counts.views[c]), float(self._estimate.focal_sd[c])
        enough = views >= self.config.views and focal_sd <= self.config.focal_share
        cells, shown = self._counts.cells[c].copy(), self._counts.shown[c].copy()
        return CameraCoverage(self.cameras[c], views, cells, shown, focal_sd, enough)

    def _pair(self, a: int, b: int) -> PairCoverage:
        views = int(self._counts.together[a, b])
        distance, sd = float(self._estimate.distances[a, b]), float(self._estimate.distances_sd[a, b])
        share = sd / distance if distance > 0 else np.inf
        return PairCoverage((self.cameras[a], self.cameras[b]), views, distance, share, views >= self.config.pair_views)

    def _count(self, xy: np.ndarray, new: np.ndarray) -> None:
        seen = np.asarray(np.isfinite(xy).any((-1, -2)))
        self._counts.views += new
        self._counts.together += seen[:, None] & seen & (new[:, None] | new)
        tilts = view_tilts(self.board.points, xy, self._sizes, self._estimate.lenses)
        for c in np.flatnonzero(new):
            self._counts.cells[c] += _counted(xy[c], self._sizes[c], COVERAGE_CELLS)
            place = int(np.argmax(_counted(np.nanmean(xy[c], axis=0)[None], self._sizes[c], PLACES)))
            self._counts.shown[c, place, _tilt_index(tilts[c], self.config.tilt_deg)] += 1

    def _keep(self, xy: np.ndarray, sigma: np.ndarray) -> Bool[np.ndarray, " camera"]:
        """Keep a frame if it is new to any camera; says to which."""
        new = np.array([self._is_new(c, xy[c]) for c in range(len(self.cameras))])
        if new.any():
            self._kept.xy.append(xy)
            self._kept.sigma.append(sigma)
            self._kept.new.append(new)
        return new

    def _is_new(self, c: int, xy: np.ndarray) -> bool:
        if not np.isfinite(xy).any():
            return False
        earlier = np.array([kept[c] for kept, new in zip(self._kept.xy, self._kept.new, strict=True) if new[c]])
        if not len(earlier):
            return True
        apart = np.linalg.norm(earlier - xy, axis=-1)
        common = np.flatnonzero(np.isfinite(apart).sum(1) >= _FEWEST_CORNERS)
        mean = np.nanmean(apart[common], axis=1)
        return bool((mean > self._new_view * np.linalg.norm(self._sizes[c])).all())

    def _thin_out(self) -> None:
        """Keep of all frames those that are new by a coarser measure."""
        while len(self._kept.xy) > self.config.most_frames:
            self._new_view *= _COARSER
            before, self._kept = self._kept, _Kept()
            for xy, sigma in zip(before.xy, before.sigma, strict=True):
                self._keep(xy, sigma)

    def _observations(self) -> BoardObservations:
        frames, count = len(self._kept.xy), len(self.cameras)
        xy = np.array(self._kept.xy).reshape(frames, count, self.board.corner_count, 2).swapaxes(0, 1)
        sigma = np.array(self._kept.sigma).reshape(frames, count).T
        # Pictures of free-running cameras are not of the same instant; as stills they are taken to be.
        return BoardObservations(
            self.board, self.cameras, self._sizes, xy, sigma, np.full(sigma.shape, np.nan),
            tuple(f"view {f}" for f in range(frames)), np.arange(frames),
        )  # fmt: skip


def _counted(
    xy: Float[np.ndarray, "corner 2"], size: Int[np.ndarray, "2"], cells: int
) -> Int[np.ndarray, "row column"]:
    """How many points fall into each of `cells` rows and columns of an image."""
    points = xy[np.isfinite(xy[:, 0])]
    cell = np.clip((points / size * cells).astype(int), 0, cells - 1)
    return np.bincount(cell[:, 1] * cells + cell[:, 0], minlength=cells**2).reshape(cells, cells)


def _tilt_index(tilt: Float[np.ndarray, "2"], least_deg: float) -> int:
    """Index into `TILTS` of the direction, to the right and down, that the board's face looks to."""
    if not np.linalg.norm(tilt) > np.sin(np.deg2rad(least_deg)):
        return 0
    right, down = tilt
    if abs(right) >= abs(down):
        return 2 if right > 0 else 1
    return 4 if down > 0 else 3
