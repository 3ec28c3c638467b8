"""Several sources side by side in time: which frame of each shows the same instant, and reading them together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from mv3d.errors import VideoError
from mv3d.files.video import VideoInfo, read_frames


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Instants at which views are looked at together.

    Attributes:
        timestamps: (frame,) s.
        index: (frame, view) number of the view's own frame; meaningless where `present` is false.
        present: (frame, view) whether the view has a frame of that instant.
        time_shift: (frame, view) s, the instant of the view's own frame minus the timeline's; 0 where absent; None
            means zeros.
    """

    timestamps: Float[np.ndarray, " frame"]
    index: Int[np.ndarray, "frame view"]
    present: Bool[np.ndarray, "frame view"]
    time_shift: Float[np.ndarray, "frame view"] | None = None

    def __len__(self) -> int:
        return len(self.timestamps)

    def only(self, frames: slice | Bool[np.ndarray, " frame"]) -> "Timeline":
        """Some of its instants."""
        shift = None if self.time_shift is None else self.time_shift[frames]
        return Timeline(self.timestamps[frames], self.index[frames], self.present[frames], shift)


def match_times(
    timestamps: Sequence[Float[np.ndarray, " _"]], offsets: Sequence[Float[np.ndarray, " _"]] | None = None
) -> Timeline:
    """Frames of all views by nearest time, on the timeline of the view with the most frames.

    A frame shows an instant if each is the other's nearest and they are at most half an interval apart. A view without
    such a frame (a dropped one) is absent there; no frame of a view is used twice.

    Args:
        timestamps: each view's own frame times, s.
        offsets: for each view what is to be added to them, s; none where all clocks agree.
    """
    if offsets is not None:
        timestamps = [own + offset for own, offset in zip(timestamps, offsets, strict=True)]
    reference = max(range(len(timestamps)), key=lambda v: len(timestamps[v]))
    times = np.asarray(timestamps[reference], float)
    tolerance = 0.5 * np.median(np.diff(times)) if len(times) > 1 else np.inf
    index = np.zeros((len(times), len(timestamps)), int)
    present = np.zeros(index.shape, bool)
    shift = np.zeros(index.shape)
    for v, own in enumerate(timestamps):
        index[:, v] = nearest(own, times)
        mutual = nearest(times, own)[index[:, v]] == np.arange(len(times))
        present[:, v] = mutual & (np.abs(own[index[:, v]] - times) <= tolerance + 1e-9)
        shift[:, v] = np.where(present[:, v], own[index[:, v]] - times, 0.0)
    return Timeline(times, index, present, shift)


def nearest(times: Float[np.ndarray, " n"], wanted: Float[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
    """Index of the time nearest to each wanted one; the earlier of two that are equally near."""
    after = np.minimum(np.searchsorted(times, wanted), len(times) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(np.abs(times[before] - wanted) <= np.abs(times[after] - wanted), before, after)


def check_same_length(videos: Sequence[VideoInfo]) -> None:
    """Refuse videos that do not cover the same time.

    Raises:
        VideoError: names the shortest and the longest.
    """
    shortest, longest = min(videos, key=lambda v: v.duration), max(videos, key=lambda v: v.duration)
    if longest.duration - shortest.duration > 0.75 / min(v.fps for v in videos):
        raise VideoError(
            f"{shortest.path}: {shortest.frame_count} frames ({shortest.duration:.2f} s), but {longest.path.name} has"
            f" {longest.frame_count} ({longest.duration:.2f} s); cut them to the same moment, or pass --common-time if"
            " they start together"
        )


def read_together(videos: Sequence[VideoInfo], timeline: Timeline) -> Iterator[list[np.ndarray | None]]:
    """The image of each view at each instant; None where a view is absent. Frames are decoded one at a time."""
    streams = [_Stream(video) for video in videos]
    try:
        for index, present in zip(timeline.index, timeline.present, strict=True):
            yield [
                stream.frame(int(i)) if there else None
                for stream, i, there in zip(streams, index, present, strict=True)
            ]
    finally:
        for stream in streams:
            stream.close()


class _Stream:
    """Frames of one source, asked for in increasing order."""

    def __init__(self, video: VideoInfo) -> None:
        self._path = video.path
        self._frames = read_frames(video.path, info=video)
        self._next = 0

    def frame(self, number: int) -> np.ndarray:
        image = None
        while self._next <= number:
            try:
                _, image = next(self._frames)
            except StopIteration:
                raise VideoError(f"{self._path}: ends after {self._next} frames, frame {number} was expected") from None
            self._next += 1
        assert image is not None, "frames must be asked for in increasing order"
        return image

    def close(self) -> None:
        if hasattr(self._frames, "close"):
            self._frames.close()  # type: ignore[union-attr]
