"""USB and built-in cameras by OpenCV: V4L2, AVFoundation, Media Foundation."""

import platform
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from mv3d.capture.frames import CapturedFrame, DamagedFrame, SourceInfo, SourceSettings, jpeg_frame
from mv3d.capture.running_camera import RunningCamera
from mv3d.errors import CaptureError

_BACKENDS = {"Linux": cv2.CAP_V4L2, "Darwin": cv2.CAP_AVFOUNDATION, "Windows": cv2.CAP_MSMF}
_MJPG = cv2.VideoWriter.fourcc(*"MJPG")
# V4L2's V4L2_EXPOSURE_MANUAL; the other systems' drivers take OpenCV's older 0.25 for the same.
_MANUAL_EXPOSURE = {"Linux": 1.0}
_OTHER_MANUAL_EXPOSURE = 0.25
# The device's clock is believed if it is this near to the machine's own, s: V4L2 stamps with the monotonic clock.
_SAME_CLOCK = 5.0

OpenCapture = Callable[..., cv2.VideoCapture]


class DeviceSource(RunningCamera):
    """A camera that the operating system knows."""

    def __init__(
        self, device: int | str, settings: SourceSettings, open_capture: OpenCapture = cv2.VideoCapture
    ) -> None:
        """Open, set, lock and read back.

        Args:
            device: number or path.
            settings: what is asked of it.
            open_capture: stands in for OpenCV in tests.

        Raises:
            CaptureError: missing, busy, or no picture within the timeout.
        """
        self._device, self._timeout = device, settings.timeout
        self._capture = open_silently(device, open_capture)
        if not self._capture.isOpened():
            raise CaptureError(
                f"camera {device}: cannot be opened; it is missing, or another program uses it (see `mv3d cameras`)"
            )
        self._set_picture(settings)
        self._set_controls(settings)
        self._first = self._awaited(
            settings.timeout,
            f"camera {device}: opens, but gives no picture within {settings.timeout:g} s; another program uses it,"
            " or it lists no such size and rate (see `mv3d cameras`)",
        )
        codec = "mjpeg" if isinstance(self._first.data, bytes) else "image"
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self._info = SourceInfo(
            codec,
            self._first.size,
            fps if 0 < fps < 1000 else None,
            settings=self._read_back(),
            notes=self._notes(settings),
        )

    def close(self) -> None:
        """Let go of the camera."""
        self._capture.release()

    def _next(self) -> CapturedFrame | DamagedFrame:
        deadline = time.monotonic() + self._timeout
        while True:
            good, image = self._capture.read()
            if good and image is not None:
                return self._frame(image)
            if not self._capture.isOpened() or time.monotonic() > deadline:
                raise CaptureError(f"camera {self._device}: gives no pictures any more; check its cable")
            time.sleep(0.005)  # a driver without a picture returns at once

    def _set_picture(self, settings: SourceSettings) -> None:
        """Format before size before rate: each limits the next. MJPEG, unpacked by nobody, leaves USB its room."""
        wanted: list[tuple[int, float]] = [
            (cv2.CAP_PROP_FOURCC, _MJPG),
            (cv2.CAP_PROP_CONVERT_RGB, 0),
            (cv2.CAP_PROP_BUFFERSIZE, 4),
        ]
        if settings.size:
            wanted += [(cv2.CAP_PROP_FRAME_WIDTH, settings.size[0]), (cv2.CAP_PROP_FRAME_HEIGHT, settings.size[1])]
        if settings.fps:
            wanted.append((cv2.CAP_PROP_FPS, settings.fps))
        for what, value in wanted:
            self._capture.set(what, value)
        if int(self._capture.get(cv2.CAP_PROP_FOURCC)) != _MJPG:
            self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 1)

    def _set_controls(self, settings: SourceSettings) -> None:
        controls = (
            (settings.exposure, cv2.CAP_PROP_AUTO_EXPOSURE, _manual_exposure(), cv2.CAP_PROP_EXPOSURE),
            (settings.focus, cv2.CAP_PROP_AUTOFOCUS, 0, cv2.CAP_PROP_FOCUS),
            (settings.white_balance, cv2.CAP_PROP_AUTO_WB, 0, cv2.CAP_PROP_WB_TEMPERATURE),
        )
        for value, automatic, manual, control in controls:
            if settings.lock or value is not None:
                self._capture.set(automatic, manual)
            if value is not None:
                self._capture.set(control, value)

    def _frame(self, image: np.ndarray) -> CapturedFrame | DamagedFrame:
        arrival = time.monotonic()
        stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        device_time = stamp if abs(arrival - stamp) < _SAME_CLOCK else None
        if image.ndim == 3:
            return CapturedFrame(arrival, image, (image.shape[1], image.shape[0]), device_time=device_time)
        return jpeg_frame(arrival, image.tobytes(), device_time)

    def _read_back(self) -> dict[str, str]:
        names = {
            "exposure": cv2.CAP_PROP_EXPOSURE,
            "auto_exposure": cv2.CAP_PROP_AUTO_EXPOSURE,
            "focus": cv2.CAP_PROP_FOCUS,
            "autofocus": cv2.CAP_PROP_AUTOFOCUS,
            "white_balance": cv2.CAP_PROP_WB_TEMPERATURE,
            "auto_white_balance": cv2.CAP_PROP_AUTO_WB,
            "gain": cv2.CAP_PROP_GAIN,
        }
        return {name: f"{self._capture.get(what):g}" for name, what in names.items()}

    def _notes(self, settings: SourceSettings) -> tuple[str, ...]:
        assert self._first is not None
        shown, notes = f"camera {self._device}", []
        if settings.size and self._first.size != settings.size:
            wanted, have = (f"{w}x{h}" for w, h in (settings.size, self._first.size))
            notes.append(f"{shown}: {wanted} was asked for, it gives {have}")
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        if settings.fps and fps > 0 and abs(fps - settings.fps) > 0.5:
            notes.append(f"{shown}: {settings.fps:g} frames per second were asked for, it says {fps:g}")
        for name, value, what in (
            ("exposure", settings.exposure, cv2.CAP_PROP_EXPOSURE),
            ("focus", settings.focus, cv2.CAP_PROP_FOCUS),
            ("white balance", settings.white_balance, cv2.CAP_PROP_WB_TEMPERATURE),
        ):
            have = self._capture.get(what)
            if value is not None and abs(have - value) > 0.01 * max(1.0, abs(value)):
                notes.append(f"{shown}: {name} {value:g} was asked for, it says {have:g}")
        automatic = self._capture.get(cv2.CAP_PROP_AUTO_EXPOSURE)
        if settings.lock and automatic not in (_manual_exposure(), -1.0):
            notes.append(f"{shown}: the exposure cannot be locked; frames may get darker, brighter or fewer")
        return tuple(notes)


def _manual_exposure() -> float:
    return _MANUAL_EXPOSURE.get(platform.system(), _OTHER_MANUAL_EXPOSURE)


def open_silently(device: int | str, open_capture: OpenCapture) -> Any:
    """Open a device without OpenCV's own words on standard error; the caller has a better one."""
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return open_capture(device, _BACKENDS.get(platform.system(), cv2.CAP_ANY))
    finally:
        cv2.utils.logging.setLogLevel(before)
