"""Several people: told apart, followed, known again; and the single performer none the worse."""

from dataclasses import replace

import numpy as np
import pytest

from mv3d.config import Config
from mv3d.data.poses import MISSING
from mv3d.data.skeletons import BODY_25
from mv3d.errors import ReconstructionError
from mv3d.files.multiview import match_times
from mv3d.reconstruct import association
from mv3d.reconstruct.acquaintances import Acquaintances
from mv3d.reconstruct.observations import observe
from mv3d.reconstruct.people import PeopleConfig, PeopleTracker
from mv3d.reconstruct.people_selection import track_people
from mv3d.reconstruct.ray_table import RayTable
from mv3d.reconstruct.views import reconstruct_views
from mv3d.synthetic.crowd import Crowd, walking_crowd
from mv3d.synthetic.faults import Faults
from mv3d.synthetic.rigs import camera_ring

RIG = camera_ring(5, radius=5.0, distortion=np.array([-0.12, 0.05, 3e-4, -3e-4]), seed=0)
FPS = 30.0


def frames_of(crowd: Crowd) -> list[tuple[list[np.ndarray], list[np.ndarray]]]:
    frames = []
    for f in range(len(crowd.timestamps)):
        there = {name: crowd.person[name][f] >= 0 for name in RIG.names}
        xy = [crowd.poses[name].xy[f][there[name]].astype(float) for name in RIG.names]
        frames.append((xy, [crowd.poses[name].score[f][there[name]].astype(float) for name in RIG.names]))
    return frames


def true_person(crowd: Crowd, detections: np.ndarray, f: int) -> list[int]:
    """Whose detections a track took in a frame."""
    whose = []
    for v, d in enumerate(detections):
        if d >= 0:
            slots = np.flatnonzero(crowd.person[RIG.names[v]][f] >= 0)
            whose.append(int(crowd.person[RIG.names[v]][f][slots[d]]))
    return whose


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return walking_crowd(RIG, 4, 240, fps=FPS, seed=3)


def test_everybody_is_followed_without_a_switch_or_a_ghost(crowd: Crowd):
    tracks = track_people(RIG, BODY_25, frames_of(crowd), crowd.timestamps, PeopleConfig(count=None))
    assert len(tracks) == 4
    owners = []
    for track in tracks:
        whose = [true_person(crowd, track.detections[f], f) for f in range(240)]
        counts = np.bincount([p for frame in whose for p in frame], minlength=4)
        owners.append(int(counts.argmax()))
        # Two bodies in one line of sight may exchange a detection for a frame; never for long.
        assert counts.max() / counts.sum() > 0.99
        assert track.seen > 0.97 * 240
    assert sorted(owners) == [0, 1, 2, 3]


def test_every_detection_is_used_once(crowd: Crowd):
    tracks = track_people(RIG, BODY_25, frames_of(crowd), crowd.timestamps, PeopleConfig(count=None))
    for v in range(len(RIG)):
        for f in range(240):
            used = [track.detections[f, v] for track in tracks if track.detections[f, v] >= 0]
            assert len(set(used)) == len(used)


def test_the_clearest_come_first_and_no_more_than_asked(crowd: Crowd):
    tracks = track_people(RIG, BODY_25, frames_of(crowd), crowd.timestamps, PeopleConfig(count=2))
    assert len(tracks) == 2
    assert tracks[0].clarity >= tracks[1].clarity


def test_a_bystander_whom_two_cameras_see_does_not_come_first(crowd: Crowd):
    frames = frames_of(crowd)
    for f, (xy, score) in enumerate(frames):  # walker 2 is out of the picture of three of the five
        for v in (2, 3, 4):
            slots = np.flatnonzero(crowd.person[RIG.names[v]][f] >= 0)
            kept = crowd.person[RIG.names[v]][f][slots] != 2
            xy[v], score[v] = xy[v][kept], score[v][kept]
    tracks = track_people(RIG, BODY_25, frames, crowd.timestamps, PeopleConfig(count=None))
    assert [track.clarity for track in tracks] == sorted((track.clarity for track in tracks), reverse=True)
    last = tracks[-1]
    assert (last.detections[:, 2:] < 0).mean() > 0.95
    assert last.seen > 200


def test_a_person_who_comes_back_keeps_the_number():
    crowd = walking_crowd(RIG, 2, 240, fps=FPS, absences={1: (80, 160)}, seed=5)
    tracker = PeopleTracker(RIG, BODY_25, PeopleConfig(count=None))
    numbers = {0: set(), 1: set()}
    for f, frame in enumerate(frames_of(crowd)):
        for seen in tracker.step(*frame, float(crowd.timestamps[f])):
            whose = true_person(crowd, seen.detections, f)
            if seen.confirmed:
                numbers[max(set(whose), key=whose.count)].add(seen.person)
    assert len(numbers[0]) == 1
    assert len(numbers[1]) == 1
    assert numbers[0] != numbers[1]


def test_nobody_and_lone_views_make_no_person(crowd: Crowd):
    tracker = PeopleTracker(RIG, BODY_25, PeopleConfig(count=None))
    empty = [np.zeros((0, 25, 2))] * 5, [np.zeros((0, 25))] * 5
    assert tracker.step(*empty, 0.0) == []
    xy, score = frames_of(crowd)[0]
    lone = [xy[0], *empty[0][1:]], [score[0], *empty[1][1:]]
    assert tracker.step(*lone, 0.1) == []
    with pytest.raises(ReconstructionError, match="no person is seen by two cameras"):
        track_people(RIG, BODY_25, [lone] * 10, np.arange(10) / FPS, PeopleConfig(count=None))


def test_people_of_different_scenes_do_not_meet(crowd: Crowd):
    """Detections of every view from another instant: what little meets is by chance, and does not last."""
    frames = frames_of(crowd)
    mixed = []
    for f in range(60):
        picks = [frames[(f + 37 * v) % 240] for v in range(5)]
        mixed.append(([p[0][v] for v, p in enumerate(picks)], [p[1][v] for v, p in enumerate(picks)]))
    tracker = PeopleTracker(RIG, BODY_25, PeopleConfig(count=None))
    ghosts = sum(seen.confirmed for f, frame in enumerate(mixed) for seen in tracker.step(*frame, f / FPS))
    # Of 60 frames x 4 people: walkers of one gait on one floor do resemble each other.
    assert ghosts < 0.15 * 240


def sixty_times_the_same(frame: int, seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """300 detections, 60 of one walker in each view, a few px apart: every pair of two views meets."""
    rng = np.random.default_rng(seed)
    walker = walking_crowd(RIG, 1, 10, fps=FPS, faults=Faults(noise_px=0.0, missing=0.0, wrong=0.0), seed=0)
    xy = [walker.poses[name].xy[frame, 0] + rng.normal(0, 3, (60, 25, 2)) for name in RIG.names]
    return xy, [np.where(np.isfinite(own[..., 0]), 0.9, 0.0) for own in xy]


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for every pair of detections that is tried as a new person."""
    counted: list[int] = []
    joined = PeopleTracker._joined

    def counting(self: PeopleTracker, *arguments: object) -> tuple[np.ndarray, np.ndarray]:
        counted.append(1)
        return joined(self, *arguments)

    monkeypatch.setattr(PeopleTracker, "_joined", counting)
    return counted


def test_three_hundred_detections_take_bounded_work(tries: list[int]):
    config = PeopleConfig(count=None, most_people=8)
    tracker = PeopleTracker(RIG, BODY_25, config)
    for frame in range(3):
        before = len(tries)
        tracker.step(*sixty_times_the_same(frame, frame), frame / FPS)
        # Without a limit there are 36000 pairs.
        assert 0 < len(tries) - before <= config.most_tries
        assert len(tracker.numbers) <= 8


def test_of_a_view_the_clearest_detections_are_looked_at(crowd: Crowd):
    """Noise of low scores beside everybody changes nothing once the limit leaves it out."""
    config = PeopleConfig(count=None, most_detections=4)
    alone, beside = PeopleTracker(RIG, BODY_25, config), PeopleTracker(RIG, BODY_25, config)
    rng = np.random.default_rng(0)
    for f, (xy, score) in enumerate(frames_of(crowd)[:20]):
        if any(len(own) < 4 for own in xy):
            continue
        noisy = [np.concatenate([rng.uniform(0, 1000, (60, 25, 2)), own]) for own in xy]
        faint = [np.concatenate([np.full((60, 25), 0.01), own]) for own in score]
        for one, other in zip(alone.step(xy, score, f / FPS), beside.step(noisy, faint, f / FPS), strict=True):
            assert one.person == other.person
            np.testing.assert_array_equal(np.where(one.detections >= 0, one.detections + 60, -1), other.detections)


def test_the_performer_among_three_hundred_detections(monkeypatch: pytest.MonkeyPatch):
    starts: list[int] = []
    meet = association._meet_pairs

    def counting(rig, pooled, tried, config):
        starts.append(len(tried))
        return meet(rig, pooled, tried, config)

    monkeypatch.setattr(association, "_meet_pairs", counting)
    rng = np.random.default_rng(0)
    walker = walking_crowd(RIG, 1, 10, fps=FPS, faults=Faults(noise_px=0.0, missing=0.0, wrong=0.0), seed=0)
    xy = [np.concatenate([rng.uniform(0, 1000, (59, 25, 2)), walker.poses[n].xy[0]]) for n in RIG.names]
    score = [np.where(np.isfinite(own[..., 0]), 0.9, 0.0) for own in xy]
    found = association.find_performer(RIG, xy, score, association.AssociationConfig())
    assert found is not None
    assert found.detections == (59,) * 5
    assert starts == [association.AssociationConfig().most_starts]


def test_a_person_is_known_again_among_those_who_were_lost_last():
    rng = np.random.default_rng(0)
    bones = rng.uniform(0.2, 0.5, (3, 12))
    lost = Acquaintances(2)
    for person in range(3):
        lost.add(person, [bones[person]] * 5, 1.0)
    assert lost.numbers == [1, 2]
    assert lost.recognised([bones[0]] * 5, 0.06) is None
    found = lost.recognised([1.02 * bones[1]] * 5, 0.06)
    assert found is not None
    assert found.person == 1
    assert lost.numbers == [2]
    lost.add(4, [1.01 * bones[2]] * 5, 1.0)
    # Two whose bones differ by less than the newcomer's do.
    assert lost.recognised([1.04 * bones[2]] * 5, 0.06) is None


def test_rays_of_the_table_are_those_of_the_lens():
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 1, (5, 25, 2)) * np.array(RIG[0].size)
    bearings, jacobians = RayTable(RIG).look_up(xy, np.arange(5))
    exact = observe(RIG, np.moveaxis(xy[None], 0, 0), np.ones((1, 5, 25)))
    # 0.02 px of 1100 px focal length; Jacobians are px by direction.
    np.testing.assert_allclose(bearings, exact.bearings[0], atol=2e-5)
    np.testing.assert_allclose(jacobians, exact.pixel_jacobians[0], atol=0.5)


def test_reconstruction_of_everybody_and_of_who_comes_later():
    crowd = walking_crowd(RIG, 2, 90, fps=FPS, absences={1: (0, 30)}, seed=6)
    poses = [crowd.poses[name] for name in RIG.names]
    config = Config()
    everybody = replace(config.reconstruct, people=PeopleConfig(count=None))
    config = replace(config, reconstruct=everybody, sync=replace(config.sync, enabled=False))
    made = reconstruct_views(RIG, poses, match_times([p.timestamps for p in poses]), config.views).poses3d
    assert made.person_id.tolist() == [0, 1]
    # Person 0 is who is seen most: the one who was there from the start.
    error = np.linalg.norm(made.xyz - crowd.xyz, axis=-1)
    # The goal for crowds of up to six is 97 %.
    assert (error[:, 0] < 0.05).mean() > 0.97
    assert (error[35:, 1] < 0.05).mean() > 0.97
    assert (made.state[:30, 1] == MISSING).all()
