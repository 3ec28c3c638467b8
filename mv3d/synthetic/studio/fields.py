"""Where garments, shoes and hair lie on the body: a signed field over the vertices for each, metres from its edge."""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from mv3d.synthetic.studio.human import BodyShape, Human, RestBody, load_human, shaped_body

REGIONS = ("shoes", "hair", "brows", "lips", "top", "bottom")
EYE_VERTICES = 72
"""Vertices of an eye; both eyes are the last of the mesh."""
_FAR = 0.3
_ARMS = ("upperarm", "lowerarm", "hand", "index", "middle", "ring", "pinky", "thumb")
_LEGS = ("thigh", "calf", "foot", "ball")
_BROW_WIDTH = 0.0045
# The bones' shares pass from the neck's to the head's over about so many metres.
_HEAD_EDGE = 0.05
_SCALP = np.array([-0.5, 0.0, 0.866])


@dataclass(frozen=True, slots=True)
class Cut:
    """Where clothes and hair end.

    Attributes:
        sleeve: 0 at the shoulder, 1 at the elbow, 2 at the wrist.
        hem: of the top above the hip joints, m on a body of average size.
        waist: of the bottom above the hip joints, m.
        neckline: above the root of the neck, m.
        leg: 0 at the hip, 1 at the knee, 2 at the ankle.
        shoe: height of the shoes above the floor, m.
        hair: angle of the scalp that is covered, rad from a point at the back of the crown; 0 for none.
        long_hair: whether it falls to the neck.
    """

    sleeve: float = 0.5
    hem: float = -0.04
    waist: float = 0.1
    neckline: float = 0.0
    leg: float = 1.9
    shoe: float = 0.08
    hair: float = 1.45
    long_hair: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Chart:
    """Coordinates of the vertices of the average body along its limbs."""

    body: RestBody
    arm: np.ndarray
    leg: np.ndarray
    on_arm: np.ndarray
    on_leg: np.ndarray
    on_head: np.ndarray
    of_head: np.ndarray
    brow: np.ndarray
    pupil: np.ndarray


def region_fields(human: Human, cut: Cut) -> Float[np.ndarray, "vertex region"]:
    """Fields of `REGIONS` and, last, the distance from the pupil (eyes only; -1 elsewhere), m."""
    chart = _chart()
    v, body = chart.body.vertices, chart.body
    hips = body.keypoints[human.keypoints.index("MidHip"), 2]
    neck = body.heads[human.bones.index("neck_01")]
    collar = (v - neck - [0.02, 0, cut.neckline]) @ np.array([-0.35, 0.0, 0.94])
    sleeve = np.where(chart.on_arm, 0.26 * (cut.sleeve - chart.arm), _FAR)
    hem = np.where(chart.on_arm, _FAR, v[:, 2] - hips - cut.hem)
    # The plane of the collar meets the chin, which the head's bone carries and the neck's does not.
    chin = _HEAD_EDGE * (0.5 - chart.of_head)
    top = np.minimum.reduce([sleeve, hem, np.where(chart.on_arm, _FAR, -collar), chin])
    waist = np.where(chart.on_arm, -_FAR, hips + cut.waist - v[:, 2])
    bottom = np.minimum(waist, np.where(chart.on_leg, 0.4 * (cut.leg - chart.leg), _FAR))
    shoes = np.where(chart.on_leg, cut.shoe - v[:, 2], -_FAR)
    eye = np.arange(len(v)) >= len(v) - 2 * EYE_VERTICES
    fields = np.stack([shoes, _hair(human, chart, cut), chart.brow, human.masks["lips"] - 0.6, top, bottom], axis=1)
    fields[eye] = -_FAR
    fields[:, 3] *= 0.01  # a mask, not metres
    return np.concatenate([fields, np.where(eye, chart.pupil, -1.0)[:, None]], axis=1)


def _hair(human: Human, chart: _Chart, cut: Cut) -> np.ndarray:
    """Within an angle around the back of the crown; long hair also behind the ears down to the neck."""
    v = chart.body.vertices
    ears = chart.body.keypoints[[human.keypoints.index(f"{side}Ear") for side in "LR"]].mean(0)
    out = v - ears - [0.015, 0, 0.035]
    radius = np.linalg.norm(out, axis=1)
    angle = np.arccos(np.clip(out @ _SCALP / np.maximum(radius, 1e-6), -1, 1))
    hair = 0.1 * (cut.hair - angle)
    if cut.long_hair and cut.hair:
        behind = np.minimum(ears[0] - 0.015 - v[:, 0], v[:, 2] - ears[2] + 0.16)
        hair = np.maximum(hair, behind)
    hair = np.where(human.masks["ears"] > 0.3, np.minimum(hair, -0.01), hair)
    return np.where(chart.on_head, hair, -_FAR)


@cache
def _chart() -> _Chart:
    human = load_human()
    body = shaped_body(human, BodyShape(sex=0.5))
    v = body.vertices
    share = np.zeros((len(v), len(human.bones)))
    for k in range(human.skin_index.shape[1]):
        np.add.at(share, (np.arange(len(v)), human.skin_index[:, k]), human.skin_weight[:, k])
    of = {name: [b for b, bone in enumerate(human.bones) if bone.split("_")[0] in name] for name in (_ARMS, _LEGS)}
    place = {name: body.keypoints[k] for k, name in enumerate(human.keypoints)}
    along = {}
    for limb in (("Shoulder", "Elbow", "Wrist"), ("Hip", "Knee", "Ankle")):
        sides = [_along(v, [place[side + joint] for joint in limb]) for side in "LR"]
        along[limb] = np.where(v[:, 1] > 0, *sides)
    brow = np.array([[place[f"Face_{k}"] for k in part] for part in (range(17, 22), range(22, 27))])
    away = np.min([_distance(v, line) for line in brow], axis=0)
    pupils = np.stack([place["REye"], place["LEye"]])
    head = share[:, [human.bones.index("head"), human.bones.index("neck_01")]].sum(1) > 0.5
    return _Chart(
        body=body,
        arm=along["Shoulder", "Elbow", "Wrist"],
        leg=along["Hip", "Knee", "Ankle"],
        on_arm=share[:, of[_ARMS]].sum(1) > 0.5,
        on_leg=share[:, of[_LEGS]].sum(1) > 0.5,
        on_head=head,
        of_head=share[:, human.bones.index("head")],
        brow=np.where(head & (v[:, 0] > place["LEar"][0]), _BROW_WIDTH - away, -_FAR),
        pupil=np.linalg.norm(v[:, None] - pupils, axis=-1).min(1),
    )


def _along(v: np.ndarray, joints: list[np.ndarray]) -> np.ndarray:
    """How far along a limb of two bones each vertex lies: 0, 1 and 2 at its joints, beyond them further."""
    a, b, c = joints
    first = (v - a) @ (b - a) / ((b - a) @ (b - a))
    second = (v - b) @ (c - b) / ((c - b) @ (c - b))
    return np.where(second > 0, 1 + second, np.minimum(first, 1))


def _distance(v: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Distance of points from a polyline."""
    away = np.full(len(v), np.inf)
    for a, b in pairwise(line):
        share = np.clip((v - a) @ (b - a) / max((b - a) @ (b - a), 1e-12), 0, 1)
        away = np.minimum(away, np.linalg.norm(v - a - share[:, None] * (b - a), axis=1))
    return away
