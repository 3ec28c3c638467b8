"""Opens what an address names: a device, a network camera, a file, or a camera of a plugin."""

import re
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol, runtime_checkable

from mv3d.capture.addresses import without_password
from mv3d.capture.device import DeviceSource
from mv3d.capture.frames import Source, SourceSettings
from mv3d.capture.multipart import MultipartSource, NotMultipart
from mv3d.capture.network import NetworkSource
from mv3d.capture.playback import PlaybackSource
from mv3d.errors import CaptureError, ConfigError

PLUGIN_GROUP = "mv3d.cameras"
_OF_ADDRESS = {"exposure": float, "focus": float, "white_balance": float, "fps": float}


@runtime_checkable
class CameraPlugin(Protocol):
    """What an entry point of the group `mv3d.cameras` names: a module, or anything with these functions."""

    def open_camera(self, address: str, settings: SourceSettings) -> Source:
        """Open the camera at PLUGIN:`address`; raises CaptureError."""
        ...

    def list_cameras(self) -> list[tuple[str, str]]:
        """(address, description) of every camera that is there."""
        ...


def open_source(source: str, settings: SourceSettings) -> Source:
    """Open a camera or file.

    Args:
        source: 0, /dev/video0, rtsp://..., http://..., a file, a folder of images, or PLUGIN:ADDRESS. Devices and
            plugins take settings of their own: 0?size=1280x720&fps=30&exposure=-6.
        settings: what is asked of it.

    Raises:
        CaptureError: it cannot be opened.
        VideoError: a file that cannot be read.
        ConfigError: no such file, and nothing else that is known; or a setting that does not exist.
    """
    if re.match(r"https?://", source, re.IGNORECASE):
        try:
            return MultipartSource(source, settings)
        except NotMultipart:
            return NetworkSource(source, settings)
    if "://" in source:
        return NetworkSource(source, settings)
    if Path(source).is_file() or Path(source).is_dir():
        return PlaybackSource(Path(source), settings)
    address, _, own = source.partition("?")
    settings = with_own_settings(settings, own, source)
    if address.isdecimal() or address.startswith("/dev/"):
        return DeviceSource(int(address) if address.isdecimal() else address, settings)
    name, separator, rest = address.partition(":")
    found = plugins()
    if separator and name in found:
        return load_plugin(found[name]).open_camera(rest, settings)
    known = f" or plugin ({', '.join(sorted(found))})" if found else ""
    shown = without_password(source)
    raise ConfigError(f"{shown}: no such file or folder, and no camera number, URL{known}; see `mv3d cameras`")


def plugins() -> dict[str, EntryPoint]:
    """Installed camera plugins by name."""
    return {entry.name: entry for entry in entry_points(group=PLUGIN_GROUP)}


def load_plugin(entry: EntryPoint) -> CameraPlugin:
    """Import a plugin.

    Raises:
        CaptureError: it cannot be imported, for example because the maker's SDK is missing, or is no plugin.
    """
    try:
        plugin = entry.load()
    except Exception as error:  # a plugin may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CaptureError(
            f"camera plugin {entry.name}: cannot be loaded ({reason}); install the maker's SDK"
        ) from error
    if not isinstance(plugin, CameraPlugin):
        raise CaptureError(f"camera plugin {entry.name}: {entry.value} lacks open_camera or list_cameras; update it")
    return plugin


def with_own_settings(settings: SourceSettings, query: str, source: str) -> SourceSettings:
    """Settings with those of an address (`size=1280x720&exposure=-6`) over them."""
    source = without_password(source)
    for text in filter(None, query.split("&")):
        key, _, value = text.partition("=")
        try:
            if key == "size":
                settings = replace(settings, size=parse_size(value))
            elif key in _OF_ADDRESS:
                settings = replace(settings, **{key: _OF_ADDRESS[key](value)})
            else:
                raise ConfigError(f"{source}: no setting {key}; there are size, {', '.join(sorted(_OF_ADDRESS))}")
        except ValueError as error:
            raise ConfigError(f"{source}: {key} is {value!r}; a number is wanted, or WIDTHxHEIGHT for size") from error
    return settings


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of "1280x720"; ValueError otherwise."""
    found = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text)
    if not found or not int(found[1]) or not int(found[2]):
        raise ValueError(f"size {text!r} is not WIDTHxHEIGHT")
    return int(found[1]), int(found[2])
