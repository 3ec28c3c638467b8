"""Whether a rig still is what it was when it was calibrated, and which of its cameras were moved since."""

import numpy as np

from calib.moves import CameraMove, Recheck, name_moved
from calib.result import Uncertainty
from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.geometry.rotations import skew, vector_from_rotation

YIELD = np.array([1e-4] * 3 + [3e-4] * 3)
"""What a standing tripod yields, and a lens does with warmth: rad and m. No calibration is held to less. More of it
hides true moves: a turn of 1e-4 rad is a tenth of a pixel, and 2e-4 made a move of 5 mm at 4 m a matter of luck."""
# px of focal length and centre; and of a coefficient, only so that none is known exactly.
_LENS_YIELD, _LEAST_DIST = np.array([0.1, 0.1, 0.05, 0.05]), 1e-6
# Cameras that disagree by as many times what noise makes of it were not all moved a little: their rig is wrong.
_DISAGREE = 2.0
_POSE = ("rx", "ry", "rz", "tx", "ty", "tz")


def compare_rigs(old: Rig, new: Rig, new_sd: Uncertainty, old_sd: Uncertainty | None = None) -> Recheck:
    """Find the cameras that do not stand where they stood, whatever the two worlds are.

    Poses differ by a change of the world that all share, by noise, and by moves of few cameras. Cameras are given a
    move of their own one by one, the one that explains most first, until what is left is noise. Lenses do not change:
    where both calibrations have found them, what they differ by is noise that the poses share, and is taken out.

    Args:
        old, new: the same cameras in the same order; equal scale; with `old_sd` the same lens models too, found anew.
        new_sd: uncertainty of the new rig.
        old_sd: of the old one; None where it is not known: then the new poses were found with the old lenses, and a
            false alarm is likelier.

    Raises:
        ValueError: lenses of different models.
    """
    count = len(old)
    lens = new_sd.parameters[: new_sd.parameters.index("rx")] if old_sd is not None else ()
    if old_sd is not None and lens != old_sd.parameters[: old_sd.parameters.index("rx")]:
        raise ValueError("the lenses of the two calibrations are of different models")
    parameters = (*lens, *_POSE)
    yields = np.concatenate([np.tile(_LENS_YIELD, len(lens))[: len(lens)], YIELD])
    yields[4 : len(lens)] = _LEAST_DIST
    covariance = _covariance(new_sd, old.names, parameters) + np.diag(np.tile(yields**2, count))
    if old_sd is not None:
        covariance += _covariance(old_sd, old.names, parameters)
    information = np.linalg.inv(covariance)
    d, A = _aligned(old, new, lens)
    return name_moved(old, d, A, information)


def _covariance(uncertainty: Uncertainty, names: tuple[str, ...], parameters: tuple[str, ...]) -> np.ndarray:
    """Of some parameters of the named cameras, camera by camera."""
    size = len(uncertainty.parameters)
    own = [uncertainty.parameters.index(name) for name in parameters]
    rows = [uncertainty.cameras.index(name) * size + i for name in names for i in own]
    return uncertainty.covariance[np.ix_(rows, rows)]


def _lens_difference(old: Camera, new: Camera, parameters: tuple[str, ...]) -> np.ndarray:
    """New minus old of fx, fy, cx, cy and the distortion, as many as there are parameters."""
    found = np.zeros(len(parameters))
    K = new.lens.K - old.lens.K
    found[:4] = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    count = min(len(found) - 4, len(old.lens.dist), len(new.lens.dist))
    found[4 : 4 + count] = new.lens.dist[:count] - old.lens.dist[:count]
    return found


def _aligned(old: Rig, new: Rig, lens: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Differences of lenses, and of poses from the left in the world of the camera that most others agree with; d / dg.

    A camera's lens comes before its pose.
    """
    choices = []
    for a in range(len(old)):
        R = new[a].R.T @ old[a].R  # x_new = R x_old + t
        t = new[a].R.T @ (old[a].t - new[a].t)
        choices.append(np.concatenate([_difference(o, n.R @ R, n.R @ t + n.t) for o, n in zip(old, new, strict=True)]))
    reach = float(np.median(np.linalg.norm(old.centers - old.centers.mean(0), axis=1))) + 1e-6
    sizes = [np.median(np.linalg.norm(d.reshape(-1, 6) / ([1.0] * 3 + [reach] * 3), axis=1)) for d in choices]
    poses = choices[int(np.argmin(sizes))].reshape(-1, 6)
    lenses = [_lens_difference(o, n, lens) if lens else np.zeros(0) for o, n in zip(old, new, strict=True)]
    d = np.concatenate([np.concatenate(pair) for pair in zip(lenses, poses, strict=True)])
    blind = np.zeros((len(lens), 6))
    A = [np.vstack([blind, np.block([[c.R, np.zeros((3, 3))], [skew(c.t) @ c.R, c.R]])]) for c in old]
    return d, np.concatenate(A)


def _difference(camera: Camera, R: np.ndarray, t: np.ndarray) -> np.ndarray:
    turn = R @ camera.R.T
    return np.concatenate([vector_from_rotation(turn), t - turn @ camera.t])


def recheck_lines(found: Recheck) -> list[str]:
    """What there is to say, a line each."""
    named = [move for move in found.moves if move.named]
    if found.untold:
        return [
            "cameras have moved against each other, but with two left to compare it is not told which: calibrate anew"
        ]
    if not named and found.disagreement > _DISAGREE:
        return [
            f"the cameras disagree {found.disagreement:.1f} times as much as what is known of them allows, and no"
            " single one of them stands out: calibrate anew",
            *(_bound(m) for m in found.moves),
        ]
    if not named:
        return [
            "the calibration still holds: no camera has moved by more than the uncertainty of the check",
            *(_bound(m) for m in found.moves),
        ]
    return [
        f"{m.camera} has moved: turned by {np.rad2deg(m.turned):.2f} +- {np.rad2deg(m.turned_sd):.2f} degrees, moved by"
        f" {1e3 * m.moved:.1f} +- {1e3 * m.moved_sd:.1f} mm; calibrate it anew: --only {m.camera} --overwrite"
        for m in named
    ]


def _bound(m: CameraMove) -> str:
    return (
        f"  {m.camera}: {np.rad2deg(m.turned):.2f} +- {np.rad2deg(m.turned_sd):.2f} degrees, {1e3 * m.moved:.1f} +-"
        f" {1e3 * m.moved_sd:.1f} mm; a turn of {np.rad2deg(m.least_turn):.2f} degrees or a move of"
        f" {1e3 * m.least_move:.0f} mm would have been seen"
    )
