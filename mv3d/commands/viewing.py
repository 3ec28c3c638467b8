"""The commands that show a session: in a window, in the browser, as pictures, videos, plots and report."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from mv3d.commands.arguments import Lines
from mv3d.commands.settings import Settings
from mv3d.errors import ConfigError

if TYPE_CHECKING:
    from mv3d.viewing import Viewing
    from mv3d.viz.display import Display

_Session = tyro.conf.Positional[Path]
_DEFAULTS = Settings()


@dataclass(frozen=True, slots=True)
class Layers:
    """What of the scene is shown; in the window and in the browser these are only the start.

    Attributes:
        camera: look through this camera, its video behind the skeleton.
        images: the videos on the cameras' image planes.
        trails: seconds of trails behind hands and feet.
        ellipsoids: 95 % uncertainty of each joint, magnified by this; 1 is true to scale.
        ghost: pose3d.npz of another run, or a BVH file (cm, y up), drawn grey.
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
    web: bool = False,
    host: str = "127.0.0.1",
    port: int = 8080,
    size: tuple[int, int] = (1280, 720),
    blur_faces: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    layers: Layers = _LAYERS,
) -> Lines:
    """Show a session's skeleton: in a window (h lists the keys), in the browser, or as pictures and videos.

    Args:
        session: the session folder.
        video: write the scene to this MP4 instead of opening a window.
        picture: write one frame of the scene to this PNG instead.
        frame: of the picture; -1 is the last.
        overlay: write into this folder one video a camera, with 2D detections and projected skeleton, instead.
        web: serve the scene to a browser, until Ctrl+C.
        host: address that the browser viewer listens on; any but the default lets other computers in.
        port: of the browser viewer.
        size: width and height of pictures and videos, px.
        blur_faces: make faces in the cameras' images unrecognisable, where the keypoints say that they are.
        overwrite: replace files that are already there.
        quiet: no progress bar.
        layers: what is shown.
    """
    from mv3d import viewing
    from mv3d.files.writing import refuse_overwriting

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
        _look(shown, display, (host, port) if web else None)
    problems = shown.content.images.problems if shown.content.images is not None else []
    return settings.unless_quiet([*(f"note: {note}" for note in (*shown.notes, *problems)), *map(str, written)])


def _look(shown: "Viewing", display: "Display", address: tuple[str, int] | None) -> None:
    """The window or the browser viewer, until its user has seen enough."""
    if address is not None:
        from mv3d.viz.web import serve

        serve(shown.content, display, *address, _announce)
        return
    from mv3d.viz.window import show

    show(shown.content, display, shown.session.root)


def _announce(address: str) -> None:
    """Say where the page is while the command goes on: what it returns is printed only at its end."""
    sys.stdout.write(f"open {address} in a browser; Ctrl+C ends\n")
    sys.stdout.flush()


def report(
    session: _Session,
    plots: Path | None = None,
    plot_format: tuple[str, ...] = ("png",),
    overwrite: bool = False,
    settings: Settings = _DEFAULTS,
) -> Lines:
    """Write report.html of a session again; with --plots its figures as files too.

    Args:
        session: the session folder.
        plots: folder for the figures.
        plot_format: of the figures: any of png, svg, pdf.
        overwrite: replace figures that are already there.
        settings: shared settings.
    """
    from mv3d import pipeline

    written = pipeline.report_session(session, settings.load(), plots, plot_format, overwrite=overwrite)
    return settings.unless_quiet([str(path) for path in written])
