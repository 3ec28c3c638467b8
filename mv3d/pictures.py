"""Videos, stills and report of a reconstruction."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

import mv3d
from mv3d.config import Config, OutputConfig, differences
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.files.recording import Recording
from mv3d.progress import Progress
from mv3d.result import Result
from mv3d.viz.grid import overlay_frames
from mv3d.viz.movie import write_movie
from mv3d.viz.renderer import SceneError
from mv3d.viz.report import write_report
from mv3d.viz.viewer import render_scene

# Stills for the report are taken at these shares of the recording.
_STILLS_AT = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Videos made, stills kept for the report as (title, BGR picture), and what could not be drawn."""

    outputs: dict[str, Path]
    stills: list[tuple[str, np.ndarray]]
    notes: list[str]


def draw(
    recording: Recording,
    config: OutputConfig,
    poses2d: Mapping[str, Poses2D],
    poses3d: Poses3D,
    outlines: np.ndarray,
    progress: Progress,
) -> Drawn:
    """The videos that were asked for; what cannot be drawn here becomes a note, not a failure of the whole run."""
    session, rig, count = recording.session, recording.rig, len(poses3d)
    sources: list[tuple[str, Path, Callable[[], Iterable[np.ndarray]]]] = []
    if config.overlay:
        views = list(poses2d.values())
        overlay = lambda: overlay_frames(recording.images(), rig, views, poses3d, outlines)  # noqa: E731
        sources.append(("overlay", session.overlay_video, overlay))
    if config.scene:
        sources.append(("scene", session.scene_video, lambda: render_scene(rig, poses3d)))
    drawn = Drawn({}, [], [])
    for name, path, pictures in sources:
        try:
            write_movie(
                path, _kept(progress(pictures(), count, f"drawing {path.name}"), name, count, drawn), poses3d.fps
            )
            drawn.outputs[name] = path
        except SceneError as error:
            drawn.notes.append(f"{path.name} was not made: {error}")
    return drawn


def _kept(pictures: Iterable[np.ndarray], name: str, count: int, drawn: Drawn) -> Iterator[np.ndarray]:
    """Pass pictures on and keep a few."""
    wanted = {round(share * (count - 1)) for share in _STILLS_AT}
    for frame, picture in enumerate(pictures):
        if frame in wanted:
            drawn.stills.append((f"{name}, frame {frame}", picture))
        yield picture


def report(
    path: Path,
    result: Result,
    config: Config,
    stills: list[tuple[str, np.ndarray]],
    title: str,
    facts: dict[str, str],
) -> None:
    """Write the HTML report of a result."""
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
    )
