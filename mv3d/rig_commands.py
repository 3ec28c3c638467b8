"""Commands around rigs; see `mv3d.commands` for what a command is."""

from pathlib import Path

import tyro

from mv3d.commands import Lines
from mv3d.errors import ConfigError, SessionError


def convert(
    source: tyro.conf.Positional[Path],
    target: tyro.conf.Positional[Path],
    format: str = "auto",
    to: str = "auto",
    units: str | None = None,
    size: str | None = None,
    overwrite: bool = False,
) -> Lines:
    """Read a rig in one format and write it in another.

    Formats: mv3d, qualisys (read only), aniposelib, pose2sim, freemocap, caliscope, openpose, opencv, easymocap,
    kalibr, colmap; docs/formats.md says what each one holds.

    Args:
        source: rig to read: a file, or a folder of OpenPose, OpenCV, EasyMocap or COLMAP.
        target: rig to write: cameras.yaml, a .toml for aniposelib, a folder (no suffix) for OpenPose; any with --to.
        format: format of the source, if its name and content do not tell.
        to: format of the target, if its name does not tell.
        units: unit of length in the source, if not the format's own: m, cm, mm, in, ft.
        size: WIDTHxHEIGHT of the images, for sources that do not say (OpenPose, EasyMocap, OpenCV).
        overwrite: replace the target if it is already there.
    """
    from mv3d.files.rigs import read_rig, write_rig

    rig = read_rig(source, format, units, _size(size))
    if target.exists() and not overwrite:
        raise SessionError(f"{target}: already there; pass --overwrite to replace it")
    write_rig(rig, target, to)
    return [f"{target}: {len(rig)} cameras ({', '.join(rig.names)})"]


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ConfigError(f"--size {text}: WIDTHxHEIGHT is wanted, e.g. 1920x1080")
    return int(width), int(height)
