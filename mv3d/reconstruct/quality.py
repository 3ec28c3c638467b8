"""Figures by which a reconstruction is judged without knowing the truth; the left-out camera is the honest one.

A small reprojection error proves little: two wrong views that agree make it small. So each camera is left out in turn
and asked how far its own detections lie from what the others predict.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from mv3d.data.poses import FILLED, MEASURED, Poses3D
from mv3d.data.quality import Quality, median_known
from mv3d.data.rig import Rig
from mv3d.data.skeletons import judged_bones, judged_joints
from mv3d.reconstruct.observations import Observations, observe
from mv3d.reconstruct.per_frame import TriangulationConfig, triangulate_frames

# Rounds of the shift estimate, each over-relaxed, since one camera's shift is partly absorbed by the 3D points.
_SHIFT_ROUNDS = 25
_OVER_RELAXATION = 1.5
# Frames used for it: a constant needs no more.
_SHIFT_FRAMES = 60
# Left-out errors are medians: more frames than this, evenly spread, say nothing new.
_LEFT_OUT_FRAMES = 2000
# Residuals beyond this many px (at 1000 px focal length) count little for a constant shift.
_SHIFT_SCALE_PX = 25.0


def measure_quality(
    rig: Rig,
    xy: Float[np.ndarray, "frame view joint 2"],
    score: Float[np.ndarray, "frame view joint"],
    poses: Poses3D,
    config: TriangulationConfig,
) -> Quality:
    """All figures of person 0 of `poses` against the keypoints that it was made from."""
    skeleton = poses.skeleton
    limbs = judged_joints(skeleton)
    xyz, state = poses.xyz[:, 0], poses.state[:, 0]
    sample = slice(None, None, max(1, -(-len(xy) // _LEFT_OUT_FRAMES)))
    observations = observe(rig, xy[sample], score[sample])
    shift = shifts(observations, limbs, config)
    unshifted = observe(rig, xy[sample] - shift[:, None], score[sample])
    seen = score > 0
    bones = judged_bones(skeleton)
    length = _bone_lengths(xyz, poses, bones)
    second = np.linalg.norm(np.diff(xyz[:, list(limbs)], n=2, axis=0), axis=-1) * 1e3
    return Quality(
        cameras=rig.names,
        keypoints=skeleton.keypoints,
        limb_joints=limbs,
        bones=bones,
        reprojection_px=_reprojection(rig, xyz, xy, seen),
        left_out_px=left_out(observations, limbs, config),
        shift_px=shift,
        left_out_without_shift_px=left_out(unshifted, limbs, config),
        coverage_2d=seen.mean(0),
        measured=(state == MEASURED).mean(0),
        filled=(state == FILLED).mean(0),
        bone_length=length,
        bone_cv=_variation(length),
        bone_cv_per_frame=_variation(_bone_lengths(poses.xyz_per_frame[:, 0], poses, bones)),
        jitter_mm=median_known(second),
    )


def _reprojection(rig: Rig, xyz: np.ndarray, xy: np.ndarray, seen: np.ndarray) -> Float[np.ndarray, "frame view joint"]:
    out = np.full(seen.shape, np.nan, np.float32)
    for v, camera in enumerate(rig):
        distance = np.linalg.norm(camera.project(xyz) - xy[:, v], axis=-1)
        out[:, v] = np.where(seen[:, v], distance, np.nan)
    return out


def left_out(
    observations: Observations, joints: tuple[int, ...], config: TriangulationConfig
) -> Float[np.ndarray, " view"]:
    """Median distance (px) of each view's detections from the projection of what the other views triangulate."""
    out = np.full(len(observations.rig), np.nan)
    chosen = list(joints)
    for v, camera in enumerate(observations.rig):
        xyz = triangulate_frames(observations.without_view(v), config).xyz[:, chosen]
        distance = np.linalg.norm(camera.project(xyz) - observations.xy[:, v, chosen], axis=-1)
        out[v] = median_known(np.where(observations.seen[:, v, chosen], distance, np.nan))
    return out


def shifts(
    observations: Observations, joints: tuple[int, ...], config: TriangulationConfig
) -> Float[np.ndarray, "view 2"]:
    """Constant image shift (px) of each view against the others: what is left over when people are averaged out.

    A shift that moves the whole scene is invisible and shared out by a weak pull to zero. NaN never: 0 when unknown.
    """
    step = max(1, len(observations.xy) // _SHIFT_FRAMES)
    xy, score = observations.xy[::step], observations.score[::step]
    shift = np.zeros((len(observations.rig), 2))
    chosen = list(joints)
    if not chosen or len(observations.rig) < 3:
        return shift
    for _ in range(_SHIFT_ROUNDS):
        moved = observe(observations.rig, xy - shift[:, None], score)
        xyz = triangulate_frames(moved, replace(config, noise=replace(config.noise, rounds=1))).xyz
        for v, camera in enumerate(observations.rig):
            error = (xy[:, v] - camera.project(xyz))[:, chosen].reshape(-1, 2)
            scale = _SHIFT_SCALE_PX * camera.lens.focal / 1000
            shift[v] += _OVER_RELAXATION * (_robust_mean(error, shift[v], scale) - shift[v])
    return shift


def _robust_mean(values: np.ndarray, start: np.ndarray, scale: float) -> np.ndarray:
    """Geman-McClure mean of the finite rows, with a pull to zero of 2 % of their weight."""
    values = values[np.isfinite(values).all(-1)]
    mean = start
    for _ in range(5):
        if len(values):
            weight = (scale**2 / (scale**2 + ((values - mean) ** 2).sum(-1))) ** 2
            mean = (weight[:, None] * values).sum(0) / (weight.sum() + 0.02 * len(values))
    return mean


def _bone_lengths(
    xyz: np.ndarray, poses: Poses3D, bones: tuple[tuple[str, str], ...]
) -> Float[np.ndarray, "frame bone"]:
    index = poses.skeleton.index
    lengths = [np.linalg.norm(xyz[:, index(a)] - xyz[:, index(b)], axis=-1) for a, b in bones]
    return np.stack(lengths, axis=1) if lengths else np.zeros((len(xyz), 0))


def _variation(length: np.ndarray) -> Float[np.ndarray, " bone"]:
    """Standard deviation over mean of each column; NaN with fewer than two values."""
    count = np.isfinite(length).sum(0)
    enough = count >= 2
    filled = np.where(enough, length, 1.0)
    return np.where(enough, np.nanstd(filled, axis=0) / np.nanmean(filled, axis=0), np.nan)
