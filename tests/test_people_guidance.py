"""Looks at several people: everybody once, whatever crops and whole images show of them."""

import numpy as np
import pytest

from mv3d.data.skeletons import COCO_18
from mv3d.guidance import GuidanceConfig
from mv3d.people_guidance import PeopleGuide, one_each
from mv3d.pose2d.crops import to_crop
from mv3d.pose2d.detections import Detections
from mv3d.synthetic.performer import standing_person
from mv3d.synthetic.rigs import camera_ring

SIZE = (640, 400)
RIG = camera_ring(3, size=SIZE, focal=380.0, seed=3)
IMAGES = [np.full((SIZE[1], SIZE[0], 3), v, np.uint8) for v in range(len(RIG))]
JOINTS = len(COCO_18)


def standing(x: float) -> np.ndarray:
    return standing_person((x, 0.0), 0.5, 1, fps=10.0, skeleton=COCO_18, seed=1)[0]


def found(xy: np.ndarray, score: float = 0.8, peaks: np.ndarray | None = None) -> Detections:
    """Detections (person, joint, 2), with one loose peak a joint."""
    scores = np.where(np.isfinite(xy[..., 0]), score, 0.0)
    peaks_xy = np.full((JOINTS, 1, 2), np.nan) if peaks is None else peaks[:, None]
    return Detections(xy, scores, scores.mean(1), peaks_xy, np.where(np.isfinite(peaks_xy[..., 0]), 0.5, 0.0))


class Stage:
    """Whole images show `whole`; crops show those of `near`, their joints in the crop, without joint `lost`."""

    skeleton = COCO_18

    def __init__(self, whole: list[np.ndarray], near: list[np.ndarray], lost: int | None = None) -> None:
        self._whole, self._near, self._lost = whole, near, lost
        self.crops: list[tuple[int, object]] = []
        self.searched = 0

    def detect(self, images) -> list[Detections]:
        self.searched += 1
        views = [int(image[0, 0, 0]) for image in images]
        people = [[RIG[view].project(p) for p in self._whole] for view in views]
        return [found(np.array(own).reshape(-1, JOINTS, 2)) for own in people]

    def detect_in_crops(self, images, crops) -> list[Detections]:
        out = []
        for image, own in zip(images, crops, strict=True):
            view = int(image[0, 0, 0])
            self.crops.append((view, own[0]))
            xy = np.array([RIG[view].project(p) for p in self._near])
            at = to_crop(own[0], xy)
            xy[~((at >= 0) & (at <= own[0].size - 1)).all(-1)] = np.nan
            peaks = xy[0].copy()
            if self._lost is not None:
                xy[0, self._lost] = np.nan
            out.append(found(xy[np.isfinite(xy[..., 0]).any(1)], 0.9, peaks))
        return out


def test_who_is_in_two_crops_and_the_whole_image_is_found_once() -> None:
    people = [standing(0.0), standing(0.5)]
    estimator = Stage(people, people)
    guide = PeopleGuide(RIG, estimator, GuidanceConfig(), search_s=0.0)
    look = guide.look(IMAGES, 0.0, dict(enumerate(people)))
    assert estimator.searched == 1
    assert sorted(view for view, _ in estimator.crops) == [0, 0, 1, 1, 2, 2]
    for view, (xy, score) in enumerate(zip(look.xy, look.score, strict=True)):
        assert len(xy) == 2
        assert (score.max(1) == 0.9).all()
        expected = np.array([RIG[view].project(p) for p in people])
        distance = np.nanmax(np.linalg.norm(xy[:, None] - expected, axis=-1), axis=-1)
        # Findings are exact here.
        np.testing.assert_allclose(np.sort(distance, axis=1)[:, 0], 0, atol=1e-9)


def test_whole_images_find_who_is_not_expected() -> None:
    known, other = standing(0.0), standing(-1.5)
    look = PeopleGuide(RIG, Stage([known, other], [known]), GuidanceConfig(), 0.0).look(IMAGES, 0.0, {4: known})
    assert [len(xy) for xy in look.xy] == [2, 2, 2]


@pytest.mark.parametrize(("search_s", "searches"), [(0.0, 4), (0.25, 2), (10.0, 1)])
def test_how_often_whole_images_are_looked_at(search_s: float, searches: int) -> None:
    person = standing(0.0)
    estimator = Stage([person], [person])
    guide = PeopleGuide(RIG, estimator, GuidanceConfig(), search_s)
    for frame in range(4):
        guide.look(IMAGES, 0.1 * frame, {} if frame == 0 else {0: person})
    assert estimator.searched == searches


def test_a_joint_that_the_finding_lacks_is_filled_from_a_loose_peak() -> None:
    person, wrist = standing(0.0), COCO_18.index("RWrist")
    look = PeopleGuide(RIG, Stage([], [person], wrist), GuidanceConfig(), 10.0).look(IMAGES, 0.0, {0: person})
    for view, (xy, score) in enumerate(zip(look.xy, look.score, strict=True)):
        np.testing.assert_allclose(xy[0, wrist], RIG[view].project(person)[wrist], atol=1e-9)
        assert score[0, wrist] == pytest.approx(0.25)


def test_views_without_an_image_or_without_the_person_are_left_alone() -> None:
    person, away = standing(0.0), standing(50.0)
    estimator = Stage([], [person])
    look = PeopleGuide(RIG, estimator, GuidanceConfig(), 10.0).look([None, *IMAGES[1:]], 0.0, {0: person, 1: away})
    assert sorted(view for view, _ in estimator.crops) == [1, 2]
    assert [len(xy) for xy in look.xy] == [0, 1, 1]


def test_two_of_one_look_are_two_people_and_two_of_two_looks_are_one() -> None:
    person = RIG[0].project(standing(0.0))
    near = person + 3.0
    xy, _ = one_each([found(np.array([person, near]))], JOINTS)
    assert len(xy) == 2
    xy, score = one_each([found(person[None], 0.5), found(near[None], 0.6)], JOINTS)
    np.testing.assert_array_equal(xy, near[None])
    xy, score = one_each([], JOINTS)
    assert xy.shape == (0, JOINTS, 2)
    assert score.shape == (0, JOINTS)
