"""Videos, stills and report of a reconstruction."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

import mv3d
from mv3d.config import Config, OutputConfig, differences
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.errors import Mv3dError
from mv3d.files.progress import Progress
from mv3d.files.recording import Recording
from mv3d.files.session_record import made_without_faces
from mv3d.files.video import probe_video, read_frames
from mv3d.result import Result
from mv3d.viz.faces import blurred_views
from mv3d.viz.grid import overlay_frames
from mv3d.viz.moments import at_times
from mv3d.viz.movie import write_movie
from mv3d.viz.renderer import SceneError
from mv3d.viz.report import write_report
from mv3d.viz.verdict_json import write_verdict_json
from mv3d.viz.viewer import render_scene

# Stills for the report are taken at these shares of the recording.
_STILLS_AT = (0.1, 0.5, 0.9)


Still = tuple[str, np.ndarray]
"""A picture for the report: title and BGR image."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Videos made, by what they show; stills kept for the report; and what could not be drawn, a sentence each."""

    outputs: dict[str, Path]
    stills: list[Still]
    notes: list[str]


def draw(
    recording: Recording,
    config: OutputConfig,
    poses2d: Mapping[str, Poses2D],
    poses3d: Poses3D,
    outlines: np.ndarray,
    progress: Progress,
) -> Drawn:
    """The videos that were asked for, in the session."""
    session, drawn = recording.session, Drawn({}, [], [])
    if config.overlay:
        # Keypoints are at the cameras' own times, the images at those of the timeline.
        times = recording.timeline.timestamps
        offsets = zip(poses2d.values(), recording.time_offsets, strict=True)
        seen = [at_times(poses, times, float(offset)) for poses, offset in offsets]
        images = recording.images()
        if config.blur_faces:
            images = blurred_views(images, list(poses2d.values()), recording.timeline.index)
        frames = overlay_frames(images, recording.rig, seen, poses3d, outlines)
        drawn.stills.extend(_movie(session.overlay_video, frames, poses3d, progress))
        drawn.outputs["overlay"] = session.overlay_video
    if config.scene:
        stills, notes = draw_scene(session.scene_video, recording.rig, poses3d, progress)
        drawn.stills.extend(stills)
        drawn.notes.extend(notes)
        if stills:
            drawn.outputs["scene"] = session.scene_video
    return drawn


def draw_scene(path: Path, rig: Rig, poses3d: Poses3D, progress: Progress) -> tuple[list[Still], list[str]]:
    """The 3D scene as a video; where Open3D cannot draw, a note instead of a failure of the whole run."""
    try:
        return _movie(path, render_scene(rig, poses3d), poses3d, progress), []
    except SceneError as error:
        return [], [f"{path.name} was not made: {error}"]


def _movie(path: Path, frames: Iterable[np.ndarray], poses3d: Poses3D, progress: Progress) -> list[Still]:
    count = len(poses3d)
    wanted, stills = _still_frames(count), []

    def kept() -> Iterator[np.ndarray]:
        for frame, picture in enumerate(progress(frames, count, f"drawing {path.name}")):
            if frame in wanted:
                stills.append((_still_title(path, frame), picture))
            yield picture

    write_movie(path, kept(), poses3d.fps or 1.0)
    return stills


def stills_of(session: Session, count: int, without_faces: bool = False) -> list[Still]:
    """The same stills out of the videos that an earlier run left in the session, as far as they can be read.

    `without_faces` leaves out those of an overlay.mp4 that was made with faces in it.
    """
    stills = []
    shown = session.overlay_video, session.scene_video
    for path in shown[1:] if without_faces and not made_without_faces(session.root) else shown:
        try:
            info = probe_video(path)
            for frame in sorted(_still_frames(count)) if info.frame_count == count else ():
                stills += [(_still_title(path, frame), image) for _, image in read_frames(path, frame, frame + 1, info)]
        except Mv3dError:  # a report without pictures is better than none
            continue
    return stills


def _still_frames(count: int) -> set[int]:
    return {round(share * (count - 1)) for share in _STILLS_AT}


def _still_title(video: Path, frame: int) -> str:
    return f"{video.stem}, frame {frame}"


def report(
    path: Path,
    result: Result,
    config: Config,
    stills: list[Still],
    title: str,
    facts: dict[str, str],
) -> None:
    """Write the HTML report of a result.

    Raises:
        SessionError: it cannot be written.
    """
    settings = yaml.safe_dump(differences(config), default_flow_style=True).strip()
    facts = {"mv3d": mv3d.__version__, "settings that differ from the defaults": settings, **facts}
    write_report(
        path,
        title=title,
        rig=result.rig,
        poses2d=result.poses2d,
        poses3d=result.poses3d,
        quality=result.quality,
        pictures=stills,
        facts=facts,
        warnings=list(result.notes),
        diagnosis=result.diagnosis,
    )


def write_verdict(path: Path, result: Result) -> None:
    """Write the verdict on a result for programs.

    Raises:
        SessionError: it cannot be written.
    """
    write_verdict_json(path, result.rig, result.quality, result.diagnosis)
