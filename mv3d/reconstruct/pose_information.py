"""What a person's keypoints tell of every camera's pose, with a detector whose errors last.

A detector marks each joint beside its centre, differently from each side, and goes on doing so: a thousand frames know
little more than ten. So every joint has, in each view, a constant error of its own and another one in each stretch of
the recording, both normal, with variances that the recording tells. What all joints of a view have in common, a shift
and what grows along the body, across it and into the picture, looks like a turn and a move of the camera; its size is
taken to be a share of the joints' own. The errors are integrated out of the normal equations of
`mv3d.reconstruct.view_equations`; what is left is the information on the poses, which is blind to the similarities of
the world. Source: the linear mixed model with EM of Laird and Ware, Random-Effects Models for Longitudinal Data, 1982.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from mv3d.data.rig import Rig
from mv3d.geometry.rotations import skew
from mv3d.reconstruct.observations import observe
from mv3d.reconstruct.per_frame import TriangulationConfig, triangulate_frames
from mv3d.reconstruct.rig_refinement import RefinementConfig, refine_rig
from mv3d.reconstruct.view_equations import Equations, Linearized, linearize, view_equations

# Columns of a view: its pose, an error of one joint, and errors that all joints have in common: constant, and linear in
# the three coordinates of the camera around the person's middle.
_POSE, _SHIFT, _COMMON = 6, 2, 8
_OWN = _POSE + _SHIFT + _COMMON
# m from a person's middle at which the linear ones are as large as the constant one.
_REACH_M = 0.5
# Relative: below it a direction of the poses is one of the world's.
_BLIND = 1e-10


@dataclass(frozen=True, slots=True)
class LastingErrorConfig:
    """Errors of a detector that stay.

    Attributes:
        stretches: pieces of the recording in each of which every joint has another error in each view.
        rounds: of EM.
        first_px: standard deviations that it starts from.
        common_share: size of the errors that all joints of a view have in common, as a share of a joint's own.
        least_common_m: they are at least of this size, at the person.
        refinement: how the cameras are brought where the equations are linear.
    """

    stretches: int = 20
    rounds: int = 30
    first_px: float = 3.0
    common_share: float = 0.7
    least_common_m: float = 0.003
    refinement: RefinementConfig = field(default_factory=RefinementConfig)


@dataclass(frozen=True, slots=True, eq=False)
class PoseInformation:
    """Where the people have the cameras, against where the rig has them.

    Attributes:
        change: (view * 6,) turn, rad, and translation, m, from the left, x_cam' = R x_cam + t; least squares.
        information: (view * 6, view * 6) inverse covariance of `change`; zero for similarities of the world.
        distance: (view,) m, of the people.
        lasting_px: standard deviation of the constant errors.
    """

    change: np.ndarray
    information: np.ndarray
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
    focal = np.array([camera.lens.focal for camera in rig])
    information, step, lasting_px = _without_lasting(equations, config.least_common_m * focal / distance, config)
    return PoseInformation(near.change.ravel() + step, information, distance, lasting_px)


def _equations(
    rig: Rig, xy: np.ndarray, score: np.ndarray, triangulation: TriangulationConfig, stretches: int
) -> tuple[Equations, Float[np.ndarray, " view"]]:
    """Normal equations of each view's pose and errors, and the median distance of what it sees."""
    observations = observe(rig, xy, score)
    points = triangulate_frames(observations, triangulation)
    precision = observations.precision(np.where(observations.seen, points.noise_px, 1.0))
    linear = linearize(rig, xy, precision, points.xyz, triangulation.noise.scale_sigmas)
    turned = -linear.by_camera @ skew(linear.x_cam)
    shifted = np.broadcast_to(np.eye(_SHIFT), (*linear.residual.shape, _SHIFT))
    design = np.concatenate([turned, linear.by_camera, shifted, _common(linear)], axis=-1)
    stretch = np.minimum(np.arange(len(xy)) * stretches // max(len(xy), 1), stretches - 1)
    depth = np.where(linear.weight > 0, linear.x_cam[..., 2], np.nan)
    seen = [d[np.isfinite(d)] for d in np.moveaxis(depth, 1, 0)]
    distance = np.array([float(np.median(d)) if len(d) else 1.0 for d in seen])
    return view_equations(linear, design, stretch), distance


def _common(linear: Linearized) -> Float[np.ndarray, "frame view joint 2 8"]:
    """Errors that all joints of a view have in common, px: constant, and growing with the place on the body."""
    seen = linear.weight > 0
    count = np.maximum(seen.sum(2), 1)[..., None, None]
    middle = np.where(seen[..., None], linear.x_cam, 0.0).sum(2, keepdims=True) / count
    place = (linear.x_cam - middle) / _REACH_M
    along = np.concatenate([np.ones((*seen.shape, 1)), place], axis=-1)
    return (along[..., None, :, None] * np.eye(_SHIFT)[:, None]).reshape(*seen.shape, _SHIFT, _COMMON)


def _without_lasting(
    equations: Equations, least_common_px: Float[np.ndarray, " view"], config: LastingErrorConfig
) -> tuple[np.ndarray, np.ndarray, float]:
    """Information on the poses, their least squares step, and the standard deviation of the constant errors."""
    first = np.arange(len(least_common_px))[:, None] * _OWN
    shift = (first + np.arange(_POSE, _POSE + _SHIFT)).ravel()
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
        whole = (of_joint - through @ np.swapaxes(of_joint[..., shift], -1, -2)).sum(0)
        right = (pull - (through @ pull[:, shift, None])[..., 0]).sum(0)
        common_sd = np.hypot(least_common_px, config.common_share * constant)
        information, step = _poses(whole, right, common_sd)
        # Expected squares of the errors, given poses and what is common.
        lasting = (Q @ (pull[:, shift] - of_joint[:, shift] @ step)[..., None])[..., 0]
        left = g[..., shift] - H[..., shift, :] @ step - (H[(..., *among)] @ lasting[:, None, :, None])[..., 0]
        spent = (K @ left[..., None])[..., 0]
        constant = float(np.sqrt(np.mean(lasting**2 + np.diagonal(Q, axis1=-2, axis2=-1))))
        expected = spent**2 + np.diagonal(K, axis1=-2, axis2=-1)
        passing = float(np.sqrt(np.mean(expected[told]))) if told.any() else passing
    return information, step[(first + np.arange(_POSE)).ravel()], constant


def _poses(whole: np.ndarray, right: np.ndarray, common_sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Information on the poses with the common errors integrated out, and the step of everything but joints' own."""
    first = np.arange(len(common_sd))[:, None] * _OWN
    pose, common = (first + np.arange(_POSE)).ravel(), (first + np.arange(_OWN - _COMMON, _OWN)).ravel()
    C = np.linalg.inv(whole[np.ix_(common, common)] + np.diag(np.repeat(common_sd, _COMMON) ** -2.0))
    through = whole[np.ix_(pose, common)] @ C
    information = whole[np.ix_(pose, pose)] - through @ whole[np.ix_(common, pose)]
    step = np.zeros(len(whole))
    step[pose] = np.linalg.pinv(information, _BLIND, hermitian=True) @ (right[pose] - through @ right[common])
    step[common] = C @ (right[common] - whole[np.ix_(common, pose)] @ step[pose])
    return information, step
