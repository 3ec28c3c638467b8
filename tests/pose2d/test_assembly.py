from dataclasses import replace

import numpy as np
import pytest

from mv3d.data.skeletons import BODY_25, COCO_18, MPI_15
from mv3d.pose2d.assembly import AssemblyConfig, People, assemble, openpose_thresholds
from mv3d.pose2d.assembly_kernels import join_limb_by_limb, join_people, limb_score
from mv3d.pose2d.benchmark import standing_people
from mv3d.pose2d.ideal_maps import ideal_maps
from mv3d.pose2d.peaks import Peaks, find_peaks

_OFFSET = (3.0, 2.5)
_CONFIG = AssemblyConfig()


def _parse(xy, skeleton, shape, config=_CONFIG) -> People:
    heatmaps, pafs = ideal_maps(xy, skeleton, shape, 8, _OFFSET)
    peaks = find_peaks(heatmaps[: len(skeleton)], config.peak_threshold, 8, _OFFSET)
    return assemble(peaks, pafs, skeleton, config, 8, _OFFSET)


def _assert_same_people(people: People, xy: np.ndarray) -> None:
    """Every true person found once, joints within the error of peaks; in any order."""
    assert len(people.xy) == len(xy)
    for truth in xy:
        errors = np.nanmax(np.abs(people.xy - truth), axis=(1, 2))
        best = people.xy[np.argmin(errors)]
        # A joint of another person two sigma away reaches into the nine cells that a peak is fitted to.
        assert errors.min() < 0.7
        np.testing.assert_array_equal(np.isfinite(best), np.isfinite(truth))


@pytest.mark.parametrize("count", [1, 2, 7, 20])
def test_standing_people_are_found(count):
    xy, shape = standing_people(count)
    people = _parse(xy, COCO_18, shape)
    _assert_same_people(people, xy)
    assert ((people.score > 0) & (people.score <= 1)).all()
    assert (people.person_score > 0.8).all()


@pytest.mark.parametrize("skeleton", [COCO_18, BODY_25, MPI_15], ids=lambda s: s.name)
def test_scattered_joints_of_two_people(skeleton):
    """Any skeleton, limbs of any direction: two clouds of joints apart from each other."""
    rng = np.random.default_rng(3)
    xy = np.array([_spread_points(rng, len(skeleton), 200) for _ in range(2)])
    xy[1, :, 0] += 250
    people = _parse(xy, skeleton, (28, 60))
    _assert_same_people(people, xy)


def _spread_points(rng, count, side):
    """Random points no two of which are within 24 px, so that their peaks stay apart."""
    points = [rng.uniform(8, side, 2)]
    while len(points) < count:
        point = rng.uniform(8, side, 2)
        if min(np.linalg.norm(point - p) for p in points) > 24:
            points.append(point)
    return np.array(points)


def test_missing_joints_stay_missing():
    xy, shape = standing_people(2)
    xy[0, COCO_18.indices(("LWrist", "RAnkle"))] = np.nan
    _assert_same_people(_parse(xy, COCO_18, shape), xy)


def test_halves_are_joined_by_a_weaker_limb():
    """Upper and lower body grow apart at first; the limb neck to hip, of lowest rank, joins them."""
    count = np.ones(4, np.int64)
    limbs = np.array([(0, 1), (2, 3), (1, 2)])
    which = np.array([(0, 0, 0), (1, 0, 0), (2, 0, 0)])
    values = np.array([(0.9, 0.9), (0.8, 0.8), (0.3, 0.3)])
    parts, totals = join_people(np.full((4, 1), 0.5, np.float32), count, limbs, which, values)
    assert parts.tolist() == [[0, 0, 0, 0], [-1, -1, -1, -1]]
    # Four parts of 0.5 and three limbs.
    np.testing.assert_allclose(totals[0], [4 * 0.5 + 0.9 + 0.8 + 0.3, 4, 3])


def test_people_who_share_a_joint_kind_are_not_merged():
    count = np.array([2, 2, 2], np.int64)
    limbs = np.array([(0, 1), (1, 2)])
    which = np.array([(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 0, 0)])
    values = np.array([(0.9, 0.9), (0.8, 0.8), (0.7, 0.7), (0.6, 0.6)])
    parts, _ = join_people(np.full((3, 2), 0.5, np.float32), count, limbs, which, values)
    # The slot for joint 2 of the first person is taken by candidate 1, so candidate 0 stays loose.
    assert parts.tolist() == [[0, 0, 1], [1, 1, -1]]


def _score_limb(field_x, field_y, a, b, share=0.95, near=1.0) -> float:
    fields = (np.asarray(f, np.float32) for f in (field_x, field_y))
    return limb_score(*fields, *np.array([*a, *b], np.float32), 8.0, np.array([0.05, share, 0.050001, near]))


def test_limb_score_is_the_mean_agreement():
    field_x, field_y = np.full((10, 20), 0.6), np.full((10, 20), 0.8)
    # The cosine between (0.6, 0.8) and the limb's direction, at every sample.
    for end, expected in (((12, 2), 0.6), ((2, 8), 0.8), ((8, 10), 1.0), ((-4, 2), -1.0)):
        assert _score_limb(field_x, field_y, (2, 2), end) == pytest.approx(expected)
    half = field_x * (np.arange(20) < 7)
    assert _score_limb(half, 0 * half, (2, 2), (12, 2)) == -1.0
    assert _score_limb(half, 0 * half, (2, 2), (12, 2), share=0.4) > 0.5


def test_coinciding_points_are_joined_faintly():
    nothing = np.zeros((10, 10))
    assert _score_limb(nothing, nothing, (4, 4), (4.3, 4), near=3.0) == pytest.approx(0.050001)
    assert _score_limb(nothing, nothing, (4, 4), (4.5, 4), near=3.0) == -1.0


def test_too_few_parts_are_nobody():
    xy, shape = standing_people(2)
    xy[1, 2:] = np.nan
    assert len(_parse(xy, COCO_18, shape).xy) == 1
    assert len(_parse(xy, COCO_18, shape, replace(_CONFIG, min_parts=2)).xy) == 2


def test_feet_with_little_else_are_nobody_unless_there_is_nobody():
    rng = np.random.default_rng(5)
    xy = np.full((2, 25, 2), np.nan)
    xy[0] = _spread_points(rng, 25, 200)
    leg = BODY_25.indices(("RKnee", "RAnkle", "RBigToe", "RSmallToe", "RHeel"))
    xy[1, leg] = _spread_points(rng, len(leg), 120) + np.array([250, 40])
    assert len(_parse(xy, BODY_25, (28, 60)).xy) == 1
    assert len(_parse(xy[1:], BODY_25, (28, 60)).xy) == 1


def test_the_most_prominent_come_first_and_are_kept():
    xy, shape = standing_people(3)
    xy[1] = (xy[1] - xy[1].mean(0)) * 0.6 + xy[1].mean(0)
    people = _parse(xy, COCO_18, shape, replace(_CONFIG, max_people=2))
    heights = np.ptp(people.xy[..., 1], axis=1)
    assert len(heights) == 2
    assert (heights > 140).all()


def test_nothing_gives_nobody():
    peaks = Peaks(np.zeros((18, 0, 2), np.float32), np.zeros((18, 0), np.float32), np.zeros(18, np.int64))
    people = assemble(peaks, np.zeros((38, 6, 6), np.float32), COCO_18, _CONFIG, 8, _OFFSET)
    assert people.xy.shape == (0, 18, 2)
    assert people.person_score.shape == (0,)


@pytest.mark.parametrize(
    "change", [{"peak_threshold": 0.0}, {"paf_share": 1.0}, {"min_parts": 0}, {"max_people": 0}], ids=str
)
def test_thresholds_out_of_range(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(_CONFIG, **change)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_limb_by_limb_finds_the_same_people(count):
    xy, shape = standing_people(count)
    _assert_same_people(_parse(xy, COCO_18, shape, replace(_CONFIG, order="limb_by_limb")), xy)


def _joined_by_hand(order: str, pairs) -> list[tuple[int, ...]]:
    """Candidates of each person (Neck, RShoulder, RElbow, REar), from (limb, a, b, score)."""
    limbs = np.array([(0, 1), (1, 2), (1, 3)])
    which = np.array([p[:3] for p in pairs], np.int64)
    values = np.array([(p[3], p[3]) for p in pairs])
    score, count = np.ones((4, 2), np.float32), np.array([2, 2, 2, 2])
    if order == "all_limbs":
        parts, _ = join_people(score, count, limbs, which, values)
    else:
        parts, _ = join_limb_by_limb(score, count, limbs, np.array([False, False, True]), which, values)
    return sorted(tuple(int(c) for c in row) for row in parts if (row >= 0).any())


def test_the_two_orders_differ_as_in_openpose():
    """All limbs: the strongest pair wins whatever its kind. One by one: what the neck holds comes before."""
    rivals = [(0, 0, 0, 0.5), (0, 1, 0, 0.4), (1, 0, 0, 0.6)]
    assert _joined_by_hand("all_limbs", rivals) == [(0, 0, 0, -1)]
    assert _joined_by_hand("limb_by_limb", rivals) == [(0, 0, 0, -1)]
    # A shoulder-ear pair makes no person of its own limb by limb, and fills a gap where there is one.
    alone = [(2, 0, 0, 0.9)]
    assert _joined_by_hand("all_limbs", alone) == [(-1, 0, -1, 0)]
    assert _joined_by_hand("limb_by_limb", alone) == []
    assert _joined_by_hand("limb_by_limb", [(0, 0, 0, 0.5), *alone]) == [(0, 0, -1, 0)]
    # An elbow whose shoulder nobody holds is a new person.
    assert _joined_by_hand("limb_by_limb", [(0, 0, 0, 0.5), (1, 1, 1, 0.9)]) == [(-1, 1, 1, -1), (0, 0, -1, -1)]


def test_thresholds_are_openposes():
    lax = openpose_thresholds("body_25", maximize_positives=True)
    assert (lax.peak_threshold, lax.paf_threshold, lax.paf_share, lax.min_parts, lax.min_score) == (
        *(0.02, 0.01, 0.75, 2, 0.05),
    )
    assert openpose_thresholds("coco_18") == AssemblyConfig()
    assert openpose_thresholds("mpi_15").peak_threshold == 0.6
    assert openpose_thresholds("mpi_15_fast").peak_threshold == 0.3
