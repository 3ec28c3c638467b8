"""C3D, the file of motion capture laboratories: all people as labelled points, with residuals and camera masks.

Written to the letter of the C3D user guide (Motion Lab Systems, 2008; c3d.org): Intel byte order, floating-point
points, no analog channels. A missing point is 0, 0, 0 with residual -1. What the 16-bit frame counts of the format
cannot hold is written as the guide's later practice has it: 65535 in the header, the whole number in POINT:LONG_FRAMES
and as two words in TRIAL:ACTUAL_END_FIELD.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from mv3d.data.poses import MEASURED, MISSING, Poses3D
from mv3d.errors import FormatError
from mv3d.export.c3d_parameters import BLOCK, HEADER_FRAMES, Parameter, header_block, parameter_section
from mv3d.export.labels import plain_name
from mv3d.export.options import Placement, axis_name, place
from mv3d.export.text_rows import blocks
from mv3d.export.timing import is_regular, nominal_rate
from mv3d.files.writing import whole_file

# A name's length and the number of entries of a list are bytes.
_LONGEST, _LIST = 255, 255
# The header counts points in a signed word.
_MOST_POINTS = 32767
# Of the camera mask.
_MASK_BITS = 7
# One step of the residual, which is a byte. In mm the scale is then 1, the one that all readers apply alike.
_RESIDUAL_STEP = 1e-3  # m
_MOST_FRAMES = 2**24  # whole numbers that the 32-bit float of LONG_FRAMES holds


def write_c3d(
    poses: Poses3D,
    path: str | Path,
    placement: Placement | None = None,
    views: Bool[np.ndarray, "frame person joint view"] | None = None,
) -> None:
    """Write all people; with several, labels are "Person0:Nose" and so on.

    Args:
        poses: the skeletons, at a constant rate.
        path: the file to make.
        placement: axes and unit; by default the world in mm.
        views: which cameras agree with a point, for the masks of the first seven; without them the masks are empty.

    Raises:
        FormatError: the format cannot hold the names or the number of points or frames.
        SessionError: the file cannot be written.
        ValueError: frames that do not follow at a constant rate.
    """
    if not is_regular(poses.timestamps):
        raise ValueError("C3D holds frames at a constant rate only; resample the skeletons first")
    placement = placement or place(units="mm")
    labels = point_labels(poses)
    check_c3d(poses)
    rate = nominal_rate(poses.timestamps) or 1.0
    step = _RESIDUAL_STEP * placement.scale
    parameters, data_block = parameter_section(_parameters(poses, labels, rate, step, placement))
    with whole_file(path) as part, part.open("wb") as file:
        file.write(header_block(len(labels), len(poses), rate, -step, data_block))
        file.write(parameters)
        for chunk in _frames(poses, placement, step, views):
            file.write(chunk)
        # Blocks are filled up, but not where a reader (ezc3d 1.7) counts frames to the end of the file.
        if len(poses) < HEADER_FRAMES:
            file.write(bytes(-len(poses) * len(labels) * 16 % BLOCK))


def point_labels(poses: Poses3D) -> list[str]:
    """The names of all points in the order of the file."""
    several = poses.xyz.shape[1] > 1
    return [
        f"Person{int(person)}:{plain_name(joint)}" if several else plain_name(joint)
        for person in poses.person_id
        for joint in poses.skeleton.keypoints
    ]


def check_c3d(poses: Poses3D) -> None:
    """Raise FormatError where the format cannot hold the names or the number of points or frames."""
    labels, frames = point_labels(poses), len(poses)
    long = next((label for label in labels if len(label.encode()) > _LONGEST), None)
    if long is not None:
        raise FormatError(
            f"C3D has room for names of {_LONGEST} bytes, the joint {long[:40]!r}... is longer: rename it"
        )
    if len(labels) > _MOST_POINTS or frames > _MOST_FRAMES:
        raise FormatError(
            f"C3D holds up to {_MOST_POINTS} points and {_MOST_FRAMES} frames, not {len(labels)} and {frames}; "
            "export fewer people, a lower --fps or another format"
        )


def _parameters(
    poses: Poses3D, labels: list[str], rate: float, step: float, placement: Placement
) -> dict[str, list[Parameter]]:
    frames, end = len(poses), len(poses)
    lists = [labels[i : i + _LIST] for i in range(0, len(labels), _LIST)]
    point = [
        Parameter("USED", np.int16(len(labels))),
        Parameter("SCALE", np.float32(-step)),
        Parameter("RATE", np.float32(rate)),
        Parameter("DATA_START", np.int16(0)),
        # Programs of the format's first days read a signed word, later ones an unsigned one.
        Parameter("FRAMES", np.uint16(min(frames, HEADER_FRAMES)).astype(np.int16)),
        Parameter("UNITS", placement.units),
        *(Parameter(f"LABELS{i + 1 if i else ''}", part) for i, part in enumerate(lists)),
        *(Parameter(f"DESCRIPTIONS{i + 1 if i else ''}", [""] * len(part)) for i, part in enumerate(lists)),
        *([Parameter("LONG_FRAMES", np.float32(frames))] if frames > HEADER_FRAMES else []),
    ]
    up = axis_name(placement.up)
    if up is not None:
        point += [Parameter("X_SCREEN", "+Y" if up[1] == "X" else "+X"), Parameter("Y_SCREEN", up)]
    analog = [
        Parameter("USED", np.int16(0)),
        Parameter("LABELS", []),
        Parameter("DESCRIPTIONS", []),
        Parameter("GEN_SCALE", np.float32(1)),
        Parameter("SCALE", np.zeros(0, np.float32)),
        Parameter("OFFSET", np.zeros(0, np.int16)),
        Parameter("UNITS", []),
        Parameter("RATE", np.float32(rate)),
    ]
    trial = [
        Parameter("ACTUAL_START_FIELD", np.array([1, 0], np.int16)),
        Parameter("ACTUAL_END_FIELD", np.array([end & 0xFFFF, end >> 16], np.uint16).astype(np.int16)),
        Parameter("CAMERA_RATE", np.float32(rate)),
    ]
    own = [
        Parameter("FRAME", placement.description),
        Parameter("START_TIME", np.float32(poses.timestamps[0])),
        Parameter("RESIDUALS", "standard deviation of the position; 0 filled, -1 missing"),
    ]
    return {
        "POINT": point,
        "ANALOG": analog,
        "FORCE_PLATFORM": [Parameter("USED", np.int16(0))],
        "TRIAL": trial,
        "MANUFACTURER": [Parameter("COMPANY", "mv3d"), Parameter("SOFTWARE", "mv3d")],
        "MV3D": own,
    }


def _frames(poses: Poses3D, placement: Placement, step: float, views: np.ndarray | None) -> Iterator[bytes]:
    points = poses.xyz.shape[1] * poses.xyz.shape[2]
    for block in blocks(len(poses)):
        state = poses.state[block]
        here = state != MISSING
        out = np.zeros((*here.shape, 4), "<f4")
        out[..., :3] = np.where(here[..., None], placement.points(np.nan_to_num(poses.xyz[block])), 0)
        variance = np.nan_to_num(np.trace(poses.covariance[block], axis1=-2, axis2=-1)) / 3
        residual = np.clip(np.ceil(np.sqrt(np.maximum(variance, 0)) / _RESIDUAL_STEP), 1, 255)
        word = np.where(state == MEASURED, residual, 0)
        if views is not None:
            mask = (views[block][..., :_MASK_BITS] * 2 ** np.arange(min(views.shape[-1], _MASK_BITS))).sum(-1)
            word = word + 256 * mask
        out[..., 3] = np.where(here, word, -1)
        yield out.reshape(-1, points * 4).tobytes()
