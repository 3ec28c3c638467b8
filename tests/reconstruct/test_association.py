import numpy as np
import pytest

from mv3d.data.skeletons import COCO_18
from mv3d.errors import ReconstructionError
from mv3d.reconstruct.association import AssociationConfig, find_performer, follow
from mv3d.reconstruct.tracking import Expectation, track_performer
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import standing_person, walking_person
from mv3d.synthetic.rigs import camera_ring

FRAMES = 40


def crowded(seed=0, bystander_views=("cam01", "cam02")):
    """A performer, and a bystander whom two of four cameras see and of whom they are surer."""
    rig = camera_ring(4, seed=seed)
    truth, times = walking_person(FRAMES, skeleton=COCO_18, seed=seed)
    bystander = standing_person((1.3, 1.2), 0.3, FRAMES, skeleton=COCO_18, seed=seed + 1)
    sure = observe(rig, bystander, times, COCO_18, noise_px=0.5, missing=0.0, outliers=0.0, seed=seed)
    poses = observe(rig, truth, times, COCO_18, noise_px=3.0, missing=0.15, outliers=0.05, seed=seed)
    frames = []
    rng = np.random.default_rng(seed)
    is_performer = np.zeros((FRAMES, 4), int)
    for f in range(FRAMES):
        xy = [poses[n].xy[f].astype(float) for n in rig.names]
        score = [0.6 * poses[n].score[f].astype(float) for n in rig.names]
        for v, name in enumerate(rig.names):
            if name in bystander_views:
                xy[v] = np.concatenate([xy[v], sure[name].xy[f]])
                score[v] = np.concatenate([score[v], np.full((1, 18), 0.99)])
            order = rng.permutation(len(xy[v]))
            xy[v], score[v] = xy[v][order], score[v][order]
            is_performer[f, v] = int(np.argmin(order))
        frames.append((xy, score))
    return rig, truth, times, frames, is_performer


@pytest.mark.parametrize("seed", range(4))
def test_performer_is_chosen_by_geometry_not_by_score(seed):
    rig, truth, _, frames, right = crowded(seed)
    for f in (0, 15, 30):
        sighting = find_performer(rig, *frames[f], AssociationConfig())
        assert sighting is not None
        assert sighting.detections == tuple(right[f])
        # 3 px of noise are 15 mm; a joint that only two views see may be several times that.
        assert np.nanmedian(np.linalg.norm(sighting.xyz - truth[f], axis=-1)) < 0.05


def test_followed_to_both_ends_in_every_view():
    rig, _, times, frames, right = crowded()
    xy, score = track_performer(rig, frames, times, AssociationConfig())
    expected = np.stack([[frames[f][0][v][right[f, v]] for v in range(4)] for f in range(FRAMES)])
    np.testing.assert_array_equal(np.isnan(xy), np.isnan(expected))
    np.testing.assert_allclose(np.nan_to_num(xy), np.nan_to_num(expected))
    assert ((score > 0) == np.isfinite(xy[..., 0])).all()


def test_a_person_who_comes_back_is_found_again():
    rig, _, times, frames, right = crowded()
    empty = ([np.zeros((0, 18, 2))] * 4, [np.zeros((0, 18))] * 4)
    times = times * 4  # ten frames are 2/3 s, longer than a joint is held
    frames[10:20] = [empty] * 10
    xy, score = track_performer(rig, frames, times, AssociationConfig())
    assert (score[10:20] == 0).all()
    for f in (9, 20, 39):
        for v in range(4):
            np.testing.assert_allclose(xy[f, v], frames[f][0][v][right[f, v]])


def test_a_view_that_sees_only_somebody_else_is_left_out():
    rig, truth, _, frames, right = crowded()
    xy, score = ([part.copy() for part in side] for side in frames[5])
    keep = 1 - right[5, 0]
    xy[0], score[0] = xy[0][keep : keep + 1], score[0][keep : keep + 1]
    assert follow(rig, xy, score, truth[5], AssociationConfig()).detections[0] is None
    sighting = find_performer(rig, xy, score, AssociationConfig())
    assert sighting is not None
    assert sighting.detections == (None, *right[5, 1:])


def test_nobody_seen_by_two_views_is_said():
    rig, _, times, frames, _ = crowded()
    one_view = [([xy[0], *[np.zeros((0, 18, 2))] * 3], [s[0], *[np.zeros((0, 18))] * 3]) for xy, s in frames]
    assert find_performer(rig, *one_view[0], AssociationConfig()) is None
    with pytest.raises(ReconstructionError, match="two cameras"):
        track_performer(rig, one_view, times, AssociationConfig())


@pytest.mark.parametrize("speed", [3.0, 6.0, 12.0])
def test_a_sprinter_is_followed_from_the_first_step(speed):
    rig, truth, times, _, _ = crowded(bystander_views=())
    times = np.arange(FRAMES) / 30
    away = np.clip(times - 0.3, 0, 0.4)[:, None] * speed * np.array([0.6, 0.8, 0.0])
    moved = truth + away[:, None]
    poses = observe(rig, moved, times, COCO_18, noise_px=2.0, missing=0.1, outliers=0.0, seed=1)
    frames = [
        ([poses[n].xy[f].astype(float) for n in rig.names], [poses[n].score[f] for n in rig.names])
        for f in range(FRAMES)
    ]
    _, score = track_performer(rig, frames, times, AssociationConfig())
    inside = np.stack([(poses[n].score[:, 0] > 0).any(-1) for n in rig.names], 1)
    # In the first frames of a start at 12 m/s one view may miss a beat.
    assert ((score > 0).any(-1) | ~inside).mean() > 0.97


def test_expectation_moves_on_with_the_body():
    expected = Expectation(5, hold_s=0.5)
    xyz = np.arange(15.0).reshape(5, 3)
    step = np.array([0.2, 0.0, -0.1])
    for k in range(3):
        now = xyz + k * step
        now[4] += 10.0 * k  # one joint that flies off does not carry the body along
        expected.update(now, 0.1 * k)
    predicted = expected.at(0.3)
    assert predicted is not None
    np.testing.assert_allclose(predicted[:4], (xyz + 3 * step)[:4])


def test_expectation_forgets():
    expected = Expectation(4, hold_s=0.5)
    assert expected.at(0.0) is None
    expected.update(np.full((4, 3), 7.0), 1.0)
    partly = np.full((4, 3), np.nan)
    partly[:3] = 7.0
    expected.update(partly, 1.4)
    now = expected.at(1.6)
    assert now is not None
    assert np.isnan(now[3]).all()
    np.testing.assert_array_equal(now[:3], 7.0)
    assert expected.at(2.0) is None
