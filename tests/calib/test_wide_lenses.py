"""Lenses that see half a sphere and more: a pair of them, and such ones among others, calibrated without a guess."""

from dataclasses import replace

import numpy as np
import pytest

from calib.calibrate import calibrate_rig
from calib.config import CalibrationConfig, LensConfig
from calib.intrinsics import fit_camera
from calib.lens_start import as_model, start_lens
from calib.observations import BoardObservations
from calib.planar import board_poses, usable_views
from calib.square_board import Board
from mv3d.data.camera import Camera
from mv3d.data.lens import DoubleSphere, Fisheye, Lens, Pinhole
from mv3d.data.rig import Rig
from mv3d.geometry.rotations import rotation_from_vector

SIZE = (1280, 960)
NOISE = 0.3
BOARD = Board("checkerboard", (9, 7), 0.03)
# 2 sin(theta / 2) as a polynomial, and a tenth of its cubic term more: glass is no formula.
EQUISOLID = np.array([-1.1 / 24, 1 / 1920, -1 / 322560, 1 / 92897280])


def matrix(focal: float) -> np.ndarray:
    return np.array([[focal, 0, 659.5], [0, focal, 465.5], [0, 0, 1]])


# All show 190 degrees in a circle of 880 px, whose middle is 20 px off that of the image.
WIDE: dict[str, Lens] = {
    "equisolid": Fisheye(matrix(299.0), EQUISOLID),
    "kannala-brandt": Fisheye(matrix(261.0), np.array([0.02, -0.006, 5e-4, 0.0])),
    "double-sphere": DoubleSphere(matrix(213.0), np.array([-0.2, 0.58])),
}


def thrown(lenses: list[Lens], frames: int = 40, half: float = np.radians(95), seed: int = 0) -> BoardObservations:
    """Boards in all directions that the lenses show, 12 to 70 cm off, seen whole by a pair with a baseline of 12 cm."""
    rng = np.random.default_rng(seed)
    rig = Rig(tuple(Camera(f"c{i}", SIZE, lens, *place(i)) for i, lens in enumerate(lenses)))
    points = BOARD.points - BOARD.points.mean(0)
    xy = np.full((len(lenses), frames, len(points), 2), np.nan)
    for frame in range(frames):
        while not np.isfinite(xy[:, frame]).all(-1).any(1).all():
            z = rng.normal(size=3)
            z /= np.linalg.norm(z)
            x = np.cross([0, 1, 0.01], z)
            facing = np.stack([x / np.linalg.norm(x), np.cross(z, x / np.linalg.norm(x)), z], 1)
            R = facing @ rotation_from_vector(rng.normal(0, 0.45, 3))
            x_world = points @ R.T + z * rng.uniform(0.12, 0.7)
            for c, camera in enumerate(rig):
                x_cam = camera.to_camera(x_world)
                x_image = camera.lens.project(x_cam)
                shown = (x_cam[:, 2] > np.cos(half) * np.linalg.norm(x_cam, axis=1)).all()
                inside = ((x_image > 0) & (x_image < np.array(SIZE) - 1)).all()
                sight = x_cam.mean(0) / np.linalg.norm(x_cam.mean(0))
                seen = shown and inside and (camera.R @ R[:, 2]) @ sight > 0.35
                xy[c, frame] = x_image + rng.normal(0, NOISE, x_image.shape) if seen else np.nan
    shape = xy.shape[:2]
    names = tuple(f"still {i}" for i in range(frames))
    return BoardObservations(
        BOARD, rig.names, np.array([SIZE] * len(lenses)), xy, np.full(shape, NOISE), np.full(shape, np.nan), names,
        np.arange(frames),
    )  # fmt: skip


def place(index: int) -> tuple[np.ndarray, np.ndarray]:
    if index == 0:
        return np.eye(3), np.zeros(3)
    return rotation_from_vector(np.array([0.02, -0.05, 0.01 * index])), np.array([-0.12 * index, 0.003, 0.005])


@pytest.mark.slow
@pytest.mark.parametrize("name", WIDE)
def test_a_pair_of_circular_fisheyes_needs_no_guess(name: str) -> None:
    result = calibrate_rig(thrown([WIDE[name], WIDE[name]]))
    # Corners to 0.3 px a coordinate are off by 0.42 px in two dimensions, and by no more if the model fits.
    assert result.rms < 0.45
    assert np.isfinite(result.residuals[..., 0]).mean() > 0.98
    assert np.linalg.norm(result.rig[1].t - result.rig[1].R @ result.rig[0].R.T @ result.rig[0].t) == pytest.approx(
        np.linalg.norm(place(1)[1]),
        abs=3e-4,  # a hundredth of a square; noise alone leaves a third of that
    )
    for camera in result.rig:
        assert not isinstance(camera.lens, Pinhole)
        np.testing.assert_allclose(camera.lens.K[:2, 2], WIDE[name].K[:2, 2], atol=1.0)
        assert camera.lens.focal == pytest.approx(WIDE[name].focal, rel=0.01)


def test_a_double_sphere_is_recovered_within_its_uncertainty() -> None:
    seen = thrown([WIDE["double-sphere"]])
    fit = fit_camera(BOARD.points, seen.xy[0], seen.sigma_px[0], SIZE, model="double-sphere")
    truth = WIDE["double-sphere"]
    assert fit.model == "double-sphere"
    assert abs(fit.lens.focal - truth.focal) < 4 * fit.focal_sd
    assert fit.focal_sd < 1
    # Not its parameters, which make up for one another, but what they do, all over the picture.
    pixels = np.stack(np.meshgrid(np.linspace(300, 1000, 9), np.linspace(100, 850, 9)), -1).reshape(-1, 2)
    shown = truth.unproject(pixels)
    known = np.isfinite(shown).all(-1)
    np.testing.assert_allclose(fit.lens.project(shown[known]), pixels[known], atol=1.0)


@pytest.mark.slow
def test_all_kinds_of_lenses_in_one_rig() -> None:
    narrow = Pinhole(matrix(500.0), np.array([-0.2, 0.05, 1e-3, -1e-3]))
    seen = thrown([narrow, WIDE["equisolid"], WIDE["double-sphere"]], frames=30)
    models = {"c0": "pinhole4", "c1": "fisheye", "c2": "double-sphere"}
    result = calibrate_rig(seen, CalibrationConfig(lens=LensConfig(per_camera=models)))
    assert [type(camera.lens) for camera in result.rig] == [Pinhole, Fisheye, DoubleSphere]
    assert result.rms < 0.45
    assert result.uncertainty is not None
    for camera in result.rig:
        assert result.uncertainty.focal_share(camera.name, camera.lens) < 0.01


def test_of_lenses_that_fit_alike_a_wide_picture_gets_a_wide_one() -> None:
    # Up to 75 degrees a rational pinhole follows the corners as well, and then breaks off.
    seen = thrown([WIDE["kannala-brandt"]], half=np.radians(75))
    fit = fit_camera(BOARD.points, seen.xy[0], seen.sigma_px[0], SIZE)
    assert fit.model in ("double-sphere", "fisheye")
    assert fit.held_out_px["pinhole8"] < 1.1 * fit.held_out_px[fit.model]


def test_with_few_views_a_wide_picture_gets_a_wide_lens_all_the_same() -> None:
    seen = thrown([WIDE["equisolid"]], frames=6)
    fit = fit_camera(BOARD.points, seen.xy[0], seen.sigma_px[0], SIZE)
    assert fit.model in ("double-sphere", "fisheye")
    assert fit.rms_px < 0.5


@pytest.mark.parametrize("name", WIDE)
def test_boards_beside_and_behind_the_lens_have_a_pose(name: str) -> None:
    lens = WIDE[name]
    points = BOARD.points - BOARD.points.mean(0)
    for angle in np.radians([0.0, 60.0, 88.0]):
        t = 0.5 * np.array([np.sin(angle), 0.0, np.cos(angle)])
        R = rotation_from_vector(np.array([0.0, angle, 0.0])) @ rotation_from_vector(np.array([0.3, 0.2, 0.1]))
        xy = lens.project(points @ R.T + t)[None]
        found_R, found_t = board_poses(points, xy, lens, np.isfinite(xy).all(-1))
        np.testing.assert_allclose(found_t[0], t, atol=1e-6)
        np.testing.assert_allclose(found_R[0], R, atol=1e-6)


def test_the_start_finds_small_circles_and_large_ones() -> None:
    for share in (0.5, 1.0, 1.6):
        lens = replace(WIDE["kannala-brandt"], K=matrix(261.0 * share))
        start, _ = start_lens(BOARD.points, thrown([lens], half=np.radians(85)).xy[0], SIZE, "fisheye")
        # The list of trial focal lengths is spaced by 10 %, and the distortion pulls a little.
        assert start.focal == pytest.approx(lens.focal, rel=0.15)


def test_a_double_sphere_follows_a_fisheye() -> None:
    fisheye = Fisheye(matrix(261.0), np.zeros(4))
    sphere = as_model(fisheye, "double-sphere", np.radians(95))
    theta = np.linspace(0, np.radians(95), 30)
    ray = np.stack([np.sin(theta), 0 * theta, np.cos(theta)], -1)
    # Two parameters follow r = f theta to a fraction of a percent of the circle's radius.
    np.testing.assert_allclose(sphere.project(ray), fisheye.project(ray), atol=3.0)
    with pytest.raises(ValueError, match="does not become"):
        as_model(sphere, "pinhole4", 1.0)


def test_a_board_bent_by_the_lens_is_still_a_board() -> None:
    # 5 cm before the lens it spans 135 degrees.
    near = [lens.project(BOARD.points - BOARD.points.mean(0) + np.array([0.0, 0.0, 0.05])) for lens in WIDE.values()]
    keep, reasons = usable_views(BOARD.points, np.stack(near))
    assert not reasons
    assert keep.all()
