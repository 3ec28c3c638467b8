"""A moving person with exactly constant bones, by forward kinematics: walks, turns, swings and raises the arms.

Every joint hangs on its parent by a fixed vector in the frame of the body segment between them:
x_joint = x_parent + R_segment @ offset. Body axes: x forward, y left, z up; metres; z = 0 is the floor.
"""

import numpy as np
from jaxtyping import Float

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BODY_25
from mv3d.geometry.rotations import rotation_from_vector

# joint: (parent, segment that carries it, offset as a share of the body height) of the right side; left mirrors y.
# Segment lengths follow the usual anthropometric shares (thigh and shank 0.245, upper arm 0.17, forearm 0.155).
_MIDLINE = {
    "Neck": ("MidHip", "trunk", (0.0, 0.0, 0.29)),
    "Nose": ("Neck", "head", (0.06, 0.0, 0.10)),
}
_RIGHT = {
    "Hip": ("MidHip", "pelvis", (0.0, -0.055, -0.01)),
    "Knee": ("Hip", "thigh", (0.0, 0.0, -0.245)),
    "Ankle": ("Knee", "shank", (0.0, 0.0, -0.245)),
    "Heel": ("Ankle", "foot", (-0.03, 0.0, -0.035)),
    "BigToe": ("Ankle", "foot", (0.105, 0.01, -0.035)),
    "SmallToe": ("Ankle", "foot", (0.09, -0.035, -0.035)),
    "Shoulder": ("Neck", "trunk", (0.0, -0.105, -0.01)),
    "Elbow": ("Shoulder", "upper_arm", (0.0, 0.0, -0.17)),
    "Wrist": ("Elbow", "forearm", (0.0, 0.0, -0.155)),
    "Eye": ("Nose", "head", (-0.012, -0.018, 0.02)),
    "Ear": ("Nose", "head", (-0.06, -0.042, 0.012)),
}
BONES = tuple((parent, name) for name, (parent, _, _) in _MIDLINE.items()) + tuple(
    (parent if parent in ("MidHip", "Neck", "Nose") else side + parent, side + name)
    for side in "RL"
    for name, (parent, _, _) in _RIGHT.items()
)
"""Pairs of joints whose distance never changes: each joint and the one that it hangs on."""
_FLOOR_JOINTS = ("RHeel", "RBigToe", "RSmallToe", "LHeel", "LBigToe", "LSmallToe")
# 1/m; the floor carries the lowest of the foot joints through a soft minimum, since a hard one jerks at every step.
_FLOOR_SHARPNESS = 80.0
_STRIDE = 1.3  # m that two steps cover
_X, _Y, _Z = np.eye(3)


def walking_person(
    frames: int = 300,
    *,
    fps: float = 60.0,
    height: float = 1.75,
    reach: float = 0.9,
    skeleton: Skeleton = BODY_25,
    seed: int = 0,
) -> tuple[Float[np.ndarray, "frame joint 3"], Float[np.ndarray, " frame"]]:
    """A person who walks figures of eight around the origin and raises an arm now and then.

    Args:
        frames: how many.
        fps: frames per second.
        height: of the body, m.
        reach: half the length of the figure of eight, m.
        skeleton: any whose joints are among those of BODY_25.
        seed: proportions of the body, phases and rhythms of the motion.

    Returns:
        xyz (frame, joint, 3) m, z up with the floor at 0, and timestamps (frame,) s.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(frames) / fps
    segments, path = walking_segments(t, reach, rng)
    return pose_on_floor(segments, path, height, skeleton, rng), t


def walking_segments(
    t: Float[np.ndarray, " frame"], reach: float, rng: np.random.Generator
) -> tuple[dict[str, Float[np.ndarray, "frame 3 3"]], Float[np.ndarray, "frame 2"]]:
    """World rotations of the body segments of `walking_person`, and its way over the ground, m."""
    path, heading, distance = _figure_of_eight(t, reach, rng)
    return _gait(t, heading, 2 * np.pi * distance / _STRIDE, 1.0, rng), path


def person_on_path(
    path: Float[np.ndarray, "frame 2"],
    timestamps: Float[np.ndarray, " frame"],
    skeleton: Skeleton = BODY_25,
    height: float = 1.75,
    seed: int = 0,
) -> Float[np.ndarray, "frame joint 3"]:
    """A person who walks along a ground path, looking where they go; stands still where it does.

    Args:
        path: position of the middle of the hips on the floor, m.
        timestamps: s.
        skeleton: any whose joints are among those of BODY_25.
        height: of the body, m.
        seed: proportions and rhythms.
    """
    rng = np.random.default_rng(seed)
    velocity = np.gradient(path, timestamps, axis=0)
    speed = np.linalg.norm(velocity, axis=1)
    heading = np.unwrap(np.arctan2(velocity[:, 1], velocity[:, 0]))
    distance = np.concatenate([[0.0], np.cumsum(speed[:-1] * np.diff(timestamps))])
    segments = _gait(timestamps, heading, 2 * np.pi * distance / _STRIDE, 1.0, rng)
    return pose_on_floor(segments, path, height, skeleton, rng)


def standing_person(
    position: tuple[float, float],
    heading: float,
    frames: int = 300,
    *,
    fps: float = 60.0,
    height: float = 1.75,
    skeleton: Skeleton = BODY_25,
    seed: int = 0,
) -> Float[np.ndarray, "frame joint 3"]:
    """A bystander: sways on the spot at `position` (x, y) m, facing `heading` (rad from x towards y)."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames) / fps
    segments = _gait(t, np.full(frames, heading), np.zeros(frames), 0.1, rng)
    path = np.array(position) + 0.02 * np.stack([drift(t, 0.2, rng), drift(t, 0.2, rng)], axis=-1)
    return pose_on_floor(segments, path, height, skeleton, rng)


def _figure_of_eight(
    t: np.ndarray, reach: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ground path (frame, 2) m, heading rad and distance walked m, at about 1 m/s."""
    # Gerono's lemniscate (a sin u, a sin u cos u) is 6.1 a long.
    turn = 2 * np.pi / (6.1 * reach)
    u = rng.uniform(0, 2 * np.pi) + turn * (t + 0.2 * np.sin(0.9 * t))
    path = reach * np.stack([np.sin(u), np.sin(u) * np.cos(u)], axis=-1)
    tangent = np.stack([np.cos(u), np.cos(2 * u)], axis=-1)
    heading = np.unwrap(np.arctan2(tangent[:, 1], tangent[:, 0]))
    steps = np.linalg.norm(np.diff(path, axis=0), axis=-1)
    return path, heading, np.concatenate([[0.0], np.cumsum(steps)])[: len(t)]


def _gait(
    t: np.ndarray, heading: np.ndarray, phase: np.ndarray, vigour: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """World rotations (frame, 3, 3) of the body segments; `vigour` scales what walking moves."""
    phase = phase + rng.uniform(0, 2 * np.pi)
    sway = vigour * np.sin(phase)
    lean = turn(_Y, 0.06 * vigour + 0.04 * drift(t, 0.15, rng)) @ turn(_X, 0.04 * sway)
    pelvis = turn(_Z, heading) @ lean @ turn(_Z, 0.08 * sway)
    # The trunk only twists about its own length, so the neck keeps its distance to both hips.
    trunk = pelvis @ turn(_Z, -0.18 * sway)
    head = trunk @ turn(_Z, 0.5 * drift(t, 0.2, rng)) @ turn(_Y, 0.2 * drift(t, 0.15, rng))
    segments = {"pelvis": pelvis, "trunk": trunk, "head": head}
    for side, outwards, step in (("R", -1.0, phase), ("L", 1.0, phase + np.pi)):
        segments |= _leg(side, outwards, step, vigour, pelvis)
        segments |= _arm(side, outwards, t, step, vigour, trunk, rng)
    return segments


def _leg(side: str, outwards: float, step: np.ndarray, vigour: float, pelvis: np.ndarray) -> dict[str, np.ndarray]:
    """Hip flexion -20 to 35 degrees, knee 5 to 65, the foot rolling from heel to toe. Positive about -y is forward."""
    hip = vigour * (0.12 + 0.45 * np.sin(step))
    swing = 0.5 * (1 + np.cos(step))  # 1 in mid-swing, when the thigh moves forward fastest
    knee = 0.08 + vigour * 1.0 * swing**2
    thigh = pelvis @ turn(_X, np.full_like(step, outwards * 0.03)) @ turn(_Y, -hip)
    shank = thigh @ turn(_Y, knee)
    foot = shank @ turn(_Y, hip - knee - 0.25 * vigour * np.sin(step)) @ turn(_Z, np.full_like(step, outwards * 0.12))
    return {f"{side}thigh": thigh, f"{side}shank": shank, f"{side}foot": foot}


def _arm(
    side: str,
    outwards: float,
    t: np.ndarray,
    step: np.ndarray,
    vigour: float,
    trunk: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Swings against the leg; at times rises sideways, up to 150 degrees, with the elbow bending 10 to 90."""
    rhythm = 2 * np.pi * t / rng.uniform(4, 7) + rng.uniform(0, 2 * np.pi)
    raised = vigour * np.maximum(0, np.sin(rhythm)) ** 3
    swing = -0.4 * vigour * np.sin(step) * (1 - raised)
    elbow = 0.2 + vigour * (0.25 - 0.15 * np.sin(step)) + 0.9 * raised * np.sin(rhythm * 2) ** 2
    upper_arm = trunk @ turn(_X, outwards * (0.12 + 2.4 * raised)) @ turn(_Y, -swing)
    return {f"{side}upper_arm": upper_arm, f"{side}forearm": upper_arm @ turn(_Y, -elbow)}


def pose_on_floor(
    segments: dict[str, Float[np.ndarray, "frame 3 3"]],
    path: Float[np.ndarray, "frame 2"],
    height: float,
    skeleton: Skeleton,
    rng: np.random.Generator,
    lift: float | Float[np.ndarray, " frame"] = 0.0,
) -> Float[np.ndarray, "frame joint 3"]:
    """Forward kinematics, then the whole body set down on the floor along its path, or `lift` m above it.

    Args:
        segments: world rotations of pelvis, trunk, head and, with R and L before them, thigh, shank, foot, upper_arm
            and forearm.
        path: ground position (x, y) of the middle of the hips, m.
        height: of the body, m.
        skeleton: any whose joints are among those of BODY_25.
        rng: draws the proportions of the body.
        lift: of the lowest foot above the floor, m.
    """
    joints = {"MidHip": np.zeros((len(path), 3))}
    for name, (parent, segment, offset) in _proportions(rng).items():
        joints[name] = joints[parent] + segments[segment] @ (height * offset)
    lowest = np.stack([joints[name][:, 2] for name in _FLOOR_JOINTS])
    floor = -np.log(np.exp(-_FLOOR_SHARPNESS * lowest).sum(0)) / _FLOOR_SHARPNESS
    unknown = [name for name in skeleton.keypoints if name not in joints]
    if unknown:
        raise ValueError(f"the performer has no {', '.join(unknown)}; skeletons of BODY_25's joints are possible")
    xyz = np.stack([joints[name] for name in skeleton.keypoints], axis=1)
    return xyz + np.concatenate([path, (lift - floor)[:, None]], axis=-1)[:, None]


def _proportions(rng: np.random.Generator) -> dict[str, tuple[str, str, np.ndarray]]:
    """Parent, segment and offset of every joint, each offset 3 % longer or shorter by chance, alike on both sides."""
    table = {name: (p, s, np.array(o) * rng.normal(1, 0.03)) for name, (p, s, o) in _MIDLINE.items()}
    for name, (parent, segment, offset) in _RIGHT.items():
        length = rng.normal(1, 0.03)
        for side, mirrored in (("R", 1.0), ("L", -1.0)):
            own_parent = parent if parent in ("MidHip", "Neck", "Nose") else side + parent
            own_segment = segment if segment in ("pelvis", "trunk", "head") else side + segment
            table[side + name] = own_parent, own_segment, length * np.array(offset) * [1, mirrored, 1]
    return table


def turn(axis: Float[np.ndarray, "3"], angle: Float[np.ndarray, " frame"]) -> Float[np.ndarray, "frame 3 3"]:
    """Rotations by `angle` (rad) about one axis."""
    return rotation_from_vector(angle[:, None] * axis)


def drift(t: Float[np.ndarray, " frame"], hz: float, rng: np.random.Generator) -> Float[np.ndarray, " frame"]:
    """Slow smooth wandering within -1 to 1: three sines whose periods share no multiple."""
    rates, phases = 2 * np.pi * hz * np.array([1.0, 1.618, 2.414]), rng.uniform(0, 2 * np.pi, 3)
    return np.sin(t[:, None] * rates + phases).mean(-1)
