"""Programs that read what mv3d writes, in an environment of their own: `make test-consumers` makes it.

A test asks for the interpreter of a package, runs a script of this folder with it and reads the JSON that it prints.
Without the environment, or without the package in it, the test is skipped.
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

_HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def consumer(repository: Path) -> Callable[..., dict]:
    """Run `script` with arguments where `package` is installed; what it prints on its last line, as JSON."""
    default = repository / ".venv-consumers" / "bin" / "python"
    python = os.environ.get("MV3D_CONSUMERS_PYTHON", str(default))

    def run(package: str, script: str, *arguments: str | Path) -> dict:
        if (
            not Path(python).exists()
            or subprocess.run([python, "-c", f"import {package}"], capture_output=True, check=False).returncode
        ):
            pytest.skip(f"{package} is not installed in {python}; make test-consumers does it")
        done = subprocess.run(
            [python, str(_HERE / script), *map(str, arguments)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run
