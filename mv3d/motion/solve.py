"""The least-squares problem of a sequence: angles of all joints in all frames at once.

Minimises the robust misfit of the sites, weighted with their information, plus priors on rate and acceleration of every
angle, over angles within their limits. Gauss-Newton with damping; angles at a limit that the gradient pushes outwards
are held there (projected Newton, Bertsekas 1982). The equations are banded: time and memory grow with the frames.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import get_lapack_funcs

from mv3d.geometry.damping import Outcome, minimise
from mv3d.geometry.rotations import nearest_rotation, rotation_from_vector
from mv3d.motion import pose_kernels, sequence_kernels
from mv3d.motion.model import Body
from mv3d.motion.observed import Targets

# Priors count as much in a second as they would in this many frames, whatever the frame rate.
_CLOCK = 60.0
# Rates at which poses are tracked before the fit, and steps in a frame.
_TRACKED_HZ, _TRACK_STEPS = 15.0, 6
# Relative fall of the cost that ends the fit; the angles then move by less than a hundredth of their uncertainty.
_TOLERANCE = 1e-4
# Cholesky of a positive definite band in place.
(_PBSV,) = get_lapack_funcs(("pbsv",), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class MotionPrior:
    """What is usual for angles and the root: standard deviations at 60 frames per second.

    Attributes:
        rate: rad/s of an angle. Holds what no keypoint shows, and bridges gaps with the least motion.
        acceleration: rad/s2 of an angle.
        sharing: rad between the angles of two joints in a row that share a turn, as those of the spine.
        root_speed: m/s.
        root_acceleration: m/s2.
        blunder_sigmas: distance of a keypoint, in its standard deviations, at which it loses half of its weight.
    """

    rate: float = 5.0
    acceleration: float = 150.0
    sharing: float = 0.15
    root_speed: float = 5.0
    root_acceleration: float = 40.0
    blunder_sigmas: float = 6.0


@dataclass(slots=True, eq=False)
class State:
    """Poses of a sequence: angles (frame, angle) rad, the root's rotation (frame, 3, 3) and place (frame, 3) m."""

    q: np.ndarray
    root: np.ndarray
    t: np.ndarray

    def fade_in(self, before: "State") -> None:
        """Go over from `before`, which has the first frames too, by a blend; limits still hold."""
        count = len(before.q)
        share = (np.arange(count) + 1) / (count + 1)
        share = share * share * (3 - 2 * share)

        def blend(old: np.ndarray, new: np.ndarray) -> np.ndarray:
            weight = share.reshape(-1, *[1] * (new.ndim - 1))
            return (1 - weight) * old + weight * new

        self.q[:count] = blend(before.q, self.q[:count])
        self.root[:count] = nearest_rotation(blend(before.root, self.root[:count]))
        self.t[:count] = blend(before.t, self.t[:count])


class SequenceProblem:
    """The problem for `mv3d.geometry.damping.minimise`."""

    def __init__(self, body: Body, targets: Targets, prior: MotionPrior, state: State) -> None:
        self.state, self._targets = state, targets
        self._chain, self._limits = body.chain(), body.limits
        self._scale2 = prior.blunder_sigmas**2
        centre = np.concatenate([f.neutral for f in body.freedom])
        angles = len(centre)
        rate = np.array([*[prior.root_speed**-2] * 3, *[prior.rate**-2] * (3 + angles)])
        bend = np.array([*[prior.root_acceleration**-2] * 3, *[prior.acceleration**-2] * (3 + angles)])
        pull = np.concatenate([f.posture_precision for f in body.freedom])
        h = np.diff(targets.times)
        self._priors = (centre, h, pull, rate, bend, _CLOCK, body.shared_angles, prior.sharing**-2)
        self._n, frames = 6 + angles, len(targets.times)
        columns = self._n * frames
        # A hinge more than two frames away has no entry: the band is as wide as the stencil of the acceleration.
        width = self._n * min(frames, 3) - 1 + (frames > 2)
        self._band, self._g = np.empty((columns, width + 1)), np.empty(columns)
        self._work, self._rhs = np.empty_like(self._band), np.empty(columns)
        self._candidate = state

    def linearise(self) -> float:
        """Normal equations at the current state; its cost."""
        s, t = self.state, self._targets
        args = (t.position, t.information, self._scale2)
        sequence_kernels.data_equations(self._chain, s.q, s.root, s.t, *args, self._band, self._g)
        sequence_kernels.prior_equations(self._increments(s), s.q, *self._priors, self._band, self._g)
        return self._cost(s)

    def try_step(self, damping: float) -> float | None:
        """Make the candidate that the damped normal equations give; its cost, None if there is none."""
        lower, upper, reach = self._limits
        np.copyto(self._work, self._band)
        np.negative(self._g, out=self._rhs)
        sequence_kernels.damp(self._work, self._rhs, self.state.q, lower, upper, damping)
        _, step, info = _PBSV(self._work.T, self._rhs[:, None], lower=1, overwrite_ab=1, overwrite_b=1)
        if info or not np.isfinite(step).all():
            return None
        step = step.reshape(-1, self._n)
        q = self.state.q + step[:, 6:]
        for f in range(len(q)):
            pose_kernels.clamp(q[f], lower, upper, self._chain[2], self._chain[3], reach)
        turn = rotation_from_vector(step[:, 3:6])
        self._candidate = State(q, nearest_rotation(turn @ self.state.root), self.state.t + step[:, :3])
        return self._cost(self._candidate)

    def accept(self) -> None:
        """The candidate becomes the current state."""
        self.state = self._candidate
        self.linearise()

    def _increments(self, s: State) -> np.ndarray:
        d = np.empty((max(len(s.q) - 1, 0), self._n))
        sequence_kernels.increments(s.q, s.root, s.t, d)
        return d

    def _cost(self, s: State) -> float:
        t = self._targets
        data = sequence_kernels.sequence_cost(self._chain, s.q, s.root, s.t, t.position, t.information, self._scale2)
        return data + sequence_kernels.prior_cost(self._increments(s), s.q, *self._priors)


def solve(body: Body, targets: Targets, prior: MotionPrior, start: State, iterations: int) -> tuple[State, Outcome]:
    """The poses of least cost from `start`."""
    problem = SequenceProblem(body, targets, prior, start)
    outcome = minimise(problem, max_iterations=iterations, tolerance=_TOLERANCE)
    return problem.state, outcome


def tracked(body: Body, targets: Targets, prior: MotionPrior, root: np.ndarray, t: np.ndarray) -> State:
    """A start: poses fitted one after the other at a low rate, and straight lines between.

    Args:
        body: the skeleton.
        targets: where its sites are.
        prior: for the pull from frame to frame.
        root: (frame, 3, 3) guess of the root's rotation.
        t: (frame, 3) m, guess of its place.
    """
    frames = len(targets.times)
    hop = max(1, round(_frame_rate(targets.times) / _TRACKED_HZ))
    at = np.unique(np.append(np.arange(0, frames, hop), frames - 1))
    neutral = np.concatenate([f.neutral for f in body.freedom])
    q, roots, places = np.zeros((len(at), len(neutral))), root[at].copy(), t[at].copy()
    posture = np.concatenate([f.posture_precision for f in body.freedom])
    rate = np.full(len(neutral), (prior.rate / _TRACKED_HZ) ** -2)
    pose_kernels.track(
        *(body.chain(), body.limits, targets.position[at], targets.information[at], prior.blunder_sigmas**2),
        *(posture, rate, neutral, q, roots, places, _TRACK_STEPS),
    )
    return _between(State(q, roots, places), at, frames)


def _between(state: State, at: np.ndarray, frames: int) -> State:
    """Straight lines between the frames `at`; rotations by the nearest to the mean of their matrices."""
    all_frames = np.arange(frames)
    left = np.clip(np.searchsorted(at, all_frames, side="right") - 1, 0, max(len(at) - 2, 0))
    right = np.minimum(left + 1, len(at) - 1)
    share = (all_frames - at[left]) / np.maximum(at[right] - at[left], 1)

    def mixed(values: np.ndarray) -> np.ndarray:
        weight = share.reshape(-1, *[1] * (values.ndim - 1))
        return (1 - weight) * values[left] + weight * values[right]

    return State(mixed(state.q), nearest_rotation(mixed(state.root)), mixed(state.t))


def _frame_rate(times: np.ndarray) -> float:
    return 1 / float(np.median(np.diff(times))) if len(times) > 1 else 1.0
