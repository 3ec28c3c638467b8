"""Performances other than walking: jumps, sitting down, waving, boxing, a dance with fast arms.

Each motion is a set of joint angles over time, given to the body of `mv3d.synthetic.performer`; nothing here is drawn
from recordings. What they are for: motion priors that were tuned to gait fail on them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BODY_25
from mv3d.synthetic.performer import drift, pose_on_floor, turn, walking_person

_X, _Y, _Z = np.eye(3)
_GRAVITY = 9.81
_SOFTNESS = 0.02  # m, over which a landing body is stopped


@dataclass(frozen=True, slots=True, eq=False)
class Limb:
    """Angles of one arm and one leg over time, rad, each (frame,) or a constant.

    Attributes:
        thigh: forwards from hanging.
        knee: bend.
        raised: upper arm sideways from hanging.
        forwards: upper arm forwards from hanging.
        elbow: bend.
    """

    thigh: float | np.ndarray = 0.05
    knee: float | np.ndarray = 0.1
    raised: float | np.ndarray = 0.15
    forwards: float | np.ndarray = 0.05
    elbow: float | np.ndarray = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """A motion: turns of the trunk (rad), both sides' limbs, and how high the feet are off the floor (m).

    `path` is the ground position (frame, 2) or (2,) m; the other fields are (frame,) or constants.
    """

    heading: float | np.ndarray = 0.0
    lean: float | np.ndarray = 0.05
    twist: float | np.ndarray = 0.0
    right: Limb = field(default_factory=Limb)
    left: Limb = field(default_factory=Limb)
    lift: float | np.ndarray = 0.0
    path: np.ndarray = field(default_factory=lambda: np.zeros(2))


def _jumping(t: np.ndarray, rng: np.random.Generator) -> Performance:
    """Crouch, take off, fly as gravity wants, land in a crouch, stand; about every two seconds."""
    period, flight = rng.uniform(1.8, 2.4), rng.uniform(0.4, 0.55)
    phase = (t + rng.uniform(0, period)) % period - period / 2  # take-off at 0
    crouch = np.exp(-(((phase + 0.25) / 0.16) ** 2)) + 0.7 * np.exp(-(((phase - flight - 0.18) / 0.16) ** 2))
    # Above the floor a parabola, below it nothing; the knees take up the corner between them.
    air = np.clip(0.5 * _GRAVITY * phase * (flight - phase) / _SOFTNESS, -50, None)
    limb = Limb(
        thigh=0.05 + 1.1 * crouch,
        knee=0.1 + 1.9 * crouch,
        raised=0.2 + 1.6 * np.exp(-(((phase - flight / 2) / 0.25) ** 2)),
        forwards=-0.5 * crouch,
    )
    return Performance(drift(t, 0.1, rng), 0.05 + 0.5 * crouch, 0.0, limb, limb, _SOFTNESS * np.logaddexp(0, air))


def _sitting(t: np.ndarray, rng: np.random.Generator) -> Performance:
    """Sits down for a while and stands up again."""
    seated = 1 / (1 + np.exp(-6 * np.sin(2 * np.pi * t / rng.uniform(5, 7) + rng.uniform(0, 2 * np.pi))))
    leaning = 4 * seated * (1 - seated)  # only on the way down and up
    limb = Limb(0.05 + 1.5 * seated, 0.1 + 1.5 * seated, 0.15, 0.05 + 0.6 * seated, 0.3 + 0.5 * seated)
    return Performance(0.3 * drift(t, 0.05, rng), 0.05 + 0.6 * leaning, 0.0, limb, limb)


def _waving(t: np.ndarray, rng: np.random.Generator) -> Performance:
    """Stands and waves one raised arm about twice a second."""
    wave = np.sin(2 * np.pi * rng.uniform(1.6, 2.4) * t)
    waving = Limb(raised=2.2 + 0.1 * drift(t, 0.3, rng), elbow=0.7 + 0.6 * wave)
    return Performance(0.5 * drift(t, 0.1, rng), right=waving)


def _squatting(t: np.ndarray, rng: np.random.Generator) -> Performance:
    """Goes down and up again about every three seconds, the arms forwards for balance."""
    down = 0.5 - 0.5 * np.cos(2 * np.pi * t / rng.uniform(2.6, 3.4))
    limb = Limb(0.05 + 1.5 * down, 0.1 + 2.0 * down, 0.15, 0.05 + 1.3 * down, 0.3 * (1 - down) + 0.1)
    return Performance(0.2 * drift(t, 0.1, rng), 0.05 + 0.5 * down, 0.0, limb, limb)


def _turning(t: np.ndarray, rng: np.random.Generator) -> Performance:
    """Stands and turns right round, arms out a little."""
    heading = rng.uniform(0, 2 * np.pi) + rng.uniform(0.9, 1.4) * t
    arms = {side: 0.5 + 0.3 * drift(t, 0.3, rng) for side in "RL"}
    step = 0.15 * np.sin(2 * np.pi * 1.2 * t)
    right = Limb(0.1 + np.maximum(step, 0), 0.1 + 2 * np.maximum(step, 0), arms["R"])
    left = Limb(0.1 + np.maximum(-step, 0), 0.1 + 2 * np.maximum(-step, 0), arms["L"])
    return Performance(heading, 0.03, 0.1 * drift(t, 0.3, rng), right, left)


def _boxing(t: np.ndarray, rng: np.random.Generator) -> Performance:
    """Guard up, straight punches of a fifth of a second at irregular times, small steps."""
    punches = {side: _pulses(t, rng.uniform(0.5, 0.8), 0.06, rng) for side in "RL"}
    limbs = {
        side: Limb(0.3, 0.4 + 0.1 * drift(t, 1.0, rng), 0.25, 0.6 + 0.9 * punch, 2.1 - 1.8 * punch)
        for side, punch in punches.items()
    }
    path = 0.25 * np.stack([drift(t, 0.4, rng), drift(t, 0.4, rng)], axis=-1)
    twist = 0.4 * (punches["R"] - punches["L"])
    return Performance(drift(t, 0.1, rng), 0.15, twist, limbs["R"], limbs["L"], path=path)


def _dancing(t: np.ndarray, rng: np.random.Generator) -> Performance:
    """Arms swing wide and fast (up to 1.6 Hz), the knees bounce, the body turns right round."""
    beat = 2 * np.pi * rng.uniform(1.2, 1.6) * t
    limbs = []
    for side in (1.0, -1.0):
        phase = beat + side * rng.uniform(0.3, 1.2)
        bounce = 0.5 * (1 + np.sin(2 * beat))
        limbs.append(
            Limb(
                thigh=0.25 + 0.25 * bounce + 0.3 * side * np.sin(beat),
                knee=0.4 + 0.5 * bounce + 0.2 * side * np.sin(beat),
                raised=1.3 + 0.9 * np.sin(phase),
                forwards=0.7 * np.sin(0.5 * phase),
                elbow=0.9 + 0.7 * np.sin(1.5 * phase),
            )
        )
    path = 0.4 * np.stack([drift(t, 0.25, rng), drift(t, 0.25, rng)], axis=-1)
    heading = 0.8 * t + drift(t, 0.2, rng)
    return Performance(heading, 0.1, 0.35 * np.sin(beat), limbs[0], limbs[1], path=path)


MOTIONS: dict[str, Callable[[np.ndarray, np.random.Generator], Performance]] = {
    "jump": _jumping,
    "sit": _sitting,
    "squat": _squatting,
    "turn": _turning,
    "wave": _waving,
    "box": _boxing,
    "dance": _dancing,
}
"""Motions by name; `moving_person` knows "walk" as well."""


def moving_person(
    motion: str,
    frames: int = 300,
    *,
    fps: float = 60.0,
    height: float = 1.75,
    skeleton: Skeleton = BODY_25,
    seed: int = 0,
) -> tuple[Float[np.ndarray, "frame joint 3"], Float[np.ndarray, " frame"]]:
    """A person who moves as told, near the origin.

    Args:
        motion: "walk" or a key of `MOTIONS`.
        frames: how many.
        fps: frames per second.
        height: of the body, m.
        skeleton: any whose joints are among those of BODY_25.
        seed: proportions of the body, phases and rhythms.

    Returns:
        xyz (frame, joint, 3) m, z up with the floor at 0, bones exactly constant; and timestamps (frame,) s.
    """
    if motion == "walk":
        return walking_person(frames, fps=fps, height=height, skeleton=skeleton, seed=seed)
    if motion not in MOTIONS:
        raise ValueError(f"no motion {motion!r}; there are walk, {', '.join(MOTIONS)}")
    rng = np.random.default_rng(seed)
    t = np.arange(frames) / fps
    performance = MOTIONS[motion](t, rng)
    path = np.broadcast_to(performance.path, (frames, 2))
    return pose_on_floor(body_segments(performance, t), path, height, skeleton, rng, performance.lift), t


def body_segments(p: Performance, t: np.ndarray) -> dict[str, np.ndarray]:
    """World rotations (frame, 3, 3) of the body segments. Positive about -y is forwards."""

    def about(axis: np.ndarray, angle: float | np.ndarray) -> np.ndarray:
        return turn(axis, np.broadcast_to(np.asarray(angle, float), t.shape))

    pelvis = about(_Z, p.heading) @ about(_Y, p.lean)
    # The trunk only twists about its own length, so the neck keeps its distance to both hips.
    trunk = pelvis @ about(_Z, p.twist)
    segments = {"pelvis": pelvis, "trunk": trunk, "head": trunk @ about(_Y, -0.5 * np.asarray(p.lean))}
    for side, outwards, limb in (("R", -1.0, p.right), ("L", 1.0, p.left)):
        thigh = pelvis @ about(_X, 0.05 * outwards) @ about(_Y, -np.asarray(limb.thigh) - p.lean)
        shank = thigh @ about(_Y, limb.knee)
        upper_arm = trunk @ about(_X, outwards * np.asarray(limb.raised)) @ about(_Y, -np.asarray(limb.forwards))
        segments |= {
            f"{side}thigh": thigh,
            f"{side}shank": shank,
            f"{side}foot": shank @ about(_Y, np.asarray(limb.thigh) - limb.knee),
            f"{side}upper_arm": upper_arm,
            f"{side}forearm": upper_arm @ about(_Y, -np.asarray(limb.elbow)),
        }
    return segments


def _pulses(t: np.ndarray, interval: float, width: float, rng: np.random.Generator) -> np.ndarray:
    """Bumps of height 1 (Gaussian, standard deviation `width` s) at random times, `interval` s apart in the mean."""
    count = int((t[-1] if len(t) else 0.0) / interval) + 2
    # At least four widths apart: two that overlap would bend the elbow backwards.
    times = np.cumsum(rng.uniform(max(0.5 * interval, 4 * width), 1.5 * interval, count))
    return np.exp(-0.5 * ((t[:, None] - times) / width) ** 2).sum(-1)
