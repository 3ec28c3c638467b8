from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.errors import FormatError
from mv3d.files.calibration_uncertainty import known_covariance
from mv3d.synthetic.rigs import camera_ring

PARAMETERS = ["fx", "fy", "cx", "cy", "rx", "ry", "rz", "tx", "ty", "tz"]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    session = Session(tmp_path)
    camera_ring(2, focal=1000.0).save(session.rig)
    return session


def _save(session: Session, **changes) -> None:
    variance = np.tile([4.0, 4, 9, 16, *([1e-6] * 3), *([1e-4] * 3)], 2)
    arrays = {
        "cameras": np.array(["cam01", "cam02"]),
        "parameters": np.array(PARAMETERS),
        "covariance": np.diag(variance),
    }
    session.calibration_uncertainty.parent.mkdir()
    np.savez(session.calibration_uncertainty, **{**arrays, **changes})


def test_the_parameters_that_a_refinement_changes(session: Session) -> None:
    _save(session)
    rig = Rig.load(session.rig)
    shift = known_covariance(session, rig, "image-shift")
    assert shift is not None
    assert np.diag(shift) == pytest.approx([9.01, 16.01] * 2)
    pose = known_covariance(session, rig, "extrinsics")
    assert pose is not None
    assert np.diag(pose) == pytest.approx([*([1.01e-6] * 3), *([1.0025e-4] * 3)] * 2)
    focal = known_covariance(session, rig, "focal")
    assert focal is not None
    assert np.sqrt(np.diag(focal)) == pytest.approx(np.hypot(2.0 / 1000, 1e-4))


def test_pixels_are_those_of_the_videos(session: Session) -> None:
    _save(session)
    half = Rig(tuple(camera.resized((960, 540)) for camera in Rig.load(session.rig)))
    shift = known_covariance(session, half, "image-shift")
    assert shift is not None
    assert np.sqrt(np.diag(shift)) == pytest.approx(np.hypot([1.5, 2, 1.5, 2], 0.1))


def test_nothing_is_known_without_a_calibration_of_this_rig(session: Session) -> None:
    rig = Rig.load(session.rig)
    assert known_covariance(session, rig, "focal") is None
    _save(session)
    assert known_covariance(session, rig, None) is None
    renamed = Rig(tuple(replace(camera, name=f"x{camera.name}") for camera in rig))
    assert known_covariance(session, renamed, "focal") is None


def test_a_damaged_file_is_named(session: Session) -> None:
    _save(session, covariance=np.eye(3))
    with pytest.raises(FormatError, match=r"uncertainty\.npz.*calibrate again"):
        known_covariance(session, Rig.load(session.rig), "focal")
    session.calibration_uncertainty.write_bytes(b"no npz")
    with pytest.raises(FormatError, match=r"uncertainty\.npz"):
        known_covariance(session, Rig.load(session.rig), "focal")
