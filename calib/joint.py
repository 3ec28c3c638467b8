"""The joint fit of a rig: one mutable state, one function that solves it, and what is learnt from its residuals."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from calib.bundle import HUBER, Bundle, BundleState, solve_bundle
from calib.clocks import set_clocks
from calib.config import CalibrationConfig
from calib.layout import lens_of, make_layout
from calib.offset_statistics import offset_variances
from calib.single_camera import robust_sigma
from calib.views import Views, make_views
from mv3d.data.lens import Lens
from mv3d.geometry.damping import Outcome

# Weight of a view's offset falls where it lies far from its camera's mean, as under Student's t with this many degrees
# of freedom: clocks jump.
_OFFSET_FREEDOM = 5.0
# Of three corners four poses fit.
_FEWEST_OF_POSE = 4
# No motion tells an offset to better than this; below it cameras are as good as synchronous.
_LEAST_SPREAD_S = 1e-5


@dataclass(slots=True, eq=False)
class Joint:
    """State of the joint fit, in frames of the reference camera.

    Attributes:
        points, xy, unit, motion, moves: the data: corners on the board (m), observed (camera, frame, corner, 2),
            relative sigma (camera, frame), image motion, and where it is known.
        times, segments: (camera, frame) s by each camera's own clock; (frame,) recordings.
        sizes, usual_s: (camera, 2) px; (camera,) time between frames.
        lenses, R, t: of the cameras.
        board_R, board_t: (frame, ...) poses that cameras share.
        own_R, own_t: (camera, frame, ...) poses of boards in the world of views that count alone.
        keep, alone: (camera, frame, corner), (camera, frame).
        few: (camera, frame) views of too few corners for a pose of their own; they count in shared poses or not at all.
        noise: (camera,) px.
        s: (camera, frame) how much later than its frame's instant a view was taken, s.
        mean: (camera,) mean offset of each camera against the reference, s.
        sets_clock: (camera, frame) the view whose instant is its frame's.
        clock: (frame,) the camera whose instant is the frame's; -1 where no view has a say.
        line: (camera,) s.
        spread: standard deviation of an offset against the one of the view that sets the frame's clock, s.
        meets: (camera, frame) views that share a board pose with others, as of the last solution.
        reference: the camera whose offset is zero.
        fixed_lenses, fixed_poses: cameras.
    """

    points: np.ndarray
    xy: np.ndarray
    unit: np.ndarray
    motion: np.ndarray
    moves: np.ndarray
    times: np.ndarray
    segments: np.ndarray
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
    few: np.ndarray
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
    meets: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), bool))
    sets_clock: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), bool))
    clock: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def expected(self) -> Float[np.ndarray, "camera frame"]:
        """How much later each view is by the means of the cameras, s."""
        return np.where(self.clock >= 0, self.mean[:, None] - self.mean[self.clock], 0.0)


def solve_joint(
    joint: Joint, config: CalibrationConfig, huber: float = HUBER, tolerance: float = 1e-7
) -> tuple[Bundle, Outcome]:
    """Minimise over everything and write the solution back into `joint`."""
    # A view that does not move, or whose motion is unknown, says nothing about the others' time and is spoilt by it.
    alone = joint.alone | (joint.timed & ~joint.moves)
    _drop_unsupported(joint, alone)
    sigma = joint.noise[:, None] * joint.unit
    there = ~alone & joint.keep.any(-1)
    joint.meets = there & (there.sum(0) > 1)
    set_clocks(joint, there)
    xy, motion = (joint.xy, None) if not joint.timed else _expected_corners(joint, bool(config.time.rolling_shutter))
    views = make_views(xy, joint.points, joint.keep, sigma, motion, alone)
    own = alone[views.camera, views.frame]
    layout = make_layout(
        joint.lenses, joint.sizes, fixed_lenses=joint.fixed_lenses, fixed_poses=joint.fixed_poses, timed=joint.timed,
        fixed_offsets=frozenset(range(len(joint.lenses))), line_time=bool(config.time.rolling_shutter),
        prior=config.lens.prior,
    )  # fmt: skip
    state = _state(joint, views, own, layout.count)
    precision = _offset_precision(joint, state.s) if joint.timed else None
    if precision is not None:
        precision[~(joint.meets & ~joint.sets_clock)[views.camera, views.frame]] = 1 / _LEAST_SPREAD_S**2
    bundle = Bundle(views, layout, state, joint.sizes, precision, huber)
    outcome = solve_bundle(bundle, max_iterations=config.max_iterations, tolerance=tolerance)
    _write_back(joint, bundle, own)
    return bundle, outcome


def _drop_unsupported(joint: Joint, alone: np.ndarray) -> None:
    """Views of too few kept corners for a pose of their own, where no other view of the frame gives them one."""
    small = joint.keep.sum(-1) < _FEWEST_OF_POSE
    supported = ~alone & (~small & ~alone & joint.keep.any(-1)).any(0)
    joint.keep[small & ~supported] = False


def _state(joint: Joint, views: Views, own: np.ndarray, count: int) -> BundleState:
    K = np.array([[lens.K[0, 0], lens.K[1, 1], lens.K[0, 2], lens.K[1, 2]] for lens in joint.lenses])
    dist = np.zeros((len(K), count))
    for c, lens in enumerate(joint.lenses):
        dist[c, : len(lens.dist)] = lens.dist
    first = views.boards[:-1]
    c, f = views.camera[first], views.frame[first]
    mine = own[first]
    Rb = np.where(mine[:, None, None], joint.own_R[c, f], joint.board_R[f])
    tb = np.where(mine[:, None], joint.own_t[c, f], joint.board_t[f])
    s = (joint.s - joint.expected)[views.camera, views.frame] if joint.timed else np.zeros(len(views))
    extra = np.stack([joint.line, np.zeros(len(K))], 1)
    return BundleState(K, dist, joint.R.copy(), joint.t.copy(), extra, Rb, tb, s.copy())


def _expected_corners(joint: Joint, rolling_shutter: bool) -> tuple[np.ndarray, np.ndarray]:
    """Corners where they were at the frame's instant by the camera's mean offset, and the motion from there.

    Views that set their frame's clock, or meet no other, have no motion: to follow a board to an instant at which
    nobody saw it would only add error. With a rolling shutter the lines of one view have different instants too.
    """
    moving = ((joint.meets & ~joint.sets_clock) | rolling_shutter)[..., None, None]
    v, a = joint.motion[..., :2] * moving, joint.motion[..., 2:] * moving
    m = joint.expected[..., None, None]
    return joint.xy - v * m + a * m * m, np.concatenate([v - 2 * a * m, a], axis=-1)


def _offset_precision(joint: Joint, s: np.ndarray) -> np.ndarray:
    """1/s2 of each view's offset around what is expected; less where it lies far off, for clocks jump."""
    return (_OFFSET_FREEDOM + 1) / (_OFFSET_FREEDOM + (s / joint.spread) ** 2) / joint.spread**2


def _write_back(joint: Joint, bundle: Bundle, own: np.ndarray) -> None:
    state, views = bundle.state, bundle.views
    joint.lenses = [lens_of(bundle.layout, c, state.K[c], state.dist[c]) for c in range(len(state.K))]
    joint.R, joint.t = state.Rc.copy(), state.tc.copy()
    first = views.boards[:-1]
    c, f, mine = views.camera[first], views.frame[first], own[first]
    joint.own_R[c[mine], f[mine]], joint.own_t[c[mine], f[mine]] = state.Rb[mine], state.tb[mine]
    joint.board_R[f[~mine]], joint.board_t[f[~mine]] = state.Rb[~mine], state.tb[~mine]
    if joint.timed:
        # What has no motion comes back as it was, and stays at zero.
        joint.s[views.camera, views.frame] = state.s + joint.expected[views.camera, views.frame]
        joint.s[~joint.meets | joint.sets_clock] = 0.0
        joint.line = state.extra[:, 0].copy()


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
    free = (joint.meets & ~joint.sets_clock)[views.camera, views.frame]
    if not free.any():
        return
    variance = offset_variances(bundle)
    determined = np.clip(1 - variance * bundle.precision, 0, 1)
    weight = bundle.precision * joint.spread**2
    total = max(float(determined[free].sum()), 0.5)
    spread = np.sqrt(float((weight * bundle.state.s**2)[free].sum()) / total)
    # The fixed point is approached slowly from above; where it falls, two steps are taken at once. It stays above what
    # the corners tell of one offset, so that the means, which follow the offsets, can move.
    told = 1 / np.maximum(1 / variance[free] - bundle.precision[free], 1e-12)
    ratio = min(spread / joint.spread, 10.0)
    floor = max(0.05 * joint.spread, float(np.sqrt(np.median(told))), _LEAST_SPREAD_S)
    joint.spread = float(max(joint.spread * ratio ** (2 if ratio < 0.9 else 1), floor))


def all_errors(joint: Joint) -> tuple[np.ndarray, np.ndarray]:
    """Residual length (px) of every seen corner: by the pose that the cameras share, and by the view's own pose.

    For the shared pose, a view that was not part of it gets the offset that suits it best.
    """
    count, frames = joint.keep.shape[:2]
    shared, own = np.full(joint.keep.shape, np.nan), np.full(joint.keep.shape, np.nan)
    for c in range(count):
        for out, R, t, free in (
            (shared, joint.board_R, joint.board_t, joint.alone[c] | joint.few[c] & ~joint.keep[c].any(-1)),
            (own, joint.own_R[c], joint.own_t[c], np.zeros(frames, bool)),
        ):
            error = project_board(joint, c, R, t) - joint.xy[c]
            if joint.timed:
                error = _take_out_motion(joint, c, error, free)
            out[c] = np.linalg.norm(error, axis=-1)
    return shared, own


def _take_out_motion(joint: Joint, c: int, error: np.ndarray, free: np.ndarray) -> np.ndarray:
    v, a = joint.motion[c, ..., :2], joint.motion[c, ..., 2:]
    s = joint.s[c].copy()
    if free.any():
        along = np.nansum(v * error, axis=(1, 2)) / np.maximum(np.nansum(v * v, axis=(1, 2)), 1e-12)
        s = np.where(
            free & joint.moves[c],
            joint.expected[c] + np.clip(-along - joint.expected[c], -4 * joint.spread, 4 * joint.spread),
            s,
        )
    middle = (joint.sizes[c, 1] - 1) / 2
    v, a = v * (joint.meets[c] | free)[:, None, None], a * (joint.meets[c] | free)[:, None, None]
    tau = s[:, None] + joint.line[c] * (joint.xy[c, ..., 1] - middle)
    return error + v * tau[..., None] - a * (tau**2)[..., None]


def project_board(
    joint: Joint, c: int, R: Float[np.ndarray, "frame 3 3"], t: Float[np.ndarray, "frame 3"]
) -> Float[np.ndarray, "frame corner 2"]:
    """Corners in camera c, px, of boards that lie at R, t in the world."""
    x_world = joint.points @ np.swapaxes(R, 1, 2) + t[:, None]
    return joint.lenses[c].equation(x_world @ joint.R[c].T + joint.t[c])
