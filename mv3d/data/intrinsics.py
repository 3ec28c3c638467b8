"""Intrinsics: cameras whose lens is known and whose place is not, and their file `lenses.yaml`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mv3d.data.camera_entries import lens_entry, lens_of_entry, one_line, read_entries, write_entries
from mv3d.data.lens import Lens
from mv3d.errors import CalibrationError

_CONVENTION = "lenses only, no poses; +x right, +y down, +z forward; pixel centres at integers"


@dataclass(frozen=True, slots=True, eq=False)
class Intrinsics:
    """A camera without a place.

    Attributes:
        name: of the camera.
        size: (width, height) px of the images that the lens was calibrated for.
        lens: Pinhole, Fisheye or DoubleSphere.
    """

    name: str
    size: tuple[int, int]
    lens: Lens


def save_intrinsics(path: str | Path, cameras: Sequence[Intrinsics]) -> None:
    """Write `lenses.yaml`: as `cameras.yaml`, without R and t."""
    write_entries(path, _CONVENTION, [lens_entry(camera.name, camera.size, camera.lens) for camera in cameras])


def load_intrinsics(path: str | Path) -> tuple[Intrinsics, ...]:
    """Read the lenses of a `lenses.yaml` or a `cameras.yaml`, whose poses are left aside.

    Raises:
        CalibrationError: the file is missing, not YAML, or a lens in it is none; says where.
    """
    try:
        entries = enumerate(read_entries(Path(path)))
        cameras = tuple(Intrinsics(*lens_of_entry(entry, i, ("name", "size", "lens"))) for i, entry in entries)
        if any(min(camera.size) < 1 for camera in cameras):
            raise ValueError("an image size is not positive")
        if len({camera.name for camera in cameras}) != len(cameras):
            raise ValueError(f"camera names repeat: {', '.join(camera.name for camera in cameras)}")
    except (ValueError, TypeError, OverflowError) as error:
        raise CalibrationError(f"{path}: {one_line(error)}") from error
    return cameras
