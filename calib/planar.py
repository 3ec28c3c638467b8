"""Starts from single views of a flat board: homographies, focal length, board poses. None of it ever gives up.

The focal length is found by trial: for each of a list of focal lengths the corners become directions, every view's
homography to the board gives a pose, and the pose that reprojects best tells the focal length. That needs no view to be
well placed, works for a fisheye too, and cannot run into a negative square as closed forms do.
Source of pose from homography: Zhang, A flexible new technique for camera calibration, PAMI 2000.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float

from mv3d.data.lens import Fisheye, Lens, Pinhole
from mv3d.geometry.rotations import nearest_rotation

# Focal lengths that are tried, as shares of the image's width: from a 130 degree lens to a long telephoto.
_FOCAL_SHARES = np.geomspace(0.25, 8.0, 31)
_FISHEYE_SHARES = np.geomspace(0.15, 1.2, 22)
# A fisheye's corner farther than this from the axis (rad) has no place on the plane of the homography.
_WIDEST_ANGLE = 1.35
# A view whose corners lie off their homography by more than this share of the board's extent shows no board.
_WORST_MISFIT = 0.06
_TRIAL_VIEWS = 40
# No detector tells corners apart on a smaller board.
_SMALLEST_BOARD_PX = 10.0


def homographies(
    points: Float[np.ndarray, "corner 2"],
    xy: Float[np.ndarray, "view corner 2"],
    weight: Float[np.ndarray, "view corner"],
) -> Float[np.ndarray, "view 3 3"]:
    """Homography from board to image of each view by the normalised linear method; corners of weight 0 are ignored."""
    seen = np.where(weight > 0, 1.0, 0.0)
    x = np.where(weight[..., None] > 0, xy, 0.0)
    total = np.maximum(seen.sum(1), 1.0)
    middle = x.sum(1) / total[:, None]
    spread = np.sqrt((((x - middle[:, None]) ** 2).sum(-1) * seen).sum(1) / total)
    scale = 1.4 / np.maximum(spread, 1e-12)
    u = (x - middle[:, None]) * scale[:, None, None]
    board_middle = points.mean(0)
    board_scale = 1.4 / np.sqrt(((points - board_middle) ** 2).sum(1).mean())
    p = np.concatenate([(points - board_middle) * board_scale, np.ones((len(points), 1))], 1)
    p = np.broadcast_to(p, (len(xy), *p.shape))
    zero = np.zeros_like(p)
    rows = (
        np.concatenate(
            [np.concatenate([p, zero, -u[..., :1] * p], -1), np.concatenate([zero, p, -u[..., 1:] * p], -1)], axis=1
        )
        * np.sqrt(np.concatenate([weight, weight], 1))[..., None]
    )
    H = np.linalg.eigh(np.swapaxes(rows, 1, 2) @ rows)[1][..., 0].reshape(-1, 3, 3)
    to_image = np.zeros((len(xy), 3, 3))
    to_image[:, 0, 0] = to_image[:, 1, 1] = 1 / scale
    to_image[:, :2, 2], to_image[:, 2, 2] = middle, 1.0
    from_board = np.diag([board_scale, board_scale, 1.0])
    from_board[:2, 2] = -board_scale * board_middle
    return to_image @ H @ from_board


def apply_homography(
    H: Float[np.ndarray, "view 3 3"], points: Float[np.ndarray, "corner 2"]
) -> Float[np.ndarray, "view corner 2"]:
    """Board points in the image of each view."""
    mapped = np.concatenate([points, np.ones((len(points), 1))], 1) @ np.swapaxes(H, 1, 2)
    return mapped[..., :2] / np.where(mapped[..., 2:] == 0, 1e-12, mapped[..., 2:])


def robust_homographies(
    points: Float[np.ndarray, "corner 2"], xy: Float[np.ndarray, "view corner 2"]
) -> tuple[Float[np.ndarray, "view 3 3"], Bool[np.ndarray, "view corner"], Float[np.ndarray, " view"]]:
    """Homographies that single wrong corners do not move.

    Returns:
        H, which corners fit, and the median misfit as a share of the board's extent in the image. Lens distortion
        counts as misfit, so corners are called wrong only when they are off by far more than the others.
    """
    seen = np.all(np.isfinite(xy), axis=-1)
    x = np.where(seen[..., None], xy, 0.0)
    weight = seen.astype(float)
    low, high = np.where(seen[..., None], xy, np.inf).min(1), np.where(seen[..., None], xy, -np.inf).max(1)
    extent = np.maximum(np.where(seen.any(1), np.hypot(*(high - low).T), 1.0), 1.0)
    H, scale = np.zeros((len(xy), 3, 3)), np.ones(len(xy))
    # Reweighting by Geman-McClure's loss, from a wide scale down to what the better half of the corners shows.
    for round_ in range(12):
        H = homographies(points, x, weight)
        error = np.where(seen, np.linalg.norm(apply_homography(H, points) - x, axis=-1), np.nan)
        median = np.nanmedian(np.where(seen.any(1)[:, None], error, 0.0), axis=1)
        floor = np.maximum(3.0 * median, 0.004 * extent)
        scale = np.maximum(floor, 0.3 * extent * 0.5**round_)
        weight = np.where(seen, 1.0 / (1.0 + (np.nan_to_num(error) / scale[:, None]) ** 2) ** 2, 0.0)
    return H, seen & (np.nan_to_num(error) < 4.0 * floor[:, None]), median / extent


def usable_views(
    points: Float[np.ndarray, "corner 3"], xy: Float[np.ndarray, "view corner 2"]
) -> tuple[Bool[np.ndarray, "view corner"], dict[int, str]]:
    """Corners to start with, and views that show no board of this shape, with the reason."""
    H, fits, misfit = robust_homographies(points[:, :2], xy)
    reasons = {}
    w = np.concatenate([points[:, :2], np.ones((len(points), 1))], 1) @ H[:, 2, :, None]
    # The sign of the Jacobian's determinant det(H) / w^3: a mirror image turns the board's corners the other way round.
    mirrored = np.linalg.det(H) * np.sign(w[:, 0, 0]) < 0
    for view in range(len(xy)):
        extent = np.ptp(xy[view][fits[view]], axis=0).max() if fits[view].any() else 0.0
        if fits[view].sum() < 4 or misfit[view] > _WORST_MISFIT or extent < _SMALLEST_BOARD_PX:
            reasons[view] = "corners do not form the board"
        elif mirrored[view]:
            reasons[view] = "board seen mirrored"
    fits[list(reasons)] = False
    return fits, reasons


def start_lens(
    points: Float[np.ndarray, "corner 3"],
    xy: Float[np.ndarray, "view corner 2"],
    size: tuple[int, int],
    fisheye: bool,
) -> tuple[Lens, float]:
    """Lens without distortion that explains the views best, and its median reprojection error px."""
    seen = np.all(np.isfinite(xy), axis=-1)
    pick = np.argsort(-seen.sum(1), kind="stable")[: 4 * _TRIAL_VIEWS]
    pick = pick[:: max(1, len(pick) // _TRIAL_VIEWS)]
    width = float(max(size))
    best: tuple[float, float] = (np.inf, width)
    for share in _FISHEYE_SHARES if fisheye else _FOCAL_SHARES:
        error = _trial(points, xy[pick], size, share * width, fisheye)
        if error < best[0]:
            best = (error, share * width)
    return plain_lens(best[1], size, fisheye), best[0]


def plain_lens(focal: float, size: tuple[int, int], fisheye: bool, coefficients: int = 4) -> Lens:
    """A lens without distortion that looks through the middle of the image."""
    K = np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1]])
    return Fisheye(K, np.zeros(4)) if fisheye else Pinhole(K, np.zeros(coefficients))


def _trial(points: np.ndarray, xy: np.ndarray, size: tuple[int, int], focal: float, fisheye: bool) -> float:
    """Median over views of the rms reprojection error px with this focal length."""
    lens = plain_lens(focal, size, fisheye, 0)
    x_norm = (xy - (np.array(size) - 1) / 2) / focal
    if fisheye:
        theta = np.linalg.norm(x_norm, axis=-1, keepdims=True)
        x_norm = x_norm * np.tan(np.minimum(theta, _WIDEST_ANGLE)) / np.maximum(theta, 1e-9)
    seen = np.all(np.isfinite(x_norm), axis=-1)
    # Each direction's error counts as it does in pixels: the plane stretches what lies far from the axis.
    weight = np.where(seen, 1.0, 0.0)
    if fisheye:
        weight = weight / np.maximum(1.0 + np.nan_to_num(x_norm**2).sum(-1), 1.0) ** 2
    R, t = poses_from_homographies(homographies(points[:, :2], np.nan_to_num(x_norm), weight))
    x_cam = points @ np.swapaxes(R, 1, 2) + t[:, None]
    error = np.linalg.norm(lens.project(x_cam) - xy, axis=-1)
    return float(
        np.median(np.sqrt(np.nanmean(np.where(seen, np.nan_to_num(error, nan=width_of(size)), np.nan) ** 2, 1)))
    )


def width_of(size: tuple[int, int]) -> float:
    """The larger side of an image: the error of a corner that is not in the image at all."""
    return float(max(size))


def poses_from_homographies(
    H: Float[np.ndarray, "view 3 3"],
) -> tuple[Float[np.ndarray, "view 3 3"], Float[np.ndarray, "view 3"]]:
    """Board poses R, t in the camera from homographies to ideal normalised coordinates; the board lies in front."""
    scale = 2.0 / np.maximum(np.linalg.norm(H[:, :, 0], axis=1) + np.linalg.norm(H[:, :, 1], axis=1), 1e-12)
    H = H * (scale * np.where(H[:, 2, 2] < 0, -1.0, 1.0))[:, None, None]
    R = np.stack([H[:, :, 0], H[:, :, 1], np.cross(H[:, :, 0], H[:, :, 1])], axis=-1)
    return nearest_rotation(R), H[:, :, 2]


def board_poses(
    points: Float[np.ndarray, "corner 3"],
    xy: Float[np.ndarray, "view corner 2"],
    lens: Lens,
    keep: Bool[np.ndarray, "view corner"],
) -> tuple[Float[np.ndarray, "view 3 3"], Float[np.ndarray, "view 3"]]:
    """Pose of the board in the camera, view by view: the better of the two that a plane allows; NaN without any.

    Source: Collins and Bartoli, Infinitesimal plane-based pose estimation, IJCV 2014, in OpenCV.
    """
    R, t = np.full((len(xy), 3, 3), np.nan), np.full((len(xy), 3), np.nan)
    flat = points * [1.0, 1.0, 0.0]  # a bent board is flat enough for a start
    for view in range(len(xy)):
        ray = lens.unproject(xy[view])
        use = keep[view] & (ray[:, 2] > 0.2)
        if use.sum() < 4:
            continue
        x_norm = ray[use, :2] / ray[use, 2:]
        try:
            found, rotation, translation, _ = cv2.solvePnPGeneric(
                flat[use], x_norm, np.eye(3), np.zeros(0), flags=cv2.SOLVEPNP_IPPE
            )
        except cv2.error:
            continue
        if found and np.isfinite(translation[0]).all():
            R[view], t[view] = cv2.Rodrigues(rotation[0])[0], translation[0].ravel()
    in_front = np.einsum("vi,ci->vc", R[:, 2], points) + t[:, 2:] > 0
    ok = np.where(keep, in_front, True).all(1) & np.all(np.isfinite(t), axis=1)
    R[~ok], t[~ok] = np.nan, np.nan
    return R, t
