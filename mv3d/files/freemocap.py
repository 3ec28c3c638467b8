"""Keypoints that FreeMoCap wrote: one array of all cameras, in output_data/raw_data of a recording.

The layout is that of FreeMoCap 1 with skellytracker: `<tracker>_2dData_numCams_numFrames_numTrackedPoints_pixelXY.npy`
(`mediapipe2dData_...` before 1.4), (camera, frame, point, 2 or 3), NaN where missing, cameras in the order of their
videos' names. Of MediaPipe's 543 or 553 points the first 33 are the body. Its hands and face are not read: versions
differ in which comes first, and the file does not say.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mv3d.data.skeletons import BLAZEPOSE_33
from mv3d.errors import FormatError, SessionError
from mv3d.files.people import FoundPerson, ViewPeople, cleaned

_PATTERN = "*2dData_numCams_numFrames_numTrackedPoints_pixelXY.npy"
_PLACES = (".", "raw_data", "output_data/raw_data")
# MediaPipe's holistic model has 33 + 2 * 21 + 468 points, 10 more with the irises.
_HOLISTIC = (543, 553)


def is_in(folder: Path) -> bool:
    """Whether a folder is FreeMoCap's, of a recording or of its raw data."""
    return bool(_arrays(folder))


def read_freemocap(folder: Path, rig_names: Sequence[str]) -> dict[str, ViewPeople]:
    """All cameras, in the rig's order. FreeMoCap writes no scores: each point that is there has 1.

    Raises:
        SessionError: no array, several, or one of another number of cameras than the rig's.
        FormatError: not an array of this kind.
    """
    found = _arrays(folder)
    if len(found) != 1:
        names = f" ({', '.join(path.name for path in found)}); keep one of them" if found else ""
        raise SessionError(f"{folder}: {len(found)} arrays {_PATTERN}{names}")
    points = _load(found[0])
    if len(points) != len(rig_names):
        raise SessionError(
            f"{found[0]}: keypoints of {len(points)} cameras, the rig has {len(rig_names)} ({', '.join(rig_names)})"
        )
    return {name: _view(found[0], xy) for name, xy in zip(rig_names, points, strict=True)}


def _arrays(folder: Path) -> list[Path]:
    return sorted(path for place in _PLACES for path in (folder / place).glob(_PATTERN) if path.is_file())


def _load(path: Path) -> np.ndarray:
    """(camera, frame, point, 2) px."""
    try:
        # Mapped, so that a header that promises more than the file holds is refused before memory is taken.
        points = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, OverflowError) as error:
        raise FormatError(f"{path}: cannot read this array: {' '.join(str(error).split())}") from error
    if not isinstance(points, np.ndarray) or points.ndim != 4 or points.shape[3] not in (2, 3) or not points.size:
        raise FormatError(f"{path}: wanted an array (camera, frame, point, 2 or 3); is it the right file?")
    if not np.issubdtype(points.dtype, np.floating):
        raise FormatError(f"{path}: wanted floating point numbers, the array holds {points.dtype}")
    body = len(BLAZEPOSE_33) if points.shape[2] in _HOLISTIC else points.shape[2]
    return np.array(points[:, :, :body, :2], dtype=np.float64)


def _view(path: Path, xy: np.ndarray) -> ViewPeople:
    scored = np.concatenate([xy, np.ones((*xy.shape[:2], 1))], axis=-1)
    found = [cleaned(body) for body in scored]
    return ViewPeople(path, {f: (FoundPerson(body),) if body[:, 2].any() else () for f, body in enumerate(found)})
