"""Rig: the cameras of a session in order, and its native file `cameras.yaml`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mv3d.data.camera import Camera
from mv3d.data.camera_entries import lens_entry, lens_of_entry, numbers, one_line, read_entries, write_entries
from mv3d.errors import CalibrationError

_CONVENTION = "x_cam = R @ x_world + t, metres; +x right, +y down, +z forward; pixel centres at integers"


@dataclass(frozen=True, slots=True, eq=False)
class Rig:
    """Cameras in order; the index is the "view" axis of every array."""

    cameras: tuple[Camera, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "cameras", tuple(self.cameras))
        if not self.cameras:
            raise ValueError("a rig needs at least one camera")
        if len(set(self.names)) != len(self.cameras):
            raise ValueError(f"camera names repeat: {', '.join(self.names)}")

    def __len__(self) -> int:
        return len(self.cameras)

    def __iter__(self) -> Iterator[Camera]:
        return iter(self.cameras)

    def __getitem__(self, key: int | str) -> Camera:
        if isinstance(key, int):
            return self.cameras[key]
        if key not in self.names:
            raise KeyError(f"no camera {key!r} in the rig; there are {', '.join(self.names)}")
        return self.cameras[self.names.index(key)]

    @property
    def names(self) -> tuple[str, ...]:
        """Camera names in view order."""
        return tuple(camera.name for camera in self.cameras)

    @property
    def centers(self) -> np.ndarray:
        """Camera positions in the world (view, 3) m."""
        return np.stack([camera.center for camera in self.cameras])

    def subset(self, names: tuple[str, ...] | list[str]) -> "Rig":
        """The named cameras, in the order asked."""
        return Rig(tuple(self[name] for name in names))

    @classmethod
    def load(cls, path: str | Path) -> "Rig":
        """Read `cameras.yaml`.

        Raises:
            CalibrationError: the file is missing, not YAML, or not a rig; says where.
        """
        entries = read_entries(Path(path))
        try:
            return cls(tuple(_camera_from(entry, i) for i, entry in enumerate(entries)))
        except (ValueError, TypeError, OverflowError) as error:
            raise CalibrationError(f"{path}: {one_line(error)}") from error

    def save(self, path: str | Path) -> None:
        """Write `cameras.yaml`; numbers keep all their digits. The file appears whole or not at all."""
        write_entries(path, _CONVENTION, [_entry_of(camera) for camera in self.cameras])


def _entry_of(camera: Camera) -> dict[str, object]:
    return {**lens_entry(camera.name, camera.size, camera.lens), "R": camera.R.tolist(), "t": camera.t.tolist()}


def _camera_from(entry: object, index: int) -> Camera:
    name, size, lens = lens_of_entry(entry, index, ("name", "size", "lens", "R", "t"))
    assert isinstance(entry, dict)
    R, t = numbers(entry["R"], f"R of camera {name}"), numbers(entry["t"], f"t of camera {name}")
    return Camera(name, size, lens, R, t)
