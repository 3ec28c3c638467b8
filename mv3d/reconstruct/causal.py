"""The sequence model run forward: one frame in, one skeleton out, with a fixed lag as an option.

Every joint is a Kalman filter under white jerk, told by all views' rays (`causal_kernels`). Hidden states of blunders
and of swapped sides are filtered forward, bones are soft measurements within a frame. What is not known beforehand is
learnt from the past alone (`causal_model`). docs/reconstruction.md says what is left out against the offline solution.
"""

import threading
from collections import deque

import numpy as np
from jaxtyping import Float

from mv3d.data.poses import FILLED, MEASURED, MISSING
from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.geometry.triangulation import covariances, pixel_scale
from mv3d.reconstruct import causal_kernels as kernels
from mv3d.reconstruct.causal_lag import CausalSkeleton, Lag, Moment
from mv3d.reconstruct.causal_model import CausalConfig, CausalModel, Learning, Past, guessed_model, learnt_model
from mv3d.reconstruct.frame_observations import FrameObservations
from mv3d.reconstruct.middle import middle_of_body
from mv3d.reconstruct.ray_table import RayTable
from mv3d.reconstruct.sides import paired_groups

# Standard deviations of a joint that is found: a runner's speed, and the acceleration of a fast arm.
_FIRST_VELOCITY, _FIRST_ACCELERATION = 3.0, 30.0
# A bone that is off by more than this many of its standard deviations loses its hold, as offline.
_BONE_SCALE = 3.0
# Several people's models are learnt one after the other: all at once they would hold the frames up.
_LEARNING = threading.Lock()


class CausalReconstructor:
    """Follows one person."""

    def __init__(
        self,
        rig: Rig,
        skeleton: Skeleton,
        config: CausalConfig | None = None,
        learning: Learning | None = None,
        table: RayTable | None = None,
    ) -> None:
        """Nobody is followed yet; `table` is the rig's, for several who share it."""
        self._rig, self._skeleton = rig, skeleton
        self._config, self._learning = config or CausalConfig(), learning or Learning()
        joints, views = len(skeleton), len(rig)
        self._table, self._centers = table or RayTable(rig), np.ascontiguousarray(rig.centers)
        self.model = guessed_model(rig, joints, self._config, self._learning.triangulation.noise)
        self._next_model: CausalModel | None = None
        self._learner: threading.Thread | None = None
        self._groups = [np.array([j for pair in group for j in pair]) for group in paired_groups(skeleton)]
        self._mirror = np.array(skeleton.mirror, np.int64)
        self._m, self._P = np.zeros((joints, 3, 3)), np.zeros((joints, 9, 9))
        self._active = np.zeros(joints, bool)
        self._good = np.full((views, joints), 1.0)
        self._usual_sides = np.ones((views, len(self._groups)))
        self._doubt, self._waited = np.zeros(joints, int), np.zeros(joints, int)
        self._measured_at = np.full(joints, -np.inf)
        self._single = np.full((joints, 3, 3), np.nan)
        self._time, self._frames = -np.inf, 0
        self._past: deque[tuple[np.ndarray, np.ndarray, float, np.ndarray]] = deque(maxlen=self._config.learn_frames)
        self._lag = Lag(self._config.lag)

    def step(
        self,
        xy: Float[np.ndarray, "view joint 2"],
        score: Float[np.ndarray, "view joint"],
        time: float,
        delay: Float[np.ndarray, " view"] | None = None,
    ) -> CausalSkeleton | None:
        """Take in one frame.

        Args:
            xy: px of the source images; NaN where missing.
            score: confidence; 0 where missing.
            time: s, later than the last frame's.
            delay: s by which each view's picture is later than `time`; none if not given.

        Returns:
            The skeleton of this frame, or of the one `lag` frames before; None in the first `lag` frames.
        """
        if not time > self._time:
            raise ValueError(f"the frame at {time} s is not later than the one before, at {self._time} s")
        delay = np.zeros(len(self._rig)) if delay is None else delay
        self._take_model()
        gain = self._predict(time)
        predicted, predicted_P = self._m.copy(), self._P.copy()
        moved = self._moved(delay)
        rays = self._with_sides(self._rays(xy, score), moved)
        square = self._update(rays, moved)
        found = self._seek(rays, moved, square)
        gain[found] = 0.0
        state = self._judge(square, found, time)
        self._lag.append(
            Moment(time, predicted, predicted_P, gain, self._m.copy(), self._P.copy(), self._single.copy(), state)
        )
        self._time, self._frames = time, self._frames + 1
        self._past.append((xy.copy(), score.copy(), time, delay))
        if self._config.is_time_to_learn(self._frames):
            self._learn()
        return self._lag.oldest(self.model)

    def finish(self) -> list[CausalSkeleton]:
        """The skeletons of the last `lag` frames, for which no more future will come."""
        return self._lag.rest(self.model)

    @property
    def frames(self) -> int:
        """Frames taken in."""
        return self._frames

    def wait_for_model(self) -> None:
        """Wait until what is learnt in the background is there; the next step uses it."""
        if self._learner is not None:
            self._learner.join()

    def _predict(self, time: float) -> np.ndarray:
        model, gain = self.model, np.zeros_like(self._P)
        if np.isfinite(self._time):
            kernels.predict(self._m, self._P, time - self._time, model.density, self._active, gain)
        self._good = self._good * (1 - model.enter) + (1 - self._good) * model.leave
        sides = self._learning.sequence.sides
        self._usual_sides = self._usual_sides * (1 - sides.enter) + (1 - self._usual_sides) * sides.leave
        sigma2 = np.einsum("jii->j", self._P[:, :3, :3]) / 3
        self._active &= sigma2 < self._config.lost_sigma_m**2
        # What is missing for so long is sought anew: an extrapolation would only keep the views' word from counting.
        self._active &= time - self._measured_at <= self._config.max_gap_s
        return gain

    def _rays(self, xy: np.ndarray, score: np.ndarray) -> FrameObservations:
        bearings, jacobians = self._table.look_up(np.asarray(xy, float), np.arange(len(xy)))
        score = np.where(np.isfinite(bearings[..., 0]) & (score > 0), score, 0.0)
        typical = self.model.typical_score
        if typical is None:
            typical = float(np.median(score[score > 0])) if (score > 0).any() else 1.0
        variance = self.model.variance(self._sizes(bearings, jacobians, score), self._learning.triangulation.noise)
        return FrameObservations(self._centers, bearings, jacobians, score / typical, variance)

    def _sizes(self, bearings: np.ndarray, jacobians: np.ndarray, score: np.ndarray) -> Float[np.ndarray, " view"]:
        """Px that a metre at the person has in each view; NaN where nothing tells."""
        depth = np.einsum("vji,vji->vj", self._m[:, 0] - self._centers[:, None], bearings)
        told = (score > 0) & (depth > 0) & self._active
        per_metre = np.where(told, pixel_scale(jacobians) / np.where(told, depth, 1.0), 0.0)
        return per_metre.sum(1) / np.where(told.any(1), told.sum(1), np.nan)

    def _moved(self, delay: np.ndarray) -> Float[np.ndarray, "view joint 3"]:
        """Where each view sees the joints beside where they are at the frame's instant, m."""
        late = delay[:, None, None]
        return late * self._m[:, 1] + late**2 / 2 * self._m[:, 2]

    def _with_sides(self, rays: FrameObservations, moved: np.ndarray) -> FrameObservations:
        """Left and right put right where a view has had them swapped, as far as is known by now."""
        config = self._learning.sequence.sides
        if not config.enabled:
            return rays
        evidence = np.zeros(rays.share.shape)
        kernels.side_evidence(
            self._m, self._P, self._active, self._mirror, self._centers, moved, rays.bearings, rays.jacobians,
            rays.share, rays.variance, config.widening, config.blunder_share, evidence,
        )  # fmt: skip
        swapped = np.zeros(rays.share.shape, bool)
        for g, group in enumerate(self._groups):
            like = np.exp(np.clip(evidence[:, group].sum(1), -40, 40))
            usual = self._usual_sides[:, g]
            self._usual_sides[:, g] = usual * like / (usual * like + 1 - usual)
            swapped[:, group] = (self._usual_sides[:, g] < 0.5)[:, None]
        return rays.exchanged(swapped, self._mirror)

    def _update(self, rays: FrameObservations, moved: np.ndarray) -> Float[np.ndarray, "view joint"]:
        """The filter takes the frame in; squared residuals in variances."""
        model, square, good = self.model, np.full(rays.share.shape, np.nan), self._good.copy()
        seen = np.zeros((len(self._m), 3, 3))
        spread2 = self._learning.sequence.blunder_scale**2
        kernels.update(
            self._m, self._P, self._active, self._centers, moved, rays.bearings, rays.jacobians, rays.weight,
            rays.variance, spread2, self._good, model.bone_order, model.bones.ends, model.bones.length,
            model.bones.sigma**2, _BONE_SCALE**2, self._config.steps, good, square, seen,
        )  # fmt: skip
        self._good = good
        clear = self._active & (((good > 0.5) & (rays.share > 0)).sum(0) >= 2)
        single = covariances(seen)
        clear &= np.isfinite(single[:, 0, 0])
        self._single[clear] = single[clear]
        return square

    def _seek(self, rays: FrameObservations, moved: np.ndarray, square: np.ndarray) -> np.ndarray:
        """Joints that are lost or doubted, from this frame alone; which were found."""
        config, seen = self._config, (rays.share > 0).sum(0)
        agreeing = (square < self._learning.triangulation.inlier_sigmas**2).sum(0)
        self._doubt = np.where((seen >= 2) & (agreeing < 2), self._doubt + 1, 0)
        wanted = np.flatnonzero((~self._active | (self._doubt >= config.doubt_frames)) & (seen >= 2))
        found = np.zeros(len(seen), bool)
        if not len(wanted):
            return found
        self._waited[wanted] += 1
        xyz, information, agreeing = rays.triangulated(wanted, self._learning.triangulation.inlier_sigmas)
        needed = np.where(self._waited[wanted] > config.patience_frames, 2, np.minimum(seen[wanted], 3))
        accepted = np.isfinite(xyz[:, 0]) & (agreeing >= needed)
        accepted &= self._within_reach(wanted, xyz, accepted)
        for i in np.flatnonzero(accepted):
            self._begin(int(wanted[i]), xyz[i], np.linalg.inv(information[i]))
        found[wanted[accepted]] = True
        return found

    def _within_reach(self, wanted: np.ndarray, xyz: np.ndarray, accepted: np.ndarray) -> np.ndarray:
        """No joint is far from the middle of the body; of those just found, where most of the body is sought."""
        body = np.full((len(self._skeleton), 3), np.nan)
        if self._active.sum() > len(wanted):
            body[self._active] = self._m[self._active, 0]
        else:
            body[wanted[accepted]] = xyz[accepted]
        return np.linalg.norm(xyz - middle_of_body(body), axis=1) < self._learning.triangulation.reach_m

    def _begin(self, joint: int, xyz: np.ndarray, covariance: np.ndarray) -> None:
        self._m[joint], self._P[joint] = 0.0, 0.0
        self._m[joint, 0] = xyz
        self._P[joint, :3, :3] = covariance
        self._P[joint, range(3, 6), range(3, 6)] = _FIRST_VELOCITY**2
        self._P[joint, range(6, 9), range(6, 9)] = _FIRST_ACCELERATION**2
        self._active[joint], self._doubt[joint], self._waited[joint] = True, 0, 0
        self._good[:, joint] = 1.0
        self._single[joint] = covariance

    def _judge(self, square: np.ndarray, found: np.ndarray, time: float) -> np.ndarray:
        """Measured where two views agree with the filter; filled for a while after; missing else."""
        agreeing = (square < self._learning.triangulation.inlier_sigmas**2).sum(0)
        measured = self._active & ((agreeing >= 2) | found)
        self._measured_at[measured] = time
        filled = self._active & ~measured & (time - self._measured_at <= self._config.max_gap_s)
        return np.where(measured, MEASURED, np.where(filled, FILLED, MISSING))

    def _learn(self) -> None:
        if self._learner is not None and self._learner.is_alive():
            return
        xy, score, times, delay = (np.stack(values) for values in zip(*self._past, strict=True))
        past, before = Past(xy, score, times, delay), self.model

        def learn() -> None:
            with _LEARNING:
                self._next_model = learnt_model(self._rig, self._skeleton, past, before, self._learning)

        if self._config.in_background:
            self._learner = threading.Thread(target=learn, daemon=True)
            self._learner.start()
        else:
            learn()

    def _take_model(self) -> None:
        if self._next_model is not None:
            self.model, self._next_model = self._next_model, None
