"""C3D read by ezc3d and by py-c3d, which share no code."""

import dataclasses
import warnings
from pathlib import Path

import c3d
import ezc3d
import numpy as np
import pytest

from mv3d.data.poses import FILLED, MEASURED, MISSING, Poses3D
from mv3d.data.skeleton import Skeleton
from mv3d.errors import FormatError
from mv3d.export.c3d import check_c3d, write_c3d
from mv3d.export.options import place
from mv3d.export.person_views import views_used
from mv3d.geometry.rotations import rotation_from_vector


def made(xyz: np.ndarray, joints: tuple[str, ...], fps: float = 60.0) -> Poses3D:
    """Poses3D of points (frame, person, joint, 3), missing where NaN."""
    here = np.isfinite(xyz).all(-1)
    return Poses3D(
        skeleton=Skeleton("S", joints, ()),
        xyz=xyz,
        score=here * 0.5,
        reprojection_error=np.where(here, 1.0, np.nan),
        n_views=here * 2,
        covariance=np.full((*here.shape, 3, 3), np.nan),
        state=np.where(here, MEASURED, MISSING),
        xyz_per_frame=xyz,
        timestamps=np.arange(len(xyz)) / fps,
        cameras=(),
    )


def by_py_c3d(path: Path) -> tuple[list[str], float, np.ndarray]:
    """Labels, rate and (frame, point, 5): x, y, z, residual, cameras."""
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # no analog data
        reader = c3d.Reader(file)
        points = np.array([frame for _, frame, _ in reader.read_frames()])
        assert reader.first_frame == 1
        assert reader.last_frame == len(points)
        return [label.strip() for label in reader.point_labels], reader.point_rate, points


@pytest.mark.parametrize(("units", "factor"), [("mm", 1000), ("cm", 100), ("m", 1)])
def test_both_readers_find_what_was_written(tmp_path, poses, units, factor):
    write_c3d(poses, tmp_path / "a.c3d", place(units=units))
    read = ezc3d.c3d(str(tmp_path / "a.c3d"))
    point = read["parameters"]["POINT"]
    assert point["LABELS"]["value"] == list(poses.skeleton.keypoints)
    assert point["UNITS"]["value"] == [units]
    assert (point["X_SCREEN"]["value"], point["Y_SCREEN"]["value"]) == (["+X"], ["+Z"])
    assert point["RATE"]["value"] == read["header"]["points"]["frame_rate"] == 60
    assert point["FRAMES"]["value"] == 6
    # Points are float32; a millimetre at 2 m has seven digits.
    xyz = read["data"]["points"][:3].transpose(2, 1, 0) / factor
    np.testing.assert_allclose(xyz, poses.xyz[:, 0], atol=1e-6)
    labels, rate, points = by_py_c3d(tmp_path / "a.c3d")
    assert (labels, rate) == (list(poses.skeleton.keypoints), 60)
    here = poses.state[:, 0] != MISSING
    np.testing.assert_allclose(points[here][:, :3] / factor, poses.xyz[:, 0][here], atol=1e-6)
    np.testing.assert_array_equal(points[~here][:, :4], [[0, 0, 0, -1]] * np.sum(~here))


def test_residuals_and_camera_masks(tmp_path, poses, rig, poses2d):
    """The residual is the standard deviation in whole mm, at least 1 where measured; camera k is bit k."""
    sd = np.full(poses.state.shape, 2.4e-3)
    sd[0, 0, 1] = 1e-5
    covariance = sd[..., None, None] ** 2 * np.eye(3)
    known = dataclasses.replace(poses, covariance=covariance)
    views = views_used(known, rig, poses2d)
    views[1, 0, 2, 0] = False
    write_c3d(known, tmp_path / "a.c3d", views=views)
    _, _, points = by_py_c3d(tmp_path / "a.c3d")
    measured = poses.state[:, 0] == MEASURED
    wanted = np.where(measured, 3, np.where(poses.state[:, 0] == FILLED, 0, -1))
    wanted[0, 1] = 1
    np.testing.assert_array_equal(points[..., 3], wanted)
    masks = np.where(measured, 0b11, 0)
    masks[1, 2] = 0b10
    np.testing.assert_array_equal(points[poses.state[:, 0] != MISSING][:, 4], masks[poses.state[:, 0] != MISSING])


def test_views_used_leaves_out_the_farthest(poses, rig, poses2d):
    views = {name: dataclasses.replace(p, xy=p.xy + (30 if name == "cam2" else 0)) for name, p in poses2d.items()}
    one = dataclasses.replace(poses, n_views=np.minimum(poses.n_views, 1))
    used = views_used(one, rig, views)
    measured = poses.state == MEASURED
    assert used[measured][:, 0].all()
    assert not used[..., 1].any()
    assert not used[~measured].any()


@pytest.mark.parametrize("frames", [65_535, 70_001])
def test_more_frames_than_a_word_counts(tmp_path, frames):
    xyz = np.zeros((frames, 1, 1, 3))
    xyz[:, 0, 0, 0] = np.arange(frames) / 1e4
    write_c3d(made(xyz, ("a",)), tmp_path / "a.c3d")
    read = ezc3d.c3d(str(tmp_path / "a.c3d"))
    np.testing.assert_allclose(read["data"]["points"][0, 0], xyz[:, 0, 0, 0] * 1000, atol=1e-3)
    if frames > 65_535:
        assert read["parameters"]["POINT"]["LONG_FRAMES"]["value"] == frames
    np.testing.assert_allclose(by_py_c3d(tmp_path / "a.c3d")[2][:, 0, 0], xyz[:, 0, 0, 0] * 1000, atol=1e-3)


def test_several_people_more_labels_than_a_list_holds_and_names_of_all_kinds(tmp_path):
    joints = ("left ear", "Schädel", "関節", "tab\there", *(f"J{i}" for i in range(146)))
    xyz = np.random.default_rng(0).uniform(-1, 1, (2, 2, 150, 3))
    xyz[0, 1, 3] = np.nan
    write_c3d(made(xyz, joints), tmp_path / "a.c3d")
    read = ezc3d.c3d(str(tmp_path / "a.c3d"))
    point = read["parameters"]["POINT"]
    labels = point["LABELS"]["value"] + point["LABELS2"]["value"]
    assert labels[:4] == ["Person0:left ear", "Person0:Schädel", "Person0:関節", "Person0:tab here"]
    assert labels[150:152] == ["Person1:left ear", "Person1:Schädel"]
    assert len(labels) == 300
    np.testing.assert_allclose(read["data"]["points"][:3].transpose(2, 1, 0) / 1000, xyz.reshape(2, 300, 3), atol=1e-6)
    np.testing.assert_allclose(by_py_c3d(tmp_path / "a.c3d")[2][1, :, :3] / 1000, xyz[1].reshape(300, 3), atol=1e-6)


def test_turns_of_known_angle(tmp_path):
    """A stick turned by 30, 45 and 90 degrees about each axis keeps its place to 0.1 mm and its direction."""
    angles = np.deg2rad([0, 30, 45, 90])
    turns = np.concatenate([rotation_from_vector(angles[:, None] * axis) for axis in np.eye(3)])
    start, stick = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.2, -0.1])
    ends = start + turns @ stick
    xyz = np.stack([np.broadcast_to(start, ends.shape), ends], axis=1)[:, None]
    write_c3d(made(xyz, ("a", "b")), tmp_path / "a.c3d", place("y_up", "mm"))
    read = ezc3d.c3d(str(tmp_path / "a.c3d"))["data"]["points"]
    x, y, z = np.moveaxis(xyz[:, 0], -1, 0) * 1000
    np.testing.assert_allclose(read[:3].transpose(2, 1, 0), np.stack([x, z, -y], axis=-1), atol=1e-3)


def test_what_the_format_cannot_hold(tmp_path):
    long = made(np.zeros((1, 1, 1, 3)), ("x" * 256,))
    with pytest.raises(FormatError, match="255 bytes"):
        write_c3d(long, tmp_path / "a.c3d")
    many = made(np.zeros((1, 300, 120, 3)), tuple(f"J{i}" for i in range(120)))
    with pytest.raises(FormatError, match="up to 32767 points"):
        check_c3d(many)
    jumpy = dataclasses.replace(made(np.zeros((3, 1, 1, 3)), ("a",)), timestamps=np.array([0, 0.1, 0.5]))
    with pytest.raises(ValueError, match="constant rate"):
        write_c3d(jumpy, tmp_path / "a.c3d")
    assert list(tmp_path.iterdir()) == []


def test_one_frame_and_a_joint_that_is_never_there(tmp_path):
    xyz = np.full((1, 1, 2, 3), np.nan)
    xyz[0, 0, 0] = 1, 2, 3
    write_c3d(made(xyz, ("a", "b")), tmp_path / "a.c3d")
    points = ezc3d.c3d(str(tmp_path / "a.c3d"))["data"]["points"]
    np.testing.assert_allclose(points[:3, 0, 0], [1000, 2000, 3000])
    assert np.isnan(points[:3, 1, 0]).all()
    assert by_py_c3d(tmp_path / "a.c3d")[2][0, 1, 3] == -1
