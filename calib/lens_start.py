"""The first guess of a lens from views of a flat board, and a lens in terms of another model.

The focal length is found by trial: for each of a list of focal lengths the corners become directions, every view's
homography to the board gives a pose, and the pose that reprojects best tells the focal length. That needs no view to be
well placed, works for lenses that see more than half a sphere too, and cannot run into a negative square as closed
forms do.
"""

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares

from calib.layout import LENS_MODELS
from calib.planar import facing, homographies, poses_from_homographies
from mv3d.data.lens import DoubleSphere, Fisheye, Lens, Pinhole

# Focal lengths that are tried, as shares of the image's width: from a 130 degree lens to a long telephoto.
_FOCAL_SHARES = np.geomspace(0.25, 8.0, 31)
# Lenses that keep the angle: from a circle of 220 degrees in the middle third of the image to a narrow view.
_FISHEYE_SHARES = np.geomspace(0.08, 1.2, 29)
# A corner farther than this from the middle of its board (rad) has no place on the plane of the homography.
_WIDEST_ANGLE = 1.35
_TRIAL_VIEWS = 40
# Two models are matched over half of this angle at least, rad: what the corners do not reach must stay sensible.
_LEAST_ANGLE = 1.0


def start_lens(
    points: Float[np.ndarray, "corner 3"],
    xy: Float[np.ndarray, "view corner 2"],
    size: tuple[int, int],
    model: str,
) -> tuple[Lens, float]:
    """Lens that explains the views best by its focal length alone, and its median reprojection error px.

    All models but the pinholes are tried as lenses that keep the angle.
    """
    seen = np.all(np.isfinite(xy), axis=-1)
    pick = np.argsort(-seen.sum(1), kind="stable")[: 4 * _TRIAL_VIEWS]
    pick = pick[:: max(1, len(pick) // _TRIAL_VIEWS)]
    narrow = model.startswith(Pinhole.kind)
    shares = _FOCAL_SHARES if narrow else _FISHEYE_SHARES
    lenses = [plain_lens(share * max(size), size, "pinhole0" if narrow else Fisheye.kind) for share in shares]
    errors = [_trial(points, xy[pick], lens, float(max(size))) for lens in lenses]
    lens = lenses[int(np.argmin(errors))]
    reach = np.linalg.norm(xy[seen] - lens.K[:2, 2], axis=-1).max(initial=0.0) / lens.focal
    return as_model(lens, model, float(reach)), min(errors)


def plain_lens(focal: float, size: tuple[int, int], model: str) -> Pinhole | Fisheye:
    """A pinhole or fisheye without distortion that looks through the middle of the image."""
    K = np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1]])
    return (Fisheye if model == Fisheye.kind else Pinhole)(K, np.zeros(LENS_MODELS[model]))


def as_model(lens: Lens, model: str, reach: float) -> Lens:
    """The same lens as another model, as well as that can.

    A pinhole gets more or fewer coefficients; a double sphere follows a fisheye's curve from angle to radius up to
    `reach` rad. Other changes are a ValueError.
    """
    if model == lens.model:
        return lens
    if model == DoubleSphere.kind and isinstance(lens, Fisheye):
        return _double_sphere(lens, reach)
    if not (isinstance(lens, Pinhole) and model.startswith(Pinhole.kind)):
        raise ValueError(f"a {lens.kind} does not become a {model}")
    dist = np.zeros(LENS_MODELS[model])
    n = min(len(dist), len(lens.dist))
    dist[:n] = lens.dist[:n]
    return Pinhole(lens.K, dist)


def _double_sphere(lens: Fisheye, reach: float) -> DoubleSphere:
    theta = np.linspace(0.0, max(reach, _LEAST_ANGLE), 60)[1:]
    ray = np.stack([np.sin(theta), 0 * theta, np.cos(theta)], axis=-1)
    wanted = Fisheye(np.eye(3), lens.dist).equation(ray)[:, 0]

    def error(p: np.ndarray) -> np.ndarray:
        return np.nan_to_num(p[0] * DoubleSphere(np.eye(3), p[1:]).equation(ray)[:, 0] - wanted, nan=10.0)

    found = least_squares(error, [1.0, 0.0, 0.55], bounds=([0.1, -0.9, 0.05], [4.0, 0.9, 0.95])).x
    return DoubleSphere(lens.K @ np.diag([found[0], found[0], 1.0]), found[1:])


def _trial(points: np.ndarray, xy: np.ndarray, lens: Lens, lost: float) -> float:
    """Median over views of the rms reprojection error px through this lens; a corner without a place costs `lost`."""
    ray = lens.unproject(xy)
    seen, known = np.asarray(np.isfinite(xy).all(-1)), np.asarray(np.isfinite(ray).all(-1))
    turn = facing(ray, known, lens)
    turned = np.nan_to_num(ray @ np.swapaxes(turn, 1, 2), nan=-1.0)
    near = known & (turned[..., 2] > np.cos(_WIDEST_ANGLE))
    x_norm = np.where(near[..., None], turned[..., :2] / np.where(near, turned[..., 2], 1.0)[..., None], 0.0)
    # Each direction's error counts as it does in pixels: the plane stretches what lies far from the axis.
    weight = np.where(near, 1.0, 0.0)
    if not isinstance(lens, Pinhole):
        weight = weight / (1.0 + (x_norm**2).sum(-1)) ** 2
    R, t = poses_from_homographies(homographies(points[:, :2], x_norm, weight))
    x_cam = (points @ np.swapaxes(R, 1, 2) + t[:, None]) @ turn
    error = np.linalg.norm(lens.project(x_cam) - xy, axis=-1)
    square = np.where(seen, np.nan_to_num(error, nan=lost) ** 2, 0.0)
    return float(np.median(np.sqrt(square.sum(1) / np.maximum(seen.sum(1), 1))))
