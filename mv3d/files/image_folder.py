"""Images on disk, and folders of them as a video: natural order, one size."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from mv3d.errors import VideoError
from mv3d.files.natural import natural_key
from mv3d.files.writing import whole_file

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})


def list_images(folder: Path) -> list[Path]:
    """Images of a folder in natural order; hidden files are left out."""
    found = (p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    return sorted(found, key=natural_key)


def read_image(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """One image as BGR, turned upright by its EXIF orientation.

    Raises:
        VideoError: missing or not an image.
    """
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error) as error:
        raise VideoError(f"{path}: cannot read this image: {' '.join(str(error).split())}") from error
    if image is None:
        raise VideoError(f"{path}: not an image that can be read, or cut short; replace it")
    return np.asarray(image, np.uint8)


def write_png(
    path: str | Path,
    image: UInt8[np.ndarray, "height width 3"] | UInt8[np.ndarray, "height width"],
    compression: int | None = None,
) -> None:
    """Write an image, BGR or grey, whole or not at all.

    Args:
        path: the file.
        image: the pixels.
        compression: 0 (fast) to 9 (small); OpenCV's choice by default.

    Raises:
        SessionError: it cannot be written.
    """
    how = [] if compression is None else [cv2.IMWRITE_PNG_COMPRESSION, compression]
    encoded = cv2.imencode(".png", image, how)[1]
    with whole_file(path) as part:
        part.write_bytes(encoded.tobytes())


def read_images(paths: list[Path], size: tuple[int, int]) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """The images one after another.

    Args:
        paths: the files.
        size: (width, height) px that all must have.

    Raises:
        VideoError: an image cannot be read or has another size.
    """
    for path in paths:
        image = read_image(path)
        have = image.shape[1], image.shape[0]
        if have != size:
            raise VideoError(f"{path}: is {have[0]}x{have[1]} while the first image is {size[0]}x{size[1]}")
        yield image
