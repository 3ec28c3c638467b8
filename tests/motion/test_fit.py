"""The kinematic skeleton against performers whose motion is known."""

import numpy as np
import pytest

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BLAZEPOSE_33, BODY_25, BODY_25B, COCO_17, COCO_18, HALPE_136, HAND_21, MPI_15
from mv3d.errors import ReconstructionError
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.motion.fit import FitConfig, Fitted, fit_motion, fit_motions, site_positions
from mv3d.motion.stretches import StretchConfig
from mv3d.synthetic.motions import moving_person
from mv3d.synthetic.performer import walking_person

# rad; what clamping by floating point leaves.
_ROUNDING = 1e-12


def _misses(fitted: Fitted, truth: np.ndarray) -> np.ndarray:
    keypoints = [site.keypoint for site in fitted.body.sites]
    return np.linalg.norm(site_positions(fitted.motion, fitted.body) - truth[:, keypoints], axis=-1)


def _jumps(fitted: Fitted) -> np.ndarray:
    """Angle between neighbouring frames of every joint (rad)."""
    R = fitted.motion.rotations
    return 2 * np.arcsin(np.clip(np.linalg.norm(R[1:] - R[:-1], axis=(-2, -1)) / np.sqrt(8), 0, 1))


def _check_promises(fitted: Fitted) -> None:
    """What holds whatever the data: constant bones, limits, no jumps."""
    armature, (lower, upper, _) = fitted.motion.armature, fitted.body.limits
    x = fitted.motion.positions()
    for j, parent in enumerate(armature.parents[1:], start=1):
        lengths = np.linalg.norm(x[:, j] - x[:, parent], axis=-1)
        assert np.ptp(lengths) < 1e-9
    assert np.all(fitted.angles >= lower - _ROUNDING)
    assert np.all(fitted.angles <= upper + _ROUNDING)
    assert _jumps(fitted).max(initial=0) < np.radians(30)


@pytest.mark.parametrize("motion", ["walk", "dance", "box", "sit"])
def test_fit_is_nearer_to_the_truth_than_the_keypoints(make_poses, motion):
    truth, times = moving_person(motion, 120, skeleton=BODY_25, seed=4)
    poses = make_poses(truth, times)
    fitted = fit_motion(poses)
    _check_promises(fitted)
    assert fitted.converged
    miss = np.median(_misses(fitted, truth))
    keypoints = np.median(np.linalg.norm(poses.xyz[:, 0] - truth, axis=-1))
    # The body shares joints' errors among fewer unknowns and smooths them; a quarter is gained at the least.
    assert miss < 0.75 * keypoints


def test_lengths_with_their_uncertainty(make_poses):
    truth, times = walking_person(240, seed=1)
    fitted = fit_motion(make_poses(truth, times))
    index = BODY_25.index
    ends = {"RKnee": "RHip", "RAnkle": "RKnee", "LElbow": "LShoulder", "LWrist": "LElbow"}
    for bone, sigma in zip(fitted.body.bones, fitted.bone_sigma, strict=True):
        if bone.name in ends:
            true = np.linalg.norm(truth[0, index(bone.name)] - truth[0, index(ends[bone.name])])
            # Errors here are independent from frame to frame, and the figure is for ones that last: within 3 sigma.
            assert abs(bone.length - true) < 3 * sigma
            assert sigma < 0.005


def test_rotations_are_those_of_the_performer(make_poses):
    """Elbow flexion of the boxer, the angle between upper arm and forearm, without noise."""
    truth, times = moving_person("box", 120, skeleton=BODY_25, seed=0)
    fitted = fit_motion(make_poses(truth, times, noise=0.0))
    at = fitted.body.angle_names.index(("RElbow", "flexion"))
    shoulder, elbow, wrist = (truth[:, BODY_25.index(name)] for name in ("RShoulder", "RElbow", "RWrist"))
    a, b = elbow - shoulder, wrist - elbow
    bend = np.arccos((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1))
    # The priors pull at a punch of a fifth of a second; 3 degrees in the median are less than a marker's own.
    assert np.median(np.abs(fitted.angles[:, at] - bend)) < np.radians(3)


def test_world_may_be_turned(make_poses):
    """Nothing in the fit knows which way is up, or where the origin is, but for the floor."""
    truth, times = walking_person(60, seed=2)
    R, shift = rotation_from_vector(np.array([2.0, 1.0, 0.4])), np.array([3.0, -2.0, 5.0])
    here = fit_motion(make_poses(truth, times, noise=0.0))
    there = fit_motion(make_poses(truth @ R.T + shift, times, noise=0.0))
    np.testing.assert_allclose(there.motion.positions(), here.motion.positions() @ R.T + shift, atol=2e-3)


def test_gap_is_bridged_with_constant_bones(make_poses):
    truth, times = walking_person(120, seed=3)
    gapped = truth.copy()
    gapped[40:60, [BODY_25.index(name) for name in ("RElbow", "RWrist")]] = np.nan
    gapped[80:90] = np.nan
    fitted = fit_motion(make_poses(gapped, times))
    _check_promises(fitted)
    # A sixth of a second without anybody: the walk goes on, to a hand's breadth.
    assert _misses(fitted, truth)[80:90].max() < 0.1


def test_windows_join_without_a_seam(make_poses):
    truth, times = walking_person(240, seed=5)
    poses = make_poses(truth, times)
    whole = fit_motion(poses)
    cut = fit_motion(poses, config=FitConfig(stretches=StretchConfig(frames=80, margin=20, pieces=2, piece_frames=60)))
    _check_promises(cut)
    assert np.abs(_misses(whole, truth) - _misses(cut, truth)).max() < 0.01
    assert _jumps(cut).max() < 1.5 * _jumps(whole).max()


@pytest.mark.parametrize("skeleton", [COCO_18, BODY_25B, COCO_17, MPI_15])
def test_skeletons_with_other_joints(make_poses, skeleton: Skeleton):
    names = [name for name in skeleton.keypoints if name in BODY_25.keypoints]
    truth, times = walking_person(60, skeleton=BODY_25, seed=6)
    xyz = np.full((60, len(skeleton), 3), np.nan)
    for name in names:
        xyz[:, skeleton.index(name)] = truth[:, BODY_25.index(name)]
    fitted = fit_motion(make_poses(xyz, times, skeleton))
    _check_promises(fitted)
    assert np.nanmedian(fitted.residual) < 0.015


def test_hands_turn_the_forearm(make_poses):
    """BlazePose's three points of a hand: the palm turns with the forearm about its length."""
    body, times = walking_person(90, skeleton=BODY_25, seed=7)
    xyz = np.full((90, len(BLAZEPOSE_33), 3), np.nan)
    for name in BLAZEPOSE_33.keypoints:
        if name in BODY_25.keypoints:
            xyz[:, BLAZEPOSE_33.index(name)] = body[:, BODY_25.index(name)]
    elbow, wrist = (body[:, BODY_25.index(name)] for name in ("RElbow", "RWrist"))
    along = (wrist - elbow) / np.linalg.norm(wrist - elbow, axis=-1, keepdims=True)
    left = body[:, BODY_25.index("LShoulder")] - body[:, BODY_25.index("RShoulder")]
    forward = np.cross(left, np.array([0.0, 0, 1]))
    side = forward - (forward * along).sum(-1, keepdims=True) * along
    side /= np.linalg.norm(side, axis=-1, keepdims=True)
    turning = np.radians(40) * np.sin(2 * np.pi * times)
    R = rotation_from_vector(turning[:, None] * along)
    for name, across in (("RIndex", 0.035), ("RThumb", 0.05), ("RPinky", -0.035)):
        place = (0.09 if name != "RThumb" else 0.03) * along + across * np.einsum("fab,fb->fa", R, side)
        xyz[:, BLAZEPOSE_33.index(name)] = wrist + place
    fitted = fit_motion(make_poses(xyz, times, BLAZEPOSE_33, noise=0.001))
    _check_promises(fitted)
    pronation = fitted.angles[:, fitted.body.angle_names.index(("RElbow", "pronation"))]
    # The upper arm turns a little with it while the elbow is nearly straight; the sum follows the palm.
    assert np.corrcoef(pronation, turning)[0, 1] ** 2 > 0.8


def test_fingers_curl(make_poses):
    """A hand of 21 points on a still arm: fingers that curl at two joints are followed, each by its own angles."""
    body, _ = walking_person(1, seed=7)
    curl = np.radians(30 + 25 * np.sin(2 * np.pi * np.arange(45) / 30))
    xyz = np.full((45, len(HALPE_136), 3), np.nan)
    for name in HALPE_136.keypoints:
        if name in BODY_25.keypoints:
            xyz[:, HALPE_136.index(name)] = body[0, BODY_25.index(name)]
    elbow, wrist = (body[0, BODY_25.index(name)] for name in ("RElbow", "RWrist"))
    along = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    # The thumb's side is forward, as with the palm turned to the thigh; a right palm then faces across it.
    left = body[0, BODY_25.index("LShoulder")] - body[0, BODY_25.index("RShoulder")]
    thumb = np.cross(left, [0, 0, 1.0])
    thumb -= (thumb @ along) * along
    thumb /= np.linalg.norm(thumb)
    palm = np.cross(thumb, along)
    for finger, aside, reach in (("Index", 0.03, 0.09), ("Middle", 0.01, 0.092), ("Pinky", -0.03, 0.08)):
        place = np.tile(wrist + reach * along + aside * thumb, (45, 1))
        for k, length in enumerate((0.0, 0.04, 0.025, 0.02)):
            bend = max(k, 0) * curl
            place = place + length * (np.cos(bend)[:, None] * along + np.sin(bend)[:, None] * palm)
            xyz[:, HALPE_136.index(f"RHand_{finger}{k + 1}")] = place
    fitted = fit_motion(make_poses(xyz, np.arange(45) / 30, HALPE_136, noise=0.001))
    _check_promises(fitted)
    second = fitted.angles[:, fitted.body.angle_names.index(("RHand_Index2", "flexion"))]
    # A millimetre of noise on phalanges of 25 mm is two degrees.
    assert np.abs(second - curl).max() < np.radians(6)
    assert np.nanmedian(_misses(fitted, xyz)) < 0.002


def test_animals_and_hands_have_a_tree(make_poses):
    rng = np.random.default_rng(0)
    rest = np.concatenate([[[0, 0, 0]], rng.normal(size=(20, 3)) * 0.05 + 0.1]).astype(float)
    turns = rotation_from_vector(np.linspace(0, 1, 40)[:, None] * np.array([0.3, 0.5, 0.2]))
    xyz = np.einsum("fab,jb->fja", turns, rest) + np.array([1.0, 2, 3])
    fitted = fit_motion(make_poses(xyz, np.arange(40) / 30, HAND_21, noise=0.001))
    _check_promises(fitted)
    assert set(fitted.motion.armature.joints) == set(HAND_21.keypoints)
    assert np.median(_misses(fitted, xyz)) < 0.002


def test_joint_that_is_never_there_ends_its_limb(make_poses):
    truth, times = walking_person(40, seed=8)
    truth[:, BODY_25.index("LKnee")] = np.nan
    fitted = fit_motion(make_poses(truth, times))
    joints = fitted.motion.armature.joints
    assert "LHip" in joints
    assert not {"LKnee", "LAnkle"} & set(joints)
    assert "RAnkle" in joints
    _check_promises(fitted)


def test_without_hips_the_bones_that_are_there_make_a_tree(make_poses):
    truth, times = walking_person(40, seed=8)
    truth[:, [BODY_25.index(name) for name in ("LHip", "RHip", "MidHip")]] = np.nan
    fitted = fit_motion(make_poses(truth, times))
    assert {"Neck", "RElbow", "LWrist"} <= set(fitted.motion.armature.joints)
    _check_promises(fitted)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_few_frames(make_poses, frames):
    truth, times = walking_person(frames, seed=9)
    fitted = fit_motion(make_poses(truth, times))
    _check_promises(fitted)
    assert len(fitted.motion) == frames
    assert np.median(_misses(fitted, truth)) < 0.01


def test_nobody_is_one_line(make_poses):
    truth, times = walking_person(4)
    for xyz, at in ((truth[:0], times[:0]), (np.full_like(truth, np.nan), times)):
        with pytest.raises(ReconstructionError, match="person 0: no bone of BODY_25") as caught:
            fit_motion(make_poses(xyz, at))
        assert "\n" not in str(caught.value)


def test_skeleton_without_bones_is_one_line(make_poses):
    dots = Skeleton("dots", ("a", "ü b"), ())
    with pytest.raises(ReconstructionError, match="dots"):
        fit_motion(make_poses(np.zeros((3, 2, 3)), np.arange(3.0), dots))


def test_names_with_blanks_and_letters_of_any_script(make_poses):
    skeleton = Skeleton("Tier", ("Kopf", "Rücken vorn", "尾"), ((0, 1), (1, 2)))
    xyz = np.tile(np.array([[0.0, 0, 0], [0.5, 0, 0], [1.0, 0.1, 0]]), (5, 1, 1))
    fitted = fit_motion(make_poses(xyz, np.arange(5) / 30, skeleton))
    assert set(fitted.motion.armature.joints) == {"Kopf", "Rücken vorn", "尾"}


def test_every_person_is_fitted(make_poses):
    from dataclasses import replace

    truth, times = walking_person(20)
    one = make_poses(truth, times)
    fields = ("xyz", "score", "reprojection_error", "n_views", "covariance", "state", "xyz_per_frame")
    two = {name: np.concatenate([getattr(one, name)] * 2, axis=1) for name in fields}
    both = fit_motions(replace(one, **two, person_id=np.array([0, 7])))
    assert [fitted.motion.person_id for fitted in both] == [0, 7]
    np.testing.assert_array_equal(both[0].motion.rotations, both[1].motion.rotations)
