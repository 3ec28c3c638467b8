"""`--check`: what was written is read back, and a file that says something else is caught."""

import dataclasses
import re

import numpy as np
import pytest

from mv3d.data.poses import MISSING, Poses3D
from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BODY_25, with_hands_and_face
from mv3d.errors import FormatError
from mv3d.export.check import check_export
from mv3d.export.formats import FORMATS
from mv3d.export.registry import ExportOptions, export_jobs, export_poses

POINT_FORMATS = ("trc", "c3d", "csv", "csv_tidy", "json", "npz", "openpose")


@pytest.fixture
def crowd(poses: Poses3D) -> Poses3D:
    """Two people with other identities than their places, and joints with names that need care."""
    joints = ("left ear", "Ohr, rechts", 'the "tail"', "関節", *(f"J{i}" for i in range(14)))
    two = {
        name: np.concatenate([getattr(poses, name)] * 2, axis=1)
        for name in ("score", "reprojection_error", "n_views", "covariance", "state", "xyz_per_frame")
    }
    skeleton = Skeleton("ANIMAL", joints, ((0, 1),))
    xyz = np.concatenate([poses.xyz, poses.xyz + 1], axis=1)
    return dataclasses.replace(poses, skeleton=skeleton, xyz=xyz, person_id=np.array([7, 3]), **two)


@pytest.mark.parametrize("options", [ExportOptions(), ExportOptions("y_up", "cm", 50.0), ExportOptions("z_up", "mm")])
@pytest.mark.parametrize("who", ["poses", "crowd"])
def test_every_format_is_read_back(tmp_path, request, rig, options, who):
    poses = request.getfixturevalue(who)
    formats = [name for name in POINT_FORMATS if options.units == "auto" or not FORMATS[name].fixed]
    said: list[str] = []
    made = export_poses(poses, tmp_path, formats, "walk", rig, options=options, check=said.append)
    assert len(said) == len(made)
    for line in said:
        # Text is printed to a micrometre at least, binary points have 24 bits.
        assert float(re.search(r"largest difference (\S+) mm", line)[1]) <= 1e-3
    if who == "crowd":
        assert {"walk.trc", "walk_person1.trc", "walk_person1.csv"} <= {path.name for path in made}


def test_hands_and_face_have_lists_of_their_own(tmp_path, poses):
    skeleton = with_hands_and_face(BODY_25, True, 70)
    n, rng = len(skeleton), np.random.default_rng(0)
    xyz = rng.uniform(-1, 1, (2, 1, n, 3))
    state = np.ones((2, 1, n))
    state[0, 0, 30] = MISSING
    xyz[state == MISSING] = np.nan
    whole = Poses3D(
        skeleton, xyz, state * 0.5, state, state, np.zeros((2, 1, n, 3, 3)), state, xyz, np.arange(2.0), ("cam1",)
    )
    said: list[str] = []
    export_poses(whole, tmp_path, ["openpose"], "walk", check=said.append)
    assert "2 frames x 137 points, 1 gaps" in said[0]


@pytest.mark.parametrize(
    ("format", "old", "new", "message"),
    [
        ("trc", b"\tmm\t", b"\tcm\t", "unit"),
        ("trc", b"\tRElbow\t", b"\tRelbow\t", "joints"),
        ("csv", b"Nose_x", b"Nase_x", "columns"),
        ("json", b'"xyz":"m"', b'"xyz":"k"', "says"),
        ("json", b"null", b"[0,0,0]", "gaps"),
        ("c3d", b"RElbow", b"LElbow", "labels"),
        ("csv_tidy", b",Neck,0.", b",Neck,1.", "differs by up to 1e\\+03 mm"),
    ],
)
def test_a_file_that_says_something_else_is_caught(tmp_path, poses, format, old, new, message):
    ((_, job),) = export_jobs(poses, tmp_path, [format], "walk")
    FORMATS[format].write(job)
    content = job.path.read_bytes()
    assert old in content
    job.path.write_bytes(content.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        check_export(format, job)


@pytest.mark.parametrize("options", [ExportOptions(), ExportOptions(fps=30.0), ExportOptions("y_up")])
def test_animations_are_read_back(tmp_path, poses, dance, options):
    """Places to a micrometre, turns to a thousandth of a degree: text of six digits, binary of 24 bits."""
    two = [dance, dataclasses.replace(dance, translation=dance.translation + 1, person_id=9)]
    formats = ["bvh", "glb", "usda"]
    said: list[str] = []
    made = export_poses(poses, tmp_path, formats, "walk", options=options, motions=two, check=said.append)
    assert [path.name for path in made] == ["walk.bvh", "walk.glb", "walk.usda"]
    for line in said:
        off, turned = re.search(r"differences (\S+) mm, (\S+) degrees", line).groups()
        assert float(off) < 1e-2
        assert float(turned) < 1e-3
        people = 1 if "walk.bvh" in line else 2
        assert f"{people * (12 if options.fps is None else 7)} frames" in line


@pytest.mark.parametrize(
    ("format", "old", "new", "message"),
    [
        ("glb", b'"MidHip"', b'"MidHop"', "joints"),
        ("usda", b'jointNames = ["MidHip"', b'jointNames = ["MidHop"', "joints"),
        ("usda", b'joints = ["MidHip"', b'joints = ["MidHop"', "cannot be read back"),
        ("usda", b"0.000000: [(0.3", b"0.000000: [(0.4", "differs by up to 100 mm"),
        ("usda", b"                    11.000000: [", b"                    12.000000: [", "times"),
        ("bvh", b"OFFSET 30.0", b"OFFSET 31.0", "differs by up to 10 mm"),
    ],
)
def test_an_animation_that_says_something_else_is_caught(tmp_path, poses, dance, format, old, new, message):
    ((_, job),) = export_jobs(poses, tmp_path, [format], "walk", motions=[dance])
    FORMATS[format].write(job)
    content = job.path.read_bytes()
    assert old in content
    job.path.write_bytes(content.replace(old, new))
    with pytest.raises(FormatError, match=message):
        check_export(format, job)


def test_times_that_are_off_are_caught(tmp_path, poses):
    ((_, job),) = export_jobs(poses, tmp_path, ["csv"], "walk")
    FORMATS["csv"].write(job)
    job.path.write_text(job.path.read_text().replace("\n2.0", "\n2.1", 1))
    with pytest.raises(FormatError, match="times are off"):
        check_export("csv", job)


def test_gaps_that_were_closed_are_caught(tmp_path, poses):
    ((_, job),) = export_jobs(poses, tmp_path, ["c3d"], "walk")
    FORMATS["c3d"].write(
        dataclasses.replace(
            job, poses=dataclasses.replace(poses, state=np.where(poses.state, 1, 1), xyz=np.nan_to_num(poses.xyz))
        )
    )
    with pytest.raises(FormatError, match="gaps"):
        check_export("c3d", job)
