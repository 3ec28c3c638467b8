"""USB cameras, by a stand-in for OpenCV's capture that behaves as V4L2's does."""

import time
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from mv3d.capture.device import DeviceSource
from mv3d.capture.frames import CapturedFrame, DamagedFrame, SourceSettings
from mv3d.errors import CaptureError

MJPG = cv2.VideoWriter.fourcc(*"MJPG")
YUYV = cv2.VideoWriter.fourcc(*"YUYV")
SETTINGS = SourceSettings(timeout=0.3)


@dataclass
class FakeCamera:
    """Takes only the modes that it has, and keeps the controls that it is told unless they are stuck."""

    sizes: tuple[tuple[int, int], ...] = ((640, 480), (1280, 720))
    packs: bool = True
    opens: bool = True
    pictures: int = 1000
    stuck: frozenset[int] = frozenset()
    damaged: bool = False
    values: dict[int, float] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    released: bool = False

    def __post_init__(self) -> None:
        self.values |= {cv2.CAP_PROP_FOURCC: YUYV, cv2.CAP_PROP_FPS: 30.0, cv2.CAP_PROP_CONVERT_RGB: 1.0}
        self.values |= {cv2.CAP_PROP_FRAME_WIDTH: 640, cv2.CAP_PROP_FRAME_HEIGHT: 480, cv2.CAP_PROP_AUTO_EXPOSURE: 3.0}

    def __call__(self, device: int | str, backend: int) -> "FakeCamera":
        return self

    def isOpened(self) -> bool:
        return self.opens and not self.released

    def set(self, what: int, value: float) -> bool:
        self.order.append(what)
        if what in self.stuck or (what == cv2.CAP_PROP_FOURCC and not self.packs):
            return False
        self.values[what] = value
        return True

    def get(self, what: int) -> float:
        if what == cv2.CAP_PROP_POS_MSEC:
            return 1000 * (time.monotonic() - 0.004)
        return self.values.get(what, -1.0)

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self.pictures <= 0:
            return False, None
        self.pictures -= 1
        wanted = int(self.values[cv2.CAP_PROP_FRAME_WIDTH]), int(self.values[cv2.CAP_PROP_FRAME_HEIGHT])
        size = wanted if wanted in self.sizes else self.sizes[0]
        image = np.full((size[1], size[0], 3), 90, np.uint8)
        if self.values[cv2.CAP_PROP_CONVERT_RGB]:
            return True, image
        data = cv2.imencode(".jpg", image)[1].reshape(1, -1)
        return True, data[:, : data.size // 2] if self.damaged and self.pictures % 2 else data

    def release(self) -> None:
        self.released = True


def test_pictures_are_kept_packed() -> None:
    source = DeviceSource(0, SourceSettings((1280, 720), 30.0), FakeCamera())
    assert (source.info.codec, source.info.size, source.info.fps) == ("mjpeg", (1280, 720), 30.0)
    frame = source.read()
    assert isinstance(frame, CapturedFrame)
    assert cv2.imdecode(np.frombuffer(frame.data, np.uint8), cv2.IMREAD_COLOR).shape == (720, 1280, 3)
    assert frame.device_time is not None
    assert frame.device_time < frame.arrival


def test_a_camera_that_packs_nothing_gives_images() -> None:
    source = DeviceSource("/dev/video0", SETTINGS, FakeCamera(packs=False))
    assert source.info.codec == "image"
    frame = source.read()
    assert isinstance(frame, CapturedFrame)
    assert isinstance(frame.data, np.ndarray)


def test_automatics_are_switched_off_and_values_read_back() -> None:
    camera = FakeCamera()
    source = DeviceSource(0, SourceSettings(exposure=120.0, focus=5.0, white_balance=4600.0), camera)
    assert camera.values[cv2.CAP_PROP_AUTOFOCUS] == camera.values[cv2.CAP_PROP_AUTO_WB] == 0
    assert camera.values[cv2.CAP_PROP_AUTO_EXPOSURE] in (1.0, 0.25)
    # The automatic first: a value given before would be overruled.
    assert camera.order.index(cv2.CAP_PROP_AUTO_EXPOSURE) < camera.order.index(cv2.CAP_PROP_EXPOSURE)
    assert source.info.settings["exposure"] == "120"
    assert source.info.settings["white_balance"] == "4600"
    assert source.info.notes == ()


def test_nothing_is_touched_if_it_is_not_to_be_locked() -> None:
    camera = FakeCamera()
    DeviceSource(0, SourceSettings(lock=False), camera)
    assert not {cv2.CAP_PROP_AUTO_EXPOSURE, cv2.CAP_PROP_AUTOFOCUS, cv2.CAP_PROP_AUTO_WB} & set(camera.order)


def test_what_was_not_granted_is_said() -> None:
    stuck = frozenset({cv2.CAP_PROP_FPS, cv2.CAP_PROP_EXPOSURE, cv2.CAP_PROP_AUTO_EXPOSURE})
    source = DeviceSource(2, SourceSettings((1920, 1080), 60.0, exposure=50.0), FakeCamera(stuck=stuck))
    assert source.info.size == (640, 480)
    said = "\n".join(source.info.notes)
    for words in ("1920x1080 was asked for, it gives 640x480", "60 frames", "exposure 50 was", "cannot be locked"):
        assert words in said


@pytest.mark.parametrize(
    ("camera", "words"),
    [(FakeCamera(opens=False), "cannot be opened; it is missing, or another"), (FakeCamera(pictures=0), "no picture")],
)
def test_missing_or_busy(camera: FakeCamera, words: str) -> None:
    with pytest.raises(CaptureError, match=f"camera 3: .*{words}"):
        DeviceSource(3, SETTINGS, camera)


def test_a_pulled_cable() -> None:
    source = DeviceSource(0, SETTINGS, FakeCamera(pictures=2))
    assert isinstance(source.read(), CapturedFrame)
    assert isinstance(source.read(), CapturedFrame)
    with pytest.raises(CaptureError, match="check its cable"):
        source.read()


def test_half_a_picture_is_damaged() -> None:
    source = DeviceSource(0, SETTINGS, FakeCamera(damaged=True))
    kinds = {type(source.read()) for _ in range(4)}
    assert kinds == {CapturedFrame, DamagedFrame}
