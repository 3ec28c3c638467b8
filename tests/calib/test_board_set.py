"""Several boards in one session, and boards that are fixed to one another."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from calib.board_set import BoardSet, motion_of, two_sided_places
from calib.boards import Board, board_fields, load_board, restore_board
from calib.calibrate import calibrate_rig
from calib.config import BoardShapeConfig, CalibrationConfig, LensConfig
from calib.detection import detect_board
from calib.observations import BoardObservations
from calib.result import CalibrationResult
from calib.rigid_boards import places_from_poses
from calib.sampling import observe_session
from calib.separate_boards import separated
from mv3d.data.lens import Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError, ConfigError
from mv3d.synthetic.boards import SyntheticBoard, film_board
from mv3d.synthetic.rigs import camera_ring

FRONT = Board("charuco", (5, 7), 0.12, 0.09, "DICT_4X4_50")
BACK = replace(FRONT, first=17)
OTHER = Board("charuco", (6, 5), 0.14, 0.1, "DICT_5X5_50")
PLATE = BoardSet((FRONT, BACK), True, two_sided_places(FRONT, BACK, 0.006, "y"))
CONFIG = CalibrationConfig(lens=LensConfig(model="pinhole4"))
CHARUCO = {"kind": "charuco", "squares": [5, 7], "square_mm": 35, "marker_mm": 26, "dictionary": "DICT_4X4_50"}
CHECKERS = {"kind": "checkerboard", "squares": [5, 8], "square_mm": 35}


def ring(count: int, seed: int = 0) -> Rig:
    return camera_ring(count, radius=3.0, height=1.5, size=(1280, 720), focal=900.0, seed=seed)


def filmed(rig: Rig, body: BoardSet, frames: int, *, stills: bool = False) -> SyntheticBoard:
    """A body in somebody's hands, each of whose boards shows where it faces a camera."""
    inward = [np.tile(motion_of(p)[0][:, 2], (b.corner_count, 1)) for p, b in zip(body.places, body.parts, strict=True)]
    return film_board(rig, body.points, frames=frames, normals=np.concatenate(inward), stills=stills)


def observed(board: BoardSet | Board, rig: Rig, xy: np.ndarray, film: SyntheticBoard) -> BoardObservations:
    return BoardObservations.from_corners(board, rig, xy, film.noise_px, film.times, film.segments)


def distance_errors(result: CalibrationResult, truth: Rig) -> tuple[np.ndarray, np.ndarray]:
    """Errors of the distances between cameras and their standard deviations, m."""
    assert result.uncertainty is not None
    pairs = np.triu_indices(len(truth), 1)
    found, true = (np.linalg.norm(r.centers[:, None] - r.centers, axis=-1)[pairs] for r in (result.rig, truth))
    return found - true, result.uncertainty.distances_sd[pairs]


def test_the_two_sides_of_a_plate_lie_back_to_back() -> None:
    for axis, kept in (("y", 1), ("x", 0)):
        places = two_sided_places(FRONT, OTHER, 0.006, axis)
        (R, t), middle = motion_of(places[1]), np.array([*OTHER.size_m, 0]) / 2
        np.testing.assert_allclose(R @ middle + t, [*np.array(FRONT.size_m) / 2, 0.006], atol=1e-12)
        np.testing.assert_allclose(R[:, 2], [0, 0, -1], atol=1e-9)
        np.testing.assert_allclose(R[:, kept], np.eye(3)[kept], atol=1e-9)
    # Of one design on both sides, turned like a page, corner (0, 0) of the back is behind the last of the front's row.
    np.testing.assert_allclose(PLATE.points[FRONT.corner_count], FRONT.points[3] + [0, 0, 0.006], atol=1e-9)


def test_a_set_survives_its_file() -> None:
    assert restore_board(board_fields(PLATE)) == PLATE
    shipped = load_board("two_sided_a4")
    assert isinstance(shipped, BoardSet)
    assert shipped.rigid
    assert not shipped.places


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"kind": "several", "boards": ["charuco_a4", CHARUCO]}, "boards 1 and 2 are alike: both have markers 0 to 16"),
        ({"kind": "several", "boards": [CHECKERS, CHECKERS | {"square_mm": 60}]}, "alike: the same numbers of squares"),
        ({"kind": "several", "boards": [CHECKERS, "circles_a4"]}, "board 2, .* looks the same when it is turned"),
        ({"kind": "several", "boards": ["charuco_a4"]}, "lists 1, 2 to 12"),
        ({"kind": "several", "boards": ["charuco_a5", "charuco_a4"]}, "board 1 of the list: .*did you mean"),
        ({"kind": "several", "boards": [CHARUCO, {"kind": "charuco"}]}, "board 2 of the list: squares is missing"),
        ({"kind": "several", "boards": [{"kind": "several", "boards": []}, CHARUCO]}, "itself several boards"),
        ({"kind": "several", "boards": "charuco_a4"}, "must be a list"),
        ({"kind": "two_sided", "boards": [CHARUCO]}, "lists 1, two are wanted"),
        ({"kind": "two_sided", "boards": [CHARUCO, CHECKERS], "thickness_mm": 5000}, "thickness_mm is 5000"),
        ({"kind": "two_sided", "boards": [CHARUCO, CHECKERS], "thickness_mm": 5, "turned_about": "z"}, "one of y, x"),
        ({"kind": "two_sided", "boards": [CHARUCO, CHECKERS], "turned_about": "x"}, "goes with thickness_mm"),
    ],
)
def test_bad_sets_say_why_in_a_line(tmp_path: Path, document: dict[str, object], message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError, match=message) as caught:
        load_board(path)
    assert "\n" not in str(caught.value)


def test_a_set_that_contains_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loop.yaml"
    path.write_text("&a {kind: several, boards: [*a, *a]}")
    with pytest.raises(ConfigError, match="itself several boards"):
        load_board(path)


def test_each_board_of_a_picture_is_found_with_its_own_numbers(
    render: Callable, lens: Pinhole, stand: Callable
) -> None:
    a, b = Board("charuco", (5, 7), 0.035, 0.026, "DICT_4X4_50"), Board("charuco", (5, 6), 0.03, 0.02, "DICT_4X4_50")
    boards = BoardSet((a, replace(b, first=17)))
    left, there = render(a, lens, *stand(a, 4.0, aside=-0.9))
    right, others = render(boards.parts[1], lens, *stand(a, 4.0, aside=0.9))
    both = np.where(np.arange(left.shape[1]) < 400, left, right)
    view = detect_board(both, boards)
    assert view is not None
    np.testing.assert_array_equal(view.ids, np.arange(boards.corner_count))
    # Rendered corners are found to a hundredth of a pixel or two.
    assert np.abs(view.xy - np.concatenate([there, others])).max() < 0.15
    alone = detect_board(right, boards)
    assert alone is not None
    np.testing.assert_array_equal(alone.ids, np.flatnonzero(boards.members(1)))


@pytest.mark.slow
def test_several_boards_recover_the_rig_within_the_covariance() -> None:
    rig, boards = ring(4, 1), BoardSet((FRONT, OTHER))
    films = [film_board(rig, part.points, frames=60, seed=seed) for seed, part in enumerate(boards.parts)]
    together = observed(boards, rig, np.concatenate([film.xy for film in films], axis=2), films[0])
    apart = separated(together)
    assert apart.seen.sum() == together.seen.sum()
    assert not (apart.seen[..., boards.members(0)].any(-1) & apart.seen[..., boards.members(1)].any(-1)).any()
    result = calibrate_rig(apart, CONFIG)
    errors, sd = distance_errors(result, rig)
    # The covariance is the Cramer-Rao bound; six distances of three standard deviations, seldom outside four.
    assert (np.abs(errors) < 4 * sd).all()
    assert result.noise_px == pytest.approx(0.2, rel=0.1)
    # Some of the cameras see one of the boards alone hardly ever.
    with pytest.raises(CalibrationError, match="cam02: 1 usable views"):
        calibrate_rig(observed(FRONT, rig, films[0].xy, films[0]), CONFIG)


@pytest.mark.slow
def test_a_two_sided_board_links_cameras_that_face_each_other() -> None:
    rig = ring(4)
    film = filmed(rig, PLATE, 80)
    result = calibrate_rig(observed(PLATE, rig, film.xy, film), CONFIG)
    errors, sd = distance_errors(result, rig)
    assert (np.abs(errors) < 4 * sd).all()
    # Measured: 1.1 to 2.0 mm with both sides, 9 to 18 mm with the front alone.
    front = observed(FRONT, rig, film.xy[:, :, : FRONT.corner_count], film)
    one_sided = calibrate_rig(front, CONFIG)
    assert (distance_errors(one_sided, rig)[1] > 3 * sd).all()
    # Two cameras that look at each other never see one side both.
    facing = Rig((rig.cameras[0], rig.cameras[2]))
    pair = filmed(facing, PLATE, 40)
    errors, sd = distance_errors(calibrate_rig(observed(PLATE, facing, pair.xy, pair), CONFIG), facing)
    assert (np.abs(errors) < 4 * sd).all()
    with pytest.raises(CalibrationError, match="cam0"):
        calibrate_rig(observed(FRONT, facing, pair.xy[:, :, : FRONT.corner_count], pair), CONFIG)


@pytest.mark.slow
def test_how_the_sides_are_fixed_is_found_with_the_rig() -> None:
    rig = ring(4)
    film = filmed(rig, PLATE, 60, stills=True)
    result = calibrate_rig(observed(replace(PLATE, places=()), rig, film.xy, film), CONFIG)
    errors, sd = distance_errors(result, rig)
    assert (np.abs(errors) < 4 * sd).all()
    # Measured 0.13 to 0.39 mm in four rings of 80 frames; standard deviations are 0.15 mm and 0.3 mrad.
    assert np.abs(result.board_points - PLATE.points).max() < 1e-3
    assert any("board 2 is fixed to the first turned by 1" in note for note in result.warnings)


def test_boards_that_are_never_seen_together_have_no_place() -> None:
    R, t = np.tile(np.eye(3), (2, 4, 1, 1)), np.zeros((2, 4, 3))
    t[0, :2] = t[1, 2:] = np.nan
    with pytest.raises(CalibrationError, match=r"board 2, .* at no instant seen together"):
        places_from_poses(PLATE, R, t, 3.0)


def test_board_shape_is_for_one_board() -> None:
    rig = ring(2)
    film = filmed(rig, PLATE, 5)
    config = replace(CONFIG, board_shape=BoardShapeConfig(enabled=True))
    with pytest.raises(ConfigError, match="one board, not for several"):
        calibrate_rig(observed(PLATE, rig, film.xy, film), config)


def test_a_board_of_the_list_that_was_not_filmed_is_named(
    tmp_path: Path, render: Callable, lens: Pinhole, stand: Callable
) -> None:
    a, b = load_board("charuco_a4"), Board("charuco", (5, 7), 0.035, 0.026, "DICT_4X4_50", first=17)
    filmed_one = Board("charuco", (5, 6), 0.03, 0.02, "DICT_5X5_50")
    for name in ("cam00", "cam01"):
        folder = tmp_path / "calibration" / "extrinsics" / name
        folder.mkdir(parents=True)
        for k, board in enumerate((a, filmed_one)):
            cv2.imwrite(str(folder / f"{k}.png"), render(board, lens, *stand(board, 2.4))[0])
    with pytest.raises(CalibrationError, match=r"board 2, .* from 17, is in none of the pictures") as caught:
        observe_session(tmp_path, BoardSet((a, b, filmed_one)))
    assert "in all of which another" in str(caught.value)
    observations = observe_session(tmp_path, BoardSet((a, filmed_one)))
    assert observations.frame_names == ("extrinsics/0, board 1", "extrinsics/1, board 2")
    assert observations.views.all()
