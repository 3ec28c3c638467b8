"""From board observations to a rig: the chain of the calibration as a table of contents."""

import logging
from collections.abc import Mapping
from copy import deepcopy

import numpy as np
from jaxtyping import Float, Int

from calib.board_shape import fit_board_shape
from calib.boards import Board
from calib.bundle import HUBER, Bundle
from calib.clocks import fit_means
from calib.config import CalibrationConfig
from calib.contradictions import find_contradictions, judge_views, readmit
from calib.intrinsics import WORST_FOCAL_SD, CameraFit, fit_camera
from calib.joint import Joint, measure, solve_joint
from calib.observations import BoardObservations
from calib.offset_statistics import offset_variances
from calib.pose_graph import ViewPoses, choose_turns, place_boards, place_cameras
from calib.result import CalibrationResult
from calib.result_making import make_result
from calib.time_offsets import image_motion, shifted_sources, usual_interval, whole_frame_shifts
from mv3d.data.camera import Camera
from mv3d.data.lens import Lens
from mv3d.data.rig import Rig
from mv3d.geometry.damping import Outcome

_log = logging.getLogger(__name__)
# Fewer corners fix no pose that is worth having.
_FEWEST_CORNERS = 5
# The static fit before time is known meets errors of many pixels.
_START_HUBER = 1.5
# A rig may be synchronous if its offsets scatter by no more than this many times what the corners tell of one.
_POSSIBLY_SYNCHRONOUS = 4.0
_MOST_ROUNDS = 8
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
    xy = np.where((observations.seen.sum(-1) >= _FEWEST_CORNERS)[..., None, None], observations.xy, np.nan)
    fits = tuple(_fit_alone(observations, points, xy, c, lenses, config) for c in range(len(observations.cameras)))
    turns = board_turns(observations.board)
    poses = _view_poses(fits)
    shifts = _shifts(observations, poses, turns, config)
    sources = np.stack([shifted_sources(int(d), observations.segments) for d in shifts])
    joint = _prepare(observations, points, xy, sources, fits, poses, turns, known)
    joint.fixed_lenses = frozenset(observations.cameras.index(name) for name in lenses if name in observations.cameras)
    told = frozenset(c for c, fit in enumerate(fits) if fit.focal_sd < WORST_FOCAL_SD * fit.lens.K[0, 0])
    joint, bundle, outcome = _fit_jointly(joint, config, told)
    if config.board_shape.enabled:
        bundle, outcome = fit_board_shape(joint, config, observations.board.points)
    return make_result(observations, joint, bundle, outcome, fits, sources, shifts, known_rig)


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
    xy: np.ndarray,
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
    corners = np.where(absent[..., None, None], np.nan, xy[rows, sources])
    corners = np.take_along_axis(corners, order[..., None], 2)
    moved = np.take_along_axis(motion[rows, sources], order[..., None], 2)
    keep = np.take_along_axis(keep, order, 2)
    turned = turns[choice]
    poses = ViewPoses(
        poses.R @ turned[..., :3], np.einsum("cfij,cfj->cfi", poses.R, turned[..., 3]) + poses.t, poses.weight
    )
    held = np.isin(np.arange(len(names)), list(anchors))
    R, t, board_R, board_t, apart = place_boards(poses, R, t, held)
    sigma = observations.sigma_px[rows, sources]
    own_R = np.swapaxes(R, 1, 2)[:, None] @ poses.R
    own_t = np.einsum("cji,cfj->cfi", R, poses.t - t[:, None])
    joint = Joint(
        points=points, xy=corners, unit=_relative_sigma(sigma), motion=moved,
        moves=moves[rows, sources] & ~absent, sizes=observations.sizes, usual_s=usual_interval(observations.times),
        lenses=[fit.lens for fit in fits], R=R, t=t, board_R=board_R, board_t=board_t, own_R=own_R, own_t=own_t,
        keep=keep, alone=np.zeros(keep.shape[:2], bool), noise=np.array([fit.noise_px for fit in fits]),
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
            bundle, _ = solve_joint(joint, config, HUBER, 1e-6)
            fit_means(joint)
        measure(joint, bundle)
        if joint.timed and round_ >= 2 and (static := _synchronous(joint, bundle, config)) is not None:
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


def _synchronous(joint: Joint, bundle: Bundle, config: CalibrationConfig) -> Joint | None:
    """The same without time offsets, where they gain no more than that many numbers gain from noise.

    Without an offset each view that had one loses up to one degree of freedom, and a view that had a board of its own
    for want of a known motion loses six: the cost rises by as much, with the spread of a chi-square. Line times are
    estimated with the offsets and would be lost too, however sure, among so many numbers: who asks for them keeps both.
    """
    if config.time.rolling_shutter or joint.spread > _POSSIBLY_SYNCHRONOUS * _told(joint, bundle):
        return None
    static = deepcopy(joint)
    static.timed, static.s[:], static.mean[:], static.mean_sd = False, 0.0, 0.0, np.zeros(len(joint.mean))
    _, outcome = solve_joint(static, config, HUBER, 1e-6)
    lost = float((joint.meets & ~joint.sets_clock).sum() + 6 * (static.meets & ~joint.meets).sum())
    return static if outcome.cost - bundle.linearise() <= lost + 4 * np.sqrt(2 * lost) else None


def _told(joint: Joint, bundle: Bundle) -> float:
    """How well the corners tell one view's offset, s."""
    variance = offset_variances(bundle)
    told = 1 / np.maximum(1 / variance - bundle.precision, 1e-12)
    free = (joint.meets & ~joint.sets_clock)[bundle.views.camera, bundle.views.frame]
    return float(np.sqrt(np.median(told[free]))) if free.any() else 0.0
