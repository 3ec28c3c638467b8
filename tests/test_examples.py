"""The numbered examples of the documentation run as they stand, and make what they say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MADE = {
    "01_calibrate_a_rig.py": ("cameras.yaml", "report.html"),
    "02_reconstruct_keypoints.py": ("cameras.yaml", "pose3d.npz"),
    "03_is_it_any_good.py": ("bone_lengths.png", "reprojection.png"),
    "04_animate.py": ("walk.bvh", "walk_mixamo.bvh", "walk.glb", "walk.c3d", "walk.trc", "walk_angles.csv"),
    "05_several_people.py": ("pose3d.npz",),
}
SAID = {
    "01_calibrate_a_rig.py": "converged",
    "02_reconstruct_keypoints.py": "error ",
    "03_is_it_any_good.py": "cam02 is inconsistent by 1",
    "04_animate.py": "in the median",
    "05_several_people.py": "person 2 is walker",
}


def test_every_numbered_example_is_here(repository: Path) -> None:
    assert sorted(path.name for path in (repository / "docs" / "examples").glob("[0-9]*.py")) == sorted(MADE)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MADE))
def test_example(name: str, repository: Path, tmp_path: Path) -> None:
    script = repository / "docs" / "examples" / name
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", str(script), "made"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert SAID[name] in done.stdout
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == sorted(MADE[name])
