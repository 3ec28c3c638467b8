import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mv3d.data.camera import Camera
from mv3d.data.lens import Fisheye, Pinhole
from mv3d.geometry.rotations import look_along
from mv3d.pose2d.crops import VirtualCamera, crop_from_crop, make_crop, outline, render, to_crop, to_source

_UP = np.array([0.0, 0.0, 1.0])
_SIZE = (960, 720)
_K = np.array([[700.0, 0, 470], [0, 710, 365], [0, 0, 1]])
_LENSES = {
    "ideal": Pinhole(_K, np.zeros(0)),
    "distorted": Pinhole(_K, np.array([-0.28, 0.12, 0.001, -0.002, -0.02])),
    "fisheye": Fisheye(_K * [[0.5], [0.5], [1]] + [[0, 0, 235], [0, 0, 182], [0, 0, 0]], np.array([0.02, 0, 0, 0])),
}


def _camera(lens="distorted", roll=0.3) -> Camera:
    """4 m from the origin, 1.5 m up, rolled."""
    center = np.array([3.6, -1.2, 1.5])
    R = look_along(np.array([0, 0, 1.0]) - center, np.array([np.sin(roll), 0.2, np.cos(roll)]))
    return Camera("cam", _SIZE, _LENSES[lens], R, -R @ center)


def _crop(lens="distorted", target=(0.1, 0.2, 1.0), up=_UP, scale=155.0, size=352) -> VirtualCamera:
    return make_crop(_camera(lens), np.array(target), np.asarray(up, float), scale, size)


@pytest.mark.parametrize("lens", _LENSES)
def test_world_points_agree_through_source_and_crop(lens):
    crop = _crop(lens)
    x_world = np.random.default_rng(0).uniform([-0.6, -0.6, 0.3], [0.6, 0.6, 1.7], (50, 3))
    homogeneous = np.c_[x_world, np.ones(50)] @ crop.P.T
    direct = homogeneous[:, :2] / homogeneous[:, 2:]
    np.testing.assert_allclose(to_crop(crop, crop.camera.project(x_world)), direct, atol=1e-5)
    np.testing.assert_allclose(to_source(crop, direct), crop.camera.project(x_world), atol=1e-6)


@pytest.mark.parametrize("lens", _LENSES)
def test_target_in_the_middle_up_at_the_top_scale_as_asked(lens):
    crop = _crop(lens)
    target = np.array([0.1, 0.2, 1.0])
    at = to_crop(crop, crop.camera.project(np.array([target, target + 0.02 * _UP, target + 0.01 * crop.R[0]])))
    np.testing.assert_allclose(at[0], [175.5, 175.5], atol=1e-5)
    assert abs(at[1, 0] - 175.5) < 1e-3
    assert at[1, 1] < 175.5
    np.testing.assert_allclose(at[2] - at[0], [1.55, 0], atol=1e-4)
    assert crop.metres_per_pixel == pytest.approx(1 / 155)


@settings(max_examples=50, deadline=None)
@given(st.floats(-40, 390), st.floats(-40, 390), st.floats(-3, 3), st.sampled_from(sorted(_LENSES)))
def test_there_and_back(x, y, roll, lens):
    crop = _crop(lens, up=(np.sin(roll), 0.3, np.cos(roll)))
    there = to_source(crop, np.array([x, y]))
    if np.isfinite(there).all():
        np.testing.assert_allclose(to_crop(crop, there), [x, y], atol=1e-4)


@pytest.mark.parametrize("up", [(3.5, -1.4, 0.5), (-3.5, 1.4, -0.5), (0, 0, 0)])
def test_an_up_along_the_line_of_sight_is_replaced(up):
    crop = _crop(up=up)
    np.testing.assert_allclose(crop.R @ crop.R.T, np.eye(3), atol=1e-9)
    # The camera's own up is taken: what is above in the camera is above in the crop.
    assert crop.R[1] @ crop.camera.R[1] > 0.9


def test_behind_the_camera_is_nan():
    camera = _camera("ideal")
    crop = make_crop(camera, camera.center - camera.R[2], _UP, 155.0, 352)
    assert np.isnan(to_source(crop, np.array([[175.5, 175.5], [0, 0]]))).all()
    assert np.isnan(to_crop(crop, np.array([[480.0, 360.0]]))).all()
    image = np.zeros((*_SIZE[::-1], 3), np.uint8)
    assert (render(image, crop) == 128).all()
    assert np.isnan(to_source(_crop(), np.array([np.nan, 3.0]))).all()


@pytest.mark.parametrize("lens", _LENSES)
@pytest.mark.parametrize("scale", [50.0, 87.0, 180.0, 600.0])
def test_rendered_spots_lie_where_the_map_says(lens, scale):
    """Magnified and minified alike: a shift by half a source pixel would show as half that times the scale."""
    crop = _crop(lens, scale=scale)
    x, y = np.meshgrid(np.arange(_SIZE[0]), np.arange(_SIZE[1]))
    for at_crop in ((100.0, 120.0), (240.3, 200.7), (175.5, 175.5)):
        at = to_source(crop, np.array(at_crop))
        spread = 4.0 * 175 / scale
        spot = 250 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * spread**2))
        seen = render(np.repeat(spot[..., None], 3, 2).round().astype(np.uint8), crop)[..., 0].astype(float)
        seen[seen == 128] = 0
        # Only the bright part, so that the lens bends the spot by little.
        rows, columns = np.nonzero(seen > 150)
        weight = seen[rows, columns] - 150
        found = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
        np.testing.assert_allclose(found, at_crop, atol=0.15)


def test_positions_between_the_grid_are_within_a_tenth_of_a_pixel(monkeypatch):
    """For a wide lens and a crop of half its image."""
    crop = _crop(scale=120.0)
    taken = {}

    def remap(image, x, y, *_, **__):
        taken["xy"] = np.stack([x, y], axis=-1)
        return np.zeros((352, 352, 3), np.uint8)

    monkeypatch.setattr(cv2, "remap", remap)
    render(np.zeros((*_SIZE[::-1], 3), np.uint8), crop)
    columns, rows = np.meshgrid(np.arange(352.0), np.arange(352.0))
    exact = to_source(crop, np.stack([columns, rows], axis=-1))
    error = taken["xy"] - exact
    # The crop reads a part of the image, so its positions differ by that part's corner: a whole number of px.
    error -= error[0, 0].round()
    assert np.nanmax(np.abs(error)) < 0.1


def test_minifying_does_not_alias():
    """A fine checkerboard becomes its mean grey, not a moire pattern."""
    x, y = np.meshgrid(np.arange(_SIZE[0]), np.arange(_SIZE[1]))
    board = np.repeat((255 * ((x + y) % 2))[..., None], 3, 2).astype(np.uint8)
    seen = render(board, _crop(scale=40.0))
    assert np.abs(seen[160:190, 160:190].astype(int) - 128).max() <= 8


def test_grey_beyond_the_image():
    crop = _crop(scale=60.0)
    image = np.full((*_SIZE[::-1], 3), 255, np.uint8)
    columns, rows = np.meshgrid(np.arange(352.0), np.arange(352.0))
    source = to_source(crop, np.stack([columns, rows], axis=-1))
    margin = 12
    outside = ~((source > -margin) & (source < np.array(_SIZE) + margin)).all(-1)
    inside = ((source > margin) & (source < np.array(_SIZE) - margin)).all(-1)
    seen = render(image, crop)
    assert outside.any()
    assert (seen[outside] == 128).all()
    assert (seen[inside] == 255).all()


def test_a_folding_lens_shows_nothing_twice():
    """Past the fold of a strong barrel the polynomial comes back into the image; the crop stays grey there."""
    camera = Camera(
        "wide", _SIZE, Pinhole(_K * [[0.6], [0.6], [1]], np.array([-0.35, 0, 0, 0])), np.eye(3), np.zeros(3)
    )
    crop = make_crop(camera, np.array([1.9, 0.0, 1.0]), np.array([0.0, -1.0, 0.0]), 20.0, 96)
    assert np.isnan(to_source(crop, np.array([90.0, 47.5]))).all()
    seen = render(np.zeros((*_SIZE[::-1], 3), np.uint8), crop)
    assert (seen[:, 80:] == 128).all()


def test_homography_between_crops_of_one_camera():
    first = _crop()
    second = make_crop(_camera(), np.array([0.0, 0.0, 1.1]), np.array([0.5, 0.3, 1.0]), 130.0, 288)
    xy = np.random.default_rng(1).uniform(0, 352, (20, 2))
    mapped = np.c_[xy, np.ones(20)] @ crop_from_crop(second, first).T
    np.testing.assert_allclose(mapped[:, :2] / mapped[:, 2:], to_crop(second, to_source(first, xy)), atol=1e-4)
    elsewhere = make_crop(Camera("b", _SIZE, _LENSES["ideal"], np.eye(3), np.ones(3)), np.zeros(3), _UP, 155.0, 352)
    with pytest.raises(ValueError, match="do not share a centre"):
        crop_from_crop(elsewhere, first)


def test_outline_goes_round_the_pixels_of_the_crop():
    crop = _crop()
    polygon = outline(crop, 16)
    assert polygon.shape == (64, 2)
    corners = np.array([[-0.5, -0.5], [351.5, -0.5], [351.5, 351.5], [-0.5, 351.5]])
    np.testing.assert_allclose(polygon[::16], to_source(crop, corners), atol=1e-9)
    middle = to_source(crop, np.array([175.5, 175.5]))
    assert cv2.pointPolygonTest(polygon.astype(np.float32)[:, None], tuple(map(float, middle)), False) > 0


def test_arguments_are_checked():
    camera = _camera()
    for target, scale, size in (((0, 0, 1.0), 155.0, 350), ((0, 0, 1.0), 0.0, 352), (camera.center, 155.0, 352)):
        with pytest.raises(ValueError, match=r"multiple of 8|scale|cannot look"):
            make_crop(camera, np.array(target), _UP, scale, size)
    with pytest.raises(ValueError, match="resize the camera"):
        render(np.zeros((100, 100, 3), np.uint8), _crop())
