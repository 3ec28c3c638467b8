import math

import cv2
import numpy as np
import pytest

from calib.corner_fit_kernels import fit_corners
from calib.detection_kernels import corners_among, saddles
from calib.grid_kernels import grow_grid

OVERSAMPLED = 8


def corner_image(
    x: float,
    y: float,
    first: float,
    second: float,
    blur: float = 1.2,
    bends=(0.0, 0.0),
    noise: float = 0.0,
    seed: int = 0,
) -> np.ndarray:
    """A corner at (x, y) between two edges, integrated over each pixel; dark where both edges are on one side."""
    at = (np.arange(41 * OVERSAMPLED) + 0.5) / OVERSAMPLED - 0.5
    u, v = np.meshgrid(at - x, at - y)
    sides = []
    for angle, bend in zip((first, second), bends, strict=True):
        along, across = math.cos(angle) * u + math.sin(angle) * v, -math.sin(angle) * u + math.cos(angle) * v
        distance = across - bend / 2 * along**2
        sides.append(np.vectorize(math.erf)(distance / (blur * math.sqrt(2))))
    fine = 120 - 80 * sides[0] * sides[1]
    image = fine.reshape(41, OVERSAMPLED, 41, OVERSAMPLED).mean((1, 3))
    return np.clip(image + np.random.default_rng(seed).normal(0, noise, image.shape), 0, 255).round().astype(np.uint8)


def fitted(
    image: np.ndarray, first: float, second: float, half: int = 12, bends=(0.0, 0.0), at=(20.0, 20.0)
) -> np.ndarray:
    out = np.empty((1, 9))
    start = np.array([[*at, first + 0.1, second - 0.1, 2.0]])
    fit_corners(image, start, np.array([bends]), np.array([half]), 1e-4, 0.0, out)
    return out[0]


@pytest.mark.parametrize(("x", "y"), [(20.0, 20.0), (20.37, 19.81), (21.4, 18.7)])
@pytest.mark.parametrize(("first", "second"), [(0.1, 1.6), (0.9, 2.0), (2.5, 3.6)])
def test_place_and_edges(x: float, y: float, first: float, second: float) -> None:
    found = fitted(corner_image(x, y, first, second), first, second)
    # Gray levels are rounded: 0.3 levels at a contrast of 160 and about 30 pixels on the edges are 0.002 px.
    np.testing.assert_allclose(found[:2], [x, y], atol=0.01)
    np.testing.assert_allclose(np.sin(found[2:4] - [first, second]), 0, atol=0.01)
    # A pixel's own box is 0.29 px wide (standard deviation).
    assert found[4] == pytest.approx(math.hypot(1.2, 0.29), abs=0.03)
    assert found[7] < 0.01


def test_bends_are_accounted_for() -> None:
    bends = (0.02, -0.015)
    image = corner_image(20.2, 19.7, 0.2, 1.7, bends=bends)
    np.testing.assert_allclose(fitted(image, 0.2, 1.7, bends=bends)[:2], [20.2, 19.7], atol=0.01)
    assert np.abs(fitted(image, 0.2, 1.7)[:2] - [20.2, 19.7]).max() > 0.1  # the test can tell


def test_told_uncertainty_is_the_scatter() -> None:
    found = np.array([fitted(corner_image(20.2, 19.7, 0.3, 1.7, noise=8, seed=s), 0.3, 1.7) for s in range(60)])
    scatter = found[:, :2].std(0)
    # Sixty draws tell a standard deviation to 9 %. The fading weights make the residuals' variance an estimate only.
    np.testing.assert_allclose(np.sqrt(np.mean(found[:, 5:7] ** 2, 0)), scatter, rtol=0.4)


def test_window_cut_by_the_picture() -> None:
    image = np.ascontiguousarray(corner_image(20.2, 19.7, 0.3, 1.7)[:, 15:])
    found = fitted(image, 0.3, 1.7, at=(5.0, 20.0))
    np.testing.assert_allclose(found[:2], [5.2, 19.7], atol=0.01)
    assert np.isnan(fitted(np.ascontiguousarray(image[:, 4:]), 0.3, 1.7, at=(1.0, 20.0))).all()


def test_flat_picture_has_no_corner() -> None:
    found = fitted(np.full((41, 41), 77, np.uint8), 0.3, 1.7)
    assert not found[7] < 0.2 or not max(found[5], found[6]) < 1


def chess(squares: int = 6, side: int = 20) -> np.ndarray:
    y, x = np.mgrid[: squares * side, : squares * side]
    return np.where((x // side + y // side) % 2, 200.0, 50.0).astype(np.float32)


def corners_of(image: np.ndarray) -> np.ndarray:
    smooth = cv2.GaussianBlur(image, (0, 0), 1.2)
    return corners_among(smooth, saddles(smooth, np.float32(5), 1000), 1.2, 4.0, 12.0)


@pytest.mark.parametrize("width", [61, 64, 70])
def test_saddles_are_the_highest_of_five_by_five(width: int) -> None:
    """Against the definition, with every pixel looked at; widths that are no multiple of eight too."""
    image = cv2.GaussianBlur(np.random.default_rng(1).uniform(0, 255, (50, width)).astype(np.float32), (0, 0), 1.0)
    xx = image[1:-1, :-2] + image[1:-1, 2:] - 2 * image[1:-1, 1:-1]
    yy = image[:-2, 1:-1] + image[2:, 1:-1] - 2 * image[1:-1, 1:-1]
    xy = 0.25 * (image[:-2, :-2] + image[2:, 2:] - image[:-2, 2:] - image[2:, :-2])
    strength = np.pad(xy * xy - xx * yy, 1)
    highest = strength == cv2.dilate(strength, np.ones((5, 5)))
    wanted = [(x, y) for y, x in np.argwhere(highest & (strength > 100)) if 3 <= x < width - 3 and 3 <= y < 47]
    found = saddles(image, np.float32(100), 1000)
    assert len(wanted) > 20
    assert [tuple(row) for row in found[:, :2].astype(int).tolist()] == [(int(x), int(y)) for x, y in wanted]
    assert len(saddles(image, np.float32(100), 5)) == 5


def test_all_corners_of_a_chessboard_and_no_other() -> None:
    corners = corners_of(chess())
    wanted = {(x, y) for x in np.arange(1, 6) * 20 - 0.5 for y in np.arange(1, 6) * 20 - 0.5}
    assert {tuple(np.round(c[:2] * 2) / 2) for c in corners} == wanted


def test_neighbours_share_an_edge_that_rises_at_one_and_falls_at_the_other() -> None:
    corners = corners_of(chess())
    at = {tuple(np.round(c[:2] / 20).astype(int)): c for c in corners}
    for (x, y), corner in at.items():
        beside = at.get((x + 1, y))
        if beside is not None:
            assert abs(np.sin(corner[2] - beside[3])) < 0.05


def test_a_line_has_no_corners() -> None:
    image = np.full((120, 120), 50, np.float32)
    y, x = np.mgrid[:120, :120]
    image[np.abs(0.3 * (x - 60) + (y - 60)) < 2.5] = 200  # stairs along a thin line
    assert len(corners_of(image)) == 0


def test_grid_grows_over_the_board() -> None:
    corners = corners_of(chess())
    seed = int(np.argmin(np.linalg.norm(corners[:, :2] - 59.5, axis=1)))
    grid = grow_grid(corners, seed, np.ones(len(corners), bool), 0.3, math.radians(20), 9)
    assert (grid >= 0).sum() == 25
    rows, columns = np.nonzero(grid >= 0)
    assert np.ptp(rows) == np.ptp(columns) == 4
    steps = np.diff(corners[grid[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1], :2], axis=0)
    # Before the fit, places are good to a third of a pixel.
    np.testing.assert_allclose(np.linalg.norm(steps, axis=-1), 20, atol=0.7)
