"""The closer look at the wrists, with a detector that says exactly what the test wants."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from mv3d.close_looks import CloseLookConfig, look_closer
from mv3d.data.rig import Rig
from mv3d.data.skeletons import COCO_18
from mv3d.pose2d.crops import VirtualCamera, make_crop, source_pixels_per_metre, to_crop, to_source
from mv3d.pose2d.detector import PeakDetector
from mv3d.pose2d.estimator import PoseEstimator
from mv3d.synthetic.performer import standing_person
from mv3d.synthetic.rigs import camera_ring

R_WRIST, L_WRIST = COCO_18.indices(("RWrist", "LWrist"))
UP = np.array([0.0, 0.0, 1.0])
FIRST_SCORE, SECOND_SCORE = 0.3, 0.6
# Everything is algebra on doubles.
EXACT_PX = 1e-9


@dataclass
class ExactDetector:
    """Sees every joint where it truly is, moved by `off` (2,) px, and something else far away first."""

    rig: Rig
    truth: np.ndarray
    off: np.ndarray = field(default_factory=lambda: np.zeros(2))
    crops: list[VirtualCamera] = field(default_factory=list)
    skeleton = COCO_18

    def detect(self, images: Sequence[np.ndarray], /) -> list:
        raise AssertionError("nobody looks at whole images here")

    def detect_in_crops(self, images: Sequence[np.ndarray], crops: Sequence[Sequence[VirtualCamera]], /) -> list:
        raise AssertionError("nobody is put together in a close look")

    def peaks_in_crops(
        self, images: Sequence[np.ndarray], crops: Sequence[VirtualCamera], /
    ) -> tuple[np.ndarray, np.ndarray]:
        self.crops += crops
        xy = np.full((len(crops), len(COCO_18), 3, 2), np.nan)
        score = np.zeros(xy.shape[:-1])
        for i, crop in enumerate(crops):
            at = crop.camera.project(self.truth)
            xy[i, :, 0], score[i, :, 0] = at + 500, 0.99
            xy[i, :, 1], score[i, :, 1] = at + self.off, SECOND_SCORE
        return xy, score


@pytest.fixture
def rig() -> Rig:
    return camera_ring(3, size=(640, 480), focal=500.0, distortion=np.array([-0.1, 0.03, 0.0, 0.0]), seed=1)


@pytest.fixture
def truth() -> np.ndarray:
    return standing_person((0.0, 0.0), 0.3, 1, skeleton=COCO_18, seed=2)[0]


def _first_look(rig: Rig, truth: np.ndarray) -> tuple[list[VirtualCamera], np.ndarray, np.ndarray, np.ndarray]:
    """Crops, keypoints 3 px to the right of the truth, their scores, and candidates of which they are the second."""
    crops = [make_crop(camera, truth.mean(0), UP, 160.0, 352) for camera in rig]
    xy = np.stack([camera.project(truth) for camera in rig]) + np.array([3.0, 0.0])
    return crops, xy, np.full(xy.shape[:2], FIRST_SCORE), np.stack([xy + 50, xy], axis=2)


def _images(rig: Rig) -> list[np.ndarray | None]:
    return [np.zeros((c.size[1], c.size[0], 3), np.uint8) for c in rig]


def test_a_wrist_lies_at_the_mean_of_both_looks_by_their_scores(rig: Rig, truth: np.ndarray) -> None:
    crops, xy, score, peaks_xy = _first_look(rig, truth)
    before = xy.copy()
    detector = ExactDetector(rig, truth)
    assert isinstance(detector, PeakDetector)
    look_closer(detector, _images(rig), crops, truth, xy, score, peaks_xy, CloseLookConfig())
    wrists = [R_WRIST, L_WRIST]
    third = 3.0 * FIRST_SCORE / (FIRST_SCORE + SECOND_SCORE)
    for v, camera in enumerate(rig):
        np.testing.assert_allclose(xy[v, wrists], camera.project(truth[wrists]) + np.array([third, 0]), atol=EXACT_PX)
    others = np.setdiff1d(np.arange(len(COCO_18)), wrists)
    np.testing.assert_array_equal(xy[:, others], before[:, others])
    np.testing.assert_array_equal(peaks_xy[:, :, 1], xy)
    np.testing.assert_array_equal(peaks_xy[:, :, 0], before + 50)


def test_crops_show_the_forearm_larger_and_whole(rig: Rig, truth: np.ndarray) -> None:
    crops, xy, score, peaks_xy = _first_look(rig, truth)
    detector = ExactDetector(rig, truth)
    look_closer(detector, _images(rig), crops, truth, xy, score, peaks_xy, CloseLookConfig(zoom=2.0, crop_px=224))
    assert len(detector.crops) == 2 * len(rig)
    for crop, (wrist, elbow) in zip(
        detector.crops, [("RWrist", "RElbow")] * 3 + [("LWrist", "LElbow")] * 3, strict=True
    ):
        assert crop.pixels_per_metre == pytest.approx(320.0)
        assert crop.size == 224
        ends = to_crop(crop, crop.camera.project(truth[list(COCO_18.indices((wrist, elbow)))]))
        assert ((ends > 0) & (ends < 223)).all()
        # The target is the forearm's middle; perspective moves the ends' mean off it by little.
        np.testing.assert_allclose(ends.mean(0), 111.5, atol=3.0)


@pytest.mark.parametrize("case", ["far", "no image", "not found", "unknown elbow"])
def test_what_leaves_a_wrist_alone(rig: Rig, truth: np.ndarray, case: str) -> None:
    crops, xy, score, peaks_xy = _first_look(rig, truth)
    images, expected, detector = _images(rig), truth.copy(), ExactDetector(rig, truth)
    if case == "far":
        # Beyond 8 cm at the scale of the source image.
        detector.off = np.array([3.0 + 0.09 * source_pixels_per_metre(crops[0]), 0.0])
    elif case == "no image":
        images[0] = None
    elif case == "not found":
        score[0, R_WRIST], xy[0, R_WRIST] = 0.0, np.nan
    else:
        expected[COCO_18.index("RElbow")] = np.nan
    before = xy.copy()
    look_closer(detector, images, crops, expected, xy, score, peaks_xy, CloseLookConfig())
    np.testing.assert_array_equal(xy[0, R_WRIST], before[0, R_WRIST])


@pytest.mark.parametrize(("setting", "value"), [("crop_px", 100), ("crop_px", 0), ("zoom", 0.0)])
def test_settings_that_cannot_be(setting: str, value: float) -> None:
    with pytest.raises(ValueError, match=setting):
        replace(CloseLookConfig(), **{setting: value})


def test_the_network_tells_its_peaks_as_it_does_when_it_finds_people(rig: Rig, truth: np.ndarray) -> None:
    torch.set_num_threads(1)
    estimator = PoseEstimator(long_sides=(368,))
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    crops = [make_crop(camera, truth.mean(0), UP, 100.0, 176) for camera in rig]
    xy, score = estimator.peaks_in_crops([noise] * 3, crops)
    people = estimator.detect_in_crops([noise] * 3, [[crop] for crop in crops])
    np.testing.assert_allclose(xy, np.stack([p.peaks_xy for p in people]), atol=1e-6)
    np.testing.assert_allclose(score, np.stack([p.peaks_score for p in people]), atol=1e-6)
    empty = estimator.peaks_in_crops([], [])
    assert [a.shape[0] for a in empty] == [0, 0]
    assert isinstance(estimator, PeakDetector)
    np.testing.assert_allclose(to_source(crops[0], to_crop(crops[0], np.array([[300.0, 200.0]]))), [[300, 200]])
