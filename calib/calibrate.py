"""From board observations to a rig: the chain of the calibration as a table of contents."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Float, Int

from calib.board_shape import fit_board_shape
from calib.board_track import follow_board
from calib.boards import BoardSet, Target
from calib.bundle import HUBER, Bundle
from calib.clocks import fit_means
from calib.config import CalibrationConfig
from calib.contradictions import judge_views, readmit
from calib.intrinsics import WORST_FOCAL_SD, CameraFit, fit_camera
from calib.joint import Joint, measure, solve_joint
from calib.observations import BoardObservations
from calib.place_fit import fit_places
from calib.pose_graph import ViewPoses
from calib.preparation import FEWEST_CORNERS, prepare_joint
from calib.result import CalibrationResult
from calib.result_making import make_result
from calib.rigid_boards import fit_camera_to_set, place_notes, places_from_poses, rigid_places
from calib.rolling_shutter import hinted_line_times
from calib.separate_boards import all_apart
from calib.synchronous import synchronous
from calib.time_offsets import rounded_shifts, shifted_sources, usual_interval, whole_frame_shifts
from mv3d.data.camera import Camera
from mv3d.data.lens import Lens
from mv3d.data.rig import Rig
from mv3d.errors import ConfigError
from mv3d.geometry.damping import Outcome

_log = logging.getLogger(__name__)
# The static fit before time is known meets errors of many pixels.
_START_HUBER = 1.5
_MOST_ROUNDS = 8
# Whole frames are told by single views, and perhaps once more by the joint fit.
_MOST_SHIFTINGS = 2
# Whether the cameras are in sync is asked again only where their offsets have come to scatter less by this factor.
_ASK_AGAIN = 0.7
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
    board, described = observations.board, observations.board.points
    if isinstance(board, BoardSet) and config.board_shape.enabled:
        raise ConfigError("--board-shape is for one board, not for several; calibrate with one of them")
    if isinstance(board, BoardSet) and board.rigid and not board.places:
        return _with_places_found(observations, board, config, lenses, known, known_rig)
    result = _calibrated(observations, described, config, lenses, known, known_rig)
    if config.board_shape.enabled:
        # Lenses alone and the corners' motion were those of the board as described.
        result = _calibrated(observations, result.board_points, config, lenses, known, known_rig)
    return result


def _with_places_found(
    observations: BoardObservations,
    board: BoardSet,
    config: CalibrationConfig,
    lenses: Mapping[str, Lens],
    known: Mapping[str, Camera],
    known_rig: Rig | None,
) -> CalibrationResult:
    """First each board by itself, which tells how they are fixed to one another; then all as one body."""
    apart = all_apart(observations, board)
    result = _calibrated(apart, apart.board.points, config, lenses, known, known_rig)
    R, t = (a.reshape(len(board.parts), -1, *a.shape[1:]) for a in (result.board_R, result.board_t))
    reach = float(np.nanmedian(np.linalg.norm(result.board_t[:, None] - result.rig.centers, axis=-1)))
    places = places_from_poses(board, R, t, reach)
    # Twice: by places that are off by millimetres good corners are left out and clocks seem to scatter.
    for _ in range(2):
        placed = replace(observations, board=replace(board, places=places))
        result = _calibrated(placed, placed.board.points, config, lenses, known, known_rig, find_places=True)
        places = rigid_places(board, result.board_points)
    return replace(result, warnings=(*result.warnings, *place_notes(board, places)))


def _calibrated(
    observations: BoardObservations,
    points: Float[np.ndarray, "corner 3"],
    config: CalibrationConfig,
    lenses: Mapping[str, Lens],
    known: Mapping[str, Camera],
    known_rig: Rig | None,
    find_places: bool = False,
) -> CalibrationResult:
    """The chain with the corners at `points` on the board to start with."""
    names = observations.cameras
    xy = np.where((observations.seen.sum(-1) >= FEWEST_CORNERS)[..., None, None], observations.xy, np.nan)
    fits = tuple(_fit_alone(observations, points, xy, c, lenses, config) for c in range(len(names)))
    turns = board_turns(observations.board)
    poses = _view_poses(fits)
    told = frozenset(c for c, fit in enumerate(fits) if fit.focal_sd < WORST_FOCAL_SD * fit.lens.focal)
    shifts = _shifts(observations, poses, turns, config)

    def fit(shifts: np.ndarray) -> tuple[Joint, Bundle, Outcome, np.ndarray]:
        sources = np.stack([shifted_sources(int(d), observations.segments) for d in shifts])
        joint = prepare_joint(observations, points, sources, fits, poses, turns, known)
        joint.fixed_lenses = frozenset(names.index(name) for name in lenses if name in names)
        return *_fit_jointly(joint, config, told), sources

    for _ in range(_MOST_SHIFTINGS):
        joint, bundle, outcome, sources = fit(shifts)
        # Single views may tell less of a camera's whole frames than the joint fit does.
        left = np.nan_to_num(joint.mean / joint.usual_s)
        before, shifts = shifts, rounded_shifts(shifts - left)
        if (shifts - shifts[0] == before - before[0]).all():
            break
    if config.time.rolling_shutter is None and hinted_line_times(joint, config):
        config = replace(config, time=replace(config.time, rolling_shutter=True))
        joint, bundle, outcome, sources = fit(before)
    unsure = None
    if config.board_shape.enabled:
        bundle, outcome = fit_board_shape(joint, config, observations.board.points)
    elif find_places and isinstance(observations.board, BoardSet):
        bundle, outcome, unsure = fit_places(joint, config, observations.board)
    return make_result(observations, joint, bundle, outcome, fits, sources, before, known_rig, config, unsure)


def board_turns(board: Target) -> Float[np.ndarray, "k 3 4"]:
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
    board = observations.board
    fit_to = partial(fit_camera, points)
    if isinstance(board, BoardSet) and board.rigid:
        fit_to = partial(fit_camera_to_set, board)
    fit = fit_to(
        xy[c], observations.sigma_px[c], (width, height), name=name,
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


def _fit_jointly(joint: Joint, config: CalibrationConfig, told: frozenset[int]) -> tuple[Joint, Bundle, Outcome]:
    """Static, then with time where there is motion; noise, offsets and outliers are estimated in turn."""
    moving = config.time.enabled and len(joint.lenses) > 1 and bool((joint.moves & joint.keep.any(-1)).any())
    bundle = _place(joint, config, told if moving else frozenset())
    if moving:
        joint.timed = True
        joint.spread = float(min(config.time.spread_s, 0.6 * np.nanmin(joint.usual_s)))
        bundle, _ = solve_joint(joint, config, _START_HUBER, 1e-4)
    refused_at = np.inf
    for round_ in range(_MOST_ROUNDS):
        before = (joint.noise.copy(), joint.spread, joint.keep.copy(), joint.alone.copy())
        if joint.timed:
            fit_means(joint)
            if round_ < _TRACK_ROUNDS:
                follow_board(joint, bundle, anew=round_ == 0)
            bundle, _ = solve_joint(joint, config, HUBER, 1e-6)
            fit_means(joint)
        measure(joint, bundle)
        asked = joint.timed and round_ >= 2 and joint.spread < _ASK_AGAIN * refused_at
        static = synchronous(joint, bundle, config) if asked else None
        refused_at = joint.spread if asked else refused_at
        if static is not None:
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
