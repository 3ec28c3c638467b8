"""The command line. Exit code 0 done, 1 the user's data or arguments, 2 usage.

The only module that prints: commands return what they have to say.
"""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

import tyro

from mv3d.commands import calibration, capture, chain, export, live, pose2d, rig, session, studio, viewing
from mv3d.errors import Mv3dError

# What a shell reports of programs ended by SIGINT and SIGPIPE.
_INTERRUPTED, _READER_LEFT = 130, 141

_Command = Callable[..., list[str]]
_COMMANDS: dict[str, _Command | dict[str, _Command]] = {
    "demo": chain.demo,
    "board": calibration.board,
    "calibrate": calibration.calibrate,
    "cameras": capture.cameras,
    "record": capture.record,
    "live": live.live,
    "session": {
        "info": session.info,
        "repair": session.repair,
        "trim": session.trim,
        "import": session.import_videos,
    },
    "run": chain.run,
    "pose2d": chain.pose2d,
    "images": pose2d.images,
    "reconstruct": chain.reconstruct,
    "view": viewing.view,
    "export": export.export,
    "report": viewing.report,
    "rig": {
        "convert": rig.convert,
        "align": rig.align,
        "compare": rig.compare,
        "place": rig.place,
        "plan": studio.plan,
    },
    "synth": studio.synth,
    "synth-images": studio.synth_images,
    "models": {"list": pose2d.models_list, "add": pose2d.models_add},
    "eval": {"coco": pose2d.eval_coco},
    "version": chain.version,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `mv3d`."""
    # Threads of torch that spin while they wait hold up everything else, themselves included, on a machine with other
    # work: 51 s instead of 216 s for the demo. Read once, when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        try:
            lines = _dispatch(arguments)
            if lines:
                print("\n".join(lines))
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


def _dispatch(arguments: list[str]) -> list[str]:
    """Run the command and return its lines; `mv3d rig convert` and the like are one group deeper."""
    offered = {name: entry if callable(entry) else _group(name, entry) for name, entry in _COMMANDS.items()}
    prog = "mv3d"
    if arguments and isinstance(group := _COMMANDS.get(arguments[0]), dict):
        offered, prog = group, f"mv3d {arguments[0]}"
        arguments = arguments[1:]
    if arguments == ["--version"]:
        arguments = ["version"]
    return tyro.extras.subcommand_cli_from_dict(offered, prog=prog, args=arguments, config=(tyro.conf.OmitArgPrefixes,))


def _group(name: str, entries: dict[str, _Command]) -> _Command:
    def show() -> list[str]:
        return [f"mv3d {name} {sub:<10} {(command.__doc__ or '').splitlines()[0]}" for sub, command in entries.items()]

    show.__doc__ = f"{name} commands: {', '.join(entries)}."
    return show


def _give_up_stdout() -> None:
    """Whoever read our output has left (`| head`); without this Python complains of it on its way out."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str) -> int:
    print(f"mv3d: error: {' '.join(message.split())}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
