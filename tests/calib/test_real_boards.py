"""Real pictures of boards: the stereo chessboards of Debian's opencv-doc, and those of the demo recording."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from calib.boards import Board, load_board
from calib.calibrate import calibrate_rig
from calib.detection import detect_board
from calib.lenses import calibrate_lenses
from calib.observations import BoardObservations
from calib.sampling import SamplingConfig, observe_session
from mv3d.demo import fetch_demo, make_demo_session
from mv3d.errors import SessionError

# `make test` installs it where it can.
STEREO_FOLDER = Path("/usr/share/doc/opencv-doc/examples/data")
# The prints' true size is not known and does not matter to what is measured here.
CHESSBOARD = Board("checkerboard", (10, 7), 0.025)
PAIRS = 13


@pytest.fixture(scope="module")
def stereo_pictures() -> list[list[np.ndarray]]:
    """The pictures of the left and of the right camera, in the same order; they come in gray."""
    files = [sorted(STEREO_FOLDER.glob(f"{side}[0-9][0-9].jpg")) for side in ("left", "right")]
    if not files[0]:
        pytest.skip(f"no {STEREO_FOLDER}/left01.jpg; apt-get install opencv-doc")
    assert [len(side) for side in files] == [PAIRS, PAIRS]
    return [[cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in side] for side in files]


def test_every_stereo_pair_counts_and_fits(stereo_pictures: list[list[np.ndarray]]) -> None:
    views = [[detect_board(image, CHESSBOARD) for image in side] for side in stereo_pictures]
    seen = [[view for view in side if view is not None] for side in views]
    assert [len(side) for side in seen] == [PAIRS, PAIRS]
    assert all(len(view.ids) == CHESSBOARD.corner_count for side in seen for view in side)
    observations = BoardObservations(
        CHESSBOARD,
        ("left", "right"),
        np.array([[640, 480], [640, 480]]),
        np.array([[view.xy for view in side] for side in seen]),
        np.array([[view.sigma_px for view in side] for side in seen]),
        np.full((2, PAIRS), np.nan),
        tuple(f"pair {i}" for i in range(PAIRS)),
        np.arange(PAIRS),
    )
    result = calibrate_rig(observations)
    assert result.excluded == ()
    # OpenCV's finder and stereoCalibrate leave 0.215 px on these pictures.
    assert result.rms <= 0.20
    # A corner in a hundred may be left out as blurred, no more.
    assert np.isfinite(result.residuals).all(-1).mean() > 0.99


def test_no_board_in_pictures_of_other_things(stereo_pictures: list[list[np.ndarray]]) -> None:
    """Fruit, houses, cards, a sudoku, printed circles, a drawn chessboard of another size."""
    files = [path for suffix in ("jpg", "png") for path in sorted(STEREO_FOLDER.glob(f"*.{suffix}"))]
    others = [path for path in files if not path.stem[-2:].isdigit()]
    assert len(others) > 30
    for path in others:
        image = cv2.imread(str(path))
        assert image is None or detect_board(image, CHESSBOARD) is None, path.name


@pytest.mark.network
@pytest.mark.slow
def test_four_folders_of_one_camera_agree(tmp_path: Path) -> None:
    """27 of the 28 pictures show a whole board; OpenCV's finder sees another where there is none."""
    try:
        recording = fetch_demo(None)
    except SessionError as error:
        pytest.skip(f"the demo recording is not here and cannot be fetched: {error}")
    session = make_demo_session(recording, tmp_path / "session")
    board = load_board("demo_checkerboard")
    observations = observe_session(session, board, SamplingConfig(cache=False), alone_only=True)
    result = calibrate_lenses(observations)
    assert [camera.name for camera in result.cameras] == ["cam01", "cam02", "cam03", "cam04"]
    assert observations.views.sum(1).tolist() == [7, 6, 7, 7]
    assert result.excluded == (), "every board counts and none is false"
    focal = np.array([camera.lens.K[0, 0] for camera in result.cameras])
    assert np.ptp(focal) / focal.mean() < 0.003
    assert max(fit.rms_px for fit in result.fits) <= 0.25
