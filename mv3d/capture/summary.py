"""What was recorded: the figures of every camera, for session.yaml and for the end of `mv3d record`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mv3d.capture.camera_recorder import CameraRecorder
from mv3d.errors import Mv3dError
from mv3d.files.arrival_clock import arrival_jitter, missing_before
from mv3d.files.recorded_video import Finished, finish_recorded_video


@dataclass(frozen=True, slots=True)
class CameraSummary:
    """What was recorded of one camera; the counts are those of `Counts`.

    Attributes:
        name: of the camera.
        source: where it is, without a password.
        file: name of its video; empty if no frame came.
        codec: of the video.
        passed_through: whether the camera packed the frames.
        size: (width, height) px.
        fps: measured; None for fewer than two frames.
        frames: in the video.
        times: device or arrival.
        jitter: standard deviation of the arrivals around an even beat, s; None for few frames.
        counts: dropped, missing, repeated, damaged, other_size, reconnects.
        settings: of the device, read back.
        ended: why the camera did not last to the end; empty if it did.
    """

    name: str
    source: str
    file: str
    codec: str
    passed_through: bool
    size: tuple[int, int]
    fps: float | None
    frames: int
    times: str
    jitter: float | None
    counts: dict[str, int]
    settings: dict[str, str]
    ended: str

    def as_dict(self) -> dict[str, Any]:
        """For YAML and JSON."""
        flat = {key: getattr(self, key) for key in self.__dataclass_fields__ if key not in ("counts", "settings")}
        return {**flat, "size": list(self.size), **self.counts, "settings": self.settings}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded.

    Attributes:
        seconds: from the common start to the common stop.
        cameras: in the order given.
        notes: what went wrong at the end, a sentence each.
    """

    seconds: float
    cameras: list[CameraSummary]
    notes: list[str] = field(default_factory=list)


def summarise(cameras: Sequence[CameraRecorder], seconds: float) -> Recorded:
    """Finish the files of all cameras and gather their figures."""
    recorded = Recorded(seconds, [])
    for camera in cameras:
        finished = None
        for path in reversed(camera.files.paths):
            try:
                finished = finish_recorded_video(path)
            except Mv3dError as error:
                recorded.notes.append(f"{error}; `mv3d session repair` does it later")
        recorded.cameras.append(_summary(camera, finished))
    return recorded


def _summary(camera: CameraRecorder, finished: Finished | None) -> CameraSummary:
    counts, times = camera.counts, finished.times if finished is not None else np.empty(0)
    span = float(times[-1] - times[0]) if len(times) > 1 else 0.0
    jitter = arrival_jitter(times)[0]
    names = ("dropped", "missing", "repeated", "damaged", "other_size", "reconnects")
    figures = {name: int(getattr(counts, name)) for name in names}
    if finished is not None:
        figures["missing"] = int(missing_before(times).sum())
    return CameraSummary(
        name=camera.address.name,
        source=camera.address.shown,
        file=camera.files.paths[0].name if camera.files.paths else "",
        codec=camera.files.codec,
        passed_through=camera.files.passed_through,
        size=camera.files.size or camera.info.size,
        fps=round((len(times) - 1 + figures["missing"]) / span, 3) if span else None,
        frames=len(times) if finished is not None else counts.written,
        times="device" if finished is not None and finished.from_device else "arrival",
        jitter=None if np.isnan(jitter) else round(jitter, 6),
        counts=figures,
        settings=dict(camera.info.settings),
        ended=camera.trouble if camera.state in ("failed", "reconnecting") else "",
    )
