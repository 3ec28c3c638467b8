import cv2
import numpy as np
import pytest
import torch

from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.data.skeletons import COCO_18
from mv3d.errors import ConfigError
from mv3d.pose2d.crops import make_crop, to_crop
from mv3d.pose2d.estimator import PoseEstimator

_UP = np.array([0.0, -1.0, 0.0])


def _camera(size=(480, 640), distortion=(-0.1, 0.02, 0, 0)) -> Camera:
    K = np.array([[600.0, 0, size[0] / 2], [0, 600, size[1] / 2], [0, 0, 1]])
    return Camera("cam", size, Pinhole(K, np.array(distortion)), np.eye(3), np.zeros(3))


def test_a_drawn_person_is_found_with_left_and_right(estimator, draw_people):
    (found,) = estimator.detect([draw_people((256, 368), [(127.5, 70, 230)])])
    assert estimator.skeleton is COCO_18
    assert len(found) == 1
    assert np.isfinite(found.xy).all()
    assert ((found.score > 0) & (found.score <= 1)).all()
    for name in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Eye", "Ear"):
        right, left = COCO_18.index(f"R{name}"), COCO_18.index(f"L{name}")
        # The person faces us: their right is on the image's left.
        assert found.xy[0, right, 0] < found.xy[0, left, 0] - 2
    y = found.xy[0, :, 1]
    assert y[COCO_18.index("Nose")] < y[COCO_18.index("RShoulder")] < y[COCO_18.index("RHip")]
    assert y[COCO_18.index("RHip")] < y[COCO_18.index("RKnee")] < y[COCO_18.index("RAnkle")]
    np.testing.assert_array_equal(found.peaks_xy[:, 0], found.xy[0])


def test_cells_are_where_the_model_says(estimator, draw_people):
    """A symmetric person is found symmetric: an error of the cells' place would move both sides the same way.

    Eight pixels a cell: half a cell of error is 4 px. Averaged over places within a cell and over 18 joints, what
    is left is the network's own left-right bias on this drawing.
    """
    bias = []
    for shift in np.arange(0, 8, 1.0):
        middle = 120 + shift
        (found,) = estimator.detect([draw_people((256, 368), [(middle, 70, 230)])])
        x = found.xy[0, :, 0]
        bias.append(np.mean(x + x[COCO_18.mirror]) / 2 - middle)
    assert abs(np.mean(bias)) < 1.0
    assert np.ptp(bias) < 1.5


def test_a_shifted_image_shifts_the_person(estimator, draw_people):
    image = draw_people((256, 368), [(127.5, 70, 230)])
    (still,) = estimator.detect([image])
    for shift in (3, 8):
        moved_image = cv2.warpAffine(image, np.float32([[1, 0, shift], [0, 1, shift]]), (256, 368), borderMode=1)
        (moved,) = estimator.detect([moved_image])
        # A whole cell is exact but for the borders; parts of a cell move through the network's own sampling.
        tolerance = 1.5 if shift % 8 else 0.5
        assert np.median(np.abs(moved.xy[0] - still.xy[0] - shift)) < tolerance


def test_images_of_several_sizes_in_one_call(estimator, draw_people):
    upright = draw_people((256, 368), [(127.5, 70, 230)])
    large = cv2.resize(upright, None, fx=2.5, fy=2.5, interpolation=cv2.INTER_CUBIC)
    empty = draw_people((400, 200), [])
    one, big, none = estimator.detect([upright, large, empty])
    assert len(none) == 0
    assert (none.peaks_score >= 0).all()
    # The same picture, 2.5 times as large: the same place in the source, half pixels respected.
    np.testing.assert_allclose(np.median(big.xy[0] - ((one.xy[0] + 0.5) * 2.5 - 0.5)), 0, atol=1.0)


def test_two_people_the_larger_first(estimator, draw_people):
    (found,) = estimator.detect([draw_people((320, 368), [(80, 110, 180), (220, 60, 250)])])
    assert len(found) == 2
    assert found.xy[0, 1, 0] > 160 > found.xy[1, 1, 0]


def test_a_second_scale_finds_a_small_person(draw_people):
    image = draw_people((736, 736), [(200, 130, 550), (540, 400, 60)])
    one = PoseEstimator(long_sides=(368,)).detect([image])[0]
    both = PoseEstimator(long_sides=(368, 736)).detect([image])[0]
    assert (len(one), len(both)) == (1, 2)
    assert both.peaks_xy.shape == (18, 6, 2)


def test_crops_give_source_pixels(estimator, draw_people):
    image = draw_people((480, 640), [(260, 150, 330)])
    camera = _camera()
    target = camera.rays(np.array([260.0, 315.0])) * 3
    gravity, leaning = (make_crop(camera, target, up, 180.0, 352) for up in (_UP, np.array([0.3, -1, 0])))
    (whole,) = PoseEstimator(long_sides=(448,)).detect([image])
    for crops in ([gravity], [leaning], [gravity, leaning]):
        (found,) = estimator.detect_in_crops([image], [crops])
        assert len(found) == 1
        known = np.isfinite(found.xy[0, :, 0])
        assert known.sum() >= 15
        inside = to_crop(crops[0], found.xy[0, known])
        assert ((inside > 0) & (inside < 352)).all()
        # Whole image and crop look at other pixels of other sizes; the joints agree within a few per cent of 330 px.
        assert np.nanmedian(np.linalg.norm(found.xy[0] - whole.xy[0], axis=-1)) < 6


def test_crops_of_many_images_in_one_call(estimator, draw_people):
    image, camera = draw_people((480, 640), [(260, 150, 330)]), _camera()
    crop = make_crop(camera, camera.rays(np.array([260.0, 315.0])) * 3, _UP, 180.0, 352)
    nobody, alone, twice = estimator.detect_in_crops([image, image, image], [[], [crop], [crop, crop]])
    assert len(nobody) == 0
    assert nobody.peaks_xy.shape == alone.peaks_xy.shape
    # A crop averaged with itself is itself.
    np.testing.assert_allclose(twice.xy, alone.xy, atol=0.05)
    assert [len(d) for d in estimator.detect_in_crops([image], [[]])] == [0]


def test_crops_are_checked(estimator, draw_people):
    image, camera = draw_people((480, 640), []), _camera()
    small, large = (make_crop(camera, np.array([0, 0, 3.0]), _UP, 155.0, size) for size in (64, 96))
    with pytest.raises(ValueError, match="1 images but crops for 2"):
        estimator.detect_in_crops([image], [[small], [small]])
    with pytest.raises(ValueError, match="one size"):
        estimator.detect_in_crops([image, image], [[small], [large]])


def test_arguments_are_checked():
    with pytest.raises(ConfigError, match="no 2D model"):
        PoseEstimator("body_99")
    with pytest.raises(ValueError, match="long_sides"):
        PoseEstimator(long_sides=())
    assert PoseEstimator().detect([]) == []


def test_threads_are_left_to_the_caller(draw_people):
    before = torch.get_num_threads(), cv2.getNumThreads()
    PoseEstimator(long_sides=(64,)).detect([draw_people((64, 64), [])])
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before
