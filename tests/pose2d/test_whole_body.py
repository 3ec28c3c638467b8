"""Where hands and faces are looked for, and how what is found there joins the body."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mv3d.data.skeletons import BODY_25, COCO_18, FACE_70, HAND_21, MPI_15
from mv3d.errors import ConfigError
from mv3d.pose2d.config import EngineConfig, PartConfig
from mv3d.pose2d.detections import Detections
from mv3d.pose2d.models import MODELS
from mv3d.pose2d.part_boxes import face_box, hand_box
from mv3d.pose2d.part_estimator import PartEstimator, load_part_estimator
from mv3d.pose2d.whole_body import WholeBodyEstimator


def _person(skeleton, **joints) -> tuple[np.ndarray, np.ndarray]:
    xy, score = np.full((len(skeleton), 2), np.nan), np.zeros(len(skeleton))
    for name, at in joints.items():
        xy[skeleton.index(name)], score[skeleton.index(name)] = at, 0.9
    return xy, score


def test_the_hand_lies_beyond_the_wrist():
    xy, score = _person(COCO_18, RWrist=(100, 200), RElbow=(100, 140), RShoulder=(100, 60))
    box = hand_box(xy, score, COCO_18, "R")
    assert box.center == pytest.approx((100, 200 + 0.33 * 60))
    assert box.side == pytest.approx(1.5 * 0.9 * 80)  # the upper arm is the longer one
    assert not box.mirrored
    assert hand_box(xy, score, COCO_18, "L") is None
    xy, score = _person(BODY_25, LWrist=(10, 20), LElbow=(10, 60), LShoulder=(30, 60))
    assert hand_box(xy, score, BODY_25, "L").mirrored
    assert hand_box(xy, score, BODY_25, "L").side == pytest.approx(60)
    score[BODY_25.index("LElbow")] = 0.02
    assert hand_box(xy, score, BODY_25, "L") is None
    tiny = _person(COCO_18, RWrist=(1, 2), RElbow=(1, 1), RShoulder=(2, 1))
    assert hand_box(*tiny, COCO_18, "R") is None


def test_the_face_is_the_mean_of_what_is_known():
    frontal = {"Neck": (100, 160), "Nose": (100, 100)}
    box = face_box(*_person(COCO_18, **frontal), COCO_18)
    assert (box.center, box.side) == ((100, 130), 120)
    box = face_box(*_person(COCO_18, **frontal, REye=(85, 90), LEye=(115, 90)), COCO_18)
    assert box.center == pytest.approx((100, (130 + 90) / 2))
    assert box.side == pytest.approx((120 + 90) / 2)
    profile = face_box(*_person(COCO_18, **frontal, REye=(85, 90), REar=(60, 95)), COCO_18)
    assert profile.center == pytest.approx(((100 + 85 + 60) / 3, (100 + 90 + 95) / 3))
    assert profile.side == pytest.approx(0.85 * (np.hypot(15, 10) + np.hypot(40, 5) + 60))
    head = face_box(*_person(MPI_15, Neck=(50, 90), Head=(50, 40)), MPI_15)
    assert head.center == (50, 40)
    assert head.side == pytest.approx(1.33 * 50)
    assert face_box(*_person(COCO_18, Neck=(0, 0), Nose=(0, 15)), COCO_18) is None
    assert face_box(*_person(COCO_18, RWrist=(0, 0)), COCO_18) is None


class _SpotEngine:
    """Finds the brightest cell at every joint, with a score that grows with its brightness."""

    device = torch.device("cpu")

    def __init__(self, maps: int) -> None:
        self._maps = maps
        self.batches: list[int] = []

    def maps(self, images: np.ndarray):
        self.batches.append(len(images))
        n, h, w, _ = images.shape
        cells = torch.from_numpy(images[..., 0].astype(np.float32).reshape(n, h // 8, 8, w // 8, 8).mean((2, 4)) / 255)
        return cells[:, None].repeat(1, self._maps, 1, 1), torch.zeros(n, 0, h // 8, w // 8)


class _Body:
    """Finds the same people in every image."""

    skeleton = COCO_18

    def __init__(self, *people) -> None:
        xy, score = (np.stack([p[i] for p in people]) if people else np.zeros((0, 18, 2)[: 3 - i]) for i in (0, 1))
        self._found = Detections(xy, score, np.ones(len(people)), np.full((18, 4, 2), np.nan), np.zeros((18, 4)))

    def detect(self, images):
        return [self._found for _ in images]

    def detect_in_crops(self, images, crops):
        return self.detect(images)


_ARM = {"LWrist": (100, 100), "LElbow": (100, 60), "LShoulder": (100, 20)}


def _parts(skeleton, name, **config) -> tuple[PartEstimator, _SpotEngine]:
    engine = _SpotEngine(skeleton.heatmap_count)
    return PartEstimator(MODELS[name], engine, PartConfig(64, **config)), engine


def _image(*spots) -> np.ndarray:
    image = np.zeros((200, 240, 3), np.uint8)
    for x, y in spots:
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
    return image


def test_hands_and_faces_join_the_body():
    hand, engine = _parts(HAND_21, "hand_21")
    face, _ = _parts(FACE_70, "face_70")
    nose = {"Neck": (180, 150), "Nose": (180, 110), "REye": (170, 100), "LEye": (190, 100)}
    whole = WholeBodyEstimator(_Body(_person(COCO_18, **_ARM, **nose)), hand, face)
    assert len(whole.skeleton) == 18 + 21 + 21 + 70
    (found,) = whole.detect([_image((108, 120), (185, 121))])
    groups = dict(whole.skeleton.groups)
    assert np.isnan(found.xy[0, list(groups["right_hand"])]).all()
    # A square of 54 px in 64: a cell is 6.75 px wide, the spot 5.
    assert np.abs(found.xy[0, list(groups["left_hand"])] - (108, 120)).max() < 3.5
    assert np.abs(found.xy[0, list(groups["face"])] - (185, 121)).max() < 4.5
    assert found.peaks_xy.shape == (130, 4, 2)
    np.testing.assert_array_equal(found.peaks_xy[18:, 0], found.xy[0, 18:])
    assert engine.batches == [1]
    assert len(whole.detect([])) == 0


def test_all_people_of_all_images_make_one_batch():
    hand, engine = _parts(HAND_21, "hand_21")
    other = {name: (x + 60, y) for name, (x, y) in _ARM.items()}
    whole = WholeBodyEstimator(_Body(_person(COCO_18, **_ARM), _person(COCO_18, **other)), hand, None)
    found = whole.detect_in_crops([_image((100, 113)), _image((160, 113))], [(), ()])
    assert engine.batches == [4]
    left = list(dict(whole.skeleton.groups)["left_hand"])
    assert np.isfinite(found[0].xy[0, left]).all()
    assert np.isnan(found[0].xy[1, left]).all()
    assert np.isfinite(found[1].xy[1, left]).all()
    nobody = WholeBodyEstimator(_Body(), hand, None).detect([_image()])
    assert len(nobody[0]) == 0
    assert nobody[0].xy.shape == (0, 60, 2)


def test_of_several_scales_the_best_wins():
    """A spot is brightest in the smallest square, where it fills the cell."""
    estimator, engine = _parts(HAND_21, "hand_21", scale_number=3, scale_range=1.0)
    box = hand_box(*_person(COCO_18, **_ARM), COCO_18, "L")
    _, several = estimator.look([_image((100, 113))], [box])
    assert engine.batches == [3]
    _, one = _parts(HAND_21, "hand_21")[0].look([_image((100, 113))], [replace(box, side=box.side / 2)])
    np.testing.assert_allclose(several, one)


def test_an_arm_that_is_not_found_is_where_the_skeleton_was():
    hand, engine = _parts(HAND_21, "hand_21")
    nearly = {**_ARM, "Nose": (105, 0), "RWrist": (30, 80)}
    expected, _ = _person(COCO_18, **{name: (x + 2, y + 1) for name, (x, y) in nearly.items()})
    without_wrist = {name: at for name, at in nearly.items() if name != "LWrist"}
    whole = WholeBodyEstimator(_Body(_person(COCO_18, **without_wrist)), hand, None)
    image = _image((102, 114))
    (blind,) = whole.detect_in_crops([image], [()])
    assert engine.batches == []
    whole.expect([expected])
    (guided,) = whole.detect_in_crops([image], [()])
    left = list(dict(whole.skeleton.groups)["left_hand"])
    assert np.isfinite(guided.xy[0, left]).all()
    # The body itself stays as it was found.
    np.testing.assert_array_equal(guided.xy[0, :18], blind.xy[0, :18])
    whole.expect([expected + 150])
    (far,) = whole.detect_in_crops([image], [()])
    assert np.isnan(far.xy[0, left]).all()


def test_what_is_asked_for_is_checked():
    with pytest.raises(ConfigError, match="body_25 finds people"):
        load_part_estimator("body_25", "cpu", EngineConfig(), PartConfig())
    with pytest.raises(ConfigError, match="hand_21 has no weights here"):
        load_part_estimator("hand_21", "cpu", EngineConfig(), PartConfig())
    for wrong in ({"size": 100}, {"scale_number": 0}, {"scale_range": 2.5}, {"threshold": 0.0}):
        with pytest.raises(ValueError, match=r"wanted|at least"):
            PartConfig(**wrong)
