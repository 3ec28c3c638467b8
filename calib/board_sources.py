"""Where a session keeps its pictures of boards, and which frames of its cameras show the same instant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from mv3d.data.session import Session
from mv3d.errors import CalibrationError
from mv3d.files.image_folder import list_images, read_image
from mv3d.files.multiview import match_times
from mv3d.files.natural import natural_key
from mv3d.files.video import VIDEO_SUFFIXES, VideoInfo, probe_video, read_frames

# Frames between two wanted ones from which a seek is quicker than decoding them.
_SEEK_FRAMES = 60


@dataclass(frozen=True, slots=True, eq=False)
class BoardSource:
    """Pictures of boards by one camera.

    Attributes:
        camera: its name.
        path: the video, or the folder of the images.
        video: what the video holds; None for images.
        images: the images, in natural order; empty for a video.
    """

    camera: str
    path: Path
    video: VideoInfo | None
    images: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.images) if self.video is None else self.video.frame_count

    def names(self) -> list[str]:
        """What each frame is called."""
        if self.video is None:
            return [image.stem for image in self.images]
        return [f"{self.path.stem} frame {i}" for i in range(len(self))]

    def files(self) -> list[Path]:
        """The files that the frames come from."""
        return [self.path] if self.video is not None else list(self.images)

    def read(self, wanted: Int[np.ndarray, " frame"]) -> Iterator[tuple[int, np.ndarray]]:
        """Some frames as (number, BGR image), in increasing order; VideoError if one cannot be read."""
        if self.video is None:
            yield from ((int(i), read_image(self.images[i])) for i in wanted)
            return
        for run in np.split(wanted, np.flatnonzero(np.diff(wanted) > _SEEK_FRAMES) + 1):
            needed = set(run.tolist())
            frames = read_frames(self.path, int(run[0]), int(run[-1]) + 1, self.video)
            for number, (_, image) in enumerate(frames, int(run[0])):
                if number in needed:
                    yield number, image


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Which frames of the cameras show the same instant.

    Attributes:
        index: (frame, camera) number of the camera's own frame, -1 where it has none.
        times: (frame, camera) s by the camera's own clock; NaN for stills.
        names: of the frames.
        segments: (frame,) see `BoardObservations`.
    """

    index: Int[np.ndarray, "frame camera"]
    times: Float[np.ndarray, "frame camera"]
    names: tuple[str, ...]
    segments: Int[np.ndarray, " frame"]


def intrinsics_sources(session: Session) -> list[BoardSource]:
    """Images and videos in calibration/intrinsics/<camera>/."""
    return sources_in(session.root / "calibration" / "intrinsics")


def extrinsics_sources(session: Session) -> list[BoardSource]:
    """Images or a video in calibration/extrinsics/<camera>/; without that folder, the videos of videos/.

    Raises:
        CalibrationError: a camera has several videos, or videos and images, or the cameras differ in that.
    """
    folder = session.root / "calibration" / "extrinsics"
    found = sources_in(folder)
    if not found:
        folder = session.videos
        found = sources_in(folder)
    cameras = [source.camera for source in found]
    twice = next((name for name in cameras if cameras.count(name) > 1), None)
    if twice is not None:
        raise CalibrationError(
            f"{folder / twice}: several recordings of one camera; the same instant must have the same time or file name"
            " in all cameras, so keep one video or one set of images per camera"
        )
    stills = [source.camera for source in found if source.video is None]
    if stills and len(stills) < len(found):
        raise CalibrationError(
            f"{folder}: images for {', '.join(stills)} but videos for the other cameras; give all cameras the same kind"
        )
    return found


def sources_in(folder: Path, *, single_images: bool = False) -> list[BoardSource]:
    """Sources of <folder>/<camera>/ and of <folder>/<camera>.mp4; of <folder>/<camera>.jpg too if asked for."""
    if not folder.is_dir():
        return []
    found: list[BoardSource] = []
    for path in sorted(folder.iterdir(), key=natural_key):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            images = list_images(path)
            if images:
                found.append(BoardSource(path.name, path, None, tuple(images)))
            videos = sorted((p for p in path.iterdir() if _is_video(p)), key=natural_key)
            found += [BoardSource(path.name, p, probe_video(p), ()) for p in videos]
        elif _is_video(path):
            found.append(BoardSource(path.stem, path, probe_video(path), ()))
    if single_images:
        found += [BoardSource(image.stem, image, None, (image,)) for image in list_images(folder)]
    return found


def _is_video(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")


def align(sources: Sequence[BoardSource], most_frames: int, run: int) -> Alignment:
    """Frames of several cameras side by side: images by their names, videos by time.

    Args:
        sources: one per camera, all images or all videos.
        most_frames: of a longer recording, runs of consecutive frames are taken, evenly spread.
        run: frames in such a run.
    """
    if sources[0].video is None:
        return _by_name(sources)
    videos = [source.video for source in sources if source.video is not None]
    timeline = match_times([video.timestamps for video in videos])
    own = np.stack([v.timestamps[timeline.index[:, c]] for c, v in enumerate(videos)], axis=1)
    index = np.where(timeline.present, timeline.index, -1)
    times = np.where(timeline.present, own, np.nan)
    keep, segments = _runs(len(timeline), most_frames, run)
    return Alignment(index[keep], times[keep], tuple(f"frame {i}" for i in keep), segments)


def _by_name(sources: Sequence[BoardSource]) -> Alignment:
    numbers = [{path.stem: i for i, path in enumerate(source.images)} for source in sources]
    stems = sorted(set().union(*numbers), key=natural_key)
    index = np.array([[of.get(stem, -1) for of in numbers] for stem in stems]).reshape(-1, len(sources))
    return Alignment(index, np.full(index.shape, np.nan), tuple(stems), np.arange(len(stems)))


def _runs(count: int, most: int, run: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames to take of `count`, and the number of the run that each belongs to."""
    if count <= most:
        return np.arange(count), np.zeros(count, int)
    runs = max(most // run, 1)
    starts = np.linspace(0, count - run, runs).astype(int)
    return (starts[:, None] + np.arange(run)).ravel(), np.repeat(np.arange(runs), run)
