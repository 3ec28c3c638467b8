"""Recordings of other devices as a session: folders of phones' videos, and OpenPose's layouts of several views."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from mv3d.capture.alignment import Alignment, Track, align, track_of_brightness, track_of_sound
from mv3d.capture.frames import CapturedFrame, SourceInfo
from mv3d.capture.video_files import CameraFiles
from mv3d.data.camera import is_file_stem
from mv3d.data.session import Session
from mv3d.errors import ConfigError, SessionError, VideoError
from mv3d.files.arrival_clock import arrival_jitter
from mv3d.files.frame_times import timestamps_path, write_frame_times
from mv3d.files.image_folder import list_images
from mv3d.files.natural import natural_key
from mv3d.files.recorded_video import finish_recorded_video
from mv3d.files.sound import read_sound
from mv3d.files.staging import written_together
from mv3d.files.video import VIDEO_SUFFIXES, VideoInfo, probe_video, read_frames
from mv3d.files.writing import refuse_overwriting

Layout = Literal["cameras", "side-by-side", "consecutive"]
AlignBy = Literal["none", "sound", "flash"]
# A rate that changes by more than this share of its interval is told.
_UNEVEN = 0.1


@dataclass(frozen=True, slots=True)
class ImportConfig:
    """How to import.

    Attributes:
        layout: cameras takes one video or folder of images per camera; side-by-side cuts each picture into `views`
            equal parts from left to right; consecutive deals the images of one folder out to `views` cameras in turn.
        views: cameras in one source, for the last two.
        fps: frames per second of images.
        align: sound or flash lays the clocks of cameras over each other.
        codec: of views that are cut out: h264, or ffv1 without loss.
    """

    layout: Layout = "cameras"
    views: int = 2
    fps: float = 30.0
    align: AlignBy = "none"
    codec: Literal["h264", "ffv1"] = "h264"


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """What was imported: the videos by camera, offsets that were found, and what is to be said."""

    videos: dict[str, Path]
    alignments: dict[str, Alignment] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def import_session(source: Path, root: Path, config: ImportConfig, overwrite: bool = False) -> Imported:
    """Make a session of recordings that lie elsewhere; those stay as they are.

    Raises:
        SessionError: no such source, nothing in it, a name that fits twice, or the session is not empty.
        VideoError: a video cannot be read, or the cameras cannot be aligned as asked.
        ConfigError: a layout that the source cannot have.
    """
    if not source.exists():
        raise SessionError(f"{source}: no such file or folder")
    refuse_overwriting(Session(root).videos, overwrite)
    with written_together(root, ("videos/*", "videos/*/*")) as folder:
        videos = Session(folder).videos
        videos.mkdir(parents=True)
        imported = _IMPORTERS[config.layout](source, videos, config)
        if config.align != "none":
            imported.alignments.update(_aligned(imported.videos, config.align))
    moved = {name: Session(root).videos / path.name for name, path in imported.videos.items()}
    return Imported(moved, imported.alignments, imported.notes)


def _import_cameras(source: Path, videos: Path, config: ImportConfig) -> Imported:
    if not source.is_dir():
        raise ConfigError(f"{source}: one video per camera in a folder is wanted; for views in one, see --layout")
    imported = Imported({})
    for name, path in _sources_of(source).items():
        target = videos / (name if path.is_dir() else f"{name}{path.suffix.lower()}")
        video = probe_video(path, config.fps)
        if path.is_dir():
            shutil.copytree(path, target)
        else:
            shutil.copyfile(path, target)
        if timestamps_path(path).is_file():
            shutil.copyfile(timestamps_path(path), timestamps_path(target))
        imported.videos[name] = target
        imported.notes.extend(_oddities(name, video))
    lengths = {name: probe_video(path, config.fps).duration for name, path in imported.videos.items()}
    if max(lengths.values()) - min(lengths.values()) > 0.5 and config.align == "none":
        shown = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in lengths.items())
        imported.notes.append(f"lengths differ ({shown}); use --align sound, or run with --common-time")
    return imported


def _sources_of(folder: Path) -> dict[str, Path]:
    """Video or folder of images of each camera: files by their stem, folders by their name."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir(), key=natural_key):
        if path.name.startswith("."):
            continue
        for name, item in _source_at(path):
            if name in found:
                raise SessionError(f"{folder}: {found[name].name} and {item.name} are both of camera {name}")
            if not is_file_stem(name):
                raise SessionError(f"{item}: no camera can be called {name!r}; rename it")
            found[name] = item
    if not found:
        raise SessionError(f"{folder}: no videos ({', '.join(sorted(VIDEO_SUFFIXES))}) and no folders of images in it")
    return found


def _source_at(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
        yield path.stem, path
    elif path.is_dir() and list_images(path):
        yield path.name, path
    elif path.is_dir():
        inside = sorted((p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES), key=natural_key)
        if len(inside) > 1:
            names = ", ".join(p.name for p in inside)
            raise SessionError(f"{path}: several videos of one camera ({names}); join or remove the chapters")
        if inside:
            yield path.name, inside[0]


def _oddities(name: str, video: VideoInfo) -> list[str]:
    jitter = arrival_jitter(video.timestamps)[0]
    if jitter * video.fps > _UNEVEN:
        return [f"{name}: frames are uneven ({jitter * 1e3:.0f} ms off {video.fps:.2f} fps); their own times count"]
    return []


def _import_side_by_side(source: Path, videos: Path, config: ImportConfig) -> Imported:
    video = probe_video(source, config.fps)
    width, height = video.size
    if not 2 <= config.views <= width:
        raise ConfigError(f"--views is {config.views}; two or more views side by side are wanted")
    if width % config.views:
        raise ConfigError(f"{source}: {width} px cannot be cut into {config.views} equal parts; check --views")
    size, names = (width // config.views, height), _view_names(config.views)
    info = SourceInfo("image", size, video.fps, live=False)
    files = [CameraFiles(videos, videos, name, info, config.codec, 1) for name in names]
    try:
        for time, image in read_frames(source, info=video):
            since = time - float(video.timestamps[0])
            for view, camera in enumerate(files):
                part = image[:, view * size[0] : (view + 1) * size[0]]
                camera.write(CapturedFrame(since, part, size), since)
    finally:
        for camera in files:
            camera.close()
    for camera in files:
        finish_recorded_video(camera.paths[0])
    return Imported({name: camera.paths[0] for name, camera in zip(names, files, strict=True)})


def _import_consecutive(source: Path, videos: Path, config: ImportConfig) -> Imported:
    images = list_images(source) if source.is_dir() else []
    if config.views < 2 or not images or len(images) % config.views:
        raise ConfigError(
            f"{source}: holds {len(images)} images, which is no multiple of {config.views} views; check --views"
        )
    imported = Imported({})
    for view, name in enumerate(_view_names(config.views)):
        own = images[view :: config.views]
        (videos / name).mkdir()
        for frame, path in enumerate(own):
            shutil.copyfile(path, videos / name / f"{frame:06d}{path.suffix.lower()}")
        times = np.arange(len(own)) / config.fps
        write_frame_times(videos / f"{name}.timestamps.csv", np.column_stack([times, times, np.full(len(own), np.nan)]))
        imported.videos[name] = videos / name
    return imported


_IMPORTERS: dict[Layout, Callable[[Path, Path, ImportConfig], Imported]] = {
    "cameras": _import_cameras,
    "side-by-side": _import_side_by_side,
    "consecutive": _import_consecutive,
}


def _view_names(views: int) -> Sequence[str]:
    return [f"cam{view + 1:02d}" for view in range(views)]


def _aligned(videos: dict[str, Path], by: AlignBy) -> dict[str, Alignment]:
    """Find the offsets and write the frames' times on one clock, the earliest at 0."""
    tracks = {name: _track(name, path, by) for name, path in videos.items()}
    alignments = align(tracks)
    unsure = [name for name, alignment in alignments.items() if not alignment.found]
    if unsure:
        what = "sounds" if by == "sound" else "flashes"
        raise VideoError(
            f"{', '.join(unsure)}: no {what} that the other cameras share; import without --align, and let `mv3d run`"
            " find the offsets from the movement"
        )
    times = {name: probe_video(path).timestamps + alignments[name].offset for name, path in videos.items()}
    start = min(own[0] for own in times.values())
    for name, path in videos.items():
        own = times[name] - start
        write_frame_times(timestamps_path(path), np.column_stack([own, own, np.full(len(own), np.nan)]))
    return alignments


def _track(name: str, path: Path, by: AlignBy) -> Track:
    if by == "flash":
        video = probe_video(path)
        bright = np.array([float(image[::8, ::8].mean()) for _, image in read_frames(path, info=video)])
        return track_of_brightness(video.timestamps, bright)
    sound = read_sound(path) if path.is_file() else None
    if sound is None:
        raise VideoError(f"{name}: no sound in {path.name}; align by --align flash, or not at all")
    return track_of_sound(sound)
