"""Exports by the names of their formats: what will be made, and making it."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mv3d.data.motion import Motion
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.errors import ConfigError, FormatError
from mv3d.export.check import check_export
from mv3d.export.fitted import fitted_body
from mv3d.export.formats import FORMATS, Job
from mv3d.export.labels import person_path
from mv3d.export.options import ExportOptions
from mv3d.export.timing import is_regular, nominal_rate, resample_poses
from mv3d.files.writing import check_output_folder
from mv3d.motion.filters import filtered_poses
from mv3d.motion.resample import resampled
from mv3d.motion.retarget import retargeted
from mv3d.reconstruct.gravity import up_direction

__all__ = ["EXPORT_FORMATS", "ExportOptions", "export_jobs", "export_paths", "export_poses"]

EXPORT_FORMATS = tuple(FORMATS)
_Z = (0.0, 0.0, 1.0)


def export_paths(out_dir: str | Path, formats: Sequence[str], name: str, people: int = 1) -> list[Path]:
    """What `export_poses` will make, in the order of `formats`.

    Raises:
        ConfigError: no such format.
    """
    paths = []
    for format in formats:
        if format not in FORMATS:
            near = difflib.get_close_matches(format, FORMATS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"export format {format!r} is unknown; there are {', '.join(FORMATS)}{hint}")
        path = Path(out_dir) / FORMATS[format].file.format(name=name)
        paths += [person_path(path, p) for p in range(people if FORMATS[format].one_person else 1)]
    return paths


def export_jobs(
    poses3d: Poses3D,
    out_dir: str | Path,
    formats: Sequence[str],
    name: str,
    rig: Rig | None = None,
    poses2d: Mapping[str, Poses2D] | None = None,
    options: ExportOptions | None = None,
    motions: Sequence[Motion] | None = None,
) -> list[tuple[str, Job]]:
    """The files that an export consists of, by format, with the skeletons at the rate of each; nothing is written.

    Args:
        poses3d: the skeletons.
        out_dir: folder for the files.
        formats: names out of EXPORT_FORMATS.
        name: stem of the files.
        rig: the cameras; tells OpenPose's JSON which detection is the person, and which way is up.
        poses2d: keypoints by camera name, for OpenPose's JSON and the camera masks of C3D.
        options: axes, units and rate; ExportOptions() if None.
        motions: of each person, for the formats that hold them; fitted here where they are asked for and not given.

    Raises:
        ConfigError: no such format, or one that has not the axes or units asked for.
        FormatError: no frames, nobody, a camera name that cannot be a folder, or more than a format can hold.
        ReconstructionError: a person of whom no bone was measured, in a format that holds a moving body.
    """
    export_paths(out_dir, formats, name)
    for text in (name, *poses3d.cameras):
        if not text or text.startswith(".") or any(c in text for c in "/\\:\0\n"):
            raise FormatError(f"{text!r} cannot be the name of a file; rename the camera or the session")
    frames, people = poses3d.xyz.shape[:2]
    if not frames or not people:
        raise FormatError(
            f"{name}: the skeleton has no {'person' if frames else 'frames'}, so there is nothing to export"
        )
    options = options or ExportOptions()
    if options.retarget is not None and not any(FORMATS[format].retargets for format in formats):
        raise ConfigError(f"the names of {options.retarget} are for BVH files; add bvh to the formats")
    if options.filter is not None:
        poses3d = filtered_poses(poses3d, options.filter)
    up = up_direction(rig) if rig is not None else None
    placements = [FORMATS[format].placement(format, options, _Z if up is None else tuple(up)) for format in formats]
    for check in {entry.check for entry in map(FORMATS.__getitem__, formats) if entry.check is not None}:
        check(poses3d)  # before a body is fitted, which takes its time
    shown = _AtRates(poses3d, motions)
    jobs = []
    for format, placement in zip(formats, placements, strict=True):
        entry, rate = FORMATS[format], options.fps
        if rate is None and entry.constant_rate and not is_regular(poses3d.timestamps):
            rate = nominal_rate(poses3d.timestamps)
        moving = shown.motions(rate) if entry.motion else ()
        if entry.retargets and options.retarget is not None:
            moving = tuple(retargeted(motion, options.retarget) for motion in moving)
        poses = poses3d if entry.motion else shown.poses(rate)
        for person, path in enumerate(export_paths(out_dir, [format], name, people)):
            jobs.append(
                (format, Job(poses, person, path, name, placement, rig, poses2d, moving, options.rotation_order))
            )
    return jobs


def export_poses(
    poses3d: Poses3D,
    out_dir: str | Path,
    formats: Sequence[str],
    name: str,
    rig: Rig | None = None,
    poses2d: Mapping[str, Poses2D] | None = None,
    options: ExportOptions | None = None,
    motions: Sequence[Motion] | None = None,
    check: Callable[[str], None] | None = None,
) -> list[Path]:
    """Write a reconstruction in several formats; each file appears whole or not at all.

    Args:
        poses3d: the skeletons.
        out_dir: folder for the files; made if need be.
        formats: names out of EXPORT_FORMATS.
        name: stem of the files.
        rig: the cameras; tells OpenPose's JSON which detection is the person, and which way is up.
        poses2d: keypoints by camera name, for OpenPose's JSON and the camera masks of C3D.
        options: axes, units and rate; ExportOptions() if None.
        motions: of each person, for the formats that hold them; fitted here where they are asked for and not given.
        check: reads every file back, compares it with the skeletons and hands one line on it to this function.

    Returns:
        What was made, in the order of `formats`; for "openpose" the folder.

    Raises:
        ConfigError: no such format, or one that has not the axes or units asked for; nothing was written.
        FormatError: no frames, nobody, names or sizes that a format cannot hold; nothing was written.
        ReconstructionError: a person of whom no bone was measured, in a format that holds a moving body; likewise.
            With `check`, also a file that does not say what it should.
        SessionError: the folder cannot take the files.
    """
    jobs = export_jobs(poses3d, out_dir, formats, name, rig, poses2d, options, motions)
    check_output_folder(out_dir)
    for format, job in jobs:
        FORMATS[format].write(job)
        if check is not None:
            check(check_export(format, job))
    return [job.path for _, job in jobs]


class _AtRates:
    """Skeletons and motions at the rates that formats want, each made once."""

    def __init__(self, poses: Poses3D, motions: Sequence[Motion] | None) -> None:
        self._poses: dict[float | None, Poses3D] = {None: poses}
        self._motions: dict[float | None, tuple[Motion, ...]] = {} if motions is None else {None: tuple(motions)}

    def poses(self, rate: float | None) -> Poses3D:
        if rate not in self._poses and rate is not None:
            self._poses[rate] = resample_poses(self._poses[None], rate)
        return self._poses[rate]

    def motions(self, rate: float | None) -> tuple[Motion, ...]:
        if None not in self._motions:
            poses = self._poses[None]
            self._motions[None] = tuple(fitted_body(poses, person).motion for person in range(poses.xyz.shape[1]))
        if rate not in self._motions:
            self._motions[rate] = tuple(resampled(motion, rate) for motion in self._motions[None])
        return self._motions[rate]
