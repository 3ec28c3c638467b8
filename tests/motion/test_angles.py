"""Angles of poses that are put together by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mv3d.data.motion import Motion
from mv3d.data.skeletons import HAND_21
from mv3d.export.angles import write_angles_csv
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.motion.angles import joint_angles
from mv3d.motion.filters import FilterConfig
from mv3d.motion.fit import fit_motion
from mv3d.synthetic.performer import walking_person

# Directions of the rest pose: it faces -y, its left is x.
_FORWARD, _LEFT, _UP = np.array([0.0, -1, 0]), np.array([1.0, 0, 0]), np.array([0.0, 0, 1])


@pytest.fixture
def posed(make_poses):
    """A fitted body that takes a pose: joint -> rotation vector in degrees; all other joints at rest."""
    truth, times = walking_person(3)
    fitted = fit_motion(make_poses(truth, times, noise=0.0))

    def pose(**turns: np.ndarray) -> dict[str, float]:
        rotations = np.tile(np.eye(3), (1, len(fitted.motion.armature), 1, 1))
        for joint, degrees in turns.items():
            rotations[0, fitted.motion.armature.joints.index(joint)] = rotation_from_vector(np.radians(degrees))
        motion = Motion(fitted.motion.armature, rotations, np.zeros((1, 3)), np.zeros(1))
        angles = joint_angles(replace(fitted, motion=motion))
        return dict(zip(angles.names, np.degrees(angles.values[0]).tolist(), strict=True))

    return pose


def _only(found: dict[str, float], **wanted: float) -> None:
    """These angles, and all others at 0 but those of the arms, which are out sideways at rest."""
    for name, value in found.items():
        if "Shoulder" not in name or name in wanted:
            assert value == pytest.approx(wanted.get(name, 0.0), abs=1e-9), name


def test_rest_is_the_anatomical_position_but_for_the_arms(posed):
    found = posed()
    _only(found, RShoulder_elevation=90.0, LShoulder_elevation=90.0)
    assert found["RShoulder_plane_of_elevation"] == pytest.approx(0, abs=1e-9)
    assert "RElbow_pronation" not in found, "no hand shows it"
    assert "RWrist_flexion" not in found


def test_legs(posed):
    # Bending about the left axis takes what hangs down backwards: the knee's flexion, and the hip's extension.
    _only(posed(RKnee=70 * _LEFT), RKnee_flexion=70)
    _only(posed(RHip=-40 * _LEFT, LHip=20 * _LEFT), RHip_flexion=40, LHip_flexion=-20)
    # About forward: the right leg turns to the left, towards the middle; the left one away from it.
    _only(posed(RHip=10 * _FORWARD), RHip_adduction=10)
    _only(posed(LHip=10 * _FORWARD), LHip_adduction=-10)
    # About up: the right toes turn to the left, inwards.
    _only(posed(RHip=15 * _UP), RHip_internal_rotation=15)
    _only(posed(LHip=15 * _UP), LHip_internal_rotation=-15)
    _only(posed(LAnkle=-12 * _LEFT), LAnkle_dorsiflexion=12)


def test_trunk_and_pelvis(posed):
    _only(posed(Spine=20 * _LEFT, Chest=10 * _LEFT), Thorax_flexion=30)
    _only(posed(Neck=-5 * _UP, Head=-25 * _UP), Head_rotation_left=-30)
    _only(posed(MidHip=10 * _LEFT), Pelvis_tilt_forward=10)
    _only(posed(MidHip=50 * _UP), Pelvis_rotation_left=50)
    _only(posed(Chest=8 * _FORWARD), Thorax_lateral_right=8)


@pytest.mark.parametrize(("side", "out"), [("R", 1.0), ("L", -1.0)])
def test_arms(posed, side, out):
    # From out sideways to straight ahead: the plane of elevation turns by 90 degrees, the elevation stays.
    found = posed(**{f"{side}Shoulder": out * 90 * _UP})
    assert found[f"{side}Shoulder_elevation"] == pytest.approx(90)
    assert found[f"{side}Shoulder_plane_of_elevation"] == pytest.approx(90)
    # Lowered to 30 degrees from hanging, in the plane of the body.
    found = posed(**{f"{side}Shoulder": out * 60 * _FORWARD})
    assert found[f"{side}Shoulder_elevation"] == pytest.approx(30)
    assert found[f"{side}Shoulder_plane_of_elevation"] == pytest.approx(0, abs=1e-9)
    # The forearm forward.
    assert posed(**{f"{side}Elbow": out * 75 * _UP})[f"{side}Elbow_flexion"] == pytest.approx(75)


def test_other_bodies_have_none(make_poses):
    xyz = np.tile(np.random.default_rng(0).normal(size=(21, 3)), (4, 1, 1))
    angles = joint_angles(fit_motion(make_poses(xyz, np.arange(4) / 30, HAND_21)))
    assert angles.names == ()
    assert angles.values.shape == (4, 0)
    assert angles.filtered(FilterConfig()).values.shape == (4, 0)


def test_table(tmp_path: Path, make_poses):
    truth, times = walking_person(30)
    angles = joint_angles(fit_motion(make_poses(truth, times)))
    write_angles_csv(tmp_path / "a.csv", angles)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0].split(",") == ["time", *angles.names]
    row = np.array(lines[11].split(","), float)
    np.testing.assert_allclose(row[1:], np.degrees(angles.values[10]), atol=1e-4)
    smooth = angles.filtered(FilterConfig(cutoff_hz=3.0, joints={"RKnee": 6.0}))
    assert smooth.values.shape == angles.values.shape
    rough = [np.abs(np.diff(a.values, n=2, axis=0)).sum() for a in (angles, smooth)]
    assert rough[1] < rough[0]
