"""Joint least squares over lenses, camera poses, board poses and time: the states, the problem, its solution."""

from dataclasses import dataclass

import numba
import numpy as np
from jaxtyping import Float

from calib import bundle_kernels as kernels
from calib.layout import Layout
from calib.views import Views
from mv3d.data.lens import Lens
from mv3d.geometry import cholesky_kernels
from mv3d.geometry.damping import Outcome, minimise

# Huber's threshold in standard deviations: 3 costs 0.1 % of the efficiency on clean corners.
HUBER = 3.0
# Waking threads takes about 5 ms on a busy machine, as long as one core takes for this many corners.
_PARALLEL_CORNERS = 40_000


@dataclass(slots=True, eq=False)
class BundleState:
    """All unknowns. Cameras: x_cam = Rc x_world + tc; boards: x_world = Rb x_board + tb.

    Attributes:
        K: (camera, 4) fx fy cx cy px.
        dist: (camera, count).
        Rc, tc: (camera, 3, 3), (camera, 3) m.
        extra: (camera, 2) line time (s per line) and mean time offset s.
        Rb, tb: (board, 3, 3), (board, 3) m.
        s: (view,) time offset of each view, s: its corners are where the board was at the frame's instant + s.
    """

    K: np.ndarray
    dist: np.ndarray
    Rc: np.ndarray
    tc: np.ndarray
    extra: np.ndarray
    Rb: np.ndarray
    tb: np.ndarray
    s: np.ndarray

    def arrays(self) -> tuple[np.ndarray, ...]:
        """In the kernels' order."""
        return self.K, self.dist, self.Rc, self.tc, self.extra, self.Rb, self.tb, self.s

    def copy(self) -> "BundleState":
        """A state of its own."""
        return BundleState(*(a.copy() for a in self.arrays()))


def start_state(
    lenses: list[Lens],
    camera_poses: tuple[Float[np.ndarray, "camera 3 3"], Float[np.ndarray, "camera 3"]],
    board_poses: tuple[Float[np.ndarray, "board 3 3"], Float[np.ndarray, "board 3"]],
    view_count: int,
    count: int,
) -> BundleState:
    """A state from lenses and poses, without time offsets; `count` is the layout's room for coefficients."""
    K = np.array([[lens.K[0, 0], lens.K[1, 1], lens.K[0, 2], lens.K[1, 2]] for lens in lenses])
    dist = np.zeros((len(lenses), count))
    for c, lens in enumerate(lenses):
        dist[c, : len(lens.dist)] = lens.dist
    poses = [np.ascontiguousarray(a, dtype=float) for a in (*camera_poses, *board_poses)]
    return BundleState(
        K, dist, poses[0], poses[1], np.zeros((len(lenses), 2)), poses[2], poses[3], np.zeros(view_count)
    )


class Bundle:
    """The problem that `minimise` solves. `state` is the current one; `candidate` the next one that is tried.

    Args:
        views: the corners.
        layout: the unknowns of the cameras.
        state: where to start; becomes the bundle's own.
        sizes: (camera, 2) px; the middle line is where the line time counts from.
        offset_precision: (view,) 1/s2 of each view's offset around its camera's mean; needed if the layout is timed.
        huber: threshold in standard deviations.
    """

    def __init__(
        self,
        views: Views,
        layout: Layout,
        state: BundleState,
        sizes: np.ndarray,
        offset_precision: np.ndarray | None = None,
        huber: float = HUBER,
    ) -> None:
        self.views, self.layout, self.state, self.huber = views, layout, state, huber
        self.candidate = state.copy()
        cameras, boards, n = len(state.K), len(state.Rb), layout.size
        self.precision = np.ones(len(views)) if offset_precision is None else offset_precision
        self._index = (views.starts, views.camera, views.board, layout.kinds, layout.used, (sizes[:, 1] - 1) / 2.0)
        self._corners = (views.X, views.z, views.motion, views.inverse_sigma)
        self._chunks = min(numba.get_num_threads(), boards) if len(views.corner) > _PARALLEL_CORNERS else 1
        self._costs = np.zeros(self._chunks)
        self._normal = [(np.zeros((len(views), n, n)), np.zeros((len(views), n))) for _ in range(2)]
        self._S = np.zeros((self._chunks, cameras * n, cameras * n))
        self._rhs = np.zeros((self._chunks, cameras * n))
        self._W, self._inverse, self._pull = (
            np.zeros((len(views), n, 6)),
            np.zeros((boards, 6, 6)),
            np.zeros((boards, 6)),
        )
        free = layout.free_count
        self._A, self._L, self._b = np.zeros((free, free)), np.zeros((free, free)), np.zeros(free)
        self._prior_precision = np.where(np.isnan(layout.prior_mean), 0.0, 1.0 / layout.prior_sd**2)

    def linearise(self) -> float:
        """Normal equations at the current state; the robust cost in squared standard deviations."""
        return self._linearise(self.state, 0)

    def try_step(self, damping: float) -> float | None:
        """The candidate of a damped step, linearised; None where the system is not positive definite."""
        if not self.factor(damping):
            return None
        step = -self._b
        cholesky_kernels.solve(self._L, step)
        owner = self.layout.owner
        dx = np.where(owner >= 0, step[owner] if len(step) else 0.0, 0.0).reshape(len(self.state.K), -1)
        kernels.back_substitute(
            self.views.boards, self.views.camera, self.state.arrays(), damping, self.layout.timed, self.precision,
            *self._normal[0], self._W, self._inverse, self._pull, dx, self.candidate.arrays(),
        )  # fmt: skip
        if self.candidate.K[:, :2].min() <= 0:
            return None
        return self._linearise(self.candidate, 1)

    def accept(self) -> None:
        """The candidate becomes the current state."""
        self.state, self.candidate = self.candidate, self.state
        self._normal.reverse()

    def factor(self, damping: float) -> bool:
        """Eliminate boards and offsets and factor the system of the free unknowns of the cameras."""
        arguments = (
            self.views.boards, self.views.camera, self.state.arrays(), damping, self.layout.timed, self.precision,
            *self._normal[0], self._S, self._rhs, self._W, self._inverse, self._pull,
        )  # fmt: skip
        if self._chunks == 1:
            kernels.eliminate(0, 1, *arguments)
        else:
            kernels.eliminate_parallel(self._chunks, *arguments)
        self._add_priors()
        cholesky_kernels.gather(self._S, self._rhs, self.layout.owner, self._A, self._b)
        diagonal = np.einsum("ii->i", self._A)
        diagonal *= 1.0 + damping
        return cholesky_kernels.factor(self._A, self._L)

    def covariance(self) -> Float[np.ndarray, "unknown unknown"] | None:
        """Of the cameras' unknowns at the current state, in its units; zero rows where fixed. None if not observable.

        The corners' sigma is taken as true; scale by the measured variance.
        """
        self.linearise()
        if not self.factor(0.0):
            return None
        if not len(self._A):
            return np.zeros((len(self.layout.owner), len(self.layout.owner)))
        inverse = np.zeros_like(self._A)
        cholesky_kernels.invert(self._L, inverse)
        owner = self.layout.owner
        full = inverse[np.ix_(owner, owner)]
        full[owner < 0], full[:, owner < 0] = 0.0, 0.0
        return full

    def normal_matrices(self) -> Float[np.ndarray, "view n n"]:
        """Blocks of all views at the current state, after `linearise` or a solution."""
        return self._normal[0][0]

    def gradients(self) -> Float[np.ndarray, "view n"]:
        """Right-hand sides that belong to `normal_matrices`."""
        return self._normal[0][1]

    def elimination(self) -> tuple[Float[np.ndarray, "view n 6"], Float[np.ndarray, "board 6 6"]]:
        """Coupling of each view's camera to its board pose, offsets eliminated, and inverse blocks of the board poses.

        As of the last factorisation; undamped after `covariance`.
        """
        return self._W, self._inverse

    def residuals(self) -> Float[np.ndarray, "corner 2"]:
        """Model minus observation of every corner at the current state, px, time included."""
        from calib.residuals import residuals_px

        return residuals_px(self.views, self.layout, self.state, self._index[-1])

    def _linearise(self, state: BundleState, slot: int) -> float:
        arguments = (
            self._index, self._corners, state.arrays(), self.huber, self.layout.timed, *self._normal[slot], self._costs,
        )  # fmt: skip
        if self._chunks == 1:
            kernels.linearise(0, 1, *arguments)
        else:
            kernels.linearise_parallel(self._chunks, *arguments)
        cost = float(self._costs.sum()) + self._prior_cost(state)
        if self.layout.timed:
            cost += float(self.precision @ (state.s - state.extra[self.views.camera, 1]) ** 2)
        return cost

    def _lens_error(self, state: BundleState) -> tuple[np.ndarray, np.ndarray]:
        """Unknowns minus prior mean (camera, size), zero where nothing is known, and fy - fx."""
        error = np.zeros_like(self.layout.prior_mean)
        lens = np.concatenate([state.K, state.dist], axis=1)
        error[:, : lens.shape[1]] = np.nan_to_num(lens - self.layout.prior_mean[:, : lens.shape[1]])
        if self.layout.timed:
            error[:, -2] = state.extra[:, 0]
        return error, state.K[:, 1] - state.K[:, 0]

    def _prior_cost(self, state: BundleState) -> float:
        error, aspect = self._lens_error(state)
        return float((self._prior_precision * error**2).sum() + ((aspect / self.layout.aspect_sd) ** 2).sum())

    def _add_priors(self) -> None:
        error, aspect = self._lens_error(self.state)
        S, rhs, n = self._S[0], self._rhs[0], self.layout.size
        np.einsum("ii->i", S)[:] += self._prior_precision.ravel()
        rhs += (self._prior_precision * error).ravel()
        coupling = 1.0 / self.layout.aspect_sd**2
        x = np.arange(len(aspect)) * n
        S[x, x] += coupling
        S[x + 1, x + 1] += coupling
        S[x + 1, x] -= coupling
        rhs[x] -= coupling * aspect
        rhs[x + 1] += coupling * aspect


def solve_bundle(bundle: Bundle, *, max_iterations: int = 50, tolerance: float = 1e-9) -> Outcome:
    """Minimise; the bundle's state is the solution."""
    return minimise(bundle, max_iterations=max_iterations, tolerance=tolerance)
