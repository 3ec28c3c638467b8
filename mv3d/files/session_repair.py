"""Finishing a recording that was cut off: killed, a full disk, a machine that went down."""

from dataclasses import dataclass
from pathlib import Path

from mv3d.data.session import Session
from mv3d.errors import FormatError, SessionError
from mv3d.files.frame_times import timestamps_path
from mv3d.files.recorded_video import Finished, finish_recorded_video
from mv3d.files.session_record import give_reserve_back, is_being_recorded, session_record, write_session_record


@dataclass(frozen=True, slots=True, eq=False)
class Repaired:
    """What repairing a session did.

    Attributes:
        finished: of every recorded video, what was done to it.
        empty: videos into which no frame came; removed.
        foreign: videos that mv3d did not record; left alone.
    """

    finished: list[Finished]
    empty: list[Path]
    foreign: list[Path]


def repair_session(root: Path) -> Repaired:
    """Give every recorded video of a session its index and its frame times; doing it again changes nothing.

    Raises:
        SessionError: no recording there, it is still going on, or the disk takes nothing.
    """
    session = Session(root)
    if is_being_recorded(root):
        raise SessionError(f"{root}: is being recorded now; stop `mv3d record` first")
    videos = [path for folder in (session.videos, root / "other_sizes") for path in sorted(folder.glob("*.mkv"))]
    if not videos:
        raise SessionError(f"{root}: no videos that `mv3d record` wrote; nothing to repair")
    give_reserve_back(root)
    repaired = Repaired([], [], [])
    for path in videos:
        try:
            done = finish_recorded_video(path)
        except FormatError:
            repaired.foreign.append(path)
            continue
        if len(done.times):
            repaired.finished.append(done)
        else:
            path.unlink()
            timestamps_path(path).unlink(missing_ok=True)
            repaired.empty.append(path)
    _note(root, repaired)
    return repaired


def _note(root: Path, repaired: Repaired) -> None:
    record = session_record(root)
    if record.get("state") != "recording":
        return
    frames = {done.path.stem: done for done in repaired.finished}
    for camera in record.get("cameras") or []:
        if isinstance(camera, dict) and (done := frames.get(str(camera.get("name")))) is not None:
            camera |= {"file": done.path.name, "frames": len(done.times)}
            camera["times"] = "device" if done.from_device else "arrival"
    write_session_record(root, {**record, "state": "repaired"})
