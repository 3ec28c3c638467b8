"""Several people who walk about in the same place and hide each other from the cameras."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.interpolate import CubicSpline

from mv3d.data.camera import Camera
from mv3d.data.poses import Poses2D
from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BODY_25
from mv3d.synthetic.faults import Faults, detect
from mv3d.synthetic.performer import person_on_path

# Walkers turn away from each other within this distance, and are never nearer than two bodies can be.
_KEEP_CLEAR_M = 0.9
_SPEED, _TURN = 1.1, 2.5  # m/s, rad/s
# Steps of the walk's simulation per second; slower than frames, smoothed between.
_STEPS_HZ = 15.0
# Capsules that hide what is behind them: joints and radius in m.
_CAPSULES = (
    ("Neck", "MidHip", 0.17),
    ("Nose", "Neck", 0.10),
    ("RHip", "RKnee", 0.09),
    ("RKnee", "RAnkle", 0.06),
    ("LHip", "LKnee", 0.09),
    ("LKnee", "LAnkle", 0.06),
)


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """People and what the cameras report of them.

    Attributes:
        xyz: (frame, person, joint, 3) m; NaN while a person is away.
        timestamps: (frame,) s.
        poses: detections of every view by camera name, in an order that changes from frame to frame.
        person: (frame, detection) of every view by name: whose each detection is; -1 for empty slots.
    """

    xyz: np.ndarray
    timestamps: np.ndarray
    poses: dict[str, Poses2D]
    person: dict[str, np.ndarray]


def walking_crowd(
    rig: Rig,
    people: int,
    frames: int,
    *,
    fps: float = 30.0,
    reach: float = 1.6,
    skeleton: Skeleton = BODY_25,
    faults: Faults | None = None,
    hidden_seen: float = 0.3,
    absences: dict[int, tuple[int, int]] | None = None,
    seed: int = 0,
) -> Crowd:
    """People who cross a circle again and again, each to a new place on its rim.

    Args:
        rig: the cameras.
        people: how many.
        frames: how many.
        fps: frames per second.
        reach: radius of the circle, m.
        skeleton: any whose joints are among those of BODY_25.
        faults: what goes wrong in each view; those of `Faults()` by default.
        hidden_seen: share of the joints behind somebody else that are reported all the same, at their own place or on
            the body in front, which of both by chance; the others are missing.
        absences: for a person the frames (from, to) in which nobody sees them.
        seed: of everything random.
    """
    rng = np.random.default_rng(seed)
    timestamps = np.arange(frames) / fps
    paths = _paths(people, frames, fps, reach, rng)
    xyz = np.stack(
        [
            person_on_path(path, timestamps, skeleton, rng.uniform(1.55, 1.95), seed + 100 + p)
            for p, path in enumerate(paths)
        ],
        axis=1,
    )
    for person, (first, last) in (absences or {}).items():
        xyz[first:last, person] = np.nan
    reported = [
        detect(rig, xyz[:, p], timestamps, skeleton, faults or Faults(), seed * 1000 + p) for p in range(people)
    ]
    poses, order = {}, {}
    for v, camera in enumerate(rig):
        xy = np.stack([seen[:, v] for seen, _ in reported], axis=1)
        score = np.stack([scores[:, v] for _, scores in reported], axis=1)
        _hide(camera, xyz, xy, score, skeleton, hidden_seen, rng)
        score[~np.isfinite(xyz).all((-1, -2))] = 0
        xy[score <= 0] = np.nan
        shuffled = np.argsort(rng.random(xy.shape[:2]), axis=1)
        xy = np.take_along_axis(xy, shuffled[..., None, None], axis=1)
        score = np.take_along_axis(score, shuffled[..., None], axis=1)
        poses[camera.name] = Poses2D(skeleton, xy, score, timestamps)
        order[camera.name] = np.where((score > 0).any(-1), shuffled, -1)
    return Crowd(xyz, timestamps, poses, order)


def _paths(people: int, frames: int, fps: float, reach: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Ground paths (frame, 2): towards the goal, aside for others, no turn sharper than a body's; smoothed."""
    steps = int(frames / fps * _STEPS_HZ) + 4
    start = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(people) / people
    at, heading = reach * _unit(start), start + np.pi
    goal, out = -at, np.empty((steps, people, 2))
    for step in range(steps):
        out[step] = at
        there = np.linalg.norm(goal - at, axis=1) < 0.4
        goal = np.where(there[:, None], reach * _unit(rng.uniform(0, 2 * np.pi, people)), goal)
        apart = at[:, None] - at[None]
        distance = np.linalg.norm(apart, axis=-1) + 1e9 * np.eye(people)
        push = np.exp(-((distance / (0.6 * _KEEP_CLEAR_M)) ** 2))[..., None] * apart / distance[..., None]
        # A little to the right as well, or two who meet head on would stop.
        aside = np.stack([push[..., 1], -push[..., 0]], axis=-1)
        wish = (goal - at) / np.maximum(np.linalg.norm(goal - at, axis=1, keepdims=True), 1e-6)
        wish = wish + (2.5 * push + 1.2 * aside).sum(1)
        left = (np.arctan2(wish[:, 1], wish[:, 0]) - heading + np.pi) % (2 * np.pi) - np.pi
        heading = heading + np.clip(left, -_TURN / _STEPS_HZ, _TURN / _STEPS_HZ)
        at = at + _SPEED / _STEPS_HZ * (np.clip(np.cos(left), 0.2, 1) * _unit(heading).T).T
    kernel = np.hanning(9) / np.hanning(9).sum()
    padded = np.pad(out, ((4, 4), (0, 0), (0, 0)), mode="reflect", reflect_type="odd")
    smooth = np.apply_along_axis(lambda values: np.convolve(values, kernel, "valid"), 0, padded)
    path = CubicSpline(np.arange(steps) / _STEPS_HZ, smooth)(np.arange(frames) / fps)
    return [path[:, p] for p in range(people)]


def _unit(angle: np.ndarray) -> Float[np.ndarray, "person 2"]:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _hide(
    camera: Camera,
    xyz: np.ndarray,
    xy: np.ndarray,
    score: np.ndarray,
    skeleton: Skeleton,
    hidden_seen: float,
    rng: np.random.Generator,
) -> None:
    """Joints behind somebody else's body are lost, or guessed, in place."""
    people = xyz.shape[1]
    for behind in range(people):
        for front in range(people):
            if behind == front:
                continue
            hidden = _behind(camera.center, xyz[:, behind], xyz[:, front], skeleton)
            draw = rng.random(hidden.shape)
            lost = hidden & (draw > hidden_seen)
            taken = hidden & (draw < hidden_seen / 2) & (score[:, front] > 0)
            score[:, behind][lost] = 0
            xy[:, behind][taken] = xy[:, front][taken] + rng.normal(0, 4, (int(taken.sum()), 2))


def _behind(
    eye: np.ndarray, points: np.ndarray, body: np.ndarray, skeleton: Skeleton
) -> Bool[np.ndarray, "frame joint"]:
    """Whether the line from the eye to each point passes through a capsule of the body before it ends."""
    hidden = np.zeros(points.shape[:2], bool)
    for a, b, radius in _CAPSULES:
        if a not in skeleton.keypoints or b not in skeleton.keypoints:
            continue
        p, q = body[:, None, skeleton.index(a)], body[:, None, skeleton.index(b)]
        hidden |= _segment_distance(eye, points, p, q) < radius
    return hidden


def _segment_distance(
    eye: np.ndarray, points: np.ndarray, p: np.ndarray, q: np.ndarray
) -> Float[np.ndarray, "frame joint"]:
    """Least distance between the segments eye-point and p-q (Ericson, Real-Time Collision Detection, 2005, 5.1.9)."""
    d1, d2, r = points - eye, q - p, eye - p
    a, e, f = (d1 * d1).sum(-1), (d2 * d2).sum(-1), (d2 * r).sum(-1)
    b, c = (d1 * d2).sum(-1), (d1 * r).sum(-1)
    s = np.clip((b * f - c * e) / np.maximum(a * e - b * b, 1e-12), 0, 1)
    t = np.clip((b * s + f) / np.maximum(e, 1e-12), 0, 1)
    s = np.clip((b * t - c) / np.maximum(a, 1e-12), 0, 1)
    return np.linalg.norm(r + s[..., None] * d1 - t[..., None] * d2, axis=-1)
