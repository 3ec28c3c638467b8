"""The joint fit of a rig: one mutable state, one function that solves it, and what is learnt from its residuals."""

from dataclasses import dataclass, field

import numpy as np

from calib.bundle import HUBER, Bundle, BundleState, solve_bundle
from calib.config import CalibrationConfig
from calib.layout import lens_of, make_layout
from calib.offset_statistics import offset_variances
from calib.single_camera import robust_sigma
from calib.views import make_views
from mv3d.data.lens import Fisheye, Lens
from mv3d.geometry import fisheye, pinhole
from mv3d.geometry.damping import Outcome

# Weight of a view's offset falls where it lies far from its camera's mean, as under Student's t with this many degrees
# of freedom: clocks jump.
_OFFSET_FREEDOM = 5.0
# No motion tells an offset to better than this; below it cameras are as good as synchronous.
_LEAST_SPREAD_S = 1e-5


@dataclass(slots=True, eq=False)
class Joint:
    """State of the joint fit, in frames of the reference camera.

    Attributes:
        points, xy, unit, motion, moves: the data: corners on the board (m), observed (camera, frame, corner, 2),
            relative sigma (camera, frame), image motion, and where it is known.
        sizes, usual_s: (camera, 2) px; (camera,) time between frames.
        lenses, R, t: of the cameras.
        board_R, board_t: (frame, ...) poses that cameras share.
        own_R, own_t: (camera, frame, ...) poses of boards in the world of views that count alone.
        keep, alone: (camera, frame, corner), (camera, frame).
        noise: (camera,) px.
        s, mean: (camera, frame), (camera,) time offsets s.
        line: (camera,) s.
        spread: s.
        reference: the camera whose offset is zero.
        fixed_lenses, fixed_poses: cameras.
    """

    points: np.ndarray
    xy: np.ndarray
    unit: np.ndarray
    motion: np.ndarray
    moves: np.ndarray
    sizes: np.ndarray
    usual_s: np.ndarray
    lenses: list[Lens]
    R: np.ndarray
    t: np.ndarray
    board_R: np.ndarray
    board_t: np.ndarray
    own_R: np.ndarray
    own_t: np.ndarray
    keep: np.ndarray
    alone: np.ndarray
    noise: np.ndarray
    s: np.ndarray
    mean: np.ndarray
    line: np.ndarray
    spread: float
    reference: int
    fixed_lenses: frozenset[int]
    fixed_poses: frozenset[int]
    timed: bool = False
    reasons: dict[tuple[int, int], str] = field(default_factory=dict)
    trusted: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), bool))


def solve_joint(
    joint: Joint, config: CalibrationConfig, huber: float = HUBER, tolerance: float = 1e-7
) -> tuple[Bundle, Outcome]:
    """Minimise over everything and write the solution back into `joint`."""
    # A view that does not move, or whose motion is unknown, says nothing about the others' time and is spoilt by it.
    alone = joint.alone | (joint.timed & ~joint.moves)
    sigma = joint.noise[:, None] * joint.unit
    views = make_views(joint.xy, joint.points, joint.keep, sigma, joint.motion if joint.timed else None, alone)
    own = alone[views.camera, views.frame]
    layout = make_layout(
        joint.lenses, joint.sizes, fixed_lenses=joint.fixed_lenses, fixed_poses=joint.fixed_poses, timed=joint.timed,
        fixed_offsets=frozenset({joint.reference}), line_time=config.time.rolling_shutter, prior=config.lens.prior,
    )  # fmt: skip
    state = _state(joint, views, own, layout.count)
    precision = _offset_precision(joint, state.s, views.camera) if joint.timed else None
    bundle = Bundle(views, layout, state, joint.sizes, precision, huber)
    outcome = solve_bundle(bundle, max_iterations=config.max_iterations, tolerance=tolerance)
    _write_back(joint, bundle, own)
    return bundle, outcome


def _state(joint: Joint, views, own: np.ndarray, count: int) -> BundleState:
    K = np.array([[lens.K[0, 0], lens.K[1, 1], lens.K[0, 2], lens.K[1, 2]] for lens in joint.lenses])
    dist = np.zeros((len(K), count))
    for c, lens in enumerate(joint.lenses):
        dist[c, : len(lens.dist)] = lens.dist
    first = views.boards[:-1]
    c, f = views.camera[first], views.frame[first]
    mine = own[first]
    Rb = np.where(mine[:, None, None], joint.own_R[c, f], joint.board_R[f])
    tb = np.where(mine[:, None], joint.own_t[c, f], joint.board_t[f])
    s = joint.s[views.camera, views.frame] if joint.timed else np.zeros(len(views))
    extra = np.stack([joint.line, joint.mean], 1) if joint.timed else np.zeros((len(K), 2))
    return BundleState(K, dist, joint.R.copy(), joint.t.copy(), extra, Rb, tb, s.copy())


def _offset_precision(joint: Joint, s: np.ndarray, camera: np.ndarray) -> np.ndarray:
    apart = ((s - joint.mean[camera]) / joint.spread) ** 2
    return (_OFFSET_FREEDOM + 1) / (_OFFSET_FREEDOM + apart) / joint.spread**2


def _write_back(joint: Joint, bundle: Bundle, own: np.ndarray) -> None:
    state, views = bundle.state, bundle.views
    joint.lenses = [lens_of(bundle.layout, c, state.K[c], state.dist[c]) for c in range(len(state.K))]
    joint.R, joint.t = state.Rc.copy(), state.tc.copy()
    first = views.boards[:-1]
    c, f, mine = views.camera[first], views.frame[first], own[first]
    joint.own_R[c[mine], f[mine]], joint.own_t[c[mine], f[mine]] = state.Rb[mine], state.tb[mine]
    joint.board_R[f[~mine]], joint.board_t[f[~mine]] = state.Rb[~mine], state.tb[~mine]
    if joint.timed:
        joint.s[views.camera, views.frame] = state.s
        joint.line, joint.mean = state.extra[:, 0].copy(), state.extra[:, 1].copy()


def measure(joint: Joint, bundle: Bundle) -> None:
    """Noise of every camera and, if timed, the spread of the offsets, from the residuals of the solution."""
    views = bundle.views
    counts = np.diff(views.starts)
    error = np.linalg.norm(bundle.residuals(), axis=1) / np.repeat(joint.unit[views.camera, views.frame], counts)
    camera = np.repeat(views.camera, counts)
    sharing = np.bincount(views.board, minlength=len(views.board_frames))
    per_view = 6.0 / sharing[views.board] + (1.0 if joint.timed else 0.0)
    for c in range(len(joint.lenses)):
        mine = camera == c
        if not mine.any():
            continue
        free = (0 if c in joint.fixed_lenses else 4 + len(joint.lenses[c].dist)) + (0 if c in joint.fixed_poses else 6)
        rows = 2 * mine.sum()
        lost = min(float(per_view[views.camera == c].sum()) + free, 0.9 * rows)
        joint.noise[c] = max(robust_sigma(error[mine]) / np.sqrt(1 - lost / rows), 1e-4)
    if joint.timed:
        _measure_spread(joint, bundle)


def _measure_spread(joint: Joint, bundle: Bundle) -> None:
    """MacKay's fixed point of the evidence: sum of squares over the number of offsets that the data determine."""
    views = bundle.views
    shared = np.bincount(views.board, minlength=len(views.board_frames))[views.board] > 1
    if not shared.any():
        return
    apart = bundle.state.s - bundle.state.extra[views.camera, 1]
    determined = np.clip(1 - offset_variances(bundle) * bundle.precision, 0, 1)
    weight = bundle.precision * joint.spread**2
    total = max(float(determined[shared].sum()), 0.5)
    spread = np.sqrt(float((weight * apart**2)[shared].sum()) / total)
    # The fixed point is approached slowly from above; where it falls, two steps are taken at once.
    ratio = min(spread / joint.spread, 10.0)
    joint.spread = float(max(joint.spread * ratio ** (2 if ratio < 0.9 else 1), 0.05 * joint.spread, _LEAST_SPREAD_S))


def all_errors(joint: Joint) -> tuple[np.ndarray, np.ndarray]:
    """Residual length (px) of every seen corner: by the pose that the cameras share, and by the view's own pose.

    For the shared pose, a view that was not part of it gets the offset that suits it best.
    """
    count, frames = joint.keep.shape[:2]
    shared, own = np.full(joint.keep.shape, np.nan), np.full(joint.keep.shape, np.nan)
    x_shared = joint.points @ np.swapaxes(joint.board_R, 1, 2) + joint.board_t[:, None]
    for c in range(count):
        x_own = joint.points @ np.swapaxes(joint.own_R[c], 1, 2) + joint.own_t[c][:, None]
        for out, x_world, free in ((shared, x_shared, joint.alone[c]), (own, x_own, np.zeros(frames, bool))):
            x_cam = x_world @ joint.R[c].T + joint.t[c]
            error = _project(joint.lenses[c], x_cam) - joint.xy[c]
            if joint.timed:
                error = _take_out_motion(joint, c, error, free)
            out[c] = np.linalg.norm(error, axis=-1)
    return shared, own


def _take_out_motion(joint: Joint, c: int, error: np.ndarray, free: np.ndarray) -> np.ndarray:
    v, a = joint.motion[c, ..., :2], joint.motion[c, ..., 2:]
    s = joint.s[c].copy()
    if free.any():
        along = np.nansum(v * error, axis=(1, 2)) / np.maximum(np.nansum(v * v, axis=(1, 2)), 1e-12)
        s = np.where(free, np.clip(-along, joint.mean[c] - 4 * joint.spread, joint.mean[c] + 4 * joint.spread), s)
    middle = (joint.sizes[c, 1] - 1) / 2
    tau = s[:, None] + joint.line[c] * (joint.xy[c, ..., 1] - middle)
    return error + v * tau[..., None] - a * (tau**2)[..., None]


def _project(lens: Lens, x_cam: np.ndarray) -> np.ndarray:
    project = fisheye.project if isinstance(lens, Fisheye) else pinhole.project
    return project(x_cam, lens.K, lens.dist)
