import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mv3d.data.skeletons import COCO_18
from mv3d.pose2d.ideal_maps import ideal_maps
from mv3d.pose2d.models import load_network, model_named
from mv3d.pose2d.peaks import find_peaks

_STRIDE, _OFFSET = 8, (3.5, 3.5)


def _brute_force(heatmap: np.ndarray, threshold: float) -> np.ndarray:
    """Peaks (x, y, score) of the whole map upsampled eightfold, highest first."""
    fine = cv2.resize(heatmap, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    inner = fine[1:-1, 1:-1]
    is_peak = inner > threshold
    for dy in (0, 1, 2):
        for dx in (0, 1, 2):
            if (dy, dx) != (1, 1):
                is_peak &= inner > fine[dy : dy + inner.shape[0], dx : dx + inner.shape[1]]
    y, x = np.nonzero(is_peak)
    peaks = np.stack([x + 1, y + 1, inner[y, x]], axis=-1)
    return peaks[np.argsort(-peaks[:, 2])]


def _spots(centers: np.ndarray, heights: np.ndarray, shape=(24, 20)) -> np.ndarray:
    """One map of Gaussians as wide as the network's, centres in input px."""
    rows, columns = np.indices(shape)
    cells = np.stack([columns, rows], axis=-1) * _STRIDE + np.array(_OFFSET)
    values = [h * np.exp(-((cells - c) ** 2).sum(-1) / (2 * 8.0**2)) for c, h in zip(centers, heights, strict=True)]
    return np.max(values, axis=0).astype(np.float32)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=8, unique=True),
    st.randoms(use_true_random=False),
)
def test_gaussians_are_found_exactly(places, random):
    # One spot somewhere in each of some boxes of 40 by 60 px, so that no two melt into one.
    centers = np.array([[20 + 40 * a + random.uniform(-8, 8), 24 + 60 * b + random.uniform(-8, 8)] for a, b in places])
    # Heights apart from each other, so that their order is clear.
    heights = np.linspace(0.3, 0.9, len(places)) + random.uniform(-0.02, 0.02)
    found = find_peaks(_spots(centers, heights)[None], 0.05, _STRIDE, _OFFSET)
    assert found.count[0] == len(places)
    assert (np.diff(found.score[0]) <= 0).all()
    order = np.argsort(-heights, kind="stable")
    # Neighbouring spots, three sigma away and more, leave traces of 1e-2 in the outermost of the nine cells.
    np.testing.assert_allclose(found.xy[0], centers[order], atol=0.3)
    np.testing.assert_allclose(found.score[0], heights[order], rtol=0.03)


def test_close_to_full_upsampling_on_maps_of_the_network(draw_people):
    """Maps as they come, with all their faint side lobes, against every map upsampled eightfold as a whole."""
    model = model_named("mobilenet_thin")
    image = draw_people((256, 368), [(80, 60, 200), (190, 90, 170)])
    with torch.inference_mode():
        heatmaps, _ = load_network(model)(torch.from_numpy(image).permute(2, 0, 1)[None].float())
    maps = heatmaps[0, :18].numpy()
    found = find_peaks(maps, 0.1, _STRIDE, _OFFSET)
    errors = []
    for joint, heatmap in enumerate(maps):
        ours = found.xy[joint, : found.count[joint]]
        for peak in _brute_force(heatmap, 0.12):
            errors.append(np.linalg.norm(ours - peak[:2], axis=-1).min(initial=np.inf))
    assert len(errors) >= 30
    # Cubic upsampling is itself up to 1.3 px off along x and y on a Gaussian of sigma one cell.
    assert np.median(errors) < 0.7
    assert max(errors) < 2.0


@pytest.mark.parametrize("height", [0.8, 1.0])
def test_a_flat_top_is_one_peak(height):
    heatmap = np.zeros((8, 8), np.float32)
    heatmap[3:5, 3:5] = height
    found = find_peaks(heatmap[None], 0.05, _STRIDE, _OFFSET)
    assert found.count[0] == 1
    np.testing.assert_allclose(found.xy[0, 0], [8 * 3.5 + 3.5] * 2, atol=0.1)


def test_a_peak_that_leaves_the_map_is_none():
    """Values that rise up to the border belong to a joint beyond it."""
    for center, count in (((-6.0, 80.0), 0), ((166.0, 80.0), 0), ((80.0, 195.0), 0), ((4.0, 80.0), 1)):
        found = find_peaks(_spots(np.array([center]), np.ones(1))[None], 0.05, _STRIDE, _OFFSET)
        assert found.count[0] == count, center


def test_the_weakest_fall_off_a_full_list():
    centers = np.array([[24 + 40 * a, 24 + 60 * b] for a in range(4) for b in range(3)], float)
    heights = np.linspace(0.3, 0.9, len(centers))
    found = find_peaks(_spots(centers, heights)[None], 0.05, _STRIDE, _OFFSET, max_candidates=5)
    assert found.xy.shape == (1, 5, 2)
    np.testing.assert_allclose(found.score[0], heights[::-1][:5], rtol=0.03)


@pytest.mark.parametrize("value", [0.0, 0.03, np.nan])
def test_nothing_above_the_threshold(value):
    found = find_peaks(np.full((2, 6, 6), value, np.float32), 0.05, _STRIDE, _OFFSET)
    assert found.count.tolist() == [0, 0]
    assert found.xy.shape == (2, 0, 2)


def test_ideal_maps_hold_their_joints():
    xy = np.random.default_rng(0).uniform(20, 180, (1, 18, 2))
    heatmaps, _ = ideal_maps(xy, COCO_18, (26, 26), 8, (3.0, 2.5))
    found = find_peaks(heatmaps[:18], 0.5, 8, (3.0, 2.5))
    np.testing.assert_allclose(found.xy[:, 0], xy[0], atol=0.1)


def test_noise_whose_fit_is_singular_is_survived():
    """Negative neighbours have the weight of the floor; at these the elimination meets a zero."""
    noise = np.random.default_rng(627).normal(0, 0.06, (1, 24, 40)).astype(np.float32)
    assert find_peaks(noise, 0.05, 8, (3.0, 2.5)).count[0] > 50
