"""What a person's keypoints tell of every camera's pose, with a detector whose errors last.

A detector marks each joint beside its centre, differently from each side, and goes on doing so: a thousand frames know
little more than ten. So every joint has, in each view, a constant error of its own and another one in each stretch of
the recording, both normal, with variances that the recording tells. The errors are integrated out of the normal
equations of `mv3d.reconstruct.view_equations`; what is left is the information on the poses, which is blind to the
similarities of the world. Source: the linear mixed model with EM of Laird and Ware, Random-Effects Models for
Longitudinal Data, 1982.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from mv3d.data.rig import Rig
from mv3d.geometry.rotations import skew
from mv3d.reconstruct.observations import observe
from mv3d.reconstruct.per_frame import TriangulationConfig, triangulate_frames
from mv3d.reconstruct.rig_refinement import RefinementConfig, refine_rig
from mv3d.reconstruct.view_equations import Equations, linearize, view_equations

_POSE, _SHIFT = 6, 2
_OWN = _POSE + _SHIFT
# Relative: below it a direction of the poses is one of the world's.
_BLIND = 1e-10


@dataclass(frozen=True, slots=True)
class LastingErrorConfig:
    """Errors of a detector that stay.

    Attributes:
        stretches: pieces of the recording in each of which every joint has another error in each view.
        rounds: of EM.
        first_px: standard deviations that it starts from.
        common_m: what all joints of a person may be off by in one view, at the person, standard deviation: nothing
            tells it from a turn of the camera.
        roll: and turned about the camera's axis, rad.
        refinement: how the cameras are brought where the equations are linear.
    """

    stretches: int = 20
    rounds: int = 30
    first_px: float = 3.0
    common_m: float = 0.005
    roll: float = 0.001
    refinement: RefinementConfig = field(default_factory=RefinementConfig)


@dataclass(frozen=True, slots=True, eq=False)
class PoseInformation:
    """Where the people have the cameras, against where the rig has them.

    Attributes:
        change: (view * 6,) turn, rad, and translation, m, from the left, x_cam' = R x_cam + t; least squares.
        information: (view * 6, view * 6) inverse covariance of `change`; zero for similarities of the world.
        common_sd: (view * 6,) what errors that all joints share look like.
        distance: (view,) m, of the people.
        lasting_px: standard deviation of the constant errors.
    """

    change: np.ndarray
    information: np.ndarray
    common_sd: np.ndarray
    distance: np.ndarray
    lasting_px: float


def pose_information(
    rig: Rig,
    xy: Float[np.ndarray, "frame view joint 2"],
    score: Float[np.ndarray, "frame view joint"],
    triangulation: TriangulationConfig,
    config: LastingErrorConfig,
) -> PoseInformation:
    """Every camera's pose against all others'.

    Args:
        rig: the cameras as they are thought to be.
        xy: keypoints of the joints to be used, px; NaN where missing.
        score: 0 where missing.
        triangulation: of the points.
        config: settings.
    """
    near = refine_rig(rig, xy, score, "extrinsics", triangulation, config.refinement)
    equations, distance = _equations(near.rig, xy, score, triangulation, config.stretches)
    information, step, lasting_px = _without_lasting(equations, len(rig), config)
    common = [[config.common_m / z] * 2 + [config.roll, 0.0, 0.0, 0.0] for z in distance]
    return PoseInformation(near.change.ravel() + step, information, np.ravel(common), distance, lasting_px)


def _equations(
    rig: Rig, xy: np.ndarray, score: np.ndarray, triangulation: TriangulationConfig, stretches: int
) -> tuple[Equations, Float[np.ndarray, " view"]]:
    """Normal equations of each view's pose and shift, and the median distance of what it sees."""
    observations = observe(rig, xy, score)
    points = triangulate_frames(observations, triangulation)
    precision = observations.precision(np.where(observations.seen, points.noise_px, 1.0))
    linear = linearize(rig, xy, precision, points.xyz, triangulation.noise.scale_sigmas)
    turned = -linear.by_camera @ skew(linear.x_cam)
    shifted = np.broadcast_to(np.eye(_SHIFT), (*linear.residual.shape, _SHIFT))
    design = np.concatenate([turned, linear.by_camera, shifted], axis=-1)
    stretch = np.minimum(np.arange(len(xy)) * stretches // max(len(xy), 1), stretches - 1)
    depth = np.where(linear.weight > 0, linear.x_cam[..., 2], np.nan)
    seen = [d[np.isfinite(d)] for d in np.moveaxis(depth, 1, 0)]
    distance = np.array([float(np.median(d)) if len(d) else 1.0 for d in seen])
    return view_equations(linear, design, stretch), distance


def _without_lasting(
    equations: Equations, views: int, config: LastingErrorConfig
) -> tuple[np.ndarray, np.ndarray, float]:
    """Information on the poses, their least squares step, and the standard deviation of the constant errors."""
    pose = (np.arange(views)[:, None] * _OWN + np.arange(_POSE)).ravel()
    shift = (np.arange(views)[:, None] * _OWN + np.arange(_POSE, _OWN)).ravel()
    among = np.ix_(shift, shift)
    H, g = equations.H, equations.g
    told = np.diagonal(H, axis1=-2, axis2=-1)[..., shift] > 0
    constant = passing = config.first_px
    for _ in range(config.rounds):
        K = np.linalg.inv(H[(..., *among)] + np.eye(len(shift)) / passing**2)
        through = H[..., shift] @ K
        of_joint = (H - through @ np.swapaxes(H[..., shift], -1, -2)).sum(1)
        pull = (g - (through @ g[..., shift, None])[..., 0]).sum(1)
        Q = np.linalg.inv(of_joint[(..., *among)] + np.eye(len(shift)) / constant**2)
        through = of_joint[..., shift] @ Q
        information = (of_joint - through @ np.swapaxes(of_joint[..., shift], -1, -2)).sum(0)[np.ix_(pose, pose)]
        right = (pull - (through @ pull[:, shift, None])[..., 0]).sum(0)[pose]
        step = np.linalg.pinv(information, rcond=_BLIND, hermitian=True) @ right
        # Expected squares of the errors, given the poses.
        lasting = (Q @ (pull[:, shift] - of_joint[:, shift][..., pose] @ step)[..., None])[..., 0]
        left = g[..., shift] - H[..., shift, :][..., pose] @ step
        left = left - (H[(..., *among)] @ lasting[:, None, :, None])[..., 0]
        spent = (K @ left[..., None])[..., 0]
        constant = float(np.sqrt(np.mean(lasting**2 + np.diagonal(Q, axis1=-2, axis2=-1))))
        expected = spent**2 + np.diagonal(K, axis1=-2, axis2=-1)
        passing = float(np.sqrt(np.mean(expected[told]))) if told.any() else passing
    return information, step, constant
