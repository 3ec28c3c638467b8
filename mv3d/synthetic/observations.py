"""What a detector would report of synthetic people: projections with noise, gaps, gross errors and a bystander."""

import numpy as np
from jaxtyping import Float

from mv3d.data.camera import Camera
from mv3d.data.poses import Poses2D
from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton

# How far a gross error lies from the truth, px: beyond any noise, within a body's neighbourhood.
OUTLIER_PX = (40.0, 300.0)
_SCORES = (0.5, 0.95)
# Real detectors are a little less sure where they are wrong, but not so much that a threshold would do.
_OUTLIER_SCORES = (0.3, 0.8)


def observe(
    rig: Rig,
    xyz: Float[np.ndarray, "frame joint 3"],
    timestamps: Float[np.ndarray, " frame"],
    skeleton: Skeleton,
    *,
    noise_px: float = 2.0,
    missing: float = 0.1,
    outliers: float = 0.05,
    bystander: Float[np.ndarray, "frame joint 3"] | None = None,
    bystander_views: tuple[str, ...] | None = None,
    seed: int = 0,
) -> dict[str, Poses2D]:
    """Keypoints of every view.

    Args:
        rig: the cameras; lens distortion is applied.
        xyz: the performer, world, m; NaN is not seen.
        timestamps: (frame,) s, shared by all views.
        skeleton: names of the joints.
        noise_px: standard deviation of each coordinate.
        missing: share of joints that are not reported.
        outliers: share of the reported joints that lie 40 to 300 px off.
        bystander: a second person; then there are two slots, in an order that changes from frame to frame.
        bystander_views: the views that see the bystander; all by default.
        seed: of everything random; the draws of one view do not depend on the other views.

    Returns:
        Poses2D of each camera by name. Without noise, gaps and outliers it holds the exact projections (to float32).
        Joints behind a camera or outside its image are missing.
    """
    people = [xyz] if bystander is None else [xyz, bystander]
    views = {}
    for index, camera in enumerate(rig):
        rng = np.random.default_rng([seed, index])
        seen = [_detect(camera, person, noise_px, missing, outliers, rng) for person in people]
        if bystander is not None and bystander_views is not None and camera.name not in bystander_views:
            seen[1][0][:] = np.nan
        xy, score = np.stack([s[0] for s in seen], axis=1), np.stack([s[1] for s in seen], axis=1)
        order = np.argsort(rng.random(xy.shape[:2]), axis=1)
        xy = np.take_along_axis(xy, order[:, :, None, None], axis=1)
        score = np.take_along_axis(score, order[:, :, None], axis=1)
        views[camera.name] = Poses2D(skeleton, xy, score, timestamps)
    return views


def _detect(
    camera: Camera, xyz: np.ndarray, noise_px: float, missing: float, outliers: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (frame, joint, 2) and score (frame, joint) of one person in one view; NaN where missing."""
    last = np.array(camera.size) - 1.0
    exact = camera.project(xyz)
    inside = ((exact >= 0) & (exact <= last)).all(-1)
    xy = exact + rng.normal(0, noise_px, exact.shape)
    is_outlier = rng.random(exact.shape[:2]) < outliers
    distance, angle = rng.uniform(*OUTLIER_PX, exact.shape[:2]), rng.uniform(0, 2 * np.pi, exact.shape[:2])
    gross = distance[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    xy = np.where(is_outlier[..., None], np.clip(xy + gross, 0, last), xy)
    score = np.where(is_outlier, rng.uniform(*_OUTLIER_SCORES, xy.shape[:2]), rng.uniform(*_SCORES, xy.shape[:2]))
    xy[~inside | (rng.random(exact.shape[:2]) < missing)] = np.nan
    return xy, score
