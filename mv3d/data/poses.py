"""Poses2D and Poses3D: keypoints over time, and their native npz files.

A missing keypoint is NaN with score 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mv3d.data.checks import frozen_array
from mv3d.data.npz import load_npz, one_line, save_npz
from mv3d.data.skeleton import Skeleton
from mv3d.data.skeleton_arrays import SKELETON_ARRAYS, skeleton_arrays, skeleton_of_arrays
from mv3d.errors import FormatError

MISSING, MEASURED, FILLED = np.uint8(0), np.uint8(1), np.uint8(2)
"""Values of `Poses3D.state`."""


@dataclass(frozen=True, slots=True, eq=False)
class Poses2D:
    """Keypoints of every person found in one view.

    Attributes:
        skeleton: which joints.
        xy: (frame, detection, joint, 2) float32 px of the source image; NaN where missing. "detection" is a slot of
            that frame, not an identity.
        score: (frame, detection, joint) float32 in [0, 1]; 0 where missing.
        timestamps: (frame,) s, increasing.
        peaks_xy: (frame, joint, candidate, 2) float32 px, what else the network thought of each joint, best first; NaN
            where there are fewer candidates. None where the source has no such thing.
        peaks_score: (frame, joint, candidate) float32; 0 where there are fewer.
    """

    skeleton: Skeleton
    xy: np.ndarray
    score: np.ndarray
    timestamps: np.ndarray
    peaks_xy: np.ndarray | None = None
    peaks_score: np.ndarray | None = None

    def __post_init__(self) -> None:
        xy = np.array(self.xy, dtype=np.float32)
        if xy.ndim != 4 or xy.shape[2:] != (len(self.skeleton), 2):
            raise ValueError(f"xy has shape {xy.shape}, wanted (frame, detection, {len(self.skeleton)}, 2)")
        score = np.array(frozen_array("score", self.score, xy.shape[:3], np.float32, finite=False))
        missing = ~np.isfinite(xy).all(-1) | ~((score > 0) & np.isfinite(score))
        xy[missing] = np.nan
        score[missing] = 0
        for name, array in (("xy", xy), ("score", score)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "timestamps", _increasing("timestamps", self.timestamps, len(xy)))
        self._check_peaks()

    def _check_peaks(self) -> None:
        if self.peaks_xy is None or self.peaks_score is None:
            if self.peaks_xy is not None or self.peaks_score is not None:
                raise ValueError("peaks_xy and peaks_score belong together")
            return
        shape = (len(self.xy), len(self.skeleton), None)
        score = frozen_array("peaks_score", self.peaks_score, shape, np.float32)
        xy = frozen_array("peaks_xy", self.peaks_xy, (*score.shape, 2), np.float32, finite=False)
        object.__setattr__(self, "peaks_xy", xy)
        object.__setattr__(self, "peaks_score", score)

    def __len__(self) -> int:
        return len(self.xy)

    def save(self, path: str | Path) -> None:
        """Write as npz; the file appears whole or not at all."""
        arrays = {"xy": self.xy, "score": self.score, "timestamps": self.timestamps}
        if self.peaks_xy is not None and self.peaks_score is not None:
            arrays |= {"peaks_xy": self.peaks_xy, "peaks_score": self.peaks_score}
        _save_npz(path, self.skeleton, arrays)

    @classmethod
    def load(cls, path: str | Path) -> "Poses2D":
        """Read an npz of `save`.

        Raises:
            FormatError: missing, corrupt or not of this kind.
        """
        arrays, skeleton = _load_npz(path, ("xy", "score", "timestamps"), optional=("peaks_xy", "peaks_score"))
        try:
            return cls(skeleton, **arrays)
        except (ValueError, TypeError) as error:
            raise FormatError(f"{path}: {one_line(error)}") from error


@dataclass(frozen=True, slots=True, eq=False)
class Poses3D:
    """The skeletons of people over time, in the world of the rig. Person 0 is the performer.

    Attributes:
        skeleton: which joints.
        xyz: (frame, person, joint, 3) float64 m; NaN where missing.
        score: (frame, person, joint) float32 in [0, 1], the detector's, averaged over the views used; 0 where missing.
        reprojection_error: (frame, person, joint) float32 px, mean over the views used; NaN where no view was used.
        n_views: (frame, person, joint) uint8, views that agree with the point.
        covariance: (frame, person, joint, 3, 3) float32 m2; NaN where missing.
        state: (frame, person, joint) uint8: 0 missing, 1 measured, 2 filled.
        xyz_per_frame: (frame, person, joint, 3) float64 m, the robust triangulation before any model of time or bones.
        timestamps: (frame,) s.
        person_id: (person,) int.
        cameras: names of the views.
        time_offsets: (view,) s: what camera v stamps t is the world at t + time_offsets[v].
    """

    skeleton: Skeleton
    xyz: np.ndarray
    score: np.ndarray
    reprojection_error: np.ndarray
    n_views: np.ndarray
    covariance: np.ndarray
    state: np.ndarray
    xyz_per_frame: np.ndarray
    timestamps: np.ndarray
    cameras: tuple[str, ...]
    person_id: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    time_offsets: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        joints = len(self.skeleton)
        xyz = frozen_array("xyz", self.xyz, (None, None, joints, 3), finite=False)
        points = xyz.shape[:3]
        checked = {
            "xyz": xyz,
            "score": frozen_array("score", self.score, points, np.float32),
            "reprojection_error": frozen_array(
                "reprojection_error", self.reprojection_error, points, np.float32, finite=False
            ),
            "n_views": frozen_array("n_views", self.n_views, points, np.uint8),
            "covariance": frozen_array("covariance", self.covariance, (*points, 3, 3), np.float32, finite=False),
            "state": frozen_array("state", self.state, points, np.uint8),
            "xyz_per_frame": frozen_array("xyz_per_frame", self.xyz_per_frame, xyz.shape, finite=False),
            "timestamps": _increasing("timestamps", self.timestamps, len(xyz)),
            "person_id": frozen_array(
                "person_id", self.person_id if len(self.person_id) else np.arange(points[1]), (points[1],), np.int64
            ),
            "time_offsets": frozen_array(
                "time_offsets",
                self.time_offsets if len(self.time_offsets) else np.zeros(len(self.cameras)),
                (len(self.cameras),),
            ),
        }
        if np.any(checked["state"] > FILLED):
            raise ValueError("state holds a value other than 0, 1 and 2")
        if not np.array_equal(np.isfinite(xyz).all(-1), checked["state"] != MISSING):
            raise ValueError("xyz must be finite exactly where state is not 0")
        for name, array in checked.items():
            object.__setattr__(self, name, array)
        object.__setattr__(self, "cameras", tuple(str(name) for name in self.cameras))

    def __len__(self) -> int:
        return len(self.xyz)

    @property
    def fps(self) -> float:
        """Frames per second: the inverse of the median interval; 0 for fewer than two frames."""
        return float(1 / np.median(np.diff(self.timestamps))) if len(self) > 1 else 0.0

    def within(self, timestamps: np.ndarray, first: int) -> "Poses3D":
        """The same as a part of a longer recording, from its frame `first` on; missing before and after."""
        after = len(timestamps) - len(self) - first

        def padded(values: np.ndarray, missing: float) -> np.ndarray:
            around = [(first, after), *[(0, 0)] * (values.ndim - 1)]
            return np.pad(values, around, constant_values=missing)

        arrays = {name: padded(getattr(self, name), missing) for name, missing in _MISSING_VALUES.items()}
        return replace(self, timestamps=timestamps, **arrays)

    def joined_with(self, others: "Sequence[Poses3D]") -> "Poses3D":
        """Several people of one recording, numbered in their order; clocks and cameras are the first's."""
        everyone = [self, *others]
        arrays = {name: np.concatenate([getattr(p, name) for p in everyone], axis=1) for name in _MISSING_VALUES}
        return replace(self, person_id=np.zeros(0, np.int64), **arrays)

    def save(self, path: str | Path) -> None:
        """Write as npz; the file appears whole or not at all."""
        arrays = {name: getattr(self, name) for name in _FIELDS_3D if name != "cameras"}
        _save_npz(path, self.skeleton, {**arrays, "cameras": np.array(self.cameras, dtype=np.str_)})

    @classmethod
    def load(cls, path: str | Path) -> "Poses3D":
        """Read an npz of `save`.

        Raises:
            FormatError: missing, corrupt or not of this kind.
        """
        arrays, skeleton = _load_npz(path, _FIELDS_3D)
        try:
            cameras = tuple(str(name) for name in arrays.pop("cameras"))
            return cls(skeleton=skeleton, cameras=cameras, **arrays)
        except (ValueError, TypeError) as error:
            raise FormatError(f"{path}: {one_line(error)}") from error


_FIELDS_3D = (
    *("xyz", "score", "reprojection_error", "n_views", "covariance", "state", "xyz_per_frame"),
    *("timestamps", "person_id", "cameras", "time_offsets"),
)


_MISSING_VALUES = {
    "xyz": np.nan,
    "xyz_per_frame": np.nan,
    "reprojection_error": np.nan,
    "covariance": np.nan,
    "score": 0.0,
    "n_views": 0.0,
    "state": float(MISSING),
}
"""The arrays over frames and people, and what they hold where there is nobody."""


def _increasing(name: str, value: np.ndarray, length: int) -> np.ndarray:
    times = frozen_array(name, value, (length,))
    if np.any(np.diff(times) <= 0):
        raise ValueError(f"{name} must increase from frame to frame")
    return times


def _save_npz(path: str | Path, skeleton: Skeleton, arrays: dict[str, np.ndarray]) -> None:
    save_npz(path, {**skeleton_arrays(skeleton), **arrays})


def _load_npz(
    path: str | Path, wanted: tuple[str, ...], optional: tuple[str, ...] = ()
) -> tuple[dict[str, np.ndarray], Skeleton]:
    named, of_skeleton = ("skeleton", "keypoints"), set(SKELETON_ARRAYS)
    arrays = load_npz(path, (*wanted, *named), (*optional, *(of_skeleton - set(named))))
    try:
        skeleton = skeleton_of_arrays({name: arrays[name] for name in SKELETON_ARRAYS if name in arrays})
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise FormatError(f"{path}: cannot read this npz file: {one_line(error)}") from error
    return {name: array for name, array in arrays.items() if name not in of_skeleton}, skeleton
