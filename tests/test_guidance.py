"""The loop of the chain on a stage: exact detections, so every px that is off is the loop's fault."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from mv3d.data.rig import Rig
from mv3d.data.skeletons import COCO_18, HAND_21, with_hands_and_face
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.guidance import GuidanceConfig, Guide, Look
from mv3d.pose2d.config import PartConfig
from mv3d.pose2d.models import MODELS
from mv3d.pose2d.part_estimator import PartEstimator
from mv3d.pose2d.whole_body import WholeBodyEstimator
from mv3d.reconstruct.association import AssociationConfig
from mv3d.reconstruct.gravity import up_direction
from mv3d.synthetic.performer import standing_person, walking_person
from mv3d.synthetic.rigs import camera_ring

SIZE = (320, 200)
FRAMES = 10
FPS = 10.0
HIPS = list(COCO_18.indices(("RHip", "LHip")))
NECK = COCO_18.index("Neck")
R_WRIST = COCO_18.index("RWrist")
# Detections are exact to the last bit or two of a double.
EXACT_PX = 1e-6


@pytest.fixture
def rig() -> Rig:
    # 4 px codes and 320 px are enough: nothing looks at the pictures but the stand-in.
    return camera_ring(4, size=SIZE, focal=190.0, distortion=np.array([-0.12, 0.05, 3e-4, -3e-4]), seed=3)


def _walk(frames: int = FRAMES, height: float = 1.75) -> np.ndarray:
    return walking_person(frames, fps=FPS, height=height, skeleton=COCO_18, seed=2)[0]


def _bystander(frames: int = FRAMES) -> np.ndarray:
    return standing_person((1.6, 1.2), 0.5, frames, fps=FPS, skeleton=COCO_18, seed=1)


def _looks(
    guide: Guide, rig: Rig, coded: Callable[..., np.ndarray], frames: int = FRAMES, missing: frozenset = frozenset()
) -> list[Look]:
    out = []
    for frame in range(frames):
        images = [None if (frame, v) in missing else coded(frame, v, c.size) for v, c in enumerate(rig)]
        out.append(guide.look(images, frame / FPS))
    return out


def _guide(rig: Rig, estimator, config: GuidanceConfig | None = None) -> Guide:
    return Guide(rig, estimator, config or GuidanceConfig(), AssociationConfig())


def _assert_performer(look: Look, rig: Rig, truth: np.ndarray, views: tuple[int, ...] = (0, 1, 2, 3)) -> None:
    for v in views:
        np.testing.assert_allclose(look.xy[v], rig[v].project(truth), atol=EXACT_PX)
        assert (look.score[v] == 0.6).all()


def test_finds_the_performer_and_never_the_bystander(rig: Rig, staged_estimator, coded) -> None:
    estimator = staged_estimator(rig, _walk(), _bystander())
    looks = _looks(_guide(rig, estimator), rig, coded)
    for frame, look in enumerate(looks):
        _assert_performer(look, rig, estimator.truth[frame])
    assert estimator.searched == [0], "whole images only to begin with"
    looked = [frame for frame, _ in estimator.crops]
    assert looked == [0] * (1 + GuidanceConfig().settling_looks) + list(range(1, FRAMES))


def test_a_bystander_before_the_performer_arrives(rig: Rig, staged_estimator, coded) -> None:
    """Two views alone agree on the bystander; four do on the performer, who is found as soon as they are there."""
    estimator = staged_estimator(rig, _walk(), None, absent=frozenset(range(3)))
    looks = _looks(_guide(rig, estimator), rig, coded)
    for look in looks[:3]:
        assert not look.score.any()
        assert np.isnan(look.xy).all()
        assert look.outlines == (None,) * 4
    _assert_performer(looks[3], rig, estimator.truth[3])
    assert estimator.searched == [0, 1, 2, 3]


def test_crops_hold_every_expected_joint_and_show_the_person_upright(rig: Rig, staged_estimator, coded) -> None:
    estimator = staged_estimator(rig, _walk(), _bystander())
    looks = _looks(_guide(rig, estimator), rig, coded)
    for frame, crops in estimator.crops:
        truth = estimator.truth[frame]
        for own in crops:
            for crop in own:
                at = np.c_[truth, np.ones(len(truth))] @ crop.P.T
                assert (at[:, 2] > 0).all()
                xy = at[:, :2] / at[:, 2:]
                assert ((xy > 0) & (xy < crop.size - 1)).all()
                up = xy[NECK] - xy[HIPS].mean(0)
                # The walker leans by less than 10 degrees (0.1 rad forward, 0.04 sideways); perspective adds some.
                assert abs(np.rad2deg(np.arctan2(up[0], -up[1]))) < 15
    for outline in looks[-1].outlines:
        assert outline is not None
        assert np.isfinite(outline).all()


def test_the_person_is_as_tall_as_asked(rig: Rig, staged_estimator, coded) -> None:
    """280 px for the standing person, unless the crop would cut off a joint."""
    estimator = staged_estimator(rig, standing_person((0.0, 0.0), 0.3, FRAMES, skeleton=COCO_18, seed=2))
    _looks(_guide(rig, estimator, GuidanceConfig(margin_m=0.0)), rig, coded)
    for crop in (own[0] for own in estimator.crops[-1][1]):
        # The stature is measured from limbs with average shares, and this body's vary by 3 % each.
        assert crop.pixels_per_metre * 1.75 == pytest.approx(280, rel=0.08)


def test_a_child_is_shown_larger(rig: Rig, staged_estimator, coded) -> None:
    scale = {}
    for height in (1.0, 1.75):
        estimator = staged_estimator(rig, _walk(height=height))
        looks = _looks(_guide(rig, estimator), rig, coded)
        _assert_performer(looks[-1], rig, estimator.truth[-1])
        scale[height] = estimator.crops[-1][1][0][0].pixels_per_metre
    # In proportion it would be 1.75; the margin around the joints is the same 20 cm for both.
    assert scale[1.0] > 1.35 * scale[1.75]


def test_who_was_lost_for_long_is_searched_in_whole_images_again(rig: Rig, staged_estimator, coded) -> None:
    truth = _walk(13)
    truth[11:, :, :2] += [0.9, -0.7]  # comes back elsewhere, out of the old crops' reach
    absent = frozenset(range(2, 11))
    estimator = staged_estimator(rig, truth, absent=absent)
    looks = _looks(_guide(rig, estimator), rig, coded, frames=13)
    # Last seen in frame 1, at 0.1 s; given up when that is over 0.5 s ago.
    assert estimator.searched == [0, 7, 8, 9, 10, 11]
    for frame, look in enumerate(looks):
        if frame in absent:
            assert not look.score.any()
        else:
            _assert_performer(look, rig, truth[frame])


def test_who_was_lost_for_a_moment_is_not(rig: Rig, staged_estimator, coded) -> None:
    estimator = staged_estimator(rig, _walk(), _bystander(), absent=frozenset({4, 5, 6}))
    looks = _looks(_guide(rig, estimator), rig, coded)
    assert estimator.searched == [0]
    for look in looks[4:7]:
        # Nobody is there but the bystander, who must not step in.
        assert not look.score.any()
    # Walked on by 40 cm meanwhile, more than some views take for the same person, but not than all of them do.
    assert looks[7].score.any()
    _assert_performer(looks[8], rig, estimator.truth[8])


@pytest.mark.parametrize("first", [0, 4])
def test_a_view_without_an_image(rig: Rig, staged_estimator, coded, first: int) -> None:
    estimator = staged_estimator(rig, _walk(), _bystander())
    missing = frozenset((frame, 2) for frame in range(first, FRAMES))
    looks = _looks(_guide(rig, estimator), rig, coded, missing=missing)
    for frame, look in enumerate(looks):
        gone = frame >= first
        _assert_performer(look, rig, estimator.truth[frame], (0, 1, 3) if gone else (0, 1, 2, 3))
        assert (look.outlines[2] is None) == gone
        assert gone == (not look.score[2].any())
        assert gone == bool(np.isnan(look.xy[2]).all())


def test_no_image_at_all(rig: Rig, staged_estimator) -> None:
    look = _guide(rig, staged_estimator(rig, _walk())).look([None] * 4, 0.0)
    assert not look.score.any()
    assert look.peaks_xy.shape[:2] == (4, len(COCO_18))


def test_without_a_known_up_the_trunk_is_up(rig: Rig, staged_estimator, coded) -> None:
    turns = [rotation_from_vector(np.array([0, 0, k * np.pi / 2])) for k in range(4)]
    cameras = [replace(c, R=turn @ c.R, t=turn @ c.t) for c, turn in zip(rig, turns, strict=True)]
    tumbled = Rig(tuple(cameras))
    assert up_direction(tumbled) is None
    lying = _walk()[..., [2, 1, 0]] * [1, 1, -1] + [-0.9, 0, 1.0]  # a rotation: head towards +x, as if on a bench
    assert np.linalg.det(np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])) == pytest.approx(1)
    estimator = staged_estimator(tumbled, lying)
    looks = _looks(_guide(tumbled, estimator), tumbled, coded)
    _assert_performer(looks[-1], tumbled, lying[-1])
    seen = 0
    for frame, crops in estimator.crops:
        for own in crops:
            assert len(own) == 1
            at = np.c_[lying[frame], np.ones(len(COCO_18))] @ own[0].P.T
            xy = at[:, :2] / at[:, 2:]
            trunk = (lying[frame, NECK] - lying[frame, HIPS].mean(0)) / 0.5
            sight = own[0].R[2]
            up = xy[NECK] - xy[HIPS].mean(0)
            if np.linalg.norm(np.cross(trunk, sight)) > 0.5:  # seen from the side, not along the trunk
                # The trunk of the frame before, seen off the crop's middle.
                assert abs(np.rad2deg(np.arctan2(up[0], -up[1]))) < 15
                seen += 1
    assert seen > FRAMES


def test_who_leans_is_looked_at_twice(rig: Rig, staged_estimator, coded) -> None:
    lean = rotation_from_vector(np.array([0.5, 0, 0]))
    leaning = (_walk() - [0, 0, 0.9]) @ lean.T + [0, 0, 0.9]
    counts = {}
    for name, config in {"twice": GuidanceConfig(), "once": GuidanceConfig(trunk_crop=False)}.items():
        estimator = staged_estimator(rig, leaning)
        looks = _looks(_guide(rig, estimator, config), rig, coded)
        _assert_performer(looks[-1], rig, leaning[-1])
        counts[name] = [len(own) for own in estimator.crops[-1][1]]
    assert counts["once"] == [1, 1, 1, 1]
    assert max(counts["twice"]) == 2
    upright = staged_estimator(rig, standing_person((0.0, 0.0), 0.0, FRAMES, skeleton=COCO_18, seed=2))
    _looks(_guide(rig, upright), rig, coded)
    assert [len(own) for own in upright.crops[-1][1]] == [1, 1, 1, 1]


def test_a_missing_joint_is_filled_from_a_loose_peak_near_by(rig: Rig, staged_estimator, coded) -> None:
    """At 5 m and 190 px focal length, 2 px are 5 cm and 30 px are 80 cm; fill_m is 20 cm."""
    estimator = staged_estimator(rig, _walk(), _bystander())
    estimator.hidden = frozenset({(0, R_WRIST), (1, R_WRIST)})
    estimator.loose = {(0, R_WRIST): (1.0, -1.5), (1, R_WRIST): (30.0, 0.0)}
    looks = _looks(_guide(rig, estimator), rig, coded)
    for frame, look in enumerate(looks):
        true = [camera.project(estimator.truth[frame, R_WRIST]) for camera in rig]
        np.testing.assert_allclose(look.xy[0, R_WRIST], true[0] + [1.0, -1.5], atol=EXACT_PX)
        assert look.score[0, R_WRIST] == pytest.approx(0.5 * 0.4)
        assert np.isnan(look.xy[1, R_WRIST]).all()
        assert look.score[1, R_WRIST] == 0
        np.testing.assert_allclose(look.xy[2:, R_WRIST], true[2:], atol=EXACT_PX)
        # The candidates are handed on as they are.
        assert look.peaks_score[1, R_WRIST].max() >= 0.4


@pytest.mark.parametrize(("setting", "value"), [("crop_px", 350), ("crop_px", 0), ("person_px", 0)])
def test_settings_that_cannot_be(setting: str, value: int) -> None:
    with pytest.raises(ValueError, match=setting):
        GuidanceConfig(**{setting: value})


class _MiddleEngine:
    """A hand network that sees every joint in the middle of the square."""

    device = torch.device("cpu")

    def maps(self, images: np.ndarray):
        n, side = len(images), images.shape[1] // 8
        x = torch.arange(side) - (side - 1) / 2
        spot = torch.exp(-(x[:, None] ** 2 + x[None] ** 2) / 2)
        return spot.repeat(n, HAND_21.heatmap_count, 1, 1), torch.zeros(n, 0, side, side)


def test_hands_go_through_the_loop_and_follow_the_skeleton_where_an_arm_is_hidden(
    rig: Rig, staged_estimator, coded
) -> None:
    hidden = frozenset({(1, R_WRIST)})
    body = staged_estimator(rig, _walk(), None, hidden=hidden)
    hand = PartEstimator(MODELS["hand_21"], _MiddleEngine(), PartConfig(64))
    guide = _guide(rig, WholeBodyEstimator(body, hand, None), GuidanceConfig(fill_m=1e-3))
    looks = _looks(guide, rig, coded, frames=3)
    skeleton = with_hands_and_face(COCO_18, True, 0)
    wrist, elbow = R_WRIST, COCO_18.index("RElbow")
    right = list(dict(skeleton.groups)["right_hand"])
    for frame, look in enumerate(looks):
        assert look.xy.shape == (4, 60, 2)
        for v, camera in enumerate(rig):
            at = camera.project(body.truth[frame])
            expected = at[wrist] + 0.33 * (at[wrist] - at[elbow])
            # In the second view the wrist is where the last skeleton had it, a tenth of a second ago.
            far = 12.0 if v == 1 else 0.5
            assert np.isfinite(look.xy[v, right]).all()
            assert np.linalg.norm(look.xy[v, right] - expected, axis=1).max() < far
