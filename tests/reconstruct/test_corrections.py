from dataclasses import replace

import numpy as np
import pytest

from mv3d.data.correction import Correction, Drop, Ignore, Point, Swap
from mv3d.data.skeletons import BODY_25
from mv3d.files.multiview import Timeline
from mv3d.reconstruct.corrections import apply_corrections, correction_notes
from mv3d.reconstruct.keypoints import Keypoints, reconstruct_keypoints
from mv3d.reconstruct.reconstruction import ReconstructConfig
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring

CAMERAS = ("cam01", "cam02")
FRAMES, CANDIDATES, JOINTS = 6, 3, len(BODY_25)
WRIST, KNEE, OTHER_KNEE = (BODY_25.index(name) for name in ("RWrist", "RKnee", "LKnee"))


def whole(frames: int, views: int) -> Timeline:
    index = np.broadcast_to(np.arange(frames)[:, None], (frames, views)).copy()
    return Timeline(np.arange(frames) / 30.0, index, np.ones((frames, views), bool))


def keypoints() -> Keypoints:
    """Every number is another one, so that an exchange shows; scores in (0, 1)."""
    rng = np.random.default_rng(0)
    shape = (FRAMES, len(CAMERAS), JOINTS)
    xy, peaks_xy = rng.uniform(0, 1000, (*shape, 2)), rng.uniform(0, 1000, (*shape, CANDIDATES, 2))
    score, peaks_score = rng.uniform(0.1, 0.9, shape), rng.uniform(0.1, 0.9, (*shape, CANDIDATES))
    return Keypoints(BODY_25, np.arange(FRAMES) / 30.0, xy, score, peaks_xy, peaks_score)


def applied(change: Ignore | Swap | Drop | Point) -> tuple[Keypoints, Keypoints]:
    """Before, and after the change at frames 2 to 3 of cam02; all else, and what was given, must be untouched."""
    before, given = keypoints(), keypoints()
    after = apply_corrections(given, CAMERAS, whole(FRAMES, 2), [Correction((2, 3), "cam02", change)])
    elsewhere = np.ones((FRAMES, 2), bool)
    elsewhere[2:4, 1] = False
    for name in ("xy", "score", "peaks_xy", "peaks_score"):
        np.testing.assert_array_equal(getattr(given, name), getattr(before, name))
        np.testing.assert_array_equal(getattr(after, name)[elsewhere], getattr(before, name)[elsewhere])
    assert after.by_hand is not None
    assert not after.by_hand[elsewhere].any()
    return before, after


def assert_gone(after: Keypoints, joints: list[int]) -> None:
    at = np.ix_([2, 3], [1], joints)
    assert np.isnan(after.xy[at]).all()
    assert np.isnan(after.peaks_xy[at]).all()
    assert (after.score[at] == 0).all()
    assert (after.peaks_score[at] == 0).all()
    assert after.by_hand[at].all()


def test_ignore() -> None:
    _, after = applied(Ignore())
    assert_gone(after, list(range(JOINTS)))


def test_drop() -> None:
    before, after = applied(Drop(("RWrist", "RKnee")))
    assert_gone(after, [WRIST, KNEE])
    others = np.delete(np.arange(JOINTS), [WRIST, KNEE])
    np.testing.assert_array_equal(after.xy[:, :, others], before.xy[:, :, others])
    assert not after.by_hand[:, :, others].any()


@pytest.mark.parametrize(
    ("what", "parts"),
    [
        ("legs", {"Hip", "Knee", "Ankle", "BigToe", "SmallToe", "Heel"}),
        ("arms", {"Shoulder", "Elbow", "Wrist"}),
        ("all", {"Hip", "Knee", "Ankle", "BigToe", "SmallToe", "Heel", "Shoulder", "Elbow", "Wrist", "Eye", "Ear"}),
    ],
)
def test_swap(what, parts: set[str]) -> None:
    before, after = applied(Swap(what))
    for i, name in enumerate(BODY_25.keypoints):
        sided = name[0] in "LR" and name[1:] in parts
        source = BODY_25.index(("L" if name[0] == "R" else "R") + name[1:]) if sided else i
        for array in ("xy", "score", "peaks_xy", "peaks_score"):
            np.testing.assert_array_equal(getattr(after, array)[2:4, 1, i], getattr(before, array)[2:4, 1, source])
    assert not after.by_hand.any()


def test_point() -> None:
    before, after = applied(Point("RWrist", (12.5, 40.0)))
    assert (after.xy[2:4, 1, WRIST] == (12.5, 40.0)).all()
    assert (after.score[2:4, 1, WRIST] == 1).all()
    assert (after.peaks_xy[2:4, 1, WRIST, 0] == (12.5, 40.0)).all()
    assert (after.peaks_score[2:4, 1, WRIST] == (1, 0, 0)).all()
    assert after.by_hand[2:4, 1, WRIST].all()
    assert after.by_hand.sum() == 2
    others = np.delete(np.arange(JOINTS), WRIST)
    np.testing.assert_array_equal(after.peaks_xy[:, :, others], before.peaks_xy[:, :, others])


def test_the_order_counts_and_peaks_may_be_unknown() -> None:
    plain = replace(keypoints(), peaks_xy=None, peaks_score=None)
    point, swap = Correction((0, 0), "cam01", Point("RKnee", (1.0, 2.0))), Correction((0, 0), "cam01", Swap("legs"))
    late = apply_corrections(plain, CAMERAS, whole(FRAMES, 2), [swap, point])
    early = apply_corrections(plain, CAMERAS, whole(FRAMES, 2), [point, swap])
    assert tuple(late.xy[0, 0, KNEE]) == (1, 2) == tuple(early.xy[0, 0, OTHER_KNEE])
    assert late.by_hand[0, 0, KNEE]
    assert early.by_hand[0, 0, OTHER_KNEE]
    assert late.peaks_xy is None


def test_nothing_to_correct_changes_nothing() -> None:
    given = keypoints()
    assert apply_corrections(given, CAMERAS, whole(FRAMES, 2), []) is given
    assert correction_notes([]) == ()


def test_frames_are_those_of_the_cameras_own_video() -> None:
    """cam02 started ten frames before the timeline and lost a frame."""
    timeline = whole(FRAMES, 2)
    timeline.index[:, 1] = [10, 11, 11, 12, 13, 14]
    timeline.present[2, 1] = False
    after = apply_corrections(keypoints(), CAMERAS, timeline, [Correction((0, 11), "cam02", Ignore())])
    assert np.flatnonzero(after.score[:, 1].max(-1) == 0).tolist() == [0, 1]


def test_notes_count_and_name() -> None:
    one = Correction((0, 1), "cam02", Ignore())
    assert correction_notes([one]) == ("1 correction by hand applied (cam02)",)
    assert correction_notes([one, one]) == ("2 corrections by hand applied (cam02)",)


def walk(frames: int = 90):
    """Four cameras, 2 px of noise."""
    rig = camera_ring(4, seed=2)
    truth, times = walking_person(frames, seed=2)
    poses = observe(rig, truth, times, BODY_25, noise_px=2.0, missing=0.0, outliers=0.0, seed=2)
    xy = np.stack([poses[n].xy[:, 0] for n in rig.names], 1).astype(float)
    score = np.stack([poses[n].score[:, 0] for n in rig.names], 1).astype(float)
    return rig, truth, Keypoints(BODY_25, times, xy, score)


def test_a_camera_that_is_wrong_for_30_frames_is_mended() -> None:
    """Two cameras against two that are wrong alike: only a person can tell."""
    rig, truth, found = walk()
    for view in (1, 2):  # both follow somebody else's legs and arms, 0.6 m away
        found.xy[30:60, view] = rig[view].project(truth[30:60] + np.array([0.6, 0.0, 0.0]))
    timeline, config = whole(len(truth), 4), ReconstructConfig()

    def error_m(keypoints: Keypoints) -> float:
        poses, _ = reconstruct_keypoints(rig, keypoints, config)
        distance = np.linalg.norm(poses.xyz[30:60, 0] - truth[30:60], axis=-1)
        return float(np.nanmean(distance))

    corrections = [Correction((30, 59), rig.names[view], Ignore()) for view in (1, 2)]
    mended = apply_corrections(found, rig.names, timeline, corrections)
    # Two cameras at 2 px of noise and the smoother leave 4 mm here; the wrong ones pull by 0.18 m.
    assert error_m(found) > 0.1
    assert error_m(mended) < 0.02


def test_reassociation_leaves_alone_what_was_decided_by_hand() -> None:
    rig, truth, found = walk(30)
    found = replace(found, peaks_xy=found.xy[..., None, :].copy(), peaks_score=found.score[..., None].copy())
    far = tuple(found.xy[10, 0, WRIST] + 300.0)  # out of reach of re-association, which would drop it
    corrections = [
        Correction((10, 10), rig.names[0], Point("RWrist", far)),
        Correction((12, 12), rig.names[1], Drop(("RWrist",))),
        Correction((14, 16), rig.names[2], Swap("legs")),
    ]
    found.xy[14:17, 2], found.peaks_xy[14:17, 2] = (
        a[14:17, 2][:, BODY_25.mirror] for a in (found.xy.copy(), found.peaks_xy.copy())
    )
    corrected = apply_corrections(found, rig.names, whole(30, 4), corrections)
    _, chosen = reconstruct_keypoints(rig, corrected, ReconstructConfig())
    np.testing.assert_array_equal(chosen.xy[10, 0, WRIST], far)
    assert chosen.score[12, 1, WRIST] == 0
    knees = chosen.xy[14:17, 2, KNEE]
    # Noise of 2 px: 6 sigma.
    assert np.abs(knees - rig[2].project(truth[14:17, KNEE])).max() < 12


def test_a_camera_may_be_ignored_throughout() -> None:
    """It would be an error if the network had found nobody there."""
    rig, truth, found = walk(30)
    out = apply_corrections(found, rig.names, whole(30, 4), [Correction((0, 29), rig.names[3], Ignore())])
    poses, _ = reconstruct_keypoints(rig, out, ReconstructConfig())
    assert np.nanmean(np.linalg.norm(poses.xyz[:, 0] - truth, axis=-1)) < 0.02
    assert poses.n_views.max() == 3
