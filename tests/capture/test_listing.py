"""Cameras of Linux, by a stand-in for the kernel."""

import struct
from pathlib import Path

import cv2
import pytest

from mv3d.capture.listing import list_by_trying
from mv3d.capture.v4l2 import Device, Mode, UsbBus, bus_warnings, list_v4l2
from mv3d.cli import main

QUERYCAP, ENUM_FMT, ENUM_SIZES, ENUM_INTERVALS = 0x80685600, 0xC0405602, 0xC02C564A, 0xC034564B
MJPG, YUYV = (int.from_bytes(code, "little") for code in (b"MJPG", b"YUYV"))
SIZES = {MJPG: [(1920, 1080), (640, 480)], YUYV: [(640, 480)]}


def _kernel(captures: bool):
    """Answers as a UVC camera, structures laid out by videodev2.h."""

    def ioctl(descriptor: int, request: int, data: bytearray) -> int:
        index = struct.unpack_from("I", data, 0)[0]
        if request == QUERYCAP:
            able = 0x04200001 if captures else 0x04A00000
            struct.pack_into("16s32s32sIII", data, 0, b"uvcvideo", b"C920", b"usb-1", 0, 0x84A00001, able)
        elif request == ENUM_FMT and index < 2:
            struct.pack_into("I32sI", data, 8, 0, b"", (MJPG, YUYV)[index])
        elif request == ENUM_SIZES and index < len(SIZES[struct.unpack_from("I", data, 4)[0]]):
            struct.pack_into("III", data, 8, 1, *SIZES[struct.unpack_from("I", data, 4)[0]][index])
        elif request == ENUM_INTERVALS and index < 2:
            struct.pack_into("III", data, 16, 1, 1, (30, 15)[index])
        else:
            raise OSError(22, "Invalid argument")
        return 0

    return ioctl


def test_modes_of_a_camera(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/video0").touch()
    usb = tmp_path / "devices/usb1/1-2"
    (usb / "1-2:1.0").mkdir(parents=True)
    (usb / "busnum").write_text("1\n")
    (usb / "speed").write_text("480\n")
    (tmp_path / "class/video0").mkdir(parents=True)
    (tmp_path / "class/video0/device").symlink_to(usb / "1-2:1.0")
    modes = (Mode("MJPG", (1920, 1080), 30.0), Mode("MJPG", (640, 480), 30.0), Mode("YUYV", (640, 480), 30.0))
    found = list_v4l2(tmp_path / "dev", tmp_path / "class", _kernel(captures=True))
    assert found == [Device("0", "C920", modes, UsbBus(1, 480.0))]
    # UVC cameras have a second device for their metadata.
    assert list_v4l2(tmp_path / "dev", tmp_path / "class", _kernel(captures=False)) == []


def test_cameras_that_crowd_a_bus() -> None:
    def camera(address: str, bus: int) -> Device:
        return Device(address, "C920", (Mode("MJPG", (1920, 1080), 30.0),), UsbBus(bus, 480.0))

    # 1920 x 1080 x 30 x 4 bits are 249 Mb/s, and 384 of 480 can be used.
    assert bus_warnings([camera("0", 1), camera("2", 2)]) == []
    warnings = bus_warnings([camera("0", 1), camera("2", 1), camera("4", 2)])
    assert len(warnings) == 1
    assert "cameras 0 and 2 share USB bus 1" in warnings[0]
    assert "498 Mb/s" in warnings[0]


def test_no_cameras(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("mv3d.capture.listing.list_v4l2", list)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    main(["cameras"])
    assert capsys.readouterr().out.startswith("no cameras here")


def test_a_camera_without_modes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    devices = [Device("0", "odd"), Device("1", "mine", problem="permission denied")]
    monkeypatch.setattr("mv3d.capture.listing.list_v4l2", lambda: devices)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    main(["cameras"])
    out = capsys.readouterr().out
    assert "lists no modes" in out
    assert "cannot be asked: permission denied" in out


def test_other_systems_are_tried() -> None:
    class Capture:
        def __init__(self, number: int, backend: int) -> None:
            self.number = number

        def isOpened(self) -> bool:
            return self.number == 1

        def get(self, what: int) -> float:
            return {cv2.CAP_PROP_FRAME_WIDTH: 640.0, cv2.CAP_PROP_FRAME_HEIGHT: 480.0, cv2.CAP_PROP_FPS: 30.0}[what]

        def release(self) -> None:
            pass

    assert list_by_trying(Capture) == [Device("1", "camera", (Mode("", (640, 480), 30.0),))]  # type: ignore[arg-type]
