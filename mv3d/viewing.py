"""Looking at a session: what lies in it is gathered, what is missing is left out and told, then shown or drawn."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mv3d.data.camera import Camera
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.errors import ConfigError, Mv3dError, SessionError
from mv3d.files.bvh import read_bvh
from mv3d.files.image_folder import write_png
from mv3d.files.keypoints import read_keypoints
from mv3d.files.progress import Progress, silent
from mv3d.files.recording import fitted_camera
from mv3d.files.sessions import find_sources, match_names
from mv3d.files.video import VideoInfo, probe_video
from mv3d.files.writing import refuse_overwriting
from mv3d.viz.content import Content, content
from mv3d.viz.display import Display
from mv3d.viz.grid import drawn_tile
from mv3d.viz.motion_ghost import poses_of_motion
from mv3d.viz.movie import write_movie
from mv3d.viz.viewer import render


@dataclass(frozen=True, slots=True, eq=False)
class Viewing:
    """A session to look at.

    Attributes:
        session: the folder.
        content: what there is to show of it.
        notes: what is missing or damaged, a sentence each.
    """

    session: Session
    content: Content
    notes: tuple[str, ...]


def open_viewing(root: str | Path, ghost: Path | None = None, blur_faces: bool = False) -> Viewing:
    """Gather what there is to see of a session; only the skeleton and the rig must be there.

    Args:
        root: the session folder.
        ghost: pose3d.npz of another run, or a BVH file in centimetres whose y is up, to show beside it.
        blur_faces: hide the faces that the keypoints tell of; videos of cameras without keypoints are not shown.

    Raises:
        SessionError: no reconstruction, or nobody in it.
        CalibrationError: no rig that can be read.
        FormatError: the reconstruction or the ghost cannot be read.
    """
    session = Session(Path(root))
    if not session.pose3d.is_file():
        raise SessionError(f"{session.pose3d}: no reconstruction yet; run `mv3d run {root}` first")
    poses3d = _with_people(session.pose3d)
    rig_file = session.refined_rig if session.refined_rig.is_file() else session.rig
    if not rig_file.is_file():
        raise SessionError(f"{rig_file}: no such file; the cameras of the reconstruction are wanted beside it")
    rig = Rig.load(rig_file)
    videos, notes = _videos(session, rig)
    fitted = [_fitted(camera, videos, notes) for camera in rig]
    rig = Rig(tuple(fitted))
    poses2d = _keypoints(session, rig, notes)
    other = _ghost(ghost, float(poses3d.timestamps[0])) if ghost is not None else None
    if blur_faces:
        notes += [f"{name} has no images: faces are blurred by keypoints" for name in videos.keys() - poses2d]
    return Viewing(session, content(rig, poses3d, poses2d, videos, other, blur_faces), tuple(notes))


def save_picture(viewing: Viewing, path: Path, frame: int, display: Display, size: tuple[int, int]) -> None:
    """Draw one frame to a PNG; a negative frame counts from the end.

    Raises:
        ConfigError: there is no such frame or camera.
        SceneError: nothing can be drawn on this machine.
    """
    check_display(viewing, display)
    count = len(viewing.content.poses3d)
    if not -count <= frame < count:
        raise ConfigError(f"--frame is {frame}; the reconstruction has frames 0 to {count - 1}")
    (image,) = render(viewing.content, display, size, [frame % count])
    write_png(path, image)


def save_video(
    viewing: Viewing, path: Path, display: Display, size: tuple[int, int], progress: Progress = silent
) -> None:
    """Draw all frames to an MP4.

    Raises:
        ConfigError: there is no such camera.
        SceneError: nothing can be drawn on this machine.
    """
    check_display(viewing, display)
    poses3d = viewing.content.poses3d
    pictures = progress(render(viewing.content, display, size), len(poses3d), f"drawing {path.name}")
    write_movie(path, pictures, poses3d.fps or 1.0)


def save_overlays(
    viewing: Viewing, folder: Path, *, overwrite: bool = False, progress: Progress = silent
) -> list[Path]:
    """One video a camera, at its full size, with the 2D detections and the 3D skeleton projected back.

    Raises:
        SessionError: the session has no videos, or there are such files already.
    """
    shown = viewing.content
    if shown.images is None:
        raise SessionError(f"{viewing.session.videos}: no videos to draw on")
    paths = [folder / f"{name}.mp4" for name in shown.images.names]
    for path in paths:
        refuse_overwriting(path, overwrite)
    for name, path in zip(shown.images.names, paths, strict=True):
        write_movie(path, _overlays(viewing, name, progress), shown.poses3d.fps or 1.0)
    return paths


def check_display(viewing: Viewing, display: Display) -> None:
    """Refuse a camera that is not in the rig."""
    names = viewing.content.rig.names
    if display.camera is not None and display.camera not in names:
        raise ConfigError(f"no camera {display.camera!r} in the rig; there are {', '.join(names)}")


def _overlays(viewing: Viewing, name: str, progress: Progress) -> Iterator[np.ndarray]:
    """Each frame of one camera, drawn on; where it has no image, on grey."""
    shown, camera = viewing.content, viewing.content.rig[name]
    assert shown.images is not None
    count = len(shown.poses3d)
    for frame in progress(range(count), count, f"drawing {name}.mp4"):
        image = shown.images.image(name, frame)
        label = name if image is not None else f"{name}: no image"
        yield drawn_tile(image, camera.size, camera, frame, shown.poses2d.get(name), shown.poses3d, None, label)


def _ghost(path: Path, start: float) -> Poses3D:
    """Another run; a BVH file has no clock, so it begins where the reconstruction does."""
    if path.suffix.lower() == ".bvh":
        return poses_of_motion(read_bvh(path, rigid=False), start)
    return _with_people(path)


def _with_people(path: Path) -> Poses3D:
    poses3d = Poses3D.load(path)
    if not np.isfinite(poses3d.xyz).any():
        what = "no frames" if not len(poses3d) else "nobody in any frame"
        raise SessionError(f"{path}: {what}, so there is nothing to show; look at the videos and run again")
    return poses3d


def _videos(session: Session, rig: Rig) -> tuple[dict[str, VideoInfo], list[str]]:
    """The videos that are there and can be read, by camera; and what is to be said about the others."""
    try:
        sources = find_sources(session.videos)
    except SessionError as error:
        return {}, [f"no images: {error}"]
    try:
        matched = match_names(rig.names, tuple(sources))
    except SessionError:
        matched = {name: name for name in rig.names if name in sources}
    found, notes = {}, []
    for name in rig.names:
        try:
            if name not in matched:
                raise SessionError(f"no video for camera {name} in {session.videos}")
            found[name] = probe_video(sources[matched[name]])
        except Mv3dError as error:
            notes.append(f"{name} has no images: {error}")
    return found, notes


def _fitted(camera: Camera, videos: dict[str, VideoInfo], notes: list[str]) -> Camera:
    """The camera for its video's size; the video is left out where it is of another shape."""
    video = videos.get(camera.name)
    if video is None:
        return camera
    try:
        return fitted_camera(camera, video)[0]
    except Mv3dError as error:
        del videos[camera.name]
        notes.append(f"{camera.name} has no images: {error}")
        return camera


def _keypoints(session: Session, rig: Rig, notes: list[str]) -> dict[str, Poses2D]:
    if not session.pose2d.is_dir():
        return {}
    try:
        return read_keypoints(session.pose2d, rig.names)
    except Mv3dError as error:
        notes.append(f"no 2D detections are drawn: {error}")
        return {}
