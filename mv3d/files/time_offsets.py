"""Time offsets of the cameras' clocks that a calibration found, and whether they hold for the videos of a session.

Clocks of cameras that run free stand differently at each start of a recording: what was found while the board was
filmed holds for the person only if both are in the same recording, or if the user knows that the cameras ran through.
"""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from mv3d.data.session import Session
from mv3d.errors import SessionError
from mv3d.files.sessions import find_sources, match_names

OffsetSource = Literal["auto", "calibration", "none"]
"""auto: those of the calibration if the board was filmed in the very videos; calibration: in any case; none: zero."""

# Below this a fast hand (5 m/s) is a centimetre off: not worth a word.
_NOTED_S = 2e-3


@dataclass(frozen=True, slots=True)
class TimeOffsets:
    """Offsets by camera name (s; what it stamps t is the world at t + offset), and sentences for the user."""

    of: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def array(self, cameras: Sequence[str]) -> np.ndarray:
        """(view,) s; zero for a camera of which nothing is known."""
        return np.array([self.of.get(name, 0.0) for name in cameras])


def recorded_in(session: Session, files: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """What `session_offsets` will know the recording by: name and size of each camera's file, if it lies in videos/.

    Args:
        session: the session.
        files: by camera, what the board was filmed with.

    Returns:
        Arrays for calibration/uncertainty.npz; empty ones if the board was filmed elsewhere.
    """
    here = [path for path in files.values() if path.is_file() and path.parent == session.videos]
    here = here if len(here) == len(files) else []
    return {
        "videos": np.array([path.name for path in here], dtype=np.str_),
        "video_bytes": np.array([path.stat().st_size for path in here], dtype=np.int64),
    }


def session_offsets(session: Session, cameras: Sequence[str], source: OffsetSource = "auto") -> TimeOffsets:
    """The offsets to match a session's videos with.

    Args:
        session: the session.
        cameras: the rig's names.
        source: which to take.

    Raises:
        SessionError: the calibration's are asked for, and there are none or they are of other cameras.
    """
    if source == "none":
        return TimeOffsets()
    path = session.root / "calibration" / "uncertainty.npz"
    stored = _load(path)
    if stored is None or not set(stored.of) & set(cameras):
        if source == "calibration":
            raise SessionError(f"{path}: no time offsets of these cameras; run `mv3d calibrate {session.root}` first")
        return TimeOffsets()
    late = {name: offset for name, offset in stored.of.items() if abs(offset) > _NOTED_S and name in cameras}
    told = ", ".join(f"{name} {1e3 * offset:+.0f} ms" for name, offset in late.items())
    if source == "calibration" or _same_recording(session, cameras, stored.files):
        notes = (f"frames are matched with the time offsets of the calibration ({told})",) if late else ()
        return TimeOffsets(stored.of, notes)
    note = (
        f"the calibration found time offsets ({told}) in another recording; if the cameras ran on from there, pass"
        " --time-offsets calibration"
    )
    return TimeOffsets({}, (note,) if late else ())


@dataclass(frozen=True, slots=True)
class _Stored:
    of: dict[str, float]
    files: dict[str, int]


def _load(path: Path) -> _Stored | None:
    """What the calibration left; None if there is none, or it is damaged or of an older program."""
    try:
        with np.load(path, allow_pickle=False) as file:
            offsets = {str(name): float(s) for name, s in zip(file["cameras"], file["time_offsets"], strict=True)}
            files = {str(name): int(size) for name, size in zip(file["videos"], file["video_bytes"], strict=True)}
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
    return _Stored(offsets, files) if np.isfinite(list(offsets.values())).all() else None


def _same_recording(session: Session, cameras: Sequence[str], files: Mapping[str, int]) -> bool:
    """Whether the videos are those in which the board was filmed."""
    if not files or not session.videos.is_dir():
        return False
    sources = find_sources(session.videos)
    videos = [sources[name] for name in match_names(cameras, tuple(sources)).values()]
    return all(path.is_file() and files.get(path.name) == path.stat().st_size for path in videos)
