"""FBX through the Blender that the user has: mv3d writes GLB, Blender turns it into FBX.

There is no open description of FBX; Blender's exporter is the one that other programs are tested against. The file has
Blender's defaults: centimetres and y up, as Unreal, Unity and MotionBuilder read them.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from mv3d.data.motion import Motion
from mv3d.errors import FormatError
from mv3d.export.gltf import write_glb
from mv3d.export.options import Placement
from mv3d.export.timing import nominal_rate
from mv3d.files.writing import whole_file

_SCRIPT = Path(__file__).with_name("fbx_in_blender.py")
# s: Blender's start, and a generous share for each frame, of which it bakes some hundred a second.
_START_SECONDS, _SECONDS_PER_FRAME = 120.0, 0.05
# Of what Blender says, the end, where its errors stand.
_LAST_WORDS = 300


def blender_program() -> str:
    """Path of the user's Blender.

    Raises:
        FormatError: there is none on the PATH.
    """
    found = shutil.which("blender")
    if found is None:
        raise FormatError("fbx is written by Blender, and no `blender` is on the PATH; install it, or export glb")
    return found


def write_fbx(motion: Motion, path: str | Path, placement: Placement | None = None) -> None:
    """Write one person's motion through Blender, which loses the skin of a second one (5.0).

    Args:
        motion: of one person.
        path: the file to make.
        placement: y up and metres, of the GLB file on the way; by default with the world's z up.

    Raises:
        FormatError: no Blender, no frames, or Blender failed or took too long; says which.
        SessionError: the file cannot be written.
    """
    blender = blender_program()
    with whole_file(path) as part, tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "motion.glb", Path(folder) / "motion.fbx"
        write_glb([motion], source, placement)
        fps, frames = nominal_rate(motion.timestamps) or 1.0, len(motion)
        script = ["--background", "--factory-startup", "--python-exit-code", "1", "--python", str(_SCRIPT)]
        arguments = ["--", str(source), str(target), f"{fps:.6f}", str(frames)]
        _run([blender, *script, *arguments], _START_SECONDS + _SECONDS_PER_FRAME * frames)
        if not target.is_file():
            raise FormatError(f"{path}: Blender ended without writing it; try a newer Blender, or export glb")
        shutil.copyfile(target, part)


def _run(command: list[str], seconds: float) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, errors="replace", check=False)
    except subprocess.TimeoutExpired as error:
        raise FormatError(f"Blender did not finish the FBX file within {seconds:.0f} s; export glb instead") from error
    except OSError as error:
        raise FormatError(f"{command[0]}: cannot be started, {error.strerror}; export glb instead") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-_LAST_WORDS:]
        raise FormatError(f"Blender failed to write the FBX file (exit {done.returncode}); export glb instead: {said}")
