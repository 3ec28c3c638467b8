"""Postures by chance for single pictures: what people do with legs, trunk and arms, wider than the motions go."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.geometry.rotations import rotation_from_vector
from mv3d.synthetic.motions import MOTIONS, body_segments
from mv3d.synthetic.performer import walking_segments

Range = tuple[float, float]
Segments = dict[str, Float[np.ndarray, "sample 3 3"]]
_X, _Y, _Z = np.eye(3)
# Largest angular speed of a segment while the shutter is open, rad/s.
_SPEED = 2.0


@dataclass(frozen=True, slots=True)
class LegRange:
    """Between which angles (rad) a leg is drawn.

    Attributes:
        thigh: forwards from hanging.
        knee: bend.
        spread: sideways.
        flat: how often the foot is flat on the floor; else it hangs at the ankle.
    """

    thigh: Range
    knee: Range
    spread: Range = (-0.05, 0.25)
    flat: float = 0.8


@dataclass(frozen=True, slots=True)
class PostureRange:
    """Between which angles (rad) a kind of posture is drawn.

    Attributes:
        lean: of the pelvis forwards.
        first, second: its legs; which is the left one is chance.
        paired: whether both legs bend alike.
    """

    lean: Range
    first: LegRange
    second: LegRange
    paired: bool = False


_STAND = LegRange((-0.1, 0.2), (0.0, 0.25))
_SQUAT = LegRange((0.8, 2.1), (1.2, 2.4), (0.0, 0.5), 0.9)
_SIT = LegRange((1.2, 1.7), (0.5, 1.9), (-0.05, 0.35), 0.7)
_LYING = LegRange((-0.2, 1.3), (0.0, 1.7), (-0.1, 0.5), 0.0)
POSTURES: dict[str, PostureRange] = {
    "stand": PostureRange((-0.1, 0.25), _STAND, _STAND),
    "stride": PostureRange((-0.05, 0.3), LegRange((0.1, 0.8), (0.0, 0.9), flat=0.4), LegRange((-0.6, 0.1), (0.0, 1.0))),
    "squat": PostureRange((0.2, 0.9), _SQUAT, _SQUAT, paired=True),
    "sit": PostureRange((-0.2, 0.4), _SIT, _SIT),
    "lunge": PostureRange((-0.1, 0.5), LegRange((0.6, 1.5), (0.6, 1.7)), LegRange((-0.7, 0.0), (0.0, 1.0), flat=0.3)),
    "one leg": PostureRange((-0.2, 0.9), _STAND, LegRange((-1.0, 1.7), (0.0, 2.0), (-0.2, 1.0), 0.0)),
    "kneel": PostureRange((-0.1, 0.5), LegRange((1.2, 1.7), (1.3, 1.9)), LegRange((-0.2, 0.4), (1.4, 2.0), flat=0.0)),
    "bend": PostureRange((0.6, 1.6), LegRange((-0.1, 0.3), (0.0, 0.7)), LegRange((-0.1, 0.3), (0.0, 0.7))),
    "on the back": PostureRange((-1.7, -1.3), _LYING, _LYING),
    "on the front": PostureRange((1.3, 1.7), LegRange((-0.3, 0.2), (0.0, 1.5), flat=0.0), _LYING),
}
"""Kinds of postures, by name."""
_ODDS = {"stand": 0.2, "stride": 0.2, "one leg": 0.13, "on the back": 0.04, "on the front": 0.03}
_OTHER_ODDS = 0.08
# Upper arm sideways and forwards from hanging, bend of the elbow: hanging, up, forwards, anything.
_ARMS: tuple[tuple[Range, Range, Range], ...] = (
    ((0.05, 0.4), (-0.5, 0.6), (0.0, 0.9)),
    ((1.2, 2.9), (-0.3, 0.5), (0.0, 1.3)),
    ((0.0, 0.5), (0.6, 2.6), (0.0, 1.9)),
    ((-0.1, 2.5), (-0.6, 2.5), (0.0, 2.4)),
)


def random_segments(rng: np.random.Generator, interval: float, motions: float = 0.35) -> tuple[Segments, np.ndarray]:
    """World rotations of the body segments at two instants, looking along x, and by how much the toes bend.

    Args:
        rng: the chance.
        interval: between the instants, s.
        motions: share of people who walk or do one of `MOTIONS` instead of a drawn posture.

    Returns:
        The segments, (2, 3, 3) each, as `pose_on_floor` takes them, and the bend of the toes (left, right), rad.
    """
    if rng.random() < motions:
        t = np.array([0.0, interval])
        name = str(rng.choice(["walk", "walk", "walk", *MOTIONS]))
        segments = walking_segments(t, 0.9, rng)[0] if name == "walk" else body_segments(MOTIONS[name](t, rng), t)
        return segments, np.zeros(2)
    kinds = list(POSTURES)
    odds = np.array([_ODDS.get(kind, _OTHER_ODDS) for kind in kinds])
    return _drawn(POSTURES[str(rng.choice(kinds, p=odds / odds.sum()))], rng, interval)


def _drawn(kind: PostureRange, rng: np.random.Generator, interval: float) -> tuple[Segments, np.ndarray]:
    pelvis = _turn(_Y, rng.uniform(*kind.lean)) @ _turn(_X, rng.normal(0, 0.08))
    bend = pelvis @ _turn(_Y, rng.uniform(-0.1, 0.4)) @ _turn(_X, rng.normal(0, 0.15)) @ _turn(_Z, rng.normal(0, 0.3))
    head = bend @ _turn(_Z, rng.normal(0, 0.4)) @ _turn(_Y, rng.normal(0, 0.25))
    out = {"pelvis": pelvis, "trunk": bend, "head": head}
    toes, legs = {}, [kind.first, kind.second]
    sides = ["L", "R"] if rng.random() < 0.5 else ["R", "L"]
    shared = rng.uniform(size=2)
    for side, leg in zip(sides, legs, strict=True):
        angles = shared + rng.normal(0, 0.05, 2) if kind.paired else rng.uniform(size=2)
        out |= _leg(side, leg, angles, pelvis, rng)
        toes[side] = _toes(rng)
        out |= _arm(side, bend, rng)
    speeds = rng.uniform(0, _SPEED) * rng.normal(size=(len(out), 3)) * interval
    moving = {n: np.stack([R, rotation_from_vector(w) @ R]) for (n, R), w in zip(out.items(), speeds, strict=True)}
    return moving, np.array([toes["L"], toes["R"]])


def _leg(
    side: str, leg: LegRange, share: np.ndarray, pelvis: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Thigh, shank and foot of one side; `share` says where between their bounds hip and knee bend."""
    outwards = 1.0 if side == "L" else -1.0
    flexion, knee = (low + s * (high - low) for (low, high), s in zip((leg.thigh, leg.knee), share, strict=True))
    spread = _turn(_X, outwards * rng.uniform(*leg.spread))
    thigh = pelvis @ spread @ _turn(_Y, -flexion) @ _turn(_Z, outwards * rng.uniform(-0.25, 0.6))
    shank = thigh @ _turn(_Y, knee)
    if rng.random() < leg.flat:
        # The foot stands where the knee points, level but for a raised heel or toe now and then.
        ahead = shank @ _X if abs(shank[2, 0]) < 0.8 else thigh @ _X
        yaw = np.arctan2(ahead[1], ahead[0]) + outwards * rng.uniform(-0.1, 0.3)
        pitch = rng.choice([0.0, rng.uniform(0.0, 0.9), rng.uniform(-0.4, 0.0)], p=[0.6, 0.28, 0.12])
        foot = _turn(_Z, yaw) @ _turn(_Y, pitch) @ _turn(_X, rng.normal(0, 0.06))
    else:
        foot = (
            shank @ _turn(_Y, rng.uniform(-0.3, 0.9)) @ _turn(_X, rng.normal(0, 0.15)) @ _turn(_Z, rng.normal(0, 0.1))
        )
    return {f"{side}thigh": thigh, f"{side}shank": shank, f"{side}foot": foot}


def _toes(rng: np.random.Generator) -> float:
    """Bend of the toes upwards, rad; mostly none."""
    return float(rng.uniform(0.0, 0.7)) if rng.random() < 0.25 else 0.0


def _arm(side: str, trunk: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    outwards = 1.0 if side == "L" else -1.0
    raised, forwards, elbow = (rng.uniform(*bounds) for bounds in _ARMS[rng.integers(len(_ARMS))])
    upper = trunk @ _turn(_X, outwards * raised) @ _turn(_Y, -forwards) @ _turn(_Z, rng.normal(0, 0.4))
    return {f"{side}upper_arm": upper, f"{side}forearm": upper @ _turn(_Y, -elbow)}


def _turn(axis: np.ndarray, angle: float) -> Float[np.ndarray, "3 3"]:
    return rotation_from_vector(angle * axis)
