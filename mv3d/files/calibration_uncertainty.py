"""What `mv3d calibrate` knew of the cameras' parameters: calibration/uncertainty.npz."""

import zipfile

import numpy as np
from jaxtyping import Float

from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.errors import FormatError

# Parameters of the calibration that each kind of refinement changes, in its order.
_NAMES = {
    "image-shift": ("cx", "cy"),
    "extrinsics": ("rx", "ry", "rz", "tx", "ty", "tz"),
    "focal": ("fx",),
}
# Standard deviations below these are taken for them: px, rad, m. A tripod yields by more, and the camera that carries
# the world has none at all, whose inverse does not exist.
_LEAST_SD = {"c": 0.1, "r": 1e-4, "t": 5e-4, "f": 1e-4}


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
