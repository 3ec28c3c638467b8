from dataclasses import replace

import numpy as np
import pytest

from calib.intrinsics import fit_camera
from calib.lens_start import start_lens
from calib.planar import usable_views
from mv3d.data.lens import Fisheye, Lens, Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError
from mv3d.synthetic import boards
from mv3d.synthetic.rigs import camera_ring

POINTS = np.stack([*np.meshgrid(np.arange(7) * 0.08, np.arange(5) * 0.08), np.zeros((5, 7))], -1).reshape(-1, 3)
SIZE = (1920, 1080)
K = np.array([[1100.0, 0, 950], [0, 1102, 545], [0, 0, 1]])


def views(lens: Lens, frames: int = 40, noise: float = 0.2, distance: float = 1.6, seed: int = 0) -> np.ndarray:
    camera = replace(camera_ring(1, radius=distance)[0], lens=lens)
    made = boards.film_board(
        Rig((camera,)), POINTS, frames=frames, fps=1.7, noise_px=noise, toward=camera.center, stills=True, seed=seed
    )
    return made.xy[0]


@pytest.mark.parametrize(
    "lens",
    [
        Pinhole(K, np.array([-0.2, 0.08, 1e-3, -1e-3])),
        Pinhole(np.diag([4500.0, 4500, 1]) + np.array([[0, 0, 960], [0, 0, 540], [0, 0, 0]]), np.zeros(4)),
        Fisheye(K * np.array([[0.5, 0, 1], [0, 0.5, 1], [0, 0, 1]]), np.array([0.02, -0.01, 0.002, 0.0])),
    ],
)
def test_a_start_is_within_reach(lens: Lens) -> None:
    xy = views(lens, distance=5.0 if lens.K[0, 0] > 4000 else 1.3)
    xy = xy[np.isfinite(xy[..., 0]).any(1)]
    start, _ = start_lens(POINTS, xy, SIZE, lens.model)
    # The list of trial focal lengths is spaced by 10 to 12 %, and distortion pulls a little.
    assert start.K[0, 0] == pytest.approx(lens.K[0, 0], rel=0.25)


def test_a_pinhole_is_recovered_within_its_uncertainty() -> None:
    lens = Pinhole(K, np.array([-0.2, 0.08, 1e-3, -1e-3]))
    fit = fit_camera(POINTS, views(lens), np.full(40, 0.2), SIZE, model="pinhole4")
    assert abs(fit.lens.K[0, 0] - K[0, 0]) < 4 * fit.focal_sd
    assert fit.focal_sd < 10
    assert fit.noise_px == pytest.approx(0.2, rel=0.1)


def test_a_fisheye_needs_no_start() -> None:
    lens = Fisheye(K * np.array([[0.5, 0, 1], [0, 0.5, 1], [0, 0, 1]]), np.array([0.02, -0.01, 0.002, 0.0]))
    fit = fit_camera(POINTS, views(lens, distance=1.1), np.full(40, 0.2), SIZE, model="fisheye")
    assert fit.lens.K[0, 0] == pytest.approx(lens.K[0, 0], rel=0.02)
    assert fit.rms_px < 0.35


def test_auto_takes_the_simple_lens_unless_a_richer_one_pays() -> None:
    simple = fit_camera(POINTS, views(Pinhole(K, np.array([-0.2, 0.08, 0, 0]))), np.full(40, 0.2), SIZE)
    assert simple.model == "pinhole4"
    fisheye = Fisheye(K * np.array([[0.4, 0, 1], [0, 0.4, 1], [0, 0, 1]]), np.array([0.03, -0.01, 0.0, 0.0]))
    wide = fit_camera(POINTS, views(fisheye, distance=1.0, noise=0.05), np.full(40, 0.05), SIZE)
    assert wide.held_out_px[wide.model] < 0.5 * wide.held_out_px["pinhole4"]


def test_parallel_views_do_not_tell_the_focal_length() -> None:
    rng = np.random.default_rng(0)
    xy = np.stack([K[0, 0] * POINTS[:, :2] / z + SIZE[0] / 2 - 400 for z in rng.uniform(1.5, 3, 20)])
    with pytest.raises(CalibrationError, match=r"front: .*focal length"):
        fit_camera(POINTS, xy + 0.2 * rng.normal(size=xy.shape), np.full(20, 0.2), SIZE, name="front")


def test_too_few_views_are_refused() -> None:
    xy = views(Pinhole(K, np.zeros(4)))
    with pytest.raises(CalibrationError, match="2 usable views"):
        fit_camera(POINTS, xy[np.isfinite(xy[..., 0]).any(1)][:2], np.full(2, 0.2), SIZE)


def test_views_that_are_no_board_and_mirrored_ones_are_told_apart() -> None:
    xy = views(Pinhole(K, np.zeros(4)))
    xy = xy[np.isfinite(xy[..., 0]).all(1)][:3]
    xy[1] = np.random.default_rng(0).uniform(100, 900, xy[1].shape)
    xy[2, :, 0] = 1919 - xy[2, :, 0]
    keep, reasons = usable_views(POINTS, xy)
    assert reasons == {1: "corners do not form the board", 2: "board seen mirrored"}
    assert keep[0].all()
    assert not keep[1:].any()
