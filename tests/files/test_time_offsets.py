"""Offsets that a calibration found hold for the recording that it was made from, and for no other unless asked."""

from pathlib import Path

import numpy as np
import pytest

from mv3d.data.session import Session
from mv3d.errors import SessionError
from mv3d.files.time_offsets import recorded_in, session_offsets

CAMERAS = ("cam01", "cam02")


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Two videos that served as the calibration's; cam02's clock is 40 ms off."""
    made = Session(tmp_path / "session")
    made.videos.mkdir(parents=True)
    for name, size in zip(CAMERAS, (10, 20), strict=True):
        (made.videos / f"{name}.mp4").write_bytes(bytes(size))
    _calibrated(made, {name: made.videos / f"{name}.mp4" for name in CAMERAS})
    return made


def _calibrated(session: Session, files: dict[str, Path], offsets: tuple[float, float] = (0.0, 0.04)) -> None:
    (session.root / "calibration").mkdir(exist_ok=True)
    np.savez(
        session.root / "calibration" / "uncertainty.npz",
        cameras=np.array(CAMERAS),
        time_offsets=np.array(offsets),
        **recorded_in(session, files),
    )


def test_offsets_of_the_same_videos_are_used_and_said(session: Session) -> None:
    found = session_offsets(session, ("cam02", "cam01"))
    assert found.array(("cam02", "cam01")).tolist() == [0.04, 0.0]
    assert "cam02 +40 ms" in found.notes[0]


def test_a_video_recorded_anew_has_its_own_clock(session: Session) -> None:
    (session.videos / "cam02.mp4").write_bytes(bytes(21))
    found = session_offsets(session, CAMERAS)
    assert found.array(CAMERAS).tolist() == [0, 0]
    assert "--time-offsets calibration" in found.notes[0]
    assert session_offsets(session, CAMERAS, "calibration").array(CAMERAS).tolist() == [0, 0.04]
    assert session_offsets(session, CAMERAS, "none").notes == ()


def test_a_board_filmed_elsewhere(session: Session) -> None:
    other = session.root / "calibration" / "extrinsics"
    other.mkdir(parents=True)
    for name in CAMERAS:
        (other / f"{name}.mp4").write_bytes(bytes(10))
    _calibrated(session, {name: other / f"{name}.mp4" for name in CAMERAS})
    assert session_offsets(session, CAMERAS).array(CAMERAS).tolist() == [0, 0]


def test_nothing_is_said_of_cameras_in_sync(session: Session) -> None:
    _calibrated(session, {}, (0.0, 1e-3))
    assert session_offsets(session, CAMERAS).notes == ()


@pytest.mark.parametrize("damage", ["absent", "broken", "other cameras", "older"])
def test_without_offsets(session: Session, damage: str) -> None:
    path, cameras = session.root / "calibration" / "uncertainty.npz", CAMERAS
    if damage == "absent":
        path.unlink()
    elif damage == "broken":
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "older":
        np.savez(path, cameras=np.array(CAMERAS), time_offsets=np.zeros(2))
    else:
        cameras = ("a", "b")
    assert session_offsets(session, cameras).array(cameras).tolist() == [0, 0]
    with pytest.raises(SessionError, match="mv3d calibrate"):
        session_offsets(session, cameras, "calibration")
