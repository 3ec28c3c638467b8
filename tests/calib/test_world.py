import numpy as np
import pytest

from calib.boards import Board
from calib.resting_board import place_resting_board
from calib.world import WorldChange, lying_board, onto_points, under_feet
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.synthetic.rigs import camera_ring

RIG = camera_ring(4, seed=3, distortion=np.array([-0.1, 0.05, 1e-3, -1e-3]))
POINTS = np.random.default_rng(0).normal(size=(12, 3)) + np.array([0, 0, 1])
TURN = rotation_from_vector(np.array([0.3, -1.2, 0.7]))
# A board on the floor, its front up: x along the world's y, its z down.
FLAT = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]])
CHECKERBOARD = Board("checkerboard", (6, 8), 0.08)


@pytest.mark.parametrize("scale", [1.0, 1.7])
def test_cameras_see_the_same_pixels_in_another_world(scale: float) -> None:
    change = WorldChange(TURN, np.array([1.0, -2, 0.5]), scale)
    for old, new in zip(RIG, change.of_rig(RIG), strict=True):
        np.testing.assert_allclose(new.project(change(POINTS)), old.project(POINTS), atol=1e-8)
        np.testing.assert_allclose(new.center, change(old.center), atol=1e-12)


def test_a_lying_board_makes_the_floor() -> None:
    t = np.array([0.4, -0.3, 0.012])
    change = lying_board(FLAT, t, thickness=0.012)
    corners = CHECKERBOARD.points @ FLAT.T + t
    np.testing.assert_allclose(change(corners)[:, 2], 0.012, atol=1e-12)
    np.testing.assert_allclose(change(corners)[:, 0], CHECKERBOARD.points[:, 0], atol=1e-12)
    assert (change.of_rig(RIG).centers[:, 2] > 1).all()  # cameras stand 1.8 m over the floor


@pytest.mark.parametrize("rescale", [False, True])
def test_points_come_to_where_they_are_said_to_be(rescale: bool) -> None:
    wanted = 1.02 * POINTS @ TURN.T + [3, 0, -1]
    fit = onto_points(POINTS, wanted, rescale)
    assert fit.scale == pytest.approx(1.02, abs=1e-12)
    assert fit.change.scale == (pytest.approx(1.02) if rescale else 1.0)
    # Without scale the outermost of the points, some 3 m from their middle, are 2 % off.
    assert (fit.distance.max() < 1e-12) if rescale else (0.01 < fit.distance.max() < 0.08)
    with pytest.raises(ValueError, match="all on one line"):
        onto_points(POINTS[:4], np.outer(np.arange(4), [1.0, 2, 3]))
    with pytest.raises(ValueError, match="2 points"):
        onto_points(POINTS[:2], wanted[:2])


def test_a_resting_board_is_found_by_all_cameras_whatever_way_they_number_it() -> None:
    R, t = rotation_from_vector(np.array([0.02, -0.01, 0.0])) @ FLAT, np.array([-0.2, 0.1, 0.0])
    rng, views = np.random.default_rng(1), []
    for i, camera in enumerate(RIG):
        xy = camera.project(CHECKERBOARD.points @ R.T + t) + 0.2 * rng.normal(size=(CHECKERBOARD.corner_count, 2))
        xy[i] = np.nan
        views.append((camera, xy[CHECKERBOARD.symmetries()[i % 2]]))
    found = place_resting_board(CHECKERBOARD, views)
    assert found.seen_by == RIG.names
    assert found.rms_px == pytest.approx(0.2, rel=0.2)
    # 136 corners of 0.2 px, of cameras 5 m away with 1100 px: the middle of the board to a tenth of a millimetre.
    middle = CHECKERBOARD.points.mean(0)
    wrong = CHECKERBOARD.symmetries()[1]
    turned = CHECKERBOARD.points[wrong]  # the same corners, had the first view numbered them backwards
    places = [p @ found.R.T + found.t for p in (CHECKERBOARD.points, turned)]
    truth = CHECKERBOARD.points @ R.T + t
    assert min(np.abs(place - truth).max() for place in places) < 2e-3
    np.testing.assert_allclose(found.R @ middle + found.t, R @ middle + t, atol=5e-4)


def walk(seconds: np.ndarray, length: float, across: float) -> tuple[np.ndarray, np.ndarray]:
    """Ankles of a walker who stands for a second on each of his places, and his neck; floor at z = 0."""
    rng = np.random.default_rng(2)
    place = np.stack([length * np.sin(0.35 * np.floor(seconds)), across * np.cos(0.8 * np.floor(seconds))], 1)
    feet = np.stack([np.column_stack([place + side, np.full(len(place), 0.085)]) for side in (-0.1, 0.1)], 1)
    feet += 0.005 * rng.normal(size=feet.shape)
    swing = np.mod(seconds, 1.0) < 0.4
    feet[swing, 1, 2] += 0.1 + 0.05 * rng.random(swing.sum())
    feet[swing, 1, 0] += 3 * np.mod(seconds[swing], 1.0)
    neck = feet.mean(1) + np.array([0.03, 0.02, 1.4])
    return feet, neck


@pytest.mark.parametrize("across", [1.5, 0.0])
def test_the_floor_is_found_under_feet(across: float) -> None:
    seconds = np.arange(0, 30, 0.02)
    feet, neck = walk(seconds, 1.5, across)
    change = WorldChange(TURN, np.array([1.0, -2, 0.5]))
    fit = under_feet(change(feet), change(neck), seconds, np.full(2, 0.085), change.R @ [0.0, 1, 0])
    up = fit.change.R @ TURN @ [0.0, 0, 1]
    tilt = np.arccos(up[2])
    assert tilt < 3 * fit.tilt_sd
    # Of a walk along one line only the two feet, 0.2 m apart, and the person's uprightness tell the tilt across it.
    assert (fit.tilt_sd < np.deg2rad(0.3)) if across else (np.deg2rad(0.3) < fit.tilt_sd < np.deg2rad(4))
    at = fit.change(change(feet[:, 0]))
    assert np.abs(np.median(at[:, 2]) - 0.085) < 0.01
    assert (fit.change.R @ TURN @ [0.0, 1, 0])[1] > 0.99


def test_a_person_who_never_stands_tells_no_floor() -> None:
    seconds = np.arange(0, 2, 0.02)
    feet = np.cumsum(np.full((100, 2, 3), 0.02), axis=0)
    with pytest.raises(ValueError, match="0 feet that stand still"):
        under_feet(feet, feet.mean(1) + np.array([0, 0, 1]), seconds, np.full(2, 0.08), np.array([0.0, 1, 0]))
