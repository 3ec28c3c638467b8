"""The command line. Exit code 0 done, 1 the user's data or arguments, 2 usage.

Stages are imported inside the commands: torch, numba and OpenCV take seconds, and `mv3d --help` needs none of them.
"""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

import mv3d
from mv3d.errors import ConfigError, Mv3dError, SessionError
from mv3d.settings import Settings

if TYPE_CHECKING:
    from mv3d.result import Result

Session = tyro.conf.Positional[Path]
# What a shell reports of programs ended by SIGINT and SIGPIPE.
_INTERRUPTED, _READER_LEFT = 130, 141

_DEFAULTS = Settings()


def demo(
    synthetic: bool = False, out: Path | None = None, cache: Path | None = None, settings: Settings = _DEFAULTS
) -> None:
    """The main job on a real recording of four cameras, fetched once; or on a synthetic one, which needs no network.

    Args:
        synthetic: a synthetic performer seen by four cameras as keypoints, with the error against the truth.
        out: folder for the session; demo_session or demo_synthetic by default.
        cache: where the fetched recording is kept; the user's cache folder by default.
        settings: shared settings.
    """
    from mv3d import demonstration

    if synthetic:
        root = out or Path("demo_synthetic")
        result, errors = demonstration.run_synthetic(root, settings.load(), progress=settings.progress)
        _tell(result, settings, errors)
    else:
        root = demonstration.prepare_real(out or Path("demo_session"), cache)
        _tell(demonstration.run_real(root, settings.load(), settings.progress), settings)


def run(session: Session, overwrite: bool = False, common_time: bool = False, settings: Settings = _DEFAULTS) -> None:
    """Videos and cameras.yaml of a session in; skeletons, exports, pictures and report out.

    Args:
        session: the session folder.
        overwrite: make results anew that are already there.
        common_time: accept videos of unequal length and use the time that all of them cover.
        settings: shared settings.
    """
    from mv3d import pipeline

    result = pipeline.run(
        session, settings.load(), overwrite=overwrite, common_time=common_time, progress=settings.progress
    )
    _tell(result, settings)


def pose2d(session: Session, overwrite: bool = False, settings: Settings = _DEFAULTS) -> None:
    """Find everybody in every video, whole images, one view at a time; writes pose2d/.

    Args:
        session: the session folder.
        overwrite: make results anew that are already there.
        settings: shared settings.
    """
    from mv3d.detection import find_in_whole_images

    outputs = find_in_whole_images(session, settings.load(), overwrite=overwrite, progress=settings.progress)
    _say(settings, *(str(path) for path in outputs.values()))


def reconstruct(
    session: tyro.conf.Positional[Path | None] = None,
    rig: Path | None = None,
    keypoints: Path | None = None,
    out: Path | None = None,
    fps: float = 30.0,
    skeleton: str | None = None,
    units: str | None = None,
    overwrite: bool = False,
    settings: Settings = _DEFAULTS,
) -> None:
    """Keypoints in, 3D skeleton out: of a session's pose2d/, or with --rig, --keypoints and --out of any folder.

    Args:
        session: the session folder.
        rig: rig file of any known format.
        keypoints: folder of <camera>.npz, or of OpenPose JSON per camera.
        out: the pose3d.npz to write.
        fps: frames per second of OpenPose JSON, which does not say.
        skeleton: joint order of OpenPose JSON where the number of joints does not tell it, e.g. BODY_25B.
        units: unit of length of the rig file, if not its format's own: m, cm, mm, in, ft.
        overwrite: make results anew that are already there.
        settings: shared settings.
    """
    from mv3d import pipeline

    if session is not None and (rig or keypoints or out):
        raise ConfigError("give either a session or --rig, --keypoints and --out, not both")
    if session is not None:
        _tell(pipeline.reconstruct_session(session, settings.load(), overwrite=overwrite), settings)
        return
    if rig is None or keypoints is None or out is None:
        raise ConfigError("give a session folder, or all of --rig, --keypoints and --out")
    source = pipeline.KeypointSource(rig, keypoints, fps, skeleton, units)
    _tell(pipeline.reconstruct_files(source, out, settings.load(), overwrite=overwrite), settings)


def view(session: Session, video: Path | None = None, overwrite: bool = False, quiet: bool = False) -> None:
    """Show a session's skeleton in a window: space plays and stops, left and right step, drag turns.

    Args:
        session: the session folder.
        video: write the scene to this MP4 instead of opening a window.
        overwrite: replace the MP4 if it is already there.
        quiet: no progress bar.
    """
    from mv3d import pipeline

    if video is None:
        pipeline.show_session(session)
    else:
        settings = Settings(quiet=quiet)
        pipeline.render_session(session, video, overwrite=overwrite, progress=settings.progress)
        _say(settings, str(video))


def export(
    session: Session,
    format: tuple[str, ...] = ("csv", "trc", "openpose"),
    out: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Write a session's skeleton in formats of other programs.

    Args:
        session: the session folder.
        format: any of csv, csv_tidy, trc, json, npz, openpose.
        out: folder for the files; export/ of the session by default.
        overwrite: replace files that are already there.
    """
    from mv3d import pipeline

    _say(_DEFAULTS, *(str(path) for path in pipeline.export_session(session, format, out, overwrite=overwrite)))


def report(session: Session, settings: Settings = _DEFAULTS) -> None:
    """Write report.html of a session again.

    Args:
        session: the session folder.
        settings: shared settings.
    """
    from mv3d import pipeline

    _say(settings, str(pipeline.report_session(session, settings.load())))


def rig_convert(
    source: tyro.conf.Positional[Path],
    target: tyro.conf.Positional[Path],
    format: str = "auto",
    units: str | None = None,
    overwrite: bool = False,
) -> None:
    """Read a rig in one format and write it in another, in metres.

    Args:
        source: rig file to read: cameras.yaml, aniposelib .toml, Qualisys .qca.txt.
        target: rig file to write: cameras.yaml or aniposelib .toml.
        format: format of the source, if its name does not tell: mv3d, aniposelib, qualisys.
        units: unit of length in the source, if not the format's own: m, cm, mm, in, ft.
        overwrite: replace the target if it is already there.
    """
    from mv3d.files.rigs import read_rig, write_rig

    rig = read_rig(source, format, units)
    if target.exists() and not overwrite:
        raise SessionError(f"{target}: already there; pass --overwrite to replace it")
    write_rig(rig, target)
    _say(_DEFAULTS, f"{target}: {len(rig)} cameras ({', '.join(rig.names)})")


def models_list() -> None:
    """Which 2D networks there are."""
    from mv3d.pose2d.models import MODELS

    for model in MODELS.values():
        _say(_DEFAULTS, f"{model.name:<20}{model.skeleton.name:<10}{len(model.skeleton)} joints")


def version() -> None:
    """Print the version."""
    _say(_DEFAULTS, mv3d.__version__)


_COMMANDS: dict[str, Callable[..., None] | dict[str, Callable[..., None]]] = {
    "demo": demo,
    "run": run,
    "pose2d": pose2d,
    "reconstruct": reconstruct,
    "view": view,
    "export": export,
    "report": report,
    "rig": {"convert": rig_convert},
    "models": {"list": models_list},
    "version": version,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `mv3d`."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        try:
            _dispatch(arguments)
        finally:
            sys.stdout.flush()
        return
    except BrokenPipeError:
        _give_up_stdout()
        sys.exit(_READER_LEFT)
    except Mv3dError as error:
        problem = str(error)
    except OSError as error:
        problem = f"{error.filename or 'file'}: {error.strerror or error}; check the path and the disk"
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    # Only here, where the stages' frames are gone, have their progress bars ended the line that they were on.
    sys.exit(_fail(problem))


def _dispatch(arguments: list[str]) -> None:
    """Run the command; `mv3d rig convert` and the like are one group deeper."""
    flat = {name: entry if callable(entry) else _group(name, entry) for name, entry in _COMMANDS.items()}
    commands, prog = flat, "mv3d"
    if arguments and isinstance(group := _COMMANDS.get(arguments[0]), dict):
        commands, prog = group, f"mv3d {arguments[0]}"
        arguments = arguments[1:]
    if arguments == ["--version"]:
        arguments = ["version"]
    tyro.extras.subcommand_cli_from_dict(commands, prog=prog, args=arguments, config=(tyro.conf.OmitArgPrefixes,))


def _group(name: str, entries: dict[str, Callable[..., None]]) -> Callable[[], None]:
    def show() -> None:
        for sub, command in entries.items():
            _say(_DEFAULTS, f"mv3d {name} {sub:<10} {(command.__doc__ or '').splitlines()[0]}")

    show.__doc__ = f"{name} commands: {', '.join(entries)}."
    return show


def _give_up_stdout() -> None:
    """Whoever read our output has left (`| head`); without this Python complains of it on its way out."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str) -> int:
    print(f"mv3d: error: {' '.join(message.split())}", file=sys.stderr)
    return 1


def _say(settings: Settings, *lines: str) -> None:
    if not settings.quiet:
        print("\n".join(lines))


def _tell(result: "Result", settings: Settings, extra: Sequence[str] = ()) -> None:
    """The figures of a reconstruction, and where its files lie."""
    from mv3d.summary import quality_lines

    files = [f"{name:<10}{path}" for name, path in result.outputs.items()]
    notes = [f"note: {note}" for note in result.notes]
    _say(settings, "", *quality_lines(result.quality), *extra, *notes, "", *files)


if __name__ == "__main__":
    main()
