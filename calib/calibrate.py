"""From board observations to a rig: the chain of the calibration as a table of contents."""

import logging
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from calib.board_shape import fit_board_shape
from calib.board_track import follow_board
from calib.boards import Board
from calib.bundle import HUBER, Bundle
from calib.clocks import fit_means
from calib.config import CalibrationConfig
from calib.contradictions import find_contradictions, judge_views, readmit
from calib.intrinsics import WORST_FOCAL_SD, CameraFit, fit_camera
from calib.joint import Joint, measure, solve_joint
from calib.observations import BoardObservations
from calib.pose_graph import ViewPoses, choose_turns, place_boards, place_cameras
from calib.result import CalibrationResult
from calib.result_making import make_result
from calib.synchronous import synchronous
from calib.time_offsets import image_motion, rounded_shifts, shifted_sources, usual_interval, whole_frame_shifts
from mv3d.data.camera import Camera
from mv3d.data.lens import Lens
from mv3d.data.rig import Rig
from mv3d.geometry.damping import Outcome

_log = logging.getLogger(__name__)
# Fewer corners fix no pose that is worth having.
_FEWEST_CORNERS = 5
# The static fit before time is known meets errors of many pixels.
_START_HUBER = 1.5
_MOST_ROUNDS = 8
# Whole frames are told by single views, and perhaps once more by the joint fit.
_MOST_SHIFTINGS = 2
# Rounds in which views get a motion from the board's way; those of the last have joined when the next one starts.
_TRACK_ROUNDS = 3
# What one camera cannot tell of its focal length the others may; only a guess is no start.
_WORST_FOCAL_SD_ALONE = 0.5


def calibrate_rig(
    observations: BoardObservations,
    config: CalibrationConfig | None = None,
    *,
    known_lenses: Mapping[str, Lens] | None = None,
    known_rig: Rig | None = None,
) -> CalibrationResult:
    """Lenses, poses and time offsets of the cameras that saw a board.

    Args:
        observations: corners of the board in every camera and frame.
        config: settings.
        known_lenses: lenses by camera name that are taken as they are.
        known_rig: cameras that are taken as they are, lens and pose: calibrates others into their world.

    Raises:
        CalibrationError: the views cannot give a rig; says which camera and what to film.
    """
    config = config or CalibrationConfig()
    known = {name: known_rig[name] for name in observations.cameras if known_rig and name in known_rig.names}
    lenses = {**(known_lenses or {}), **{name: camera.lens for name, camera in known.items()}}
    described = observations.board.points
    result = _calibrated(observations, described, config, lenses, known, known_rig)
    if config.board_shape.enabled:
        # Lenses alone and the corners' motion were those of the board as described.
        result = _calibrated(observations, result.board_points, config, lenses, known, known_rig)
    return result


def _calibrated(
    observations: BoardObservations,
    points: Float[np.ndarray, "corner 3"],
    config: CalibrationConfig,
    lenses: Mapping[str, Lens],
    known: Mapping[str, Camera],
    known_rig: Rig | None,
) -> CalibrationResult:
    """The chain with the corners at `points` on the board to start with."""
    names = observations.cameras
    xy = np.where((observations.seen.sum(-1) >= _FEWEST_CORNERS)[..., None, None], observations.xy, np.nan)
    fits = tuple(_fit_alone(observations, points, xy, c, lenses, config) for c in range(len(names)))
    turns = board_turns(observations.board)
    poses = _view_poses(fits)
    told = frozenset(c for c, fit in enumerate(fits) if fit.focal_sd < WORST_FOCAL_SD * fit.lens.K[0, 0])
    shifts = _shifts(observations, poses, turns, config)
    for _ in range(_MOST_SHIFTINGS):
        sources = np.stack([shifted_sources(int(d), observations.segments) for d in shifts])
        joint = _prepare(observations, points, sources, fits, poses, turns, known)
        joint.fixed_lenses = frozenset(names.index(name) for name in lenses if name in names)
        joint, bundle, outcome = _fit_jointly(joint, config, told)
        # Single views may tell less of a camera's whole frames than the joint fit does.
        left = np.nan_to_num(joint.mean / joint.usual_s)
        before, shifts = shifts, rounded_shifts(shifts - left)
        if (shifts - shifts[0] == before - before[0]).all():
            break
    if config.board_shape.enabled:
        bundle, outcome = fit_board_shape(joint, config, observations.board.points)
    return make_result(observations, joint, bundle, outcome, fits, sources, before, known_rig)


def board_turns(board: Board) -> Float[np.ndarray, "k 3 4"]:
    """Motions (R | t) of the board onto itself that a detector cannot tell apart, the identity first."""
    points, turns = board.points, []
    middle = points.mean(0)
    for order in board.symmetries():
        u, _, vt = np.linalg.svd((points - middle).T @ (points[order] - middle))
        R = vt.T @ np.diag([1.0, 1.0, np.linalg.det(vt.T @ u.T)]) @ u.T
        turns.append(np.concatenate([R, (middle - R @ middle)[:, None]], axis=1))
    return np.stack(turns)


def _fit_alone(
    observations: BoardObservations,
    points: np.ndarray,
    xy: np.ndarray,
    c: int,
    lenses: Mapping[str, Lens],
    config: CalibrationConfig,
) -> CameraFit:
    name = observations.cameras[c]
    width, height = (int(n) for n in observations.sizes[c])
    fit = fit_camera(
        points, xy[c], observations.sigma_px[c], (width, height), name=name,
        model=config.lens.of(name), known=lenses.get(name), config=config.lens, outliers=config.outliers,
        worst_focal_sd=WORST_FOCAL_SD if len(observations.cameras) == 1 else _WORST_FOCAL_SD_ALONE,
    )  # fmt: skip
    _log.info("%s alone: %s, %d views, rms %.3f px", name, fit.model, int(fit.keep.any(1).sum()), fit.rms_px)
    return fit


def _view_poses(fits: tuple[CameraFit, ...]) -> ViewPoses:
    weight = np.stack([fit.keep.sum(1) for fit in fits]).astype(float)
    R, t = np.stack([fit.R for fit in fits]), np.stack([fit.t for fit in fits])
    has = np.all(np.isfinite(t), axis=-1)
    return ViewPoses(
        np.where(has[..., None, None], R, np.eye(3)), np.where(has[..., None], t, 0.0), np.where(has, weight, 0.0)
    )


def _shifts(
    observations: BoardObservations, poses: ViewPoses, turns: np.ndarray, config: CalibrationConfig
) -> Int[np.ndarray, " camera"]:
    interval = usual_interval(observations.times)
    if not config.time.enabled or np.isnan(interval).any() or len(interval) < 2:
        return np.zeros(len(interval), np.int64)
    largest = int(config.time.largest_s / float(np.median(interval)))
    return whole_frame_shifts(poses, observations.segments, turns, max(largest, 1))


def _prepare(
    observations: BoardObservations,
    points: np.ndarray,
    sources: np.ndarray,
    fits: tuple[CameraFit, ...],
    poses: ViewPoses,
    turns: np.ndarray,
    known: Mapping[str, Camera],
) -> Joint:
    """Everything in frames of the same instant, cameras and boards placed, turned checkerboards turned back."""
    names = observations.cameras
    rows = np.arange(len(names))[:, None]
    absent = sources < 0
    motion, moves = image_motion(points, [fit.lens for fit in fits], poses, observations.times, observations.segments)
    keep = np.stack([fit.keep for fit in fits])[rows, sources] & ~absent[..., None]
    poses = ViewPoses(
        poses.R[rows, sources], poses.t[rows, sources], np.where(absent, 0.0, poses.weight[rows, sources])
    )
    fixed = {names.index(name): (camera.R, camera.t) for name, camera in known.items()}
    anchors = fixed or {int(np.argmax(poses.weight.sum(1))): (np.eye(3), np.zeros(3))}
    R, t = place_cameras(poses, names, turns, anchors)
    choice = choose_turns(poses, R, t, turns)
    order = observations.board.symmetries()[choice]
    corners = np.where(absent[..., None, None], np.nan, observations.xy[rows, sources])
    corners = np.take_along_axis(corners, order[..., None], 2)
    moved = np.take_along_axis(motion[rows, sources], order[..., None], 2)
    keep = np.take_along_axis(keep, order, 2)
    turned = turns[choice]
    poses = ViewPoses(
        poses.R @ turned[..., :3], np.einsum("cfij,cfj->cfi", poses.R, turned[..., 3]) + poses.t, poses.weight
    )
    held = np.isin(np.arange(len(names)), list(anchors))
    R, t, board_R, board_t, apart = place_boards(poses, R, t, held)
    sigma, count = observations.sigma_px[rows, sources], np.isfinite(corners).all(-1).sum(-1)
    own_R = np.swapaxes(R, 1, 2)[:, None] @ poses.R
    own_t = np.einsum("cji,cfj->cfi", R, poses.t - t[:, None])
    joint = Joint(
        points=points, xy=corners, unit=_relative_sigma(sigma), motion=moved,
        moves=moves[rows, sources] & ~absent, times=np.where(absent, np.nan, observations.times[rows, sources]),
        segments=observations.segments, sizes=observations.sizes, usual_s=usual_interval(observations.times),
        lenses=[fit.lens for fit in fits], R=R, t=t, board_R=board_R, board_t=board_t, own_R=own_R, own_t=own_t,
        keep=keep, alone=np.zeros(keep.shape[:2], bool), few=(count > 0) & (count < _FEWEST_CORNERS),
        noise=np.array([fit.noise_px for fit in fits]),
        s=np.zeros(keep.shape[:2]), mean=np.zeros(len(names)), line=np.zeros(len(names)), spread=0.0,
        reference=min(anchors), fixed_lenses=frozenset(), fixed_poses=frozenset(anchors),
    )  # fmt: skip
    joint.trusted = keep.copy()
    find_contradictions(joint, apart, observations.segments)
    return joint


def _relative_sigma(sigma: np.ndarray) -> np.ndarray:
    """Each view's sigma over its camera's median; 1 where there is none."""
    with np.errstate(all="ignore"):
        typical = np.nanmedian(np.where(np.isfinite(sigma).any(1, keepdims=True), sigma, 1.0), axis=1, keepdims=True)
    return np.where(np.isfinite(sigma), sigma / typical, 1.0)


def _fit_jointly(joint: Joint, config: CalibrationConfig, told: frozenset[int]) -> tuple[Joint, Bundle, Outcome]:
    """Static, then with time where there is motion; noise, offsets and outliers are estimated in turn."""
    moving = config.time.enabled and len(joint.lenses) > 1 and bool((joint.moves & joint.keep.any(-1)).any())
    bundle = _place(joint, config, told if moving else frozenset())
    if moving:
        joint.timed = True
        joint.spread = float(min(config.time.spread_s, 0.6 * np.nanmin(joint.usual_s)))
        bundle, _ = solve_joint(joint, config, _START_HUBER, 1e-4)
    for round_ in range(_MOST_ROUNDS):
        before = (joint.noise.copy(), joint.spread, joint.keep.copy(), joint.alone.copy())
        if joint.timed:
            fit_means(joint)
            if round_ < _TRACK_ROUNDS:
                follow_board(joint, bundle, anew=round_ == 0)
            bundle, _ = solve_joint(joint, config, HUBER, 1e-6)
            fit_means(joint)
        measure(joint, bundle)
        if joint.timed and round_ >= 2 and (static := synchronous(joint, bundle, config)) is not None:
            joint = static
            readmit(joint)
        elif round_ == 2:
            readmit(joint)
        else:
            judge_views(joint, config.outliers)
        bundle, _ = solve_joint(joint, config, HUBER, 1e-6)
        if round_ > config.outliers.rounds and _settled(joint, before):
            break
    measure(joint, bundle)
    return joint, *solve_joint(joint, config, HUBER, 1e-9)


def _place(joint: Joint, config: CalibrationConfig, held: frozenset[int]) -> Bundle:
    """The static fit to start with; the lenses of the cameras `held` stay as their own views tell them.

    Errors that time will explain would bend them to where numerator and denominator of a rational lens nearly cancel,
    and from there the way back is a valley too long for the steps of the later fits.
    """
    fixed = joint.fixed_lenses
    joint.fixed_lenses = fixed | held
    bundle, _ = solve_joint(joint, config, _START_HUBER, 1e-4)
    joint.fixed_lenses = fixed
    return bundle


def _settled(joint: Joint, before: tuple[np.ndarray, float, np.ndarray, np.ndarray]) -> bool:
    noise, spread, keep, alone = before
    same = bool((keep == joint.keep).all() and (alone == joint.alone).all())
    steady = np.abs(joint.noise / noise - 1).max() < 0.02 and abs(joint.spread - spread) <= 0.05 * spread
    return same and bool(steady)
