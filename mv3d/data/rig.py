"""Rig: the cameras of a session in order, and its native file `cameras.yaml`."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from mv3d.data.camera import Camera
from mv3d.data.lens import Fisheye, Lens, Pinhole
from mv3d.errors import CalibrationError

FORMAT_VERSION = 1
_LENSES = {"pinhole": Pinhole, "fisheye": Fisheye}


@dataclass(frozen=True, slots=True)
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
        try:
            document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise CalibrationError(f"{path}: cannot read this rig: {' '.join(str(error).split())}") from error
        if not isinstance(document, dict) or not isinstance(document.get("cameras"), list):
            raise CalibrationError(
                f"{path}: not a cameras.yaml (no list named 'cameras'); for other formats see `mv3d rig convert`"
            )
        version = document.get("format_version", FORMAT_VERSION)
        if version != FORMAT_VERSION:
            raise CalibrationError(
                f"{path}: format_version is {version}, this program reads {FORMAT_VERSION}; update mv3d"
            )
        try:
            return cls(tuple(_camera_from(entry, i) for i, entry in enumerate(document["cameras"])))
        except (ValueError, TypeError) as error:
            raise CalibrationError(f"{path}: {error}") from error

    def save(self, path: str | Path) -> None:
        """Write `cameras.yaml`; numbers keep all their digits. The file appears whole or not at all."""
        document = {
            "format_version": FORMAT_VERSION,
            "convention": "x_cam = R @ x_world + t, metres; +x right, +y down, +z forward; pixel centres at integers",
            "cameras": [_entry_of(camera) for camera in self.cameras],
        }
        path = Path(path)
        part = path.with_name(path.name + ".part")
        part.write_text(yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=120), encoding="utf-8")
        os.replace(part, path)


def _entry_of(camera: Camera) -> dict[str, object]:
    model = "pinhole" if isinstance(camera.lens, Pinhole) else "fisheye"
    lens = {"model": model, "K": camera.lens.K.tolist(), "dist": camera.lens.dist.tolist()}
    return {
        "name": camera.name,
        "size": list(camera.size),
        "lens": lens,
        "R": camera.R.tolist(),
        "t": camera.t.tolist(),
    }


def _camera_from(entry: object, index: int) -> Camera:
    if not isinstance(entry, dict):
        raise ValueError(f"camera {index} is not a mapping")
    name = str(entry.get("name", f"number {index}"))
    missing = [key for key in ("name", "size", "lens", "R", "t") if key not in entry]
    if missing:
        raise ValueError(f"camera {name} lacks {', '.join(missing)}")
    size = entry["size"]
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(n, int) for n in size)):
        raise ValueError(f"camera {name}: size must be [width, height] in pixels")
    return Camera(name, (size[0], size[1]), _lens_from(entry["lens"], name), entry["R"], entry["t"])


def _lens_from(entry: object, name: str) -> Lens:
    if not isinstance(entry, dict) or "K" not in entry:
        raise ValueError(f"camera {name}: lens needs model, K and dist")
    model = entry.get("model", "pinhole")
    if model not in _LENSES:
        raise ValueError(f"camera {name}: lens model {model!r} is unknown; there are {', '.join(_LENSES)}")
    try:
        return _LENSES[model](entry["K"], entry.get("dist", []))
    except ValueError as error:
        raise ValueError(f"camera {name}: {error}") from error
