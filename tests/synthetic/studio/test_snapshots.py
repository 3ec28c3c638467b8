"""Feet, shoes and postures of single pictures."""

import numpy as np
import pytest

from mv3d.synthetic.studio.footwear import Last, shod
from mv3d.synthetic.studio.human import BodyShape, load_human, random_shape, shaped_body
from mv3d.synthetic.studio.postures import POSTURES, random_segments
from mv3d.synthetic.studio.snapshots import SnapshotConfig, snapshots
from mv3d.synthetic.studio.wardrobe import dressed, random_outfit

HUMAN = load_human()


def _joint(body, name: str) -> np.ndarray:
    return body.keypoints[HUMAN.keypoints.index(name)]


@pytest.mark.parametrize("seed", range(4))
def test_toes_and_heels_are_the_ends_of_the_foot(seed: int) -> None:
    body = shaped_body(HUMAN, random_shape(np.random.default_rng(seed)) if seed else BodyShape())
    for side, sign in (("L", 1.0), ("R", -1.0)):
        foot = body.vertices[(sign * body.vertices[:, 1] > 0) & (body.vertices[:, 2] < 0.05)]
        big, small, heel = (_joint(body, side + name) for name in ("BigToe", "SmallToe", "Heel"))
        length = foot[:, 0].max() - foot[:, 0].min()
        # The big toe may be a little shorter than the second one in some bodies.
        assert big[0] > foot[:, 0].max() - 0.02 * length
        assert heel[0] < foot[:, 0].min() + 0.02 * length
        # The little toe lies outside of all others and ends 10 to 25 % of the foot behind the big one.
        assert abs(small[1]) > np.abs(foot[foot[:, 0] > small[0] + 0.003, 1]).max()
        assert 0.1 * length < big[0] - small[0] < 0.25 * length


def test_a_shoe_covers_the_toes_and_carries_the_keypoints() -> None:
    rng = np.random.default_rng(0)
    body = shaped_body(HUMAN, BodyShape())
    worn = dressed(HUMAN, body, random_outfit(rng), rng)
    last = Last(room=0.015, sole=0.02)
    shoe = shod(worn, last)
    index = HUMAN.keypoint_index[HUMAN.keypoints.index("LBigToe"), 0]
    forward = shoe.body.vertices[index, 0] - body.vertices[index, 0]
    # On the round front of the shoe, before the toe but not where the box is longest.
    assert 0.0 < forward < last.room + 0.01
    np.testing.assert_allclose(shoe.vertices[:, 2].min(), worn.vertices[:, 2].min() - last.sole, atol=1e-3)
    above = worn.body.vertices[:, 2] > 0.2
    np.testing.assert_array_equal(shoe.vertices[above], worn.vertices[above])


def test_every_posture_is_drawn_and_made_of_rotations() -> None:
    for seed in range(40):
        segments, toes = random_segments(np.random.default_rng(seed), 1 / 30)
        R = np.stack(list(segments.values()))
        assert R.shape == (13, 2, 3, 3)
        np.testing.assert_allclose(R @ np.swapaxes(R, -1, -2), np.broadcast_to(np.eye(3), R.shape), atol=1e-9)
        assert ((toes >= 0) & (toes < 1)).all()
    assert len(POSTURES) == 10


def test_people_touch_the_floor_and_the_camera_sees_them() -> None:
    config = SnapshotConfig(size=(64, 64), person_height=(40.0, 50.0), occluders=0.0, shots=2)
    shots = [shot for seed in range(3) for shot in snapshots(config, seed)]
    assert len(shots) == 6
    assert all((shot.person >= 0).mean() > 0.01 for shot in shots)
    assert all(shot.visible[:, :25].any() for shot in shots)
