"""Pictures into a video file."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from mv3d.files.video_writer import VideoWriter


def write_movie(path: str | Path, pictures: Iterable[UInt8[np.ndarray, "height width 3"]], fps: float) -> int:
    """Write pictures of `overlay_frames` or `render_scene` to an MP4; returns how many.

    An error that the pictures raise while they are made leaves no file behind, and an older one intact.

    Args:
        path: the MP4 to make.
        pictures: BGR, all of one size.
        fps: frames per second.

    Raises:
        VideoError: the file cannot be written, or there was no picture.
    """
    with VideoWriter(path, fps) as writer:
        for picture in pictures:
            writer.write(picture)
    return writer.frame_count
