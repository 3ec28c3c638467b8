"""The sound of a video, on the clock of its pictures."""

from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame

from mv3d.files.container import open_video

# Claps and voices are all below; twice that, and nothing else is needed.
_RATE = 16_000


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Mono sound.

    Attributes:
        samples: (sample,) float32, -1 to 1.
        rate: samples per second.
        start: when the first sample is heard, s, where the first frame is shown at 0.
    """

    samples: np.ndarray
    rate: int
    start: float


def read_sound(path: Path) -> Sound | None:
    """The first sound track of a video; None if it has none that can be decoded.

    Raises:
        VideoError: the file cannot be read.
    """
    with open_video(path) as (container, _):
        if not container.streams.audio:
            return None
        first = _first_time(path)
        resampler = av.AudioResampler("flt", "mono", _RATE)
        pieces, start = [], None
        try:
            for frame in container.decode(container.streams.audio[0]):
                assert isinstance(frame, AudioFrame)
                if start is None:
                    start = float(frame.time or 0.0)
                pieces += [part.to_ndarray()[0] for part in resampler.resample(frame)]
            pieces += [part.to_ndarray()[0] for part in resampler.resample(None)]
        except av.error.FFmpegError:
            return None
    if start is None:
        return None
    return Sound(np.concatenate(pieces), _RATE, start - first)


def _first_time(path: Path) -> float:
    """Display time of the first frame, s on the container's clock."""
    with open_video(path) as (container, stream):
        times = [p.pts for p in container.demux(stream) if p.size and p.pts is not None and not p.is_discard]
        return float(min(times, default=0) * (stream.time_base or 0))
