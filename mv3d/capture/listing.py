"""Which cameras there are: of the operating system and of plugins."""

import platform
from collections.abc import Callable

import cv2

from mv3d.capture.device import open_silently
from mv3d.capture.sources import load_plugin, plugins
from mv3d.capture.v4l2 import Device, Mode, list_v4l2
from mv3d.errors import Mv3dError

# Where the system does not list its cameras to OpenCV, so many numbers are tried.
_TRIED = 8


def list_cameras() -> list[Device]:
    """Devices of the operating system, then the cameras of every plugin."""
    found = list_v4l2() if platform.system() == "Linux" else list_by_trying()
    for name, entry in sorted(plugins().items()):
        try:
            found += [Device(f"{name}:{address}", text) for address, text in load_plugin(entry).list_cameras()]
        except Mv3dError as error:
            found.append(Device(f"{name}:", "plugin", problem=str(error)))
    return found


def list_by_trying(open_capture: Callable[..., cv2.VideoCapture] = cv2.VideoCapture) -> list[Device]:
    """Devices by opening number after number; they tell only the mode that they are in."""
    found = []
    for number in range(_TRIED):
        capture = open_silently(number, open_capture)
        if capture.isOpened():
            size = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
            fps = float(capture.get(cv2.CAP_PROP_FPS))
            found.append(Device(str(number), "camera", (Mode("", size, fps),) if all(size) else ()))
        capture.release()
    return found
