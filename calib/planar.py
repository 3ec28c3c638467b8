"""Starts from single views of a flat board: which views show one, homographies, board poses. None of it ever gives up.

Source of pose from homography: Zhang, A flexible new technique for camera calibration, PAMI 2000.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float

from mv3d.data.lens import Lens, Pinhole
from mv3d.geometry.rotations import nearest_rotation

# A view whose corners lie off their homography by more than this share of the board's extent shows no board.
_WORST_MISFIT = 0.06
# No detector tells corners apart on a smaller board.
_SMALLEST_BOARD_PX = 10.0
# A corner has a place on the plane across a direction up to 78 degrees from it.
LEAST_COSINE = 0.2


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


def poses_from_homographies(
    H: Float[np.ndarray, "view 3 3"],
) -> tuple[Float[np.ndarray, "view 3 3"], Float[np.ndarray, "view 3"]]:
    """Board poses R, t in the camera from homographies to ideal normalised coordinates; the board lies in front."""
    scale = 2.0 / np.maximum(np.linalg.norm(H[:, :, 0], axis=1) + np.linalg.norm(H[:, :, 1], axis=1), 1e-12)
    H = H * (scale * np.where(H[:, 2, 2] < 0, -1.0, 1.0))[:, None, None]
    R = np.stack([H[:, :, 0], H[:, :, 1], np.cross(H[:, :, 0], H[:, :, 1])], axis=-1)
    return nearest_rotation(R), H[:, :, 2]


def facing(
    ray: Float[np.ndarray, "view corner 3"], seen: Bool[np.ndarray, "view corner"], lens: Lens
) -> Float[np.ndarray, "view 3 3"]:
    """Rotations that turn the middle of each view's directions onto +z: a wide lens sees boards beside and behind it.

    Those of a pinhole, which sees nothing there, and of views without a direction are none.
    """
    out = np.tile(np.eye(3), (len(ray), 1, 1))
    if isinstance(lens, Pinhole):
        return out
    middle = np.where(seen[..., None], ray, 0.0).sum(1)
    length = np.linalg.norm(middle, axis=-1)
    for view in np.flatnonzero(length > 1e-9):
        x, y, z = middle[view] / length[view]
        # Around (y, -x, 0); straight behind any axis does.
        aside = float(np.hypot(x, y))
        axis = np.array([y / aside, -x / aside, 0.0]) if aside > 1e-9 else np.array([1.0, 0.0, 0.0])
        out[view] = cv2.Rodrigues(axis * np.arctan2(aside, z))[0]
    return out


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
    ray = lens.unproject(xy)
    turn = facing(ray, keep & np.isfinite(ray).all(-1), lens)
    ray = ray @ np.swapaxes(turn, 1, 2)
    for view in range(len(xy)):
        use = keep[view] & (ray[view, :, 2] > LEAST_COSINE)
        if use.sum() < 4:
            continue
        x_norm = ray[view, use, :2] / ray[view, use, 2:]
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
    back = np.swapaxes(turn, 1, 2)
    return back @ R, np.einsum("vij,vj->vi", back, t)
