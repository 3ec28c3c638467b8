"""Newton steps on all joints' trajectories at once: observations, motion and bones in one sparse system.

Given the robust weights the problem is least squares. Every joint alone is a banded system, linear in frames; bones
couple joints within a frame. The coupled system is solved by conjugate gradients with the joints' own systems as
preconditioner (Saad, Iterative Methods for Sparse Linear Systems, 2003, section 9.2), so that the cost stays linear in
frames and joints however stiff the bones are.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mv3d.reconstruct import bone_kernels, sequence_kernels
from mv3d.reconstruct.observations import Observations

# Weak pull to the current trajectory, 1/m^2 (a sigma of 30 m): only keeps a joint without data from being singular.
RIDGE = 1e-3
# No joint moves farther in one step, m: robust weights that were right here are not farther away.
_LONGEST_STEP = 0.5
_MOST_CG_STEPS = 40
# Residual of the linear system at which a Newton step is good enough; the next one corrects what is left.
_CG_TOLERANCE = 1e-2
# A bone that is off by more than this many of its standard deviations loses its hold.
_BONE_SCALE = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class JointRays:
    """Observations joint by joint, for the kernels.

    Attributes:
        times: (frame,) s.
        delay: (frame, view) s, how much later than the frame's instant the view took its picture.
        centers: (view, 3) m.
        bearings: (joint, frame, view, 3).
        jacobians: (joint, frame, view, 2, 3) px.
        variance: (joint, frame, view) px^2 of one coordinate; 1 where unseen.
        weight: (joint, frame, view) 1/px^2, 0 where unseen.
    """

    times: np.ndarray
    delay: np.ndarray
    centers: np.ndarray
    bearings: np.ndarray
    jacobians: np.ndarray
    variance: np.ndarray
    weight: np.ndarray

    def residuals(self, x: Float[np.ndarray, "joint frame 3"]) -> Float[np.ndarray, "joint frame view 2"]:
        """Residuals, px; NaN where unseen, infinite behind a camera."""
        out = np.empty((*self.weight.shape, 2))
        sequence_kernels.residuals(
            x, self.times, self.delay, self.centers, self.bearings, self.jacobians, self.weight, out
        )
        return out

    def normal_equations(
        self, x: Float[np.ndarray, "joint frame 3"], support: Float[np.ndarray, "joint frame view"]
    ) -> tuple[Float[np.ndarray, "joint frame 3 3"], Float[np.ndarray, "joint frame 3"]]:
        """Blocks and gradient at x of the observations, each weighted by its support in [0, 1]."""
        H, g = np.empty((*x.shape, 3)), np.empty(x.shape)
        sequence_kernels.normal_equations(
            x, self.times, self.delay, self.centers, self.bearings, self.jacobians, self.weight * support, H, g
        )
        return H, g


def make_rays(
    observations: Observations,
    noise_px: Float[np.ndarray, "frame view joint"],
    joints: Int[np.ndarray, " usable"],
    times: Float[np.ndarray, " frame"],
    delay: Float[np.ndarray, "frame view"],
) -> JointRays:
    """Observations of the given joints; `noise_px` is each one's standard deviation, whatever its score."""

    def by_joint(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.moveaxis(array[:, :, joints], 2, 0))

    seen = observations.seen
    return JointRays(
        times,
        delay,
        np.ascontiguousarray(observations.rig.centers),
        by_joint(np.where(seen[..., None], observations.bearings, 0.0)),
        by_joint(np.where(seen[..., None, None], observations.pixel_jacobians, 0.0)),
        by_joint(np.where(seen, noise_px, 1.0) ** 2),
        by_joint(observations.precision(noise_px)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The motion prior: its band (frame, order + 1) of D^T D, rank (rows), and each joint's strength (joint,)."""

    band: np.ndarray
    rows: int
    strength: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Bones:
    """Bones between joints of the solver.

    Attributes:
        ends: (bone, 2) indices of joints.
        length: (bone,) m.
        sigma: (bone,) m, how constant the length is.
    """

    ends: np.ndarray
    length: np.ndarray
    sigma: np.ndarray

    def rows(
        self, x: Float[np.ndarray, "joint frame 3"], softening_m: float = 0.0
    ) -> tuple[Float[np.ndarray, "bone frame 3"], Float[np.ndarray, "bone frame"], Float[np.ndarray, "bone frame"]]:
        """Direction, error (m) and robust weight (1/m^2) at x; `softening_m` is added to every sigma."""
        sigma2 = self.sigma**2 + softening_m**2
        direction = np.empty((len(self.ends), x.shape[1], 3))
        error, weight = np.empty(direction.shape[:2]), np.empty(direction.shape[:2])
        bone_kernels.bone_rows(x, self.ends, self.length, 1 / sigma2, _BONE_SCALE**2 * sigma2, direction, error, weight)
        return direction, error, weight


def no_bones() -> Bones:
    """None at all."""
    return Bones(np.zeros((0, 2), np.int64), np.zeros(0), np.zeros(0))


def newton_step(
    x: Float[np.ndarray, "joint frame 3"],
    rays: JointRays,
    support: Float[np.ndarray, "joint frame view"],
    motion: Motion,
    bones: Bones,
    softening_m: float = 0.0,
) -> float:
    """Move x to the minimum of the problem linearised there; returns the largest move, m."""
    H, g = rays.normal_equations(x, support)
    sequence_kernels.apply_motion(motion.band, motion.strength, 0.0, x, g)
    direction, error, weight = bones.rows(x, softening_m)
    bone_kernels.add_rows(bones.ends, direction, error, weight, H, g)
    bands = np.empty((len(x), 3 * x.shape[1], 3 * motion.band.shape[1]))
    sequence_kernels.factor_joints(H, motion.band, motion.strength, RIDGE, bands)

    def apply(p: np.ndarray) -> np.ndarray:
        out = np.empty_like(p)
        sequence_kernels.apply_blocks(H, p, out)
        sequence_kernels.apply_motion(motion.band, motion.strength, RIDGE, p, out)
        bone_kernels.apply_couplings(bones.ends, direction, weight, p, out)
        return out

    def precondition(r: np.ndarray) -> np.ndarray:
        out = r.copy()
        sequence_kernels.solve_joints(bands, out.reshape(len(out), -1))
        return out

    step = -conjugate_gradients(apply, precondition, g, coupled=len(bones.ends) > 0)
    length = np.linalg.norm(step, axis=-1, keepdims=True)
    x += step * np.minimum(1.0, _LONGEST_STEP / np.maximum(length, 1e-12))
    return float(length.max(initial=0.0))


def conjugate_gradients(apply, precondition, right: np.ndarray, *, coupled: bool = True) -> np.ndarray:
    """Solve apply(p) = right; without coupling the preconditioner is the solution."""
    p = precondition(right)
    if not coupled:
        return p
    r = right - apply(p)
    z = precondition(r)
    d, rz = z.copy(), float(np.vdot(r, z))
    enough = _CG_TOLERANCE**2 * float(np.vdot(right, p))
    for _ in range(_MOST_CG_STEPS):
        if not rz > enough:
            break
        Ad = apply(d)
        alpha = rz / float(np.vdot(d, Ad))
        p += alpha * d
        r -= alpha * Ad
        z = precondition(r)
        rz, before = float(np.vdot(r, z)), rz
        d = z + (rz / before) * d
    return p
