"""A person who walks without sliding: feet that rest are where they were, exactly.

The walker of `mv3d.synthetic.performer` swings its legs and lets the feet skate. Here the feet are given first, one
resting while the other steps, and the legs reach for them: two bones of known length from the hip to the ankle.
"""

import numpy as np
from jaxtyping import Bool, Float

from mv3d.data.skeletons import BODY_25
from mv3d.geometry.rotations import rotation_from_vector

_UP = np.array([0.0, 0.0, 1.0])
# Shares of the body height, as in `performer`.
_THIGH = _SHANK = 0.245
_HIP_HEIGHT, _HALF_HIPS = 0.485, 0.055
_ANKLE_HEIGHT, _LIFT = 0.055, 0.06
_TRUNK = {"Neck": (0.0, 0.0, 0.29), "Nose": (0.06, 0.0, 0.39)}
_SIDED = {
    "Shoulder": (0.0, 0.105, 0.28),
    "Elbow": (0.01, 0.12, 0.11),
    "Wrist": (0.06, 0.12, -0.035),
    "Eye": (0.048, 0.018, 0.41),
    "Ear": (0.0, 0.042, 0.402),
}
_FOOT = {"Heel": (-0.03, 0.0, -0.04), "BigToe": (0.105, -0.01, -0.04), "SmallToe": (0.09, 0.035, -0.04)}


def stepping_person(
    frames: int, *, fps: float = 60.0, height: float = 1.75, step: float = 0.6, step_s: float = 0.55, turn: float = 0.3
) -> tuple[Float[np.ndarray, "frame joint 3"], Float[np.ndarray, " frame"], Bool[np.ndarray, "frame foot"]]:
    """A walk on an arc in joints of BODY_25, on the floor z = 0.

    Args:
        frames: how many.
        fps: frames per second.
        height: of the body, m.
        step: length of a step, m.
        step_s: duration of a step, s.
        turn: rad/s of the way.

    Returns:
        xyz (m), timestamps (s), and whether the left and the right foot rest.
    """
    t = np.arange(frames) / fps
    speed, heading = step / step_s, turn * t
    path = speed * np.stack([np.sin(heading), 1 - np.cos(heading), 0 * t], -1) / turn
    R = rotation_from_vector(heading[:, None] * _UP)
    pelvis = path + (_HIP_HEIGHT * height - 0.012 * np.cos(4 * np.pi * t / (2 * step_s))[:, None]) * _UP
    xyz = np.empty((frames, len(BODY_25), 3))
    xyz[:, BODY_25.index("MidHip")] = pelvis
    for name, place in _TRUNK.items():
        xyz[:, BODY_25.index(name)] = pelvis + height * (R @ np.array(place))
    resting = np.empty((frames, 2), bool)
    for i, (side, sign) in enumerate((("L", 1.0), ("R", -1.0))):
        for name, place in _SIDED.items():
            xyz[:, BODY_25.index(side + name)] = pelvis + height * (R @ (np.array(place) * [1, sign, 1]))
        hip = pelvis + height * (R @ np.array([0.0, sign * _HALF_HIPS, 0.0]))
        foot, yaw, resting[:, i] = _foot(t, step_s, speed, turn, sign * _HALF_HIPS * height, 0.5 * i, height)
        ankle = foot + _ANKLE_HEIGHT * height * _UP
        knee = _knee(hip, ankle, R[:, :, 0], _THIGH * height, _SHANK * height)
        turned = rotation_from_vector(yaw[:, None] * _UP)
        for name, place in (("Hip", hip), ("Knee", knee), ("Ankle", ankle)):
            xyz[:, BODY_25.index(side + name)] = place
        for name, place in _FOOT.items():
            xyz[:, BODY_25.index(side + name)] = ankle + height * (turned @ (np.array(place) * [1, sign, 1]))
    return xyz, t, resting


def _foot(
    t: np.ndarray, step_s: float, speed: float, turn: float, aside: float, phase: float, height: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place of the foot on the floor (m), its heading, and whether it rests: the larger part of a double step."""
    cycle = t / (2 * step_s) + phase
    number, within = np.floor(cycle), cycle % 1
    swing = np.clip((within - 0.6) / 0.4, 0, 1)
    eased = swing**3 * (10 - 15 * swing + 6 * swing**2)
    # In the middle of its rest the body passes over the foot.
    middle = (number + 0.3 - phase + eased) * 2 * step_s
    heading = turn * middle
    way = speed * np.stack([np.sin(heading), 1 - np.cos(heading), 0 * t], -1) / turn
    left = np.stack([-np.sin(heading), np.cos(heading), 0 * t], -1)
    lift = _LIFT * height * (4 * swing * (1 - swing)) ** 2
    return way + aside * left + lift[:, None] * _UP, heading, swing == 0


def _knee(hip: np.ndarray, ankle: np.ndarray, forward: np.ndarray, thigh: float, shank: float) -> np.ndarray:
    """Where two bones between hip and ankle meet, bent forward; straight where the foot is too far."""
    way = ankle - hip
    distance = np.minimum(np.linalg.norm(way, axis=-1, keepdims=True), thigh + shank)
    along = way / np.linalg.norm(way, axis=-1, keepdims=True)
    first = (distance**2 + thigh**2 - shank**2) / (2 * distance)
    across = forward - (forward * along).sum(-1, keepdims=True) * along
    across = across / np.linalg.norm(across, axis=-1, keepdims=True)
    return hip + first * along + np.sqrt(np.maximum(thigh**2 - first**2, 0)) * across
