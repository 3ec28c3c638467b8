"""Commands on the folder of a session; see `mv3d.commands` for what a command is."""

from typing import TYPE_CHECKING

import numpy as np

from mv3d.commands import Lines, Session

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
