"""Basler cameras for mv3d, through pypylon: a camera plugin in one file (see docs/recording.md, Plugins)."""

import time

from pypylon import genicam, pylon

from mv3d.capture.frames import CapturedFrame, DamagedFrame, SourceInfo, SourceSettings
from mv3d.errors import CaptureError


class BaslerSource:
    """One camera, its frames in order and with the camera's own times."""

    def __init__(self, serial: str, settings: SourceSettings) -> None:
        factory = pylon.TlFactory.GetInstance()
        found = [d for d in factory.EnumerateDevices() if d.GetSerialNumber() == serial]
        if not found:
            raise CaptureError(f"basler:{serial}: no such camera; see `mv3d cameras`")
        self._serial, self._timeout_ms = serial, round(settings.timeout * 1000)
        try:
            self._camera = camera = pylon.InstantCamera(factory.CreateDevice(found[0]))
            camera.Open()
            camera.PixelFormat.Value = "BGR8"
            if settings.size:
                camera.Width.Value, camera.Height.Value = settings.size
            if settings.fps:
                camera.AcquisitionFrameRateEnable.Value = True
                camera.AcquisitionFrameRate.Value = settings.fps
            if settings.lock or settings.exposure is not None:
                camera.ExposureAuto.Value = "Off"
            if settings.exposure is not None:
                camera.ExposureTime.Value = settings.exposure
            camera.StartGrabbing(pylon.GrabStrategy_OneByOne)
        except genicam.GenericException as error:
            raise CaptureError(f"basler:{serial}: busy, or refuses these settings ({error})") from error
        size, fps = (camera.Width.Value, camera.Height.Value), float(camera.ResultingFrameRate.Value)
        self.info = SourceInfo("image", size, fps, settings={"exposure": f"{camera.ExposureTime.Value:g}"})

    def start(self, at: float) -> None:
        """The camera runs freely."""

    def read(self) -> CapturedFrame | DamagedFrame | None:
        """Wait for a frame; it is the SDK's memory until it is copied."""
        try:
            result = self._camera.RetrieveResult(self._timeout_ms, pylon.TimeoutHandling_ThrowException)
        except genicam.GenericException as error:
            raise CaptureError(f"basler:{self._serial}: gives no pictures any more; check its cable") from error
        arrival = time.monotonic()
        try:
            if not result.GrabSucceeded():
                return DamagedFrame(arrival, result.ErrorDescription)
            image, size, stamp = result.Array.copy(), (result.Width, result.Height), result.TimeStamp / 1e9
            return CapturedFrame(arrival, image, size, device_time=stamp, number=result.BlockID)
        finally:
            result.Release()

    def close(self) -> None:
        """Let go of the camera."""
        self._camera.Close()


def open_camera(address: str, settings: SourceSettings) -> BaslerSource:
    """Open basler:SERIAL."""
    return BaslerSource(address, settings)


def list_cameras() -> list[tuple[str, str]]:
    """Serial number and model of every camera."""
    return [(d.GetSerialNumber(), d.GetModelName()) for d in pylon.TlFactory.GetInstance().EnumerateDevices()]
