"""Stretches of time in which something was wrong: joints that too few cameras see, sides exchanged in one camera."""

import numpy as np
from jaxtyping import Bool, Float

from mv3d.data.diagnosis import Span
from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import judged_joints

# Shorter ones are a matter of single frames, which the sequence repairs.
_LEAST_UNSEEN_S, _LEAST_SWAPPED_S = 0.5, 0.1
# Gaps of this many frames do not end a stretch.
_BRIDGED = 3
# Limbs that detectors exchange as a whole; the ends tell, since hips and shoulders lie too close together.
_GROUPS = {"legs": ("Knee", "Ankle"), "arms": ("Elbow", "Wrist")}
# Exchanged sides must fit this much better, as a share of the distance between them: half would be indifferent.
_CLEARLY = 0.25
_MOST = 20


def unseen_spans(poses: Poses3D) -> tuple[Span, ...]:
    """Limb joints (all of an animal) of person 0 with fewer than two agreeing cameras, the longest first."""
    found: list[Span] = []
    for j in judged_joints(poses.skeleton):
        name = poses.skeleton.keypoints[j]
        found += _spans(poses.n_views[:, 0, j] < 2, poses.timestamps, name, None, _LEAST_UNSEEN_S)
    return _longest(found)


def swapped_spans(rig: Rig, xy: Float[np.ndarray, "frame view joint 2"], poses: Poses3D) -> tuple[Span, ...]:
    """Left and right limbs exchanged in one camera, against the skeleton; the longest first.

    Args:
        rig: cameras in view order.
        xy: the performer's keypoints as detected, px; NaN where missing.
        poses: the skeleton; person 0.
    """
    found: list[Span] = []
    for v, camera in enumerate(rig):
        projected = camera.project(poses.xyz[:, 0])
        for group, parts in _GROUPS.items():
            swapped = _swapped(xy[:, v], projected, poses.skeleton, parts)
            found += _spans(swapped, poses.timestamps, group, camera.name, _LEAST_SWAPPED_S)
    return _longest(found)


def _swapped(
    xy: np.ndarray, projected: np.ndarray, skeleton: Skeleton, parts: tuple[str, ...]
) -> Bool[np.ndarray, " frame"]:
    """Frames in which the exchanged sides lie clearly nearer to the skeleton, over all parts that are seen."""
    gain, apart = np.zeros(len(xy)), np.zeros(len(xy))
    for part in parts:
        pair = [side + part for side in "RL"]
        if not all(name in skeleton.keypoints for name in pair):
            continue
        right, left = skeleton.indices(tuple(pair))
        straight, crossed = (
            np.linalg.norm(xy[:, right] - projected[:, a], axis=-1)
            + np.linalg.norm(xy[:, left] - projected[:, b], axis=-1)
            for a, b in ((right, left), (left, right))
        )
        between = 2 * np.linalg.norm(projected[:, right] - projected[:, left], axis=-1)
        known = np.isfinite(straight - crossed + between)
        gain += np.where(known, straight - crossed, 0.0)
        apart += np.where(known, between, 0.0)
    return (apart > 0) & (gain > 2 * _CLEARLY * apart)


def _spans(
    bad: Bool[np.ndarray, " frame"], timestamps: np.ndarray, what: str, camera: str | None, least_s: float
) -> list[Span]:
    """Stretches of bad frames, bridged over a few good ones; a frame lasts until the next one."""
    if not bad.any():
        return []
    interval = float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else 0.0
    frames = np.flatnonzero(bad)
    breaks = np.flatnonzero(np.diff(frames) > _BRIDGED + 1)
    firsts, lasts = frames[np.concatenate([[0], breaks + 1])], frames[np.concatenate([breaks, [len(frames) - 1]])]
    spans = [
        Span(what, camera, float(timestamps[a]), float(timestamps[b] - timestamps[a] + interval))
        for a, b in zip(firsts, lasts, strict=True)
    ]
    return [span for span in spans if span.duration >= least_s]


def _longest(spans: list[Span]) -> tuple[Span, ...]:
    return tuple(sorted(spans, key=lambda span: -span.duration)[:_MOST])
