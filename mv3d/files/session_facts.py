"""What a session holds: each camera's video and times, and how well the cameras go together."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mv3d.data.session import Session
from mv3d.errors import Mv3dError, SessionError
from mv3d.files.arrival_clock import arrival_jitter, missing_before
from mv3d.files.frame_times import timestamps_path
from mv3d.files.multiview import match_times
from mv3d.files.sessions import find_sources
from mv3d.files.video import probe_video


@dataclass(frozen=True, slots=True, eq=False)
class CameraFacts:
    """One camera of a session.

    Attributes:
        name: of the camera.
        path: of its video or folder of images.
        problem: why it cannot be read; empty if it can.
        size: (width, height) px.
        timestamps: (frame,) s.
        recorded_times: whether they are on a clock that the cameras shared.
        missing: frames that are not there, judged by the times around.
        jitter: standard deviation of the times around an even beat, s; NaN for few frames.
    """

    name: str
    path: Path
    problem: str = ""
    size: tuple[int, int] = (0, 0)
    timestamps: np.ndarray = field(default_factory=lambda: np.empty(0))
    recorded_times: bool = False
    missing: int = 0
    jitter: float = float("nan")

    @property
    def fps(self) -> float:
        """Frames per second, missing ones counted; NaN for fewer than two."""
        if len(self.timestamps) < 2:
            return float("nan")
        return (len(self.timestamps) - 1 + self.missing) / float(self.timestamps[-1] - self.timestamps[0])


@dataclass(frozen=True, slots=True, eq=False)
class SessionFacts:
    """A session.

    Attributes:
        cameras: in natural order of their names.
        together: share of the instants of the busiest camera that every camera has; NaN where none can be told.
        apart: (camera,) s, median distance in time between each camera's frames and the instants that they show.
        has: which of rig, keypoints, skeleton are there.
    """

    cameras: list[CameraFacts]
    together: float
    apart: np.ndarray
    has: list[str]


def session_facts(root: Path) -> SessionFacts:
    """Look at every video of a session; one that cannot be read is named, not fatal.

    Raises:
        SessionError: no such session, or no videos in it.
    """
    session = Session(root)
    if not root.is_dir():
        raise SessionError(f"{root}: no such session folder")
    cameras = [_camera(name, path) for name, path in find_sources(session.videos).items()]
    readable = [c.timestamps for c in cameras if not c.problem]
    together, apart = float("nan"), np.full(len(readable), np.nan)
    if len(readable) > 1:
        timeline = match_times(readable)
        together = float(timeline.present.all(1).mean())
        assert timeline.time_shift is not None
        shift = np.where(timeline.present, np.abs(timeline.time_shift), np.nan)
        apart = np.array([np.nanmedian(s) if np.isfinite(s).any() else np.nan for s in shift.T])
    there = (("rig", session.rig), ("keypoints", session.pose2d), ("skeleton", session.pose3d))
    return SessionFacts(cameras, together, apart, [what for what, path in there if path.exists()])


def _camera(name: str, path: Path) -> CameraFacts:
    try:
        video = probe_video(path)
    except Mv3dError as error:
        return CameraFacts(name, path, str(error))
    times = video.timestamps
    recorded = timestamps_path(path).is_file()
    missing = int(missing_before(times).sum())
    return CameraFacts(name, path, "", video.size, times, recorded, missing, arrival_jitter(times)[0])
