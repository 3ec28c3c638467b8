"""Simulated cameras, and what they must leave behind."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mv3d.files.video import read_frames
from mv3d.synthetic.camera_server import CameraServer, SimulatedCamera
from mv3d.synthetic.frame_codes import read_number
from mv3d.synthetic.numbered_jpegs import NumberedJpegs

SIZE = (128, 96)

Serve = Callable[..., CameraServer]


@pytest.fixture(scope="session")
def pictures() -> NumberedJpegs:
    return NumberedJpegs(SIZE)


@pytest.fixture(scope="session")
def large_pictures() -> NumberedJpegs:
    return NumberedJpegs((160, 128))


@pytest.fixture
def serve(pictures: NumberedJpegs, large_pictures: NumberedJpegs) -> Iterator[Serve]:
    """Starts simulated cameras, which end with the test."""
    with contextlib.ExitStack() as stack:

        def start(fps: float = 50.0, **changes: object) -> CameraServer:
            # Nothing is skipped, however slow the machine is.
            settings = {"other_picture": large_pictures, "held": 1_000_000, **changes}
            camera = SimulatedCamera(pictures, fps, **settings)  # type: ignore[arg-type]
            return stack.enter_context(CameraServer(camera))

        yield start


@pytest.fixture
def numbers() -> Callable[[Path], np.ndarray]:
    """The frame numbers that are burnt into a video."""

    def read(path: Path) -> np.ndarray:
        found = [read_number(image) for _, image in read_frames(path)]
        assert None not in found
        return np.array(found)

    return read
