"""The formats that a reconstruction can be exported to, by name."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.errors import ConfigError, FormatError
from mv3d.export.openpose_json import write_openpose_json
from mv3d.export.tables import write_json, write_tidy_csv, write_wide_csv
from mv3d.export.trc import Axes, write_trc
from mv3d.files.writing import check_output_folder, whole_file


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What a format leaves open.

    Attributes:
        trc_units: unit of length in TRC.
        trc_axes: "world", or "y_up" for OpenSim.
    """

    trc_units: Literal["m", "mm"] = "mm"
    trc_axes: Axes = "world"


@dataclass(frozen=True, slots=True)
class _Job:
    poses: Poses3D
    folder: Path
    name: str
    rig: Rig | None
    poses2d: Mapping[str, Poses2D] | None
    options: ExportOptions


def _trc(job: _Job, path: Path) -> None:
    write_trc(job.poses, path, units=job.options.trc_units, axes=job.options.trc_axes)


def _csv(job: _Job, path: Path) -> None:
    write_wide_csv(job.poses, path)


def _tidy_csv(job: _Job, path: Path) -> None:
    write_tidy_csv(job.poses, path)


def _json(job: _Job, path: Path) -> None:
    write_json(job.poses, path)


def _npz(job: _Job, path: Path) -> None:
    with whole_file(path) as part:
        job.poses.save(part)


def _openpose(job: _Job, path: Path) -> None:
    write_openpose_json(job.poses, path, job.name, job.rig, job.poses2d)


_EXPORTERS: dict[str, tuple[str, Callable[[_Job, Path], None]]] = {
    "trc": ("{name}.trc", _trc),
    "csv": ("{name}.csv", _csv),
    "csv_tidy": ("{name}_tidy.csv", _tidy_csv),
    "json": ("{name}.json", _json),
    "npz": ("{name}.npz", _npz),
    "openpose": ("openpose", _openpose),
}
EXPORT_FORMATS = tuple(_EXPORTERS)


def export_paths(out_dir: str | Path, formats: Sequence[str], name: str) -> list[Path]:
    """What `export_poses` will make, in the order of `formats`.

    Raises:
        ConfigError: no such format.
    """
    for format in formats:
        if format not in _EXPORTERS:
            near = difflib.get_close_matches(format, _EXPORTERS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"export format {format!r} is unknown; there are {', '.join(_EXPORTERS)}{hint}")
    return [Path(out_dir) / _EXPORTERS[format][0].format(name=name) for format in formats]


def export_poses(
    poses3d: Poses3D,
    out_dir: str | Path,
    formats: Sequence[str],
    name: str,
    rig: Rig | None = None,
    poses2d: Mapping[str, Poses2D] | None = None,
    options: ExportOptions | None = None,
) -> list[Path]:
    """Write a reconstruction in several formats; each file appears whole or not at all.

    Args:
        poses3d: the skeletons.
        out_dir: folder for the files; made if need be.
        formats: names out of EXPORT_FORMATS.
        name: stem of the files.
        rig: the cameras; tells OpenPose's JSON which detection is the person.
        poses2d: keypoints by camera name, for OpenPose's JSON.
        options: what the formats leave open; ExportOptions() if None.

    Returns:
        What was made, in the order of `formats`; for "openpose" the folder.

    Raises:
        ConfigError: no such format; nothing was written.
        FormatError: a camera name that cannot be a folder; nothing was written.
        SessionError: the folder cannot take the files.
    """
    paths = export_paths(out_dir, formats, name)
    for text in (name, *poses3d.cameras):
        if not text or text.startswith(".") or any(c in text for c in "/\\:\0\n"):
            raise FormatError(f"{text!r} cannot be the name of a file; rename the camera or the session")
    check_output_folder(out_dir)
    job = _Job(poses3d, Path(out_dir), name, rig, poses2d, options or ExportOptions())
    for format, path in zip(formats, paths, strict=True):
        _EXPORTERS[format][1](job, path)
    return paths
