"""Scores a rig on frames that it was not calibrated from, whatever it thinks of time.

Cameras that are not in sync show a moving board at different instants. To score their corners as they are would favour
cameras that were bent to absorb the motion. So in every frame the board's pose and one time offset a view are fitted to
half of the corners, with the cameras held; by that offset the other half is moved to the frame's instant, triangulated
and scored; then the halves change places. A view has one number with which to please, against all of its corners.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from calib.bundle import Bundle, solve_bundle, start_state
from calib.calibrate import board_turns
from calib.layout import make_layout
from calib.observations import BoardObservations
from calib.planar import board_poses
from calib.pose_graph import ViewPoses, choose_turns, place_boards
from calib.separate_boards import separated
from calib.time_offsets import image_motion
from calib.views import make_views
from mv3d.data.rig import Rig
from mv3d.geometry.triangulation import triangulate_robust

# A board of fewer corners, or half a board of fewer, is not scored.
_FEWEST_CORNERS, _FEWEST_OF_HALF = 6, 3
# Least squares: what is far off is to count, so nothing is far in units of this many px or sigmas.
_NOTHING_IS_FAR = 1e6


@dataclass(frozen=True, slots=True)
class HeldOutConfig:
    """How the offsets are fitted.

    Attributes:
        offset_sd: standard deviation of a view's time offset around none, s.
        noise_px: of a coordinate, for the weight of the corners against that.
    """

    offset_sd: float = 0.1
    noise_px: float = 0.25


@dataclass(frozen=True, slots=True)
class HeldOutScore:
    """How well cameras fit frames that they were not calibrated from.

    Attributes:
        px: root mean square distance of the scored corners from the points triangulated from them.
        board_mm: root mean square misfit of the triangulated board to the true one, moved but not scaled, mm.
        scale: how much too large the triangulated board is, as a share.
        corners: observations that were scored.
    """

    px: float
    board_mm: float
    scale: float
    corners: int


def score_held_out(rig: Rig, observations: BoardObservations, config: HeldOutConfig | None = None) -> HeldOutScore:
    """Score the cameras of a rig on frames that they were not calibrated from.

    Args:
        rig: has every camera of the observations, by name.
        observations: the frames to score, each with its neighbours in time for as far as these may be used.
        config: settings.

    Returns:
        The score; NaN where no frame has two views that can be scored.
    """
    rig, config, observations = rig.subset(observations.cameras), config or HeldOutConfig(), separated(observations)
    seen = _see(rig, observations)
    points, parity = observations.board.points, observations.board.parity
    parts = []
    for kept in (parity, ~parity):
        s = _fit_offsets(rig, points, seen, kept, config)[..., None, None]
        moved = seen.xy - seen.motion[..., :2] * s + seen.motion[..., 2:] * s**2
        parts.append(_triangulated(rig, points, np.where(kept[:, None], np.nan, moved)))
    errors, misfits, scales = (np.concatenate(part) for part in zip(*parts, strict=True))
    if not len(misfits):
        return HeldOutScore(np.nan, np.nan, np.nan, 0)
    board_mm = 1e3 * np.sqrt(np.mean(misfits**2))
    return HeldOutScore(_rms(errors), float(board_mm), float(scales.mean() - 1), len(errors))


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What is scored: corners px, their motion and the boards' poses in the cameras; turned checkerboards turned."""

    xy: np.ndarray
    motion: np.ndarray
    poses: ViewPoses
    timed: bool


def _see(rig: Rig, observations: BoardObservations) -> _Seen:
    board, lenses = observations.board, [camera.lens for camera in rig]
    count = observations.seen.sum(-1)
    keep = observations.seen & (count >= _FEWEST_CORNERS)[..., None]
    found = [board_poses(board.points, observations.xy[c], lens, keep[c]) for c, lens in enumerate(lenses)]
    R, t = np.stack([pose[0] for pose in found]), np.stack([pose[1] for pose in found])
    weight = np.where(np.isfinite(t).all(-1), keep.sum(-1), 0.0)
    poses = ViewPoses(np.where(weight[..., None, None] > 0, R, np.eye(3)), np.nan_to_num(t), weight)
    motion, moves = image_motion(board.points, lenses, poses, observations.times, observations.segments)
    timed = bool(np.isfinite(observations.times).any())
    if timed:
        poses = ViewPoses(poses.R, poses.t, np.where(moves, weight, 0.0))
    turns = board_turns(board)
    choice = choose_turns(poses, *_places(rig), turns)
    order, turn = board.symmetries()[choice][..., None], turns[choice]
    xy = np.where((poses.weight > 0)[..., None, None], observations.xy, np.nan)
    turned_t = np.einsum("cfij,cfj->cfi", poses.R, turn[..., 3]) + poses.t
    poses = ViewPoses(poses.R @ turn[..., :3], turned_t, poses.weight)
    return _Seen(np.take_along_axis(xy, order, 2), np.take_along_axis(motion, order, 2), poses, timed)


def _places(rig: Rig) -> tuple[np.ndarray, np.ndarray]:
    return np.stack([camera.R for camera in rig]), np.stack([camera.t for camera in rig])


def _fit_offsets(
    rig: Rig, points: np.ndarray, seen: _Seen, kept: np.ndarray, config: HeldOutConfig
) -> Float[np.ndarray, "camera frame"]:
    """Time offset of every view, s, from the kept corners of all views of its frame; NaN where it cannot be fitted."""
    keep = np.isfinite(seen.xy).all(-1) & kept
    keep &= (keep.sum(-1) >= _FEWEST_OF_HALF)[..., None]
    keep &= (keep.any(-1).sum(0) > 1)[:, None]
    offsets = np.full(keep.shape[:2], np.nan)
    if not keep.any():
        return offsets
    everyone, (R, t) = frozenset(range(len(rig))), _places(rig)
    shared = ViewPoses(seen.poses.R, seen.poses.t, np.where(keep.any(-1), seen.poses.weight, 0.0))
    _, _, board_R, board_t, _ = place_boards(shared, R, t, np.ones(len(rig), bool))
    views = make_views(seen.xy, points, keep, np.full(keep.shape[:2], config.noise_px), seen.motion)
    sizes, lenses = np.array([camera.size for camera in rig]), [camera.lens for camera in rig]
    layout = make_layout(
        lenses, sizes, fixed_lenses=everyone, fixed_poses=everyone, timed=seen.timed, fixed_offsets=everyone
    )
    boards = (board_R[views.board_frames], board_t[views.board_frames])
    state = start_state(lenses, (R, t), boards, len(views), layout.count)
    precision = np.full(len(views), 1 / config.offset_sd**2)
    bundle = Bundle(views, layout, state, sizes, precision, _NOTHING_IS_FAR)
    solve_bundle(bundle)
    offsets[views.camera, views.frame] = bundle.state.s
    return offsets


def _triangulated(
    rig: Rig, points: np.ndarray, xy: np.ndarray
) -> tuple[Float[np.ndarray, " corner"], Float[np.ndarray, " frame"], Float[np.ndarray, " frame"]]:
    """Distances of the corners from their triangulated points, px; misfit (m) and relative size of each board."""
    views, frames, count = xy.shape[:3]
    bearings, jacobians = np.zeros((views, frames, count, 3)), np.zeros((views, frames, count, 2, 3))
    for c, camera in enumerate(rig):
        ray = camera.lens.unproject(xy[c])
        bearings[c], jacobians[c] = ray @ camera.R, camera.lens.project_with_jacobian(ray)[1] @ camera.R
    use = np.isfinite(bearings).all(-1) & np.isfinite(jacobians).all((-2, -1))
    use &= use.sum(0) > 1
    point_first = [np.moveaxis(a, 0, 2).reshape(frames * count, views, *a.shape[3:]) for a in (bearings, jacobians)]
    weight = np.moveaxis(use, 0, 2).reshape(-1, views).astype(float)
    far = np.full(weight.shape, _NOTHING_IS_FAR)
    bearing, jacobian = (np.nan_to_num(a) for a in point_first)
    x_world = triangulate_robust(rig.centers, bearing, jacobian, weight, far)[0]
    x_world = x_world.reshape(frames, count, 3)
    errors = np.concatenate([np.linalg.norm(c.project(x_world) - xy[i], axis=-1)[use[i]] for i, c in enumerate(rig)])
    fits = [_fit_board(points[ok], x[ok]) for x in x_world if (ok := np.isfinite(x).all(-1)).sum() >= _FEWEST_CORNERS]
    misfits, scales = np.array(fits).reshape(-1, 2).T
    return errors[np.isfinite(errors)], misfits, scales


def _fit_board(points: np.ndarray, x_world: np.ndarray) -> tuple[float, float]:
    """Rms distance from the board, moved to fit, and the scale that would fit best (Umeyama, PAMI 1991)."""
    a, b = points - points.mean(0), x_world - x_world.mean(0)
    u, _, vt = np.linalg.svd(a.T @ b)
    moved = a @ (u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt)
    return _rms(np.linalg.norm(b - moved, axis=1)), float((moved * b).sum() / (a * a).sum())


def _rms(lengths: np.ndarray) -> float:
    return float(np.sqrt(np.mean(lengths**2)))
