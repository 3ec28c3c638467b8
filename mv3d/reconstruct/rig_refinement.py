"""Cameras corrected by the skeletons: image shift, pose or focal length, inside what was known of them before.

The world neither moves nor scales: what the skeletons cannot tell (all cameras moved alike) is left to the prior, whose
mean is the rig as it was given. The prior of each camera is heavy-tailed, so that one camera that was knocked carries
its own change instead of sharing it with those that were not.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.geometry.rotations import rotation_from_vector, skew, vector_from_rotation
from mv3d.reconstruct.observations import observe
from mv3d.reconstruct.per_frame import TriangulationConfig, triangulate_frames
from mv3d.reconstruct.view_equations import Equations, Linearized, linearize, view_equations

Refinement = Literal["image-shift", "extrinsics", "focal"]
KINDS: tuple[Refinement, ...] = ("image-shift", "extrinsics", "focal")
PARAMETERS: dict[Refinement, int] = {"image-shift": 2, "extrinsics": 6, "focal": 1}
# Degrees of freedom of the prior (Student's t): cameras within their standard deviation feel a Gaussian.
_TAIL = 4
# Factors on the robust scale in the first rounds: a camera that is far off must not be taken for an outlier.
_WIDENING = (8.0, 4.0, 2.0)


@dataclass(frozen=True, slots=True)
class RefinementConfig:
    """Refinement of cameras by the skeletons.

    Attributes:
        rounds: of triangulating and solving.
        blocks: the recording is cut into as many pieces for the covariance: errors of a detector last.
        shift_sd: of the principal point where no calibration says better, as a share of the image's longer side.
        rotation_sd_deg: of a camera's orientation likewise.
        translation_sd_m: of its position likewise.
        focal_sd: of its focal length likewise, relative.
    """

    rounds: int = 8
    blocks: int = 20
    shift_sd: float = 0.01
    rotation_sd_deg: float = 0.5
    translation_sd_m: float = 0.015
    focal_sd: float = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """A corrected rig.

    Attributes:
        rig: the cameras.
        change: (view, parameter) from the rig as given: dx, dy px; rotation vector (rad) and translation (m) in the
            camera's own axes, x_cam' = R x_cam + t; or logarithm of the factor on the focal length.
        change_sd: (view, parameter).
    """

    rig: Rig
    change: np.ndarray
    change_sd: np.ndarray


def wide_covariance(rig: Rig, kind: Refinement, config: RefinementConfig) -> Float[np.ndarray, "unknown unknown"]:
    """What is known of the cameras where no calibration says so: independent, view by view."""
    sd = {
        "image-shift": [[config.shift_sd * max(camera.size)] * 2 for camera in rig],
        "extrinsics": [[np.deg2rad(config.rotation_sd_deg)] * 3 + [config.translation_sd_m] * 3] * len(rig),
        "focal": [[config.focal_sd]] * len(rig),
    }[kind]
    return np.diag(np.ravel(np.array(sd, float)) ** 2)


def refine_rig(
    rig: Rig,
    xy: Float[np.ndarray, "frame view joint 2"],
    score: Float[np.ndarray, "frame view joint"],
    kind: Refinement,
    triangulation: TriangulationConfig,
    config: RefinementConfig,
    covariance: Float[np.ndarray, "unknown unknown"] | None = None,
    only_view: int | None = None,
) -> Refined:
    """Correct the cameras so that they agree on the skeletons.

    Args:
        rig: the cameras as given.
        xy: keypoints of the joints to be used, px; NaN where missing.
        score: 0 where missing.
        kind: what may change.
        triangulation: of the points.
        config: settings.
        covariance: of the parameters, view by view, from the calibration; wide by default.
        only_view: the one camera that may change; all by default.
    """
    count = PARAMETERS[kind]
    free = np.repeat([only_view in (None, v) for v in range(len(rig))], count)
    known = wide_covariance(rig, kind, config) if covariance is None else covariance
    precision = np.linalg.inv(known[np.ix_(free, free)])
    blocks = np.minimum(np.arange(len(xy)) * config.blocks // max(len(xy), 1), config.blocks - 1)
    now = Refined(rig, np.zeros((len(rig), count)), np.full((len(rig), count), np.inf))
    for i in range(config.rounds):
        widening = _WIDENING[i] if i < len(_WIDENING) else 1.0
        linear = _linear(now.rig, xy, score, triangulation, widening)
        equations = view_equations(linear, _design(now.rig, linear, kind), blocks)
        step, sd = _solve(equations, free, precision, now.change)
        cameras = tuple(_changed(c, s, kind) for c, s in zip(now.rig, step, strict=True))
        moved = Rig(cameras)
        now = Refined(moved, np.stack([_change(a, b, kind) for a, b in zip(rig, moved, strict=True)]), sd)
    return now


def _linear(
    rig: Rig, xy: np.ndarray, score: np.ndarray, triangulation: TriangulationConfig, widening: float
) -> Linearized:
    observations = observe(rig, xy, score)
    points = triangulate_frames(observations, triangulation)
    precision = observations.precision(np.where(observations.seen, points.noise_px, 1.0))
    return linearize(rig, xy, precision, points.xyz, widening * triangulation.noise.scale_sigmas)


def _design(rig: Rig, linear: Linearized, kind: Refinement) -> Float[np.ndarray, "frame view joint 2 own"]:
    """Change of the projection by each view's own parameters."""
    if kind == "image-shift":
        return np.broadcast_to(np.eye(2), (*linear.residual.shape, 2))
    if kind == "focal":
        center = np.stack([camera.lens.K[:2, 2] for camera in rig])
        return (linear.x_image - center[:, None])[..., None]
    turned = -linear.by_camera @ skew(linear.x_cam)
    return np.concatenate([turned, linear.by_camera], axis=-1)


def _solve(
    equations: Equations, free: np.ndarray, precision: np.ndarray, change: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Step (view, parameter) and standard deviations.

    Errors of a detector last and joints are marked beside their centres, so the equations claim too much; they are
    weighed down against the prior by the ratio of the sandwich covariance over joints and blocks to their own.
    """
    H, scores = equations.H.sum((0, 1)), equations.g.sum(1)
    H, scores = H[np.ix_(free, free)], scores[:, free]
    scores = scores[scores.any(1)]
    spread = (scores - scores.mean(0)).T @ (scores - scores.mean(0)) if len(scores) else np.zeros_like(H)
    overclaim = max(1.0, float(np.trace(spread) / max(np.trace(H), 1e-300)))
    at = change.ravel()[free]
    views = free.size // change.shape[1]
    prior = _heavy_tailed(precision, at, views if free.all() else 1)
    total = H / overclaim + prior
    step, sd = np.zeros(change.size), np.zeros(change.size)
    step[free] = np.linalg.solve(total, scores.sum(0) / overclaim - prior @ at)
    sd[free] = np.sqrt(np.maximum(np.diag(np.linalg.inv(total)), 0.0))
    return step.reshape(change.shape), sd.reshape(change.shape)


def _heavy_tailed(precision: np.ndarray, change: np.ndarray, views: int) -> np.ndarray:
    """The prior's precision, less for each view the farther it already is: Student's t with one degree of freedom."""
    own = change.reshape(views, -1)
    count = own.shape[1]
    weight = []
    for v in range(views):
        at = slice(v * count, (v + 1) * count)
        weight.append((_TAIL + count) / (_TAIL + float(own[v] @ precision[at, at] @ own[v])))
    scale = np.sqrt(np.repeat(weight, count))
    return scale[:, None] * precision * scale


def _changed(camera: Camera, step: np.ndarray, kind: Refinement) -> Camera:
    if kind == "extrinsics":
        R = rotation_from_vector(step[:3])
        return replace(camera, R=R @ camera.R, t=R @ camera.t + step[3:])
    K = camera.lens.K.copy()
    if kind == "image-shift":
        K[:2, 2] += step
    else:
        K[:2, :2] *= np.exp(step[0])
    return replace(camera, lens=replace(camera.lens, K=K))


def _change(given: Camera, now: Camera, kind: Refinement) -> np.ndarray:
    """Parameters that lead from one camera to the other."""
    if kind == "image-shift":
        return now.lens.K[:2, 2] - given.lens.K[:2, 2]
    if kind == "focal":
        return np.array([np.log(now.lens.K[0, 0] / given.lens.K[0, 0])])
    R = now.R @ given.R.T
    return np.concatenate([vector_from_rotation(R), now.t - R @ given.t])
