"""What `mv3d calibrate` knew of the cameras' parameters: calibration/uncertainty.npz."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.errors import FormatError
from mv3d.files.writing import whole_file

# Parameters of the calibration that each kind of refinement changes, in its order.
_NAMES = {
    "image-shift": ("cx", "cy"),
    "extrinsics": ("rx", "ry", "rz", "tx", "ty", "tz"),
    "focal": ("fx",),
}
# Standard deviations below these are taken for them: px, rad, m. A tripod yields by more, and the camera that carries
# the world has none at all, whose inverse does not exist.
_LEAST_SD = {"c": 0.1, "r": 1e-4, "t": 5e-4, "f": 1e-4}
# Arrays of lengths, and the parameters that are lengths.
_LENGTHS, _LENGTH_PARAMETERS = ("distances", "distances_sd", "board_points"), ("tx", "ty", "tz")

Arrays = dict[str, np.ndarray]


def known_covariance(session: Session, rig: Rig, kind: str | None) -> Float[np.ndarray, "unknown unknown"] | None:
    """Covariance of the parameters that a refinement changes, view by view; focal lengths as logarithms.

    Args:
        session: whose calibration is read.
        rig: the cameras as used; scaled to the videos, perhaps.
        kind: image-shift, extrinsics or focal; None: nothing is to be refined.

    Returns:
        None where mv3d did not calibrate this rig, or the calibration could not tell.

    Raises:
        FormatError: the file cannot be read.
    """
    path = session.calibration_uncertainty
    if kind is None or not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if "covariance" not in arrays or tuple(arrays["cameras"]) != rig.names:
                return None
            parameters, covariance = list(arrays["parameters"]), np.array(arrays["covariance"], float)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise FormatError(f"{path}: cannot read it ({' '.join(str(error).split())}); calibrate again") from error
    names = _NAMES[kind]
    if covariance.shape != (len(rig) * len(parameters),) * 2 or not set(names) <= set(parameters):
        raise FormatError(f"{path}: not the covariance of {len(rig)} cameras; calibrate again")
    chosen = [v * len(parameters) + parameters.index(name) for v in range(len(rig)) for name in names]
    unit = [_unit(name, float(camera.lens.K[0, 0]), session, v) for v, camera in enumerate(rig) for name in names]
    known = covariance[np.ix_(chosen, chosen)] * np.outer(unit, unit)
    least = np.array([_LEAST_SD[name[0]] for _ in rig for name in names])
    return known + np.diag(least**2)


def _unit(name: str, focal: float, session: Session, view: int) -> float:
    """Factor from the calibration's unit: from px of its pictures to px of the videos, from focal length to its log."""
    if name[0] not in "cf":
        return 1.0
    calibrated = float(Rig.load(session.rig)[view].lens.K[0, 0])
    return focal / calibrated if name[0] == "c" else 1 / calibrated


def write_rescaled(source: Path, target: Path, scale: float) -> None:
    """Write what is known of a rig's parameters as it is after all lengths were multiplied by `scale`.

    Parameters change a pose from the left, in the camera's frame: a turn or move of the world leaves them as they are.

    Raises:
        FormatError: the source cannot be read.
        SessionError: the target cannot be written.
    """

    def rescale(arrays: Arrays) -> None:
        arrays.update({name: scale * arrays[name] for name in _LENGTHS if name in arrays})
        if "covariance" in arrays:
            one = np.where(np.isin(arrays["parameters"], _LENGTH_PARAMETERS), scale, 1.0)
            factor = np.tile(one, len(arrays["cameras"]))
            arrays["covariance"] = arrays["covariance"] * np.outer(factor, factor)

    _rewrite(source, target, rescale)


def write_moved(source: Path, target: Path, camera: str, sd: Float[np.ndarray, "6"]) -> None:
    """Write what is known of a rig's parameters after the pose of one camera was found by something else.

    Args:
        source, target: files.
        camera: its name; a file that does not know it is written as it is.
        sd: of its turn, rad, and translation, m, from the left. With the others' they no longer go together.

    Raises:
        FormatError: the source cannot be read.
        SessionError: the target cannot be written.
    """

    def replace_pose(arrays: Arrays) -> None:
        names, parameters = [str(name) for name in arrays["cameras"]], [str(p) for p in arrays.get("parameters", ())]
        if camera in names and "covariance" in arrays:
            v = names.index(camera)
            rows = [v * len(parameters) + parameters.index(name) for name in _NAMES["extrinsics"]]
            arrays["covariance"][rows], arrays["covariance"][:, rows] = 0.0, 0.0
            arrays["covariance"][rows, rows] = sd**2
            for name in ("distances", "distances_sd"):
                arrays[name][v], arrays[name][:, v] = np.nan, np.nan

    _rewrite(source, target, replace_pose)


def _rewrite(source: Path, target: Path, change: Callable[[Arrays], None]) -> None:
    """Write the arrays of a file after they were changed; what is amiss with them shows in the change too."""
    try:
        with np.load(source, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        change(arrays)
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise FormatError(f"{source}: cannot read it ({' '.join(str(error).split())}); calibrate again") from error
    with whole_file(target) as part, part.open("wb") as out:
        np.savez_compressed(out, allow_pickle=False, **arrays)
