"""Cameras of Linux and what they can do, asked of the kernel (V4L2), and the USB bus that each hangs on."""

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mv3d.files.natural import natural_key

# ioctl numbers of videodev2.h: direction, size of the structure, 'V', number.
_QUERYCAP, _ENUM_FMT, _ENUM_SIZES, _ENUM_INTERVALS = 0x80685600, 0xC0405602, 0xC02C564A, 0xC034564B
_VIDEO_CAPTURE, _HAS_DEVICE_CAPS, _CAPTURE_TYPE, _DISCRETE = 0x1, 0x80000000, 1, 1
# A driver that never ends its list is not asked for ever.
_MOST = 200

Ioctl = Callable[[int, int, bytearray], int]


@dataclass(frozen=True, slots=True)
class Mode:
    """Format (a four-letter code), (width, height) px and the highest rate, frames per second."""

    format: str
    size: tuple[int, int]
    fps: float

    @property
    def megabits(self) -> float:
        """About what it takes of a bus, Mb/s: 4 bits a pixel packed (what cameras reserve), 16 otherwise."""
        bits = 4 if self.format in ("MJPG", "JPEG", "H264", "HEVC") else 16
        return self.size[0] * self.size[1] * self.fps * bits / 1e6


@dataclass(frozen=True, slots=True)
class UsbBus:
    """Number of a USB bus and the speed at which a camera is connected to it, Mb/s."""

    number: int
    megabits: float


@dataclass(frozen=True, slots=True)
class Device:
    """A camera of this machine.

    Attributes:
        address: what `mv3d record --camera NAME=` takes.
        description: what the maker calls it.
        modes: what it can do; empty if it does not say.
        bus: where it hangs, None if not on USB.
        problem: why it could not be asked; empty if it could.
    """

    address: str
    description: str
    modes: tuple[Mode, ...] = ()
    bus: UsbBus | None = None
    problem: str = ""


def list_v4l2(
    folder: Path = Path("/dev"), system: Path = Path("/sys/class/video4linux"), ioctl: Ioctl | None = None
) -> list[Device]:
    """All devices that capture video.

    Args:
        folder: where the devices are.
        system: what the kernel tells of them.
        ioctl: stands in for the kernel in tests.
    """
    if ioctl is None:
        import fcntl

        ioctl = fcntl.ioctl  # type: ignore[assignment]
    assert ioctl is not None
    found = []
    for path in sorted(folder.glob("video*"), key=natural_key):
        number = path.name.removeprefix("video")
        bus = _bus(system / path.name / "device")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        except OSError as error:
            found.append(Device(number, path.name, (), bus, (error.strerror or "cannot be opened").lower()))
            continue
        try:
            card = _card(descriptor, ioctl)
            if card is not None:
                found.append(Device(number, card, tuple(_modes(descriptor, ioctl)), bus))
        finally:
            os.close(descriptor)
    return found


def bus_warnings(devices: list[Device]) -> list[str]:
    """USB buses whose cameras want more than there is, a sentence each."""
    warnings = []
    buses = sorted({d.bus.number for d in devices if d.bus is not None and d.modes})
    for number in buses:
        here = [d for d in devices if d.bus is not None and d.bus.number == number and d.modes]
        wanted = sum(max(mode.megabits for mode in d.modes) for d in here)
        # USB keeps a fifth for other transfers.
        there = 0.8 * min(d.bus.megabits for d in here if d.bus is not None)
        if len(here) > 1 and wanted > there:
            names = " and ".join(d.address for d in here)
            warnings.append(
                f"cameras {names} share USB bus {number}: at their largest modes they want about {wanted:.0f} Mb/s, it"
                f" carries about {there:.0f}; ask for smaller pictures or rates, or plug one into another controller"
            )
    return warnings


def _card(descriptor: int, ioctl: Ioctl) -> str | None:
    """The maker's name of a device that captures video; None for one that does not."""
    data = bytearray(104)
    try:
        ioctl(descriptor, _QUERYCAP, data)
    except OSError:
        return None
    _, card, _, _, capabilities, device = struct.unpack("16s32s32sIII", data[:92])
    able = device if capabilities & _HAS_DEVICE_CAPS else capabilities
    return card.split(b"\0")[0].decode(errors="replace") if able & _VIDEO_CAPTURE else None


def _modes(descriptor: int, ioctl: Ioctl) -> Iterator[Mode]:
    for fmt in _listed(descriptor, ioctl, _ENUM_FMT, 64, (_CAPTURE_TYPE,)):
        (code,) = struct.unpack_from("I", fmt, 44)
        for size in _listed(descriptor, ioctl, _ENUM_SIZES, 44, (code,)):
            kind, width, height = struct.unpack_from("III", size, 8)
            if kind != _DISCRETE:  # from, to, step: the largest is told
                width, height = struct.unpack_from("IxxxxxxxxI", size, 16)
            rates = [
                below / above
                for interval in _listed(descriptor, ioctl, _ENUM_INTERVALS, 52, (code, width, height))
                for above, below in [struct.unpack_from("II", interval, 20)]
                if above
            ]
            yield Mode(
                struct.pack("I", code).decode(errors="replace").strip(), (width, height), max(rates, default=30.0)
            )


def _listed(descriptor: int, ioctl: Ioctl, request: int, size: int, asked: tuple[int, ...]) -> Iterator[bytearray]:
    for index in range(_MOST):
        data = bytearray(size)
        struct.pack_into(f"{1 + len(asked)}I", data, 0, index, *asked)
        try:
            ioctl(descriptor, request, data)
        except OSError:
            return
        yield data
        if request != _ENUM_FMT and struct.unpack_from("I", data, 4 * (1 + len(asked)))[0] != _DISCRETE:
            return


def _bus(device: Path) -> UsbBus | None:
    """The nearest USB device above."""
    try:
        for folder in (path := device.resolve(strict=True), *path.parents):
            if (folder / "busnum").is_file():
                return UsbBus(int((folder / "busnum").read_text()), float((folder / "speed").read_text()))
    except (OSError, ValueError):
        pass
    return None
