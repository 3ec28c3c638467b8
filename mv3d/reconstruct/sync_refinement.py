"""Clocks of all cameras to a fraction of a frame, found together with the points. See `mv3d.reconstruct.sync`.

In every round the frames are matched anew by the present clocks, brought to common instants along the image velocity,
and triangulated; then the equations of clocks and constants are solved with the points eliminated.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from mv3d.data.quality import median_known
from mv3d.data.rig import Rig
from mv3d.reconstruct.local_motion import local_motion
from mv3d.reconstruct.noise import NoiseConfig
from mv3d.reconstruct.observations import observe
from mv3d.reconstruct.per_frame import TriangulationConfig, triangulate_frames
from mv3d.reconstruct.tracks import Matched, Sampling, Track, match, sample
from mv3d.reconstruct.view_equations import Equations, linearize, view_equations

# Columns of a view's parameters.
_OFFSET, _DRIFT, _SHIFT = 0, 1, slice(2, 4)
# Weak pull on a joint's constant, px, and on offsets, s: hold what the views cannot tell (all clocks late alike).
_CONSTANT_SD_PX, _OFFSET_SD_S = 20.0, 10.0
# No step is longer than this many frames: the image velocity does not hold farther.
_LONGEST_STEP = 3.0
# A step shorter than this many frames ends the rounds.
_SMALLEST_STEP = 0.01
# Length of a block, s: errors of a detector are alike for about this long.
_BLOCK_S = 0.25


@dataclass(frozen=True, slots=True)
class SyncConfig:
    """Synchronisation from motion.

    Attributes:
        enabled: estimate and apply time offsets.
        max_offset_s: largest offset between two cameras that the scan tries.
        scan_samples: instants compared in the scan.
        most_frames: frames used for the refinement; of longer recordings, windows spread evenly.
        windows: how many.
        rounds: of matching and solving.
        half_window_s: velocities are those of parabolas over this time before and after.
        significance: an offset counts if it exceeds this many standard deviations.
        least_offset_frames: and this many frames: less is below what any detector tells.
        least_gain: and only if all offsets together lower the left-out error by this share.
        drift_from_s: drift is estimated in recordings longer than this.
        most_drift: standard deviation of clock drifts before the recording is seen; crystals keep within 1e-4.
    """

    enabled: bool = True
    max_offset_s: float = 1.2
    scan_samples: int = 300
    most_frames: int = 600
    windows: int = 6
    rounds: int = 9
    half_window_s: float = 0.1
    significance: float = 4.0
    least_offset_frames: float = 0.1
    least_gain: float = 0.005
    drift_from_s: float = 20.0
    most_drift: float = 3e-4
    triangulation: TriangulationConfig = field(default_factory=lambda: TriangulationConfig(noise=NoiseConfig(rounds=1)))


@dataclass(frozen=True, slots=True, eq=False)
class Clocks:
    """State of the refinement, and its result.

    Attributes:
        clock: (view, 2) offset in the middle of the recording (s) and drift (s per s).
        sd: (view, 2) standard deviations.
        constant: (view, joint, 2) px by which a view sees a joint beside where the others see it.
        position: (frame, joint, 3) m at the sampling's instants; NaN where unknown.
        velocity: (frame, joint, 3) m/s.
    """

    clock: np.ndarray
    sd: np.ndarray
    constant: np.ndarray
    position: np.ndarray
    velocity: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class SyncProblem:
    """What does not change during the refinement.

    Attributes:
        rig: cameras in view order.
        tracks: keypoints of each view.
        joints: indices of the joints that are compared.
        sampling: instants at which they are.
        config: settings.
    """

    rig: Rig
    tracks: list[Track]
    joints: list[int]
    sampling: Sampling
    config: SyncConfig

    @property
    def middle(self) -> float:
        """The instant that offsets are of, s."""
        return float(self.sampling.times[0] + self.sampling.times[-1]) / 2

    @property
    def duration(self) -> float:
        """From the first instant to the last, s."""
        return float(np.ptp(self.sampling.times))

    def common_times(self, clock: Float[np.ndarray, "view 2"]) -> list[np.ndarray]:
        """Each view's frame times on the common clock."""
        return [t.times + c[0] + c[1] * (t.times - self.middle) for t, c in zip(self.tracks, clock, strict=True)]


def make_problem(
    rig: Rig, tracks: list[Track], joints: list[int], offsets: Float[np.ndarray, " view"], config: SyncConfig
) -> SyncProblem | None:
    """The recording sampled where all views overlap at these offsets; None where they do not."""
    moved = [replace(t, times=t.times + o) for t, o in zip(tracks, offsets, strict=True)]
    sampling = sample(moved, config.most_frames, config.windows)
    return SyncProblem(rig, tracks, joints, sampling, config) if sampling is not None else None


def refine_clocks(problem: SyncProblem, offsets: Float[np.ndarray, " view"], *, free: bool = True) -> Clocks:
    """Refine clocks from these offsets; with `free` false only the constants are found, the clocks stay."""
    views, frames, joints = len(problem.rig), len(problem.sampling.times), len(problem.joints)
    clock = np.stack([offsets, np.zeros(views)], axis=1).astype(float)
    unknown = np.full((frames, joints, 3), np.nan)
    state = Clocks(clock, np.full_like(clock, np.inf), np.zeros((views, joints, 2)), unknown, unknown)
    for _ in range(problem.config.rounds if free else problem.config.rounds // 3):
        following = _step(problem, state, free)
        step = float(np.abs(following.clock - state.clock)[:, 0].max())
        state = following
        if free and step < _SMALLEST_STEP * problem.sampling.interval:
            break
    return state


def left_out_scatter(problem: SyncProblem, state: Clocks) -> Float[np.ndarray, " view"]:
    """Left-out error (median px) of each view with each joint's constant taken off, at the state's clocks."""
    matched, xy = _at_instants(problem, state)
    observations = observe(problem.rig, xy, matched.score)
    out = np.full(len(problem.rig), np.nan)
    for v, camera in enumerate(problem.rig):
        xyz = triangulate_frames(observations.without_view(v), problem.config.triangulation).xyz
        error = np.asarray(camera.project(xyz) - xy[:, v])
        known = observations.seen[:, v] & np.all(np.isfinite(error), axis=-1)
        error[~known] = np.nan
        for j in np.flatnonzero(known.any(axis=0)):
            error[:, j] -= np.median(error[known[:, j], j], axis=0)
        out[v] = median_known(np.linalg.norm(error, axis=-1))
    return out


def _at_instants(problem: SyncProblem, state: Clocks) -> tuple[Matched, Float[np.ndarray, "frame view joint 2"]]:
    """Detections matched by the clocks, constants taken off, and moved to the instants along the image velocity."""
    matched = match(problem.tracks, problem.common_times(state.clock), problem.sampling)
    xy = matched.xy[:, :, problem.joints] - state.constant
    for v, camera in enumerate(problem.rig):
        _, by_cam = camera.lens.project_with_jacobian(camera.to_camera(state.position))
        speed = np.einsum("fjik,fjk->fji", by_cam @ camera.R, state.velocity)
        xy[:, v] -= np.nan_to_num(speed) * matched.time_shift[:, v, None, None]
    return replace(matched, score=matched.score[:, :, problem.joints]), xy


def _step(problem: SyncProblem, state: Clocks, free: bool) -> Clocks:
    """One round: points and velocities at the present clocks, then new clocks and constants."""
    config, sampling = problem.config, problem.sampling
    matched, xy = _at_instants(problem, state)
    observations = observe(problem.rig, xy, matched.score)
    per_frame = triangulate_frames(observations, config.triangulation)
    position, velocity = local_motion(per_frame.xyz, sampling.times, sampling.windows, config.half_window_s)
    precision = observations.precision(np.where(observations.seen, per_frame.noise_px, 1.0))
    linear = linearize(problem.rig, xy, precision, position, config.triangulation.noise.scale_sigmas)
    speed = np.einsum("fvjik,fjk->fvji", linear.by_point, np.nan_to_num(velocity))
    elapsed = (sampling.times - problem.middle) * (problem.duration > config.drift_from_s)
    design = np.zeros((*speed.shape, 4))
    design[..., _OFFSET] = speed * free
    design[..., _DRIFT] = speed * elapsed[:, None, None, None] * free
    design[..., _SHIFT] = np.eye(2)
    equations = view_equations(linear, design, _blocks(sampling))
    change, constants, sd = _solve(equations, state.constant, config)
    limit = _LONGEST_STEP * sampling.interval
    change *= min(1.0, limit / max(float(np.abs(change[:, 0]).max()), 1e-12))
    return Clocks(state.clock + change, sd, state.constant + constants, position, velocity)


def _blocks(sampling: Sampling) -> np.ndarray:
    """Number of the stretch of `_BLOCK_S` that each frame belongs to, counted on over windows."""
    length = max(1, round(_BLOCK_S / sampling.interval))
    starts = np.searchsorted(sampling.windows, sampling.windows)
    label = sampling.windows * len(sampling.times) + (np.arange(len(sampling.times)) - starts) // length
    return np.unique(label, return_inverse=True)[1]


def _solve(equations: Equations, constant: np.ndarray, config: SyncConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Changes of clocks (view, 2) and constants (view, joint, 2), and standard deviations of the clocks.

    The constants are eliminated joint by joint. The covariance is the sandwich over clusters of one joint in one block
    (Huber 1967): within a cluster errors are alike.
    """
    H, g = equations.H, equations.g
    joints, _, count, _ = H.shape
    views = count // 4
    timed = np.flatnonzero(np.arange(count) % 4 < 2)
    still = np.flatnonzero(np.arange(count) % 4 >= 2)
    reduced_H, scores, parts = np.zeros((2 * views, 2 * views)), [], []
    pull = _CONSTANT_SD_PX**-2 * np.eye(2 * views)
    for j in range(joints):
        total = H[j].sum(0)
        gain = np.linalg.solve(total[np.ix_(still, still)] + pull, np.eye(2 * views))
        cross = total[np.ix_(timed, still)] @ gain
        reduced_H += total[np.ix_(timed, timed)] - cross @ total[np.ix_(still, timed)]
        filled = H[j].any((1, 2))[:, None]
        share = filled / max(1, int(filled.sum()))
        g_still = g[j][:, still] - share * (pull @ constant[:, j].reshape(-1))
        scores.append(g[j][:, timed] - g_still @ cross.T)
        parts.append((gain, g_still.sum(0), total[np.ix_(still, timed)]))
    prior = np.tile([_OFFSET_SD_S**-2, config.most_drift**-2], views)
    inverse = np.linalg.inv(reduced_H + np.diag(prior))
    score = np.concatenate(scores)
    change = inverse @ score.sum(0)
    constants = np.stack([gain @ (right - coupling @ change) for gain, right, coupling in parts])
    used = score[score.any(1)]
    spread = used.T @ used * len(used) / max(len(used) - 2 * views, 1)
    sd = np.sqrt(np.maximum(np.diag(inverse @ spread @ inverse), 0.0))
    return change.reshape(views, 2), constants.reshape(joints, views, 2).swapaxes(0, 1), sd.reshape(views, 2)
