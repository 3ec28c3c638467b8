import numpy as np
import pytest

from calib.smooth_map import apply_homography, fit_homography, fit_smooth_map

H = np.array([[300.0, 20, 400], [-30, 280, 300], [0.05, -0.1, 1]])


def plane(columns: int = 6, rows: int = 5) -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2).astype(float)


@pytest.mark.parametrize("count", [4, 5, 30])
def test_homography_is_recovered(count: int) -> None:
    points = np.concatenate([plane()[[0, 5, 24, 29]], plane()[6:]])[:count] / 5
    found = fit_homography(points, apply_homography(H, points))
    np.testing.assert_allclose(found, H, rtol=1e-6, atol=1e-6)


def test_weights_choose_the_points() -> None:
    points = plane() / 5
    image = apply_homography(H, points)
    image[7] += 50
    weights = np.ones(len(points))
    weights[7] = 0
    np.testing.assert_allclose(fit_homography(points, image, weights), H, rtol=1e-6, atol=1e-6)


def test_smooth_map_follows_a_lens() -> None:
    flat = apply_homography(H, plane() / 5)
    offset = (flat - [400, 300]) / 500
    bent = flat + 500 * offset * -0.1 * (offset**2).sum(1, keepdims=True)
    smooth = fit_smooth_map(plane(), bent)
    # 25 px of barrel; what a polynomial of degree four leaves of it is far below a pixel's hundredth part.
    assert np.abs(bent - flat).max() > 10
    np.testing.assert_allclose(smooth(plane()), bent, atol=0.01)
    assert smooth.freedom > 0


def test_few_points_get_a_homography_alone() -> None:
    points = plane(2, 3)
    smooth = fit_smooth_map(points, apply_homography(H, points / 5))
    assert len(smooth.powers) == 0
    assert smooth.freedom == 4
