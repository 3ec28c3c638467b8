"""All formats by name; nothing is written when something is wrong."""

import dataclasses
import os

import numpy as np
import pytest

from mv3d.data.poses import Poses3D
from mv3d.errors import ConfigError, FormatError, SessionError
from mv3d.export.registry import EXPORT_FORMATS, ExportOptions, export_paths, export_poses


def test_every_format(tmp_path, poses, rig, poses2d):
    out = tmp_path / "export"
    made = export_poses(poses, out, EXPORT_FORMATS, "walk", rig, poses2d)
    assert made == export_paths(out, EXPORT_FORMATS, "walk")
    assert all(path.exists() for path in made)
    names = ["openpose", "walk.bvh", "walk.c3d", "walk.csv", "walk.json", "walk.npz", "walk.trc", "walk_tidy.csv"]
    assert sorted(os.listdir(out)) == names
    again = Poses3D.load(out / "walk.npz")
    np.testing.assert_array_equal(again.xyz, poses.xyz)
    # Made again over itself, with nothing left over.
    export_poses(poses, out, EXPORT_FORMATS, "walk", rig, poses2d)
    assert sorted(os.listdir(out)) == names


def test_options_reach_the_format(tmp_path, poses):
    export_poses(poses, tmp_path, ["trc"], "a", options=ExportOptions(units="m", axes="y_up"))
    lines = (tmp_path / "a.trc").read_text().split("\n")
    assert "\tm\t" in lines[2]
    assert float(lines[6].split("\t")[3]) == pytest.approx(poses.xyz[0, 0, 0, 2], abs=1e-6)


def test_unknown_format(tmp_path, poses):
    with pytest.raises(ConfigError, match="did you mean trc"):
        export_poses(poses, tmp_path / "out", ["csv", "trk"], "walk")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["", "../walk", ".walk", "a/b", "a\\b"])
def test_names_that_leave_the_folder(tmp_path, poses, name):
    with pytest.raises(FormatError):
        export_poses(poses, tmp_path / "out", ["csv"], name)
    hostile = dataclasses.replace(poses, cameras=("cam1", name))
    with pytest.raises(FormatError):
        export_poses(hostile, tmp_path / "out", ["openpose"], "walk")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_a_file(tmp_path, poses):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(SessionError, match="cannot take results"):
        export_poses(poses, tmp_path / "out", ["csv"], "walk")
    assert (tmp_path / "out").read_text() == "mine"
