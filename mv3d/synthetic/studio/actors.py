"""People for a scene: who, in what clothes, moving how, from where."""

from dataclasses import replace

import numpy as np

from mv3d.geometry.quaternions import rotation_of_quaternion
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.synthetic.motions import MOTIONS, body_segments
from mv3d.synthetic.performer import walking_segments
from mv3d.synthetic.studio.clips import Clip, make_clip
from mv3d.synthetic.studio.human import BodyShape, Human, RestBody, random_shape, shaped_body
from mv3d.synthetic.studio.posing import posed_segments, set_on_floor
from mv3d.synthetic.studio.scene import Actor
from mv3d.synthetic.studio.wardrobe import Outfit, dressed, random_outfit

ROUTINE = ("walk", "wave", "squat", "turn")
"""What the demo's performer does, one after the other."""
_RATE = 120.0
# One motion passes into the next within this time, s.
_BLEND_S = 0.6


def random_actor(
    human: Human,
    rng: np.random.Generator,
    motion: str = "walk",
    seconds: float = 4.0,
    *,
    place: tuple[float, float] = (0.0, 0.0),
    shape: BodyShape | None = None,
    outfit: Outfit | None = None,
) -> Actor:
    """Somebody by chance who moves as told.

    Args:
        human: the rig.
        rng: draws body, clothes and rhythm.
        motion: "walk", a key of `mv3d.synthetic.motions.MOTIONS`, or "routine" for `ROUTINE`.
        seconds: length of the motion.
        place: of the motion's origin on the floor, m.
        shape, outfit: instead of drawn ones.
    """
    body = shaped_body(human, shape or random_shape(rng))
    clothes = outfit or random_outfit(rng)
    worn = dressed(human, body, clothes, rng)
    names = ROUTINE if motion == "routine" else (motion,)
    share = (seconds + _BLEND_S * (len(names) - 1)) / len(names)
    # The soles that stand on the floor are those of the shoes.
    shod = replace(body, vertices=worn.vertices)
    clips = [_clip(human, shod, name, share, rng) for name in names]
    return Actor(human, worn, moved(joined(clips), place))


def joined(clips: list[Clip]) -> Clip:
    """Clips of one rate one after the other, each passing into the next, which begins where the one before stands."""
    whole = clips[0]
    for clip in clips[1:]:
        n = min(int(_BLEND_S * whole.rate), len(whole.place), len(clip.place))
        share = np.linspace(0, 1, n)
        share = share * share * (3 - 2 * share)
        place = clip.place + (whole.place[-n] - clip.place[0]) * [1, 1, 0]
        a, b = whole.turns[-n:], clip.turns[:n]
        b = np.where((a * b).sum(-1, keepdims=True) < 0, -b, b)
        mixed = (1 - share)[:, None, None] * a + share[:, None, None] * b
        crossed = (1 - share)[:, None] * whole.place[-n:] + share[:, None] * place[:n]
        turns = np.concatenate([whole.turns[:-n], mixed, clip.turns[n:]])
        places = np.concatenate([whole.place[:-n], crossed, place[n:]])
        whole = make_clip(whole.rate, rotation_of_quaternion(turns), places)
    return whole


def moved(clip: Clip, place: tuple[float, float], yaw: float = 0.0) -> Clip:
    """The clip turned about the vertical through the world's origin, then shifted over the floor (m)."""
    turn = rotation_from_vector(np.array([0.0, 0.0, yaw]))
    return make_clip(clip.rate, turn @ rotation_of_quaternion(clip.turns), clip.place @ turn.T + [*place, 0.0])


def _clip(human: Human, body: RestBody, motion: str, seconds: float, rng: np.random.Generator) -> Clip:
    t = np.arange(int(np.ceil(seconds * _RATE)) + 1) / _RATE
    curl = (float(rng.uniform(0.05, 0.5)), float(rng.uniform(0.05, 0.5)))
    if motion == "walk":
        segments, path = walking_segments(t, 0.9, rng)
        lift = 0.0
    elif motion in MOTIONS:
        performance = MOTIONS[motion](t, rng)
        segments, lift = body_segments(performance, t), performance.lift
        path = np.broadcast_to(performance.path, (len(t), 2))
    else:
        raise ValueError(f"no motion {motion!r}; there are walk, routine, {', '.join(MOTIONS)}")
    return set_on_floor(human, body, posed_segments(human, body, segments, curl), path, lift, _RATE)
