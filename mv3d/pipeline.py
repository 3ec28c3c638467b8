"""The chain as a table of contents: each stage reads and writes the files of one session folder."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mv3d.config import Config
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.detection import detected_skeleton, find_keypoints
from mv3d.errors import ConfigError, ReconstructionError, SessionError
from mv3d.export.fitted import fitted_body
from mv3d.export.options import ExportOptions
from mv3d.export.registry import export_paths, export_poses
from mv3d.files.calibration_uncertainty import known_covariance
from mv3d.files.corrections import corrections_file, read_corrections
from mv3d.files.keypoints import read_keypoints
from mv3d.files.multiview import match_times
from mv3d.files.progress import Progress, silent
from mv3d.files.recording import Recording, open_recording, session_rig
from mv3d.files.rigs import read_rig
from mv3d.files.session_record import session_record
from mv3d.files.skeleton_yaml import find_skeleton
from mv3d.files.staging import written_together
from mv3d.files.time_offsets import OffsetSource, TimeOffsets, session_offsets
from mv3d.files.writing import check_output_folder, refuse_overwriting, whole_file
from mv3d.motion.angles import joint_angles
from mv3d.outputs import check_outputs, save_poses, session_name, stale_files, write_session_file
from mv3d.pictures import draw, report, stills_of, write_verdict
from mv3d.reconstruct.corrections import correction_notes
from mv3d.reconstruct.views import reconstruct_views
from mv3d.result import Result
from mv3d.viz.figures import FORMATS, Drawing, angle_drawings, drawings, write_drawings

_IN_SYNC = TimeOffsets()


def run(
    root: str | Path,
    config: Config,
    *,
    overwrite: bool = False,
    common_time: bool = False,
    corrections: Path | None = None,
    time_offsets: OffsetSource = "auto",
    progress: Progress = silent,
    made_by: str = "mv3d run",
) -> Result:
    """The main job: 2D with 3D-guided crops, reconstruction, exports, pictures and report.

    `corrections` stands for the session's own corrections.yaml. pose2d/ keeps the keypoints as they were found, at the
    cameras' own times; `time_offsets` says how their clocks differ.

    Raises:
        Mv3dError: what is wrong with the session; earlier outputs stay as they were.
    """
    started = time.monotonic()
    recording = open_recording(root, common_time, time_offsets)
    session, rig = recording.session, recording.rig
    check_outputs(session, config, overwrite)
    if len(rig) < 2:
        raise ReconstructionError(f"{session.rig}: holds one camera ({rig.names[0]}); 3D needs two or more")
    frame_counts = {name: video.frame_count for name, video in zip(rig.names, recording.videos, strict=True)}
    skeleton = detected_skeleton(config.pose2d)
    by_hand = read_corrections(corrections_file(session, corrections), frame_counts, skeleton)
    poses2d, outlines = find_keypoints(recording, config, progress)
    known = known_covariance(session, rig, config.rig_check.refine)
    poses = list(poses2d.values())
    clocks = recording.time_offsets
    made = reconstruct_views(rig, poses, recording.timeline, config.views, by_hand, known, clocks)
    notes = (*recording.notes, *correction_notes(by_hand))
    result = Result(made.rig, poses2d, made.poses3d, made.quality, notes, {}, made.diagnosis)
    with written_together(session.root, stale_files(session)) as folder:
        staged = replace(recording, session=Session(folder), rig=made.rig, timeline=made.timeline)
        result = _write(staged, result, outlines, config, session_name(session), started, progress)
        write_session_file(staged, config, made_by, session_record(session.root))
    outputs = {what: session.root / path.relative_to(folder) for what, path in result.outputs.items()}
    return replace(result, outputs=outputs)


def _write(
    recording: Recording,
    result: Result,
    outlines: np.ndarray,
    config: Config,
    name: str,
    started: float,
    progress: Progress,
) -> Result:
    """Write keypoints, skeleton, exports, videos and report into the recording's session."""
    session = recording.session
    outputs = save_poses(session, result.poses2d, result.poses3d)
    if config.rig_check.refine is not None:
        result.rig.save(session.refined_rig)
        outputs["refined rig"] = session.refined_rig
    exported = export_poses(result.poses3d, session.export, config.output.formats, name, result.rig, result.poses2d)
    outputs |= {path.suffix.lstrip(".") or path.name: path for path in exported}
    drawn = draw(recording, config.output, result.poses2d, result.poses3d, outlines, progress)
    outputs |= drawn.outputs
    result = replace(result, notes=(*result.notes, *drawn.notes), outputs=outputs)
    if config.output.report:
        facts = {"run time": f"{time.monotonic() - started:.0f} s", "2D network": config.pose2d.model}
        report(session.report, result, config, drawn.stills, name, facts)
        outputs["report"] = session.report
    write_verdict(session.verdict, result)
    outputs["verdict"] = session.verdict
    return result


@dataclass(frozen=True, slots=True)
class KeypointSource:
    """Keypoints and rig from elsewhere.

    Attributes:
        rig: rig file of any known format.
        keypoints: folder of `<camera>.npz`, or of what another program wrote.
        fps: frames per second of formats that do not say.
        skeleton: the joints by a known name or a YAML file, where the keypoints do not tell them.
        units: unit of length of the rig file, if not its format's own.
        format: what wrote the keypoints; "auto" to tell by the files.
    """

    rig: Path
    keypoints: Path
    fps: float = 30.0
    skeleton: str | None = None
    units: str | None = None
    format: str = "auto"


def reconstruct_files(
    source: KeypointSource, out: Path, config: Config, *, overwrite: bool = False, corrections: Path | None = None
) -> Result:
    """Reconstruct from any keypoints and any rig; writes `out`."""
    if not 0 < source.fps < math.inf:
        raise ConfigError(f"--fps is {source.fps}; a positive number is wanted")
    skeleton = find_skeleton(source.skeleton) if source.skeleton else None
    refuse_overwriting(out, overwrite)
    rig = read_rig(source.rig, units=source.units)
    poses2d = read_keypoints(source.keypoints, rig.names, source.fps, skeleton, source.format)
    check_output_folder(out.parent)
    result = reconstruct_poses2d(rig, poses2d, config, corrections)
    with whole_file(out) as part:
        result.poses3d.save(part)
    return replace(result, outputs={"pose3d": out})


def reconstruct_poses2d(
    rig: Rig,
    poses2d: Mapping[str, Poses2D],
    config: Config,
    corrections: Path | None = None,
    covariance: np.ndarray | None = None,
    time_offsets: TimeOffsets = _IN_SYNC,
) -> Result:
    """Reconstruct the performer from detections of all views, by camera name, corrected by a file."""
    poses = [poses2d[name] for name in rig.names]
    by_hand = read_corrections(corrections, {name: len(poses2d[name]) for name in rig.names}, poses[0].skeleton)
    clocks = time_offsets.array(rig.names)
    timeline = match_times([p.timestamps + clock for p, clock in zip(poses, clocks, strict=True)])
    made = reconstruct_views(rig, poses, timeline, config.views, by_hand, covariance, clocks)
    notes = (*correction_notes(by_hand), *time_offsets.notes)
    return Result(made.rig, dict(poses2d), made.poses3d, made.quality, notes, {}, made.diagnosis)


def reconstruct_session(
    root: str | Path,
    config: Config,
    *,
    overwrite: bool = False,
    corrections: Path | None = None,
    time_offsets: OffsetSource = "auto",
) -> Result:
    """Reconstruct from the session's pose2d/ again; writes pose3d.npz, verdict.json and a refined rig."""
    session = Session(Path(root))
    rig = session_rig(session)
    if not session.pose2d.is_dir():
        raise SessionError(f"{session.pose2d}: no keypoints yet; run `mv3d run {root}` or `mv3d pose2d {root}` first")
    refuse_overwriting(session.pose3d, overwrite)
    check_output_folder(session.root)
    poses2d, clocks = read_keypoints(session.pose2d, rig.names), session_offsets(session, rig.names, time_offsets)
    known = known_covariance(session, rig, config.rig_check.refine)
    result = reconstruct_poses2d(rig, poses2d, config, corrections_file(session, corrections), known, clocks)
    outputs = {"pose3d": session.pose3d, "verdict": session.verdict}
    with written_together(session.root, (session.refined_rig.name,)) as folder:
        staged = Session(folder)
        result.poses3d.save(staged.pose3d)
        write_verdict(staged.verdict, result)
        if config.rig_check.refine is not None:
            result.rig.save(staged.refined_rig)
            outputs["refined rig"] = session.refined_rig
    return replace(result, outputs=outputs)


def export_session(
    root: str | Path,
    formats: tuple[str, ...],
    out: Path | None = None,
    *,
    overwrite: bool = False,
    options: ExportOptions | None = None,
    check: Callable[[str], None] | None = None,
) -> list[Path]:
    """Write a session's skeleton in other formats; refuses to replace files unless told to.

    `check` reads each file back and gets one line on it.
    """
    session, rig, poses3d = load_reconstruction(root)
    name, out = session_name(session), out or session.export
    for path in export_paths(out, formats, name, poses3d.xyz.shape[1]):
        refuse_overwriting(path, overwrite)
    poses2d = read_keypoints(session.pose2d, rig.names) if session.pose2d.is_dir() else None
    return export_poses(poses3d, out, formats, name, rig, poses2d, options, check=check)


def report_session(
    root: str | Path,
    config: Config,
    plots: Path | None = None,
    formats: tuple[str, ...] = ("png",),
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Write report.html and verdict.json again from the session's files, and the figures as files if asked.

    Args:
        root: the session folder.
        config: settings of the figures.
        plots: folder for the figures of the report.
        formats: of those files.
        overwrite: replace figures that are there.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ConfigError(f"plot format {unknown[0]!r} is unknown; there are {', '.join(FORMATS)}")
    session, rig, poses3d = load_reconstruction(root)
    poses2d = read_keypoints(session.pose2d, rig.names)
    clocks = session_offsets(session, rig.names)
    result = reconstruct_poses2d(rig, poses2d, config, corrections_file(session, None), time_offsets=clocks)
    notes = result.notes
    if session.refined_rig.is_file():
        notes = (*notes, f"the cameras are those of {session.refined_rig.name}, corrected by the skeletons")
    shown = replace(result, poses3d=poses3d, notes=notes)
    files = []
    if plots is not None:
        drawn = [*drawings(poses3d, shown.quality, shown.diagnosis), *_angle_drawings(poses3d)]
        files = write_drawings(drawn, plots, formats, overwrite=overwrite)
    write_verdict(session.verdict, shown)
    report(
        session.report,
        shown,
        config,
        stills_of(session, len(poses3d), config.output.blur_faces),
        session_name(session),
        {},
    )
    return [session.report, *files]


def _angle_drawings(poses3d: Poses3D) -> list[Drawing]:
    """Joint angles of the performer; none of bodies that have none, or of whom too little was measured."""
    try:
        angles = joint_angles(fitted_body(poses3d, 0))
    except ReconstructionError:
        return []
    return angle_drawings(angles.names, angles.values, angles.timestamps)


def load_reconstruction(root: str | Path) -> tuple[Session, Rig, Poses3D]:
    """A session's skeleton and the rig that it was made with.

    Raises:
        SessionError: there is no reconstruction yet.
    """
    session = Session(Path(root))
    if not session.pose3d.is_file():
        raise SessionError(f"{session.pose3d}: no reconstruction yet; run `mv3d run {root}` first")
    rig = Rig.load(session.refined_rig) if session.refined_rig.is_file() else session_rig(session)
    return session, rig, Poses3D.load(session.pose3d)
