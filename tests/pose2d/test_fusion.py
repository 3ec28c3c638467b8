import numpy as np
import pytest
import torch

from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.data.skeletons import COCO_18
from mv3d.pose2d.crops import VirtualCamera, make_crop, to_crop, to_source
from mv3d.pose2d.fusion import fuse_maps
from mv3d.pose2d.ideal_maps import ideal_maps
from mv3d.pose2d.peaks import find_peaks

_OFFSET = (3.0, 2.5)
_CAMERA = Camera("cam", (1080, 1920), Pinhole(np.array([[1600.0, 0, 540], [0, 1600, 960], [0, 0, 1]]), np.zeros(0)),
                 np.eye(3), np.array([0, 0, 4.0]))  # fmt: skip


def _crop(roll: float, target=(0.0, 0.0, 0.0), size=256) -> VirtualCamera:
    up = np.array([np.sin(roll), -np.cos(roll), 0])
    return make_crop(_CAMERA, np.array(target), up, 140.0, size)


def _fused(xy: np.ndarray, crops: tuple[VirtualCamera, ...], weights=(1.0, 1.0)):
    """Ideal maps of a person (joints in px of the first crop) in every crop, fused."""
    source = to_source(crops[0], xy)
    cells = (crops[0].size // 8,) * 2
    maps = [ideal_maps(to_crop(crop, source)[None], COCO_18, cells, 8, _OFFSET) for crop in crops]
    heatmaps, pafs = (
        torch.from_numpy(np.stack([w * m[k] for w, m in zip(weights, maps, strict=True)])) for k in (0, 1)
    )
    return heatmaps, pafs, *fuse_maps(heatmaps, pafs, crops, 8, _OFFSET)


def _person() -> np.ndarray:
    """Eighteen joints within 80 px of the middle of a 256 px crop, apart from each other."""
    angle = np.arange(18) * 2.4
    return 127.5 + np.sqrt(np.arange(1, 19) / 18)[:, None] * 80 * np.stack([np.cos(angle), np.sin(angle)], -1)


@pytest.mark.parametrize("roll", [-1.9, -0.6, 0.25, 1.2, 3.0])
def test_a_rolled_crop_adds_the_same_peaks_and_fields(roll):
    xy = _person()
    heatmaps, pafs, heat, paf = _fused(xy, (_crop(0.0), _crop(roll)))
    found = find_peaks(heat[:18].numpy(), 0.3, 8, _OFFSET)
    # Cubic sampling bends peaks one cell wide by some px, half of it in the mean with the crop's own.
    np.testing.assert_allclose(found.xy[:, 0], xy, atol=0.7)
    # Both fields are the same vectors in the first crop; limbs 2 cells wide blur when turned, but keep direction.
    dot = (paf * pafs[0]).sum() / (paf.norm() * pafs[0].norm())
    assert dot > 0.9
    assert np.abs((heat - heatmaps[0])[:18].numpy()).max() < 0.2


def test_vectors_turn_with_the_crop():
    """A constant field to the right of the second crop, which is rolled by a right angle, is vertical in the first."""
    first, second = _crop(0.0), _crop(np.pi / 2)
    heatmaps, pafs = torch.zeros(2, 19, 32, 32), torch.zeros(2, 38, 32, 32)
    pafs[1, 0::2] = 1
    _, paf = fuse_maps(heatmaps, pafs, (first, second), 8, _OFFSET)
    right_in_second = to_crop(first, to_source(second, np.array([[127.5, 127.5], [137.5, 127.5]])))
    direction = np.diff(right_in_second, axis=0)[0] / 10
    np.testing.assert_allclose(2 * paf[:2, 16, 16].numpy(), direction, atol=0.02)


def test_one_crop_is_left_as_it_is():
    heatmaps, pafs, heat, paf = _fused(_person(), (_crop(0.0),), weights=(1.0,))
    assert torch.equal(heat, heatmaps[0])
    assert torch.equal(paf, pafs[0])


def test_where_only_the_first_crop_reaches_it_counts_alone():
    first, second = _crop(0.0), _crop(0.0, target=(0.9, 0.0, 0.0))
    ones = torch.ones(2, 19, 32, 32)
    ones[1] = 3
    heat, _ = fuse_maps(ones, torch.zeros(2, 38, 32, 32), (first, second), 8, _OFFSET)
    assert heat[0, 16, 2].item() == pytest.approx(1.0)
    assert heat[0, 16, 30].item() == pytest.approx(2.0, abs=1e-4)
