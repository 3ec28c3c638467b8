"""The commands that show a session: in a window, as pictures, videos and report."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from mv3d.errors import ConfigError
from mv3d.settings import Settings

if TYPE_CHECKING:
    from mv3d.viz.display import Display

_Session = tyro.conf.Positional[Path]
_Lines = list[str]
_DEFAULTS = Settings()


@dataclass(frozen=True, slots=True)
class Layers:
    """What of the scene is shown; in the window and in the browser these are only the start.

    Attributes:
        camera: look through this camera, its video behind the skeleton.
        images: the videos on the cameras' image planes.
        trails: seconds of trails behind hands and feet.
        ellipsoids: 95 % uncertainty of each joint, magnified by this; 1 is true to scale.
        ghost: pose3d.npz of another run, drawn grey.
    """

    camera: str | None = None
    images: bool = False
    trails: float = 0.0
    ellipsoids: float = 0.0
    ghost: Path | None = None

    def display(self) -> "Display":
        """The layers as the scene takes them."""
        from mv3d.viz.display import Display

        for name in ("trails", "ellipsoids"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"--{name} is {getattr(self, name)}; 0 or more is wanted")
        trail_s = self.trails or Display().trail_s
        return Display(
            trails=self.trails > 0,
            trail_s=trail_s,
            ellipsoids=self.ellipsoids,
            images=self.images,
            camera=self.camera,
        )


_LAYERS = Layers()


def view(
    session: _Session,
    video: Path | None = None,
    picture: Path | None = None,
    frame: int = 0,
    overlay: Path | None = None,
    size: tuple[int, int] = (1280, 720),
    blur_faces: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    layers: Layers = _LAYERS,
) -> _Lines:
    """Show a session's skeleton: in a window (h lists the keys), or as pictures and videos.

    Args:
        session: the session folder.
        video: write the scene to this MP4 instead of opening a window.
        picture: write one frame of the scene to this PNG instead.
        frame: of the picture; -1 is the last.
        overlay: write into this folder one video a camera, with 2D detections and projected skeleton, instead.
        size: width and height of pictures and videos, px.
        blur_faces: make faces in the cameras' images unrecognisable, where the keypoints say that they are.
        overwrite: replace files that are already there.
        quiet: no progress bar.
        layers: what is shown.
    """
    from mv3d import viewing
    from mv3d.files.writing import refuse_overwriting
    from mv3d.viz.window import show

    settings, display = Settings(quiet=quiet), layers.display()
    if not all(16 <= side <= 8192 for side in size):
        raise ConfigError(f"--size is {size[0]} {size[1]}; 16 to 8192 px are wanted")
    for path in (video, picture):
        if path is not None:
            refuse_overwriting(path, overwrite)
    shown = viewing.open_viewing(session, layers.ghost, blur_faces)
    viewing.check_display(shown, display)
    written = []
    if picture is not None:
        viewing.save_picture(shown, picture, frame, display, size)
        written.append(picture)
    if video is not None:
        viewing.save_video(shown, video, display, size, settings.progress)
        written.append(video)
    if overlay is not None:
        written += viewing.save_overlays(shown, overlay, overwrite=overwrite, progress=settings.progress)
    if not written:
        show(shown.content, display, shown.session.root)
    problems = shown.content.images.problems if shown.content.images is not None else []
    return settings.unless_quiet([*(f"note: {note}" for note in (*shown.notes, *problems)), *map(str, written)])


def report(session: _Session, settings: Settings = _DEFAULTS) -> _Lines:
    """Write report.html of a session again.

    Args:
        session: the session folder.
        settings: shared settings.
    """
    from mv3d import pipeline

    return settings.unless_quiet([str(pipeline.report_session(session, settings.load()))])
