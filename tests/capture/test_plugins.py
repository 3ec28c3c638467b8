"""A camera plugin, the one of the documentation, against a simulated SDK of its maker."""

import sys
import threading
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from mv3d.capture import sources
from mv3d.capture.addresses import CameraAddress
from mv3d.capture.frames import CapturedFrame, DamagedFrame, SourceSettings
from mv3d.capture.recorder import Recorder, RecorderConfig, open_recorder
from mv3d.cli import main
from mv3d.errors import CaptureError
from mv3d.files.video import probe_video
from mv3d.synthetic.frame_codes import draw_number, read_number

SIZE = (128, 96)


class GenericException(Exception):
    pass


class _Camera:
    """Has the features of a camera of Basler as nodes with values; 100 frames/s until unplugged, the 5th spoilt."""

    unplugged = threading.Event()

    def __init__(self, device) -> None:
        names = ("PixelFormat", "AcquisitionFrameRateEnable", "AcquisitionFrameRate", "ExposureAuto")
        for name in names:
            setattr(self, name, SimpleNamespace(Value=None))
        self.Width, self.Height = SimpleNamespace(Value=SIZE[0]), SimpleNamespace(Value=SIZE[1])
        self.ExposureTime, self.ResultingFrameRate = SimpleNamespace(Value=5000.0), SimpleNamespace(Value=100.0)
        self.frame, self.busy = 0, device.busy

    def Open(self) -> None:
        if self.busy:
            raise GenericException("controlled by another application")

    def StartGrabbing(self, strategy) -> None:
        pass

    def RetrieveResult(self, timeout_ms, handling):
        if self.unplugged.wait(0.01):
            raise GenericException("timed out")
        image = np.full((SIZE[1], SIZE[0], 3), 60, np.uint8)
        draw_number(image, self.frame)
        self.frame += 1
        return SimpleNamespace(
            GrabSucceeded=lambda good=self.frame != 5: good,
            ErrorDescription="incompletely grabbed",
            Array=image,
            Width=SIZE[0],
            Height=SIZE[1],
            TimeStamp=7_000_000_000 + self.frame * 10_000_000,
            BlockID=self.frame,
            Release=lambda: None,
        )

    def Close(self) -> None:
        pass


def _device(serial: str, busy: bool = False) -> SimpleNamespace:
    return SimpleNamespace(GetSerialNumber=lambda: serial, GetModelName=lambda: "acA1300-200uc", busy=busy)


@pytest.fixture
def basler(monkeypatch: pytest.MonkeyPatch, repository: Path) -> Iterator[None]:
    package, pylon, genicam = ModuleType("pypylon"), ModuleType("pypylon.pylon"), ModuleType("pypylon.genicam")
    _Camera.unplugged.clear()
    devices = [_device("123"), _device("456", busy=True)]
    factory = SimpleNamespace(EnumerateDevices=lambda: devices, CreateDevice=lambda device: device)
    pylon.TlFactory = SimpleNamespace(GetInstance=lambda: factory)  # type: ignore[attr-defined]
    pylon.InstantCamera = _Camera  # type: ignore[attr-defined]
    pylon.GrabStrategy_OneByOne = pylon.TimeoutHandling_ThrowException = 0  # type: ignore[attr-defined]
    genicam.GenericException = GenericException  # type: ignore[attr-defined]
    package.pylon, package.genicam = pylon, genicam  # type: ignore[attr-defined]
    for name, module in (("pypylon", package), ("pypylon.pylon", pylon), ("pypylon.genicam", genicam)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.syspath_prepend(str(repository / "docs/examples"))
    entries = [
        EntryPoint("basler", "basler_cameras", sources.PLUGIN_GROUP),
        EntryPoint("flir", "no_such_sdk_here", sources.PLUGIN_GROUP),
    ]
    monkeypatch.setattr(sources, "entry_points", lambda group: entries)
    yield
    sys.modules.pop("basler_cameras", None)


@pytest.mark.usefixtures("basler")
def test_frames_come_with_times_and_numbers() -> None:
    source = sources.open_source("basler:123?exposure=2000", SourceSettings(fps=100.0))
    assert source.info.settings == {"exposure": "2000"}
    frames = [source.read() for _ in range(6)]
    assert [type(frame) for frame in frames] == [CapturedFrame] * 4 + [DamagedFrame, CapturedFrame]
    good = [frame for frame in frames if isinstance(frame, CapturedFrame)]
    assert [read_number(frame.data) for frame in good] == [0, 1, 2, 3, 5]
    assert [frame.number for frame in good] == [1, 2, 3, 4, 6]
    np.testing.assert_allclose(np.diff([frame.device_time for frame in good]), [0.01, 0.01, 0.01, 0.02])


@pytest.mark.usefixtures("basler")
def test_recorded_like_any_camera(tmp_path: Path) -> None:
    config = RecorderConfig(SourceSettings(timeout=0.5), reconnect=False, codec="ffv1")

    def unplug(recorder: Recorder) -> bool:
        if recorder.cameras[0].counts.written > 5:
            _Camera.unplugged.set()
        return False

    with open_recorder(tmp_path, [CameraAddress("top", "basler:123")], config) as recorder:
        recorder.start()
        recorder.wait(60.0, unplug)
        recorded = recorder.stop()
    assert "check its cable" in recorded.cameras[0].ended
    assert recorded.cameras[0].frames > 5
    assert probe_video(tmp_path / "videos/top.mkv").size == SIZE


@pytest.mark.usefixtures("basler")
@pytest.mark.parametrize(
    ("source", "words"),
    [("basler:789", "no such camera"), ("basler:456", "busy"), ("flir:1", "install the maker's SDK")],
)
def test_what_can_be_wrong(source: str, words: str) -> None:
    with pytest.raises(CaptureError, match=words):
        sources.open_source(source, SourceSettings())


@pytest.mark.usefixtures("basler")
def test_they_are_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("mv3d.capture.listing.list_v4l2", list)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    main(["cameras"])
    out = capsys.readouterr().out
    assert "basler:123acA1300-200uc" in out.replace(" ", "")
    assert "camera plugin flir: cannot be loaded" in out


def test_the_example_is_short(repository: Path) -> None:
    assert len((repository / "docs/examples/basler_cameras.py").read_text().splitlines()) <= 75
