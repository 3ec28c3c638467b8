from pathlib import Path

import numpy as np
import pytest

from calib.boards import Board, load_board
from calib.observations import BoardObservations
from mv3d.errors import FormatError

BOARD = Board("checkerboard", (5, 4), 0.03)


def made(board: Board = BOARD) -> BoardObservations:
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 100, (2, 3, board.corner_count, 2))
    xy[1, 2] = np.nan
    xy[0, 0, 3] = np.nan
    sigma = np.array([[0.1, 0.2, 0.3], [0.1, 0.1, np.nan]])
    return BoardObservations(
        board,
        ("a", "b"),
        np.array([[100, 80], [90, 70]]),
        xy,
        sigma,
        np.array([[0.0, 0.1, np.nan]] * 2),
        ("x", "y", "z"),
        np.array([0, 0, 1]),
    )


def test_masks() -> None:
    views = made().views
    assert views.tolist() == [[True, True, True], [True, True, False]]
    assert made().seen.sum() == 5 * BOARD.corner_count - 1


@pytest.mark.parametrize("board", [BOARD, load_board("charuco_rig")])
def test_round_trip(tmp_path: Path, board: Board) -> None:
    before = made(board)
    before.save(tmp_path / "o.npz")
    after = BoardObservations.load(tmp_path / "o.npz")
    assert after.board == board
    assert (after.cameras, after.frame_names) == (before.cameras, before.frame_names)
    for name in ("sizes", "xy", "sigma_px", "times", "segments"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_selection() -> None:
    some = made().select_frames(np.array([2, 0])).select_cameras(["b"])
    assert some.frame_names == ("z", "x")
    assert some.views.tolist() == [[False, True]]
    assert some.segments.tolist() == [1, 0]
    np.testing.assert_array_equal(some.xy[0, 1], made().xy[1, 0])
    assert made().select_frames(np.array([True, False, True])).frame_names == ("x", "z")
    with pytest.raises(ValueError, match="no camera c"):
        made().select_cameras(["c"])


def test_without() -> None:
    mask = np.zeros((2, 3), bool)
    mask[0, 1] = True
    assert made().without(mask).views.tolist() == [[True, False, True], [True, True, False]]


def test_bad_values_are_refused() -> None:
    good = made()
    with pytest.raises(ValueError, match="xy has shape"):
        BoardObservations(
            BOARD,
            ("a",),
            good.sizes[:1],
            good.xy[0],
            good.sigma_px[:1],
            good.times[:1],
            good.frame_names,
            good.segments,
        )
    with pytest.raises(ValueError, match="sigma_px"):
        BoardObservations(
            BOARD, ("a", "b"), good.sizes, good.xy, np.zeros((2, 3)), good.times, good.frame_names, good.segments
        )


def test_strange_files(tmp_path: Path) -> None:
    path = tmp_path / "o.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(FormatError, match="detect the boards again"):
        BoardObservations.load(path)
    np.savez(path, xy=np.array([{}], object))
    with pytest.raises(FormatError):
        BoardObservations.load(path)
