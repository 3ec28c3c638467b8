"""Commands on the folder of a session."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import tyro

from mv3d.commands.arguments import Lines, Session
from mv3d.commands.settings import Settings

if TYPE_CHECKING:
    from mv3d.files.recorded_video import Finished
    from mv3d.files.session_facts import CameraFacts


def info(session: Session) -> Lines:
    """What a session holds: frames, rate, lost frames and jitter of each camera, and how they go together.

    Args:
        session: the session folder.
    """
    from mv3d.files.session_facts import session_facts
    from mv3d.files.session_record import is_being_recorded, session_record

    facts, record = session_facts(session), session_record(session)
    lines = [f"{session}: {', '.join([f'{len(facts.cameras)} cameras', *facts.has])}"]
    if is_being_recorded(session):
        lines.append("is being recorded now")
    elif record.get("state") == "recording":
        lines.append("its recording was cut off; `mv3d session repair` finishes it")
    lines += [_camera_line(camera) for camera in facts.cameras]
    if np.isfinite(facts.together):
        apart = np.nanmax(facts.apart) * 1e3
        lines.append(f"{facts.together:.1%} of the instants are in every camera, {apart:.1f} ms apart at most (median)")
    return lines


def _camera_line(camera: "CameraFacts") -> str:
    if camera.problem:
        return f"  {camera.name}: cannot be read: {camera.problem}"
    (width, height), times = camera.size, camera.timestamps
    clock = "recorded times" if camera.recorded_times else "times of the video"
    jitter = "" if np.isnan(camera.jitter) else f", jitter {camera.jitter * 1e3:.1f} ms"
    span = f"{times[0]:.2f} to {times[-1]:.2f} s"
    rate = "" if np.isnan(camera.fps) else f" at {camera.fps:.2f} fps"
    frames = f"{len(times)} frames{rate}, {camera.missing} missing"
    return f"  {camera.name}: {width}x{height}, {frames}, {span}, {clock}{jitter}"


def repair(session: Session) -> Lines:
    """Finish a recording that was cut off: index of the videos, a time for every frame. Nothing is lost by it.

    Args:
        session: the session folder.
    """
    from mv3d.files.session_repair import repair_session

    repaired = repair_session(session)
    lines = [_repaired_line(done) for done in repaired.finished]
    lines += [f"{path}: no frame ever came, removed" for path in repaired.empty]
    return [*lines, *(f"{path}: not recorded by mv3d, left alone" for path in repaired.foreign)]


def _repaired_line(done: "Finished") -> str:
    if done.was_finished:
        return f"{done.path}: {len(done.times)} frames, nothing to do"
    work = ["index made"]
    work += [f"{done.torn_bytes} bytes of a frame that was not whole cut off"] if done.torn_bytes else []
    work += [f"{done.rows_added} frame times added"] if done.rows_added else []
    work += [f"{done.rows_removed} frame times without a frame removed"] if done.rows_removed else []
    return f"{done.path}: {len(done.times)} frames, {', '.join(work)}"


def trim(
    session: Session,
    out: Path,
    start: float = 0.0,
    end: float | None = None,
    blur_faces: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
) -> Lines:
    """Cut a span of time out of a session into a new one, nothing encoded anew; cameras.yaml comes along.

    A video begins at the key frame before --start, if that is no key frame itself.

    Args:
        session: the session folder; it stays as it is.
        out: folder of the new session.
        start: seconds, as `mv3d session info` tells them.
        end: seconds; the end of the session by default.
        blur_faces: make faces unrecognisable where the keypoints of pose2d/ say that they are; encodes anew.
        overwrite: write into a folder that is not empty.
        quiet: no progress bar.
    """
    if blur_faces:
        from mv3d.blurring import blur_session

        trimmed = blur_session(session, out, start, end, overwrite, Settings(quiet=quiet).progress)
    else:
        from mv3d.files.session_trim import trim_session

        trimmed = trim_session(session, out, start, end, overwrite)
    return [f"{out}", *(f"  {t.camera}: {t.frames} frames, {t.start:.2f} to {t.end:.2f} s" for t in trimmed)]


def import_videos(
    source: tyro.conf.Positional[Path],
    session: Session,
    layout: Literal["cameras", "side-by-side", "consecutive"] = "cameras",
    views: int = 2,
    fps: float = 30.0,
    align: Literal["none", "sound", "flash"] = "none",
    codec: Literal["h264", "ffv1"] = "h264",
    overwrite: bool = False,
) -> Lines:
    """Make a session of videos from phones and action cameras, or of OpenPose's layouts of several views.

    Args:
        source: folder with one video, or one folder of images, per camera; or what --layout says.
        session: folder of the session to make.
        layout: cameras; side-by-side: one video (or folder of images) whose pictures show all views from left to right;
            consecutive: a folder of images of all views in turn, as OpenPose's --3d_views takes them.
        views: how many views are in it, for the last two.
        fps: frames per second of images.
        align: lay the cameras' clocks over each other by what all heard (sound) or saw (flash), a clap or a lamp that
            is switched on.
        codec: of views that are cut out; ffv1 is without loss.
        overwrite: write into a session that holds videos.
    """
    from mv3d.capture.importing import ImportConfig, import_session
    from mv3d.errors import ConfigError

    if not 0 < fps < float("inf"):
        raise ConfigError(f"--fps is {fps:g}; a positive number is wanted")
    imported = import_session(source, session, ImportConfig(layout, views, fps, align, codec), overwrite)
    lines = [f"{path}" for path in imported.videos.values()]
    lines += [
        f"{name}: {found.offset * 1e3:+.1f} ms"
        for name, found in imported.alignments.items()
        if np.isfinite(found.ratio)
    ]
    return [*lines, *(f"note: {note}" for note in imported.notes)]
