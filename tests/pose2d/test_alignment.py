"""Half pixels, proven on blobs: a network that answers each input pixel where it is leaves only our own mistakes.

The stand-in's map is the mean of 8 x 8 (or other) pixels, so a blob of the image is a peak of the maps at the middle of
its cells. Whatever the scale, crop, turn or mirror, the blob must come back at the source pixel where it was drawn.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.data.skeletons import COCO_18, HAND_21
from mv3d.pose2d.config import EngineConfig, PartConfig, ResolutionConfig
from mv3d.pose2d.crops import make_crop
from mv3d.pose2d.estimator import PoseEstimator
from mv3d.pose2d.models import MODELS
from mv3d.pose2d.part_boxes import PartBox
from mv3d.pose2d.part_estimator import PartEstimator, crop_square, square_to_source

_DARK = 40.0


class _BlobEngine:
    """Maps that are the picture: its brightness above the dark, averaged over each cell, at every joint."""

    device = torch.device("cpu")

    def __init__(self, stride: int, maps: int, pafs: int) -> None:
        self._stride, self._maps, self._pafs = stride, maps, pafs

    def maps(self, images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        count, height, width, _ = images.shape
        s = self._stride
        bright = (images[..., 0].astype(np.float32) - _DARK) / (255 - _DARK)
        cells = torch.from_numpy(bright.reshape(count, height // s, s, width // s, s).mean((2, 4)))[:, None]
        return cells.repeat(1, self._maps, 1, 1), torch.zeros(count, self._pafs, *cells.shape[2:])


def _blob(size: tuple[int, int], at: np.ndarray, sigma: float) -> np.ndarray:
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    bright = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * sigma**2))
    return np.repeat(np.round(_DARK + (255 - _DARK) * bright)[..., None], 3, axis=2).astype(np.uint8)


def _estimator(monkeypatch, stride: int, **how) -> PoseEstimator:
    model = replace(MODELS["mobilenet_thin"], stride=stride, cell_offset=((stride - 1) / 2,) * 2)
    monkeypatch.setitem(MODELS, "mobilenet_thin", model)
    estimator = PoseEstimator(**how)
    estimator._engine = _BlobEngine(stride, COCO_18.heatmap_count, COCO_18.paf_count)
    return estimator


@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize("decode", ["host", "device"])
@pytest.mark.parametrize("net", ["-1x368", "-1x192", "-1x736"])
def test_whole_images_at_every_stride_and_scale(monkeypatch, stride, decode, net):
    resolution = ResolutionConfig(net, scale_number=1)
    estimator = _estimator(monkeypatch, stride, resolution=resolution, engine=EngineConfig(decode=decode))
    scale = 360 / int(net.split("x")[1])
    for at in np.random.default_rng(stride).uniform((150, 120), (490, 240), (3, 2)):
        # As wide as one and a half cells of the net, in source px.
        (found,) = estimator.detect([_blob((640, 360), at, 1.5 * stride * scale)])
        # 8 bits of grey and the flat top of a mean of Gaussians: some hundredths of a cell.
        assert np.abs(found.peaks_xy[0, 0] - at).max() < 0.03 * stride * scale


@pytest.mark.parametrize("turn", np.deg2rad([0, 17, 90, 200]))
@pytest.mark.parametrize("per_metre", [60.0, 150.0])
def test_crops_at_every_turn_and_scale(monkeypatch, turn, per_metre):
    estimator = _estimator(monkeypatch, 8)
    K = np.array([[700.0, 0, 321], [0, 700, 178], [0, 0, 1]])
    camera = Camera("cam", (640, 360), Pinhole(K, np.zeros(5)), np.eye(3), np.zeros(3))
    up = np.array([np.sin(turn), -np.cos(turn), 0.0])
    for at in np.random.default_rng(3).uniform((200, 120), (440, 240), (3, 2)):
        target = camera.rays(at + np.array([9.0, -6.0])) * 3.0
        crop = make_crop(camera, target, up, per_metre, 256)
        source_per_crop_px = 700 / crop.focal
        (found,) = estimator.detect_in_crops([_blob((640, 360), at, 12 * source_per_crop_px)], [[crop]])
        assert np.abs(found.peaks_xy[0, 0] - at).max() < 0.04 * 8 * source_per_crop_px


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("side", [90.0, 184.0, 500.0])
def test_squares_of_hands(mirrored, side):
    engine = _BlobEngine(8, HAND_21.heatmap_count, 0)
    for scale_number in (1, 3):
        estimator = PartEstimator(MODELS["hand_21"], engine, PartConfig(184, scale_number=scale_number))
        for at in np.random.default_rng(5).uniform((150, 120), (490, 240), (3, 2)):
            box = PartBox((float(at[0]) + 0.1 * side, float(at[1]) - 0.07 * side), side, mirrored)
            xy, score = estimator.look([_blob((640, 360), at, 12 * side / 184)], [box])
            assert np.abs(xy[0] - at).max() < 0.03 * 8 * side / 184
            assert (score > 0.7).all()


def test_a_mirrored_square_is_the_square_in_a_mirror():
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    box = PartBox((70.3, 55.8), 64.0)
    plain, mirrored = (crop_square(image, replace(box, mirrored=m), 64) for m in (False, True))
    assert np.abs(plain.astype(int) - mirrored[:, ::-1]).max() <= 1
    # A square of the crop's own size on whole pixels is the image itself.
    exact = crop_square(image, PartBox((63.5, 47.5), 64.0), 64)
    np.testing.assert_array_equal(exact, image[16:80, 32:96])
    np.testing.assert_allclose(square_to_source(np.array([0.0, 0.0]), PartBox((63.5, 47.5), 64.0), 64), [32, 16])


def test_squares_beyond_the_image_are_black():
    image = np.full((50, 60, 3), 200, np.uint8)
    assert crop_square(image, PartBox((500.0, 500.0), 64.0), 64).max() == 0
    half = crop_square(image, PartBox((0.0, 25.0), 40.0), 40)
    assert (half[20, :18] == 0).all()
    assert (half[20, 22:] == 200).all()
