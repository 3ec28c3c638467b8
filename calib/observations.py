"""What all cameras saw of a board: the corners in every frame, their uncertainty and their times."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from calib.boards import Target, board_fields, restore_board
from mv3d.data.checks import frozen_array
from mv3d.data.rig import Rig
from mv3d.errors import FormatError
from mv3d.files.writing import whole_file

_FORMAT_VERSION = 2
_ARRAYS = ("cameras", "sizes", "xy", "sigma_px", "times", "frame_names", "segments")


@dataclass(frozen=True, slots=True, eq=False)
class BoardObservations:
    """Corners of one board seen by several cameras. A frame is nominally the same instant in all of them.

    Attributes:
        board: the board.
        cameras: names, in the order of the camera axis.
        sizes: (camera, 2) width, height px.
        xy: (camera, frame, corner, 2) px, pixel centre at integers; NaN where a corner was not seen.
        sigma_px: (camera, frame) standard deviation of one coordinate of a corner; NaN where the board was not seen.
        times: (camera, frame) s by each camera's own clock; NaN for stills and where a camera has no such frame.
        frame_names: where a frame comes from, e.g. "extrinsics/frame 12" or "intrinsics/cam01/img_03".
        segments: (frame,) frames with the same number are from one recording, in order of time; only they can be
            neighbours from which a motion is taken. Every still is a segment of its own.
    """

    board: Target
    cameras: tuple[str, ...]
    sizes: np.ndarray
    xy: np.ndarray
    sigma_px: np.ndarray
    times: np.ndarray
    frame_names: tuple[str, ...]
    segments: np.ndarray

    def __post_init__(self) -> None:
        count, frames, corners = len(self.cameras), len(self.frame_names), self.board.corner_count
        if len(set(self.cameras)) != count:
            raise ValueError("two cameras share a name")
        shapes: dict[str, tuple[tuple[int, ...], type]] = {
            "sizes": ((count, 2), np.int64),
            "xy": ((count, frames, corners, 2), np.float64),
            "sigma_px": ((count, frames), np.float64),
            "times": ((count, frames), np.float64),
            "segments": ((frames,), np.int64),
        }
        for name, (shape, dtype) in shapes.items():
            object.__setattr__(self, name, frozen_array(name, getattr(self, name), shape, dtype, finite=False))
        object.__setattr__(self, "cameras", tuple(map(str, self.cameras)))
        object.__setattr__(self, "frame_names", tuple(map(str, self.frame_names)))
        sigma = self.sigma_px[self.views]
        if np.isinf(self.xy).any() or not (np.isfinite(sigma) & (sigma > 0)).all():
            raise ValueError("a seen board needs finite corners and a positive sigma_px")

    @classmethod
    def from_corners(
        cls,
        board: Target,
        rig: Rig,
        xy: Float[np.ndarray, "camera frame corner 2"],
        sigma_px: float,
        times: Float[np.ndarray, "camera frame"],
        segments: Int[np.ndarray, " frame"],
    ) -> "BoardObservations":
        """Corners of equal uncertainty seen by the cameras of a rig, whose lenses and places are not used."""
        seen = np.isfinite(xy).all(-1).any(-1)
        sizes = np.array([camera.size for camera in rig])
        names = tuple(f"frame {i}" for i in range(xy.shape[1]))
        return cls(board, rig.names, sizes, xy, np.where(seen, sigma_px, np.nan), times, names, segments)

    @property
    def seen(self) -> Bool[np.ndarray, "camera frame corner"]:
        """Which corners were seen."""
        return np.asarray(np.isfinite(self.xy).all(-1))

    @property
    def views(self) -> Bool[np.ndarray, "camera frame"]:
        """Which cameras saw the board in which frames."""
        return np.asarray(self.seen.any(-1))

    def select_frames(self, frames: Int[np.ndarray, " _"] | Bool[np.ndarray, " _"] | slice) -> "BoardObservations":
        """Some of the frames, by indices, a mask or a slice."""
        keep = np.arange(len(self.frame_names))[frames]
        return replace(
            self,
            xy=self.xy[:, keep],
            sigma_px=self.sigma_px[:, keep],
            times=self.times[:, keep],
            frame_names=tuple(self.frame_names[i] for i in keep),
            segments=self.segments[keep],
        )

    def select_cameras(self, names: Sequence[str]) -> "BoardObservations":
        """Some of the cameras, in the order given; frames are kept even where none of them saw the board."""
        missing = sorted(set(names) - set(self.cameras))
        if missing:
            raise ValueError(f"no camera {', '.join(missing)}; there are {', '.join(self.cameras)}")
        keep = [self.cameras.index(name) for name in names]
        return replace(
            self,
            cameras=tuple(names),
            sizes=self.sizes[keep],
            xy=self.xy[keep],
            sigma_px=self.sigma_px[keep],
            times=self.times[keep],
        )

    def without(self, mask: Bool[np.ndarray, "camera frame"]) -> "BoardObservations":
        """The same with the boards of some views taken out; the times stay."""
        xy, sigma = self.xy.copy(), self.sigma_px.copy()
        xy[mask], sigma[mask] = np.nan, np.nan
        return replace(self, xy=xy, sigma_px=sigma)

    def save(self, path: str | Path) -> None:
        """Write a .npz of plain arrays."""
        arrays: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in _ARRAYS}
        arrays["board"] = np.array(json.dumps(board_fields(self.board)))
        with whole_file(path) as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays, format_version=_FORMAT_VERSION)

    @classmethod
    def load(cls, path: str | Path) -> "BoardObservations":
        """Read what `save` wrote; FormatError if it is something else."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                board = restore_board(json.loads(str(stored["board"])))
                arrays = {name: stored[name] for name in _ARRAYS}
            names = {key: tuple(map(str, arrays.pop(key))) for key in ("cameras", "frame_names")}
            return cls(board=board, **names, **arrays)
        except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError) as error:
            raise FormatError(
                f"{path}: cannot be read as board observations ({error}); detect the boards again"
            ) from error
