"""All formats by name; nothing is written when something is wrong."""

import dataclasses
import os

import numpy as np
import pytest

from mv3d.data.poses import Poses3D
from mv3d.data.skeletons import COCO_18
from mv3d.errors import ConfigError, FormatError, ReconstructionError, SessionError
from mv3d.export.readback_gltf import read_glb_motions
from mv3d.export.registry import EXPORT_FORMATS, ExportOptions, export_paths, export_poses
from mv3d.motion.filters import FilterConfig, filtered_poses
from mv3d.synthetic.performer import walking_person

# Those that need no other program.
WITHOUT_BLENDER = tuple(name for name in EXPORT_FORMATS if name != "fbx")


def test_every_format(tmp_path, poses, rig, poses2d, dance):
    out = tmp_path / "export"
    made = export_poses(poses, out, WITHOUT_BLENDER, "walk", rig, poses2d, motions=[dance])
    assert made == export_paths(out, WITHOUT_BLENDER, "walk")
    assert all(path.exists() for path in made)
    endings = ("bvh", "c3d", "csv", "glb", "json", "npz", "trc", "usda")
    names = ["openpose", *(f"walk.{ending}" for ending in endings), "walk_angles.csv", "walk_tidy.csv"]
    assert sorted(os.listdir(out)) == names
    again = Poses3D.load(out / "walk.npz")
    np.testing.assert_array_equal(again.xyz, poses.xyz)
    # Made again over itself, with nothing left over.
    export_poses(poses, out, WITHOUT_BLENDER, "walk", rig, poses2d, motions=[dance])
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


def test_a_body_is_fitted_where_none_is_given(tmp_path, rig):
    """The places of a walker's joints come back from the GLB file of `export_poses` alone."""
    xyz, times = walking_person(30, fps=30.0, skeleton=COCO_18)
    state = np.ones((30, 1, 18))
    whole = Poses3D(
        COCO_18,
        xyz[:, None],
        state * 0.9,
        state,
        state * 3,
        np.tile(np.eye(3) * 1e-6, (30, 1, 18, 1, 1)),
        state,
        xyz[:, None],
        times,
        ("cam1", "cam2"),
    )
    (path,) = export_poses(whole, tmp_path, ["glb"], "walk", rig)
    (read,) = read_glb_motions(path)
    _, x = read.frames(slice(None))
    knee = x[:, read.joints.index("LKnee")]
    wanted = xyz[:, COCO_18.index("LKnee")] @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    assert np.median(np.linalg.norm(knee - wanted, axis=-1)) < 0.015


@pytest.mark.parametrize(
    ("formats", "options", "message"),
    [
        (["csv", "glb"], ExportOptions(units="cm"), "glb files are always in units m, not cm; leave --units out"),
        (["csv", "npz"], ExportOptions(axes="y_up"), "npz files are always in axes world"),
        (["csv", "fbx"], ExportOptions(), "no `blender` is on the PATH"),
    ],
)
def test_nothing_is_written_when_one_format_cannot_be(tmp_path, poses, dance, monkeypatch, formats, options, message):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises((ConfigError, FormatError), match=message):
        export_poses(poses, tmp_path / "out", formats, "walk", options=options, motions=[dance])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("part", ["frames", "people"])
def test_nothing_to_export(tmp_path, poses, part):
    kept = (slice(0),) if part == "frames" else (slice(None), slice(0))
    arrays = ("xyz", "score", "reprojection_error", "n_views", "covariance", "state", "xyz_per_frame")
    empty = {name: getattr(poses, name)[kept] for name in arrays}
    empty |= {"timestamps": poses.timestamps[:0]} if part == "frames" else {"person_id": poses.person_id[:0]}
    with pytest.raises(FormatError, match="there is nothing to export"):
        export_poses(dataclasses.replace(poses, **empty), tmp_path / "out", ["csv", "glb"], "walk")
    assert os.listdir(tmp_path) == []


def test_a_person_who_was_never_measured(tmp_path, poses):
    """Points are gaps all through; a body cannot be made, and nothing is written."""
    gone = dataclasses.replace(poses, state=np.zeros_like(poses.state), xyz=np.full_like(poses.xyz, np.nan))
    made = export_poses(gone, tmp_path / "out", ["csv", "trc", "c3d", "json"], "walk", check=lambda line: None)
    assert len(made) == 4
    with pytest.raises(ReconstructionError, match="no body to fit"):
        export_poses(gone, tmp_path / "new", ["csv", "glb"], "walk")
    assert os.listdir(tmp_path) == ["out"]


def test_names_and_rest_of_another_rig_in_bvh(tmp_path, dance, poses):
    options = ExportOptions(retarget="mixamo", rotation_order="XYZ")
    said = []
    (path,) = export_poses(poses, tmp_path, ("bvh",), "walk", options=options, motions=[dance], check=said.append)
    text = path.read_text()
    assert "mixamorig:Hips" in text or "Hips" in text
    assert "Xrotation Yrotation Zrotation" in text
    assert "largest differences" in said[0]
    with pytest.raises(ConfigError, match="for BVH files; add bvh"):
        export_poses(poses, tmp_path, ("csv",), "walk", options=options)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"retarget": "poser"}, "there is no rig 'poser'"), ({"rotation_order": "XXZ"}, "rotation order")],
)
def test_options_that_do_not_exist(wrong, words):
    with pytest.raises(ConfigError, match=words):
        ExportOptions(**wrong)


def test_a_filter_is_run_over_the_points_first(tmp_path, poses):
    config = FilterConfig("butterworth", 3.0)
    (path,) = export_poses(poses, tmp_path, ("npz",), "walk", options=ExportOptions(filter=config))
    written = Poses3D.load(path).xyz
    np.testing.assert_array_equal(written, filtered_poses(poses, config).xyz)
    assert not np.array_equal(written, poses.xyz)
