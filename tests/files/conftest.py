"""Small videos and rigs that several tests of this room need."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.data.rig import Rig
from mv3d.geometry.rotations import rotation_from_vector

STEP = 8  # grey levels between frames: more than the codec's error of 1 or 2 levels, so each frame tells its number


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """Writes a video with PyAV alone, frame i in grey 8 i, at the given pts (1/1000 s)."""

    def make(
        name: str = "cam.mp4",
        pts: list[int] | None = None,
        size: tuple[int, int] = (64, 48),
        codec: str = "libx264",
        options: dict[str, str] | None = None,
        rotation: int | None = None,
        noise: int = 0,
        corner: bool = False,
    ) -> Path:
        path = tmp_path / name
        rng = np.random.default_rng(0)
        with av.open(str(path), "w", options=options or {}) as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
            stream.codec_context.gop_size = 6
            if codec == "mpeg4":  # its time base has at most 16 bits and must be the frame's in AVI
                stream.time_base = stream.codec_context.time_base = Fraction(1, 25)
                stream.bit_rate = 4_000_000
            if rotation is not None:
                if not hasattr(stream, "set_display_rotation"):
                    pytest.skip("this PyAV cannot write a display matrix")
                stream.set_display_rotation(rotation)
            for i, time in enumerate(pts if pts is not None else range(0, 30 * 40, 40)):
                image = np.full((size[1], size[0], 3), STEP * i, np.uint8)
                if noise:
                    image = rng.integers(0, noise, image.shape, dtype=np.uint8)
                if corner:
                    image[:] = 0
                    image[: size[1] // 2, : size[0] // 2] = 255
                frame = av.VideoFrame.from_ndarray(image, format="bgr24")
                frame.pts, frame.time_base = time, Fraction(1, 1000)
                if codec == "mpeg4":
                    frame.pts, frame.time_base = i, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return make


@pytest.fixture
def rig() -> Rig:
    """Three unlike cameras with digits that do not end."""
    cameras = []
    for i in range(3):
        K = np.array([[900 + 1 / (i + 3), 0, 640.1], [0, 901.7, 359.3], [0, 0, 1]])
        dist = np.array([-0.1, 0.02, 1e-3, -2e-3, 1 / 7])[: (0, 4, 5)[i]]
        R = rotation_from_vector(np.array([0.1 * i, 2.0, -1 / 3]))
        cameras.append(Camera(f"cam{i + 1}", (1280, 720), Pinhole(K, dist), R, np.array([i / 3, 0.1, 3.0])))
    return Rig(tuple(cameras))
