"""Several people in a live run: numbers that stay theirs, whatever they do, out to every listener."""

import itertools
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from mv3d.capture.frames import SourceInfo
from mv3d.capture.live_camera import LiveCamera
from mv3d.capture.live_frames import FrameSet, LiveFrames, LiveFramesConfig
from mv3d.config import Config
from mv3d.data.skeletons import COCO_18
from mv3d.live.following import OnePerson, SeveralPeople, make_follower
from mv3d.live.showing import content_of, poses3d_of
from mv3d.pose2d.crops import to_crop
from mv3d.pose2d.detections import Detections
from mv3d.synthetic.performer import standing_person
from mv3d.synthetic.rigs import camera_ring

SIZE, FPS, FRAMES = (320, 200), 15.0, 30
RIG = camera_ring(4, size=SIZE, focal=190.0, seed=3)
EVERYBODY = Config(reconstruct=Config().reconstruct.of_people(None))


def several(people: int) -> np.ndarray:
    """(person, frame, joint, 3): on a line, 1.2 m apart."""
    return np.stack(
        [
            standing_person((1.2 * p - 1.2, 0.2 * p), 0.5, FRAMES, fps=FPS, skeleton=COCO_18, seed=p)
            for p in range(people)
        ]
    )


class Everybody:
    """Finds everybody exactly, in an order that changes; `away` holds (person, frame) that nobody sees."""

    skeleton = COCO_18

    def __init__(self, coded, truth: np.ndarray, away: frozenset[tuple[int, int]] = frozenset()) -> None:
        self._truth, self._away = truth, away
        self._codes = {
            coded(f, v, SIZE).tobytes(): (f, v) for f in range(truth.shape[1]) for v in range(len(RIG))
        }  # fmt: skip

        self.whole: list[int] = []
        self.crops: list[tuple[int, int]] = []

    def detect(self, images) -> list[Detections]:
        codes = [self._codes[image.tobytes()] for image in images]
        self.whole += sorted({frame for frame, _ in codes})
        return [self._seen(*code) for code in codes]

    def detect_in_crops(self, images, crops) -> list[Detections]:
        """What lies in each crop: whole people, parts of people, nobody."""
        out = []
        for image, own in zip(images, crops, strict=True):
            frame, view = self._codes[image.tobytes()]
            assert own[0].camera is RIG[view]
            self.crops.append((frame, view))
            found = self._seen(frame, view)
            at = to_crop(own[0], found.xy)
            score = np.where(((at >= 0) & (at <= own[0].size - 1)).all(-1), found.score, 0.0)
            kept = (score > 0).any(1)
            xy = np.where(score[..., None] > 0, found.xy, np.nan)
            out.append(Detections(xy[kept], score[kept], score[kept].mean(1), found.peaks_xy, found.peaks_score))
        return out

    def _seen(self, frame: int, view: int) -> Detections:
        there = [p for p in range(len(self._truth)) if (p, frame) not in self._away]
        there = np.random.default_rng([frame, view]).permutation(there).astype(int)
        xy = RIG[view].project(self._truth[there, frame])
        score = np.where(np.isfinite(xy[..., 0]), 0.8, 0.0)
        none = np.full((len(COCO_18), 6, 2), np.nan), np.zeros((len(COCO_18), 6))
        return Detections(xy, score, score.mean(1), *none)


def through(live_run, coded, truth: np.ndarray, config: Config = EVERYBODY, away=frozenset(), blind=frozenset()):
    """The run and its messages; cameras of `blind` (view, frame) have no picture."""
    info = SourceInfo("image", SIZE, FPS)
    frames = LiveFrames([LiveCamera(c.name, info, 8, lambda: 0.0) for c in RIG], LiveFramesConfig(), lambda: 0.0)
    follower = make_follower(RIG, Everybody(coded, truth, away), config)
    run, kept = live_run(RIG, follower, frames, partial(next, itertools.count(0.0, 0.01)))
    for f in range(truth.shape[1]):
        images = tuple(None if (v, f) in blind else coded(f, v, SIZE) for v in range(len(RIG)))
        run.take(FrameSet(f / FPS, 0.0, images, np.zeros(len(RIG)), {}))
    return run, kept.messages


def nearest(person: dict, truth: np.ndarray, frame: int) -> tuple[int, float]:
    """Whose skeleton it is, and its largest error over joints, m."""
    joints = [COCO_18.index(name) for name in person["joints"]]
    found = np.array([xyz[:3] for xyz in person["joints"].values()])
    errors = np.linalg.norm(found - truth[:, frame, joints], axis=-1).max(1)
    return int(errors.argmin()), float(errors.min())


def test_everybody_is_sent_under_numbers_that_stay(live_run, coded) -> None:
    truth = several(3)
    run, messages = through(live_run, coded, truth)
    numbers = {}
    for frame, message in enumerate(messages):
        # Somebody new counts once they were seen for 0.2 s.
        assert len(message["people"]) == (3 if frame >= 4 else 0) or frame == 3
        for person in message["people"]:
            who, error = nearest(person, truth, frame)
            # Small pictures: a pixel is 2.5 cm.
            assert error < 0.03
            numbers.setdefault(who, set()).add(person["id"])
    assert sorted(len(own) for own in numbers.values()) == [1, 1, 1]
    assert len(set.union(*numbers.values())) == 3
    assert run.status.people == 3


def test_who_leaves_is_gone_and_who_comes_back_has_the_same_number(live_run, coded) -> None:
    truth = several(2)
    away = frozenset((1, f) for f in range(8, 20))
    _, messages = through(live_run, coded, truth, away=away)
    seen = [{nearest(p, truth, f)[0]: p["id"] for p in m["people"]} for f, m in enumerate(messages)]
    assert set(seen[7]) == {0, 1}
    # A joint that no view shows is filled for 0.2 s.
    assert all(set(seen[f]) == {0} for f in range(12, 20))
    assert seen[29] == seen[7]


def test_no_more_than_asked_for_and_those_whom_most_views_see(coded) -> None:
    truth = several(3)

    class Fewer(Everybody):
        def _seen(self, frame: int, view: int) -> Detections:
            own = super()._seen(frame, view)
            if view < 2:
                return own
            other = np.linalg.norm(np.nan_to_num(own.xy - RIG[view].project(self._truth[1, frame])), axis=-1).max(1) > 1
            return replace(own, xy=own.xy[other], score=own.score[other], person_score=own.person_score[other])

    follower = make_follower(RIG, Fewer(coded, truth), Config(reconstruct=Config().reconstruct.of_people(2)))
    for f in range(FRAMES):
        seen = follower.look([coded(f, v, SIZE) for v in range(len(RIG))], f / FPS)
        people = follower.step(seen, f / FPS, np.zeros(len(RIG)))
    middles = np.array([np.nanmean(p.skeleton.xyz, axis=0) for p in people])
    expected = truth[[0, 2], -1].mean(1)
    assert len(people) == 2
    assert np.linalg.norm(middles[:, None] - expected, axis=-1).min(0).max() < 0.03


def test_cameras_that_stop_and_an_empty_place(live_run, coded) -> None:
    truth = several(2)
    blind = frozenset((v, f) for f in range(10, 20) for v in (0, 1)) | frozenset((v, 25) for v in range(4))
    _, messages = through(live_run, coded, truth, blind=blind)
    assert all(len(m["people"]) == 2 for m in messages[5:])
    assert {p["id"] for p in messages[-1]["people"]} == {p["id"] for p in messages[6]["people"]}
    nobody = frozenset((p, f) for p in range(2) for f in range(FRAMES))
    _, messages = through(live_run, coded, truth, away=nobody)
    assert not any(m["people"] for m in messages)


@pytest.mark.parametrize("lag", [0, 3])
def test_a_lag_is_that_of_everybody(live_run, coded, lag: int) -> None:
    truth = several(2)
    reconstruct = replace(EVERYBODY.reconstruct, causal=replace(EVERYBODY.reconstruct.causal, lag=lag))
    _, messages = through(live_run, coded, truth, Config(reconstruct=reconstruct))
    last = messages[-1]
    assert last["time"] == pytest.approx((FRAMES - 1 - lag) / FPS, abs=1e-3)
    errors = [nearest(person, truth, FRAMES - 1 - lag)[1] for person in last["people"]]
    assert len(errors) == 2
    assert max(errors) < 0.03


def test_what_is_shown_holds_everybody(live_run, coded) -> None:
    run, _ = through(live_run, coded, several(3))
    poses = poses3d_of(run.newest, COCO_18, RIG)
    assert poses.xyz.shape[1] == 3
    assert poses.person_id.tolist() == [person.number for person in run.newest.people]
    assert "3 in view" in content_of(run.newest, RIG, COCO_18).lines[1]


def test_whole_images_are_looked_at_until_somebody_is_found_and_then_once_a_second(coded) -> None:
    truth = several(2)
    estimator = Everybody(coded, truth)
    follower = make_follower(RIG, estimator, EVERYBODY)
    for f in range(FRAMES):
        follower.step(follower.look([coded(f, v, SIZE) for v in range(len(RIG))], f / FPS), f / FPS, np.zeros(len(RIG)))
    assert estimator.whole == [0, 15]
    # Two people, four views, in every frame but the first.
    assert len(estimator.crops) == 2 * len(RIG) * (FRAMES - 1)


def test_one_person_is_followed_as_ever(coded) -> None:
    assert isinstance(make_follower(RIG, Everybody(coded, several(1)), Config()), OnePerson)
    assert isinstance(make_follower(RIG, Everybody(coded, several(1)), EVERYBODY), SeveralPeople)


def test_preparing_leaves_nobody_behind(coded) -> None:
    class Dark(Everybody):
        def detect(self, images) -> list[Detections]:
            return [self._seen(0, v) for v in range(len(images))]

    follower = make_follower(RIG, Dark(coded, several(2)), EVERYBODY)
    follower.prepare()
    empty = follower.step(follower.look([None] * len(RIG), 0.0), 0.0, np.zeros(len(RIG)))
    assert empty == []
