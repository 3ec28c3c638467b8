"""Shoes: the toes vanish in a rounded box, the sole stands out and lifts the foot."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from mv3d.synthetic.studio.fields import REGIONS
from mv3d.synthetic.studio.texture_kernels import STRIPES
from mv3d.synthetic.studio.wardrobe import DressedBody, Outfit, material, random_color

_SHOES = REGIONS.index("shoes")
# Shares of the foot's length from the heel: where the toe box has its middle, and over how much of it it begins.
_BOX_MIDDLE, _BOX_RISE = 0.6, 0.15
# Vertices so near to the ground belong to the sole, m.
_SOLE_DEPTH = 0.012
_HIGHEST_FOOT = 0.12


@dataclass(frozen=True, slots=True)
class Last:
    """The form of a shoe.

    Attributes:
        room: between the longest toe and the shoe's tip, m.
        height: of the toe box, m.
        roundness: exponent of the box's outline: 2 an ellipse, more is squarer.
        wider: how far the shoe stands out at the sides, m.
        sole: thickness, m.
    """

    room: float = 0.012
    height: float = 0.05
    roundness: float = 2.4
    wider: float = 0.005
    sole: float = 0.015


def random_last(rng: np.random.Generator) -> Last:
    """A shoe by chance, from thin slippers to thick trainers."""
    return Last(
        room=float(rng.uniform(0.004, 0.02)),
        height=float(rng.uniform(0.035, 0.065)),
        roundness=float(rng.uniform(1.9, 3.0)),
        wider=float(rng.uniform(0.002, 0.009)),
        sole=float(rng.uniform(0.003, 0.03)),
    )


def shod(worn: DressedBody, last: Last) -> DressedBody:
    """The same person in shoes of a form; the keypoints of toes and heels lie on the shoes.

    Args:
        worn: whose shoes are only a colour yet; where they cover nothing, the feet stay bare.
        last: the form.
    """
    rest, moved = worn.body.vertices, worn.vertices.copy()
    covered = (worn.fields[:, _SHOES] > 0) & (rest[:, 2] < _HIGHEST_FOOT)
    for side in (rest[:, 1] > 0, rest[:, 1] <= 0):
        own = covered & side
        if own.any():
            moved[own] = _formed(moved[own], last)
    body = replace(worn.body, vertices=np.where(covered[:, None], moved, rest))
    return replace(worn, body=body, vertices=moved)


def with_soles(outfit: Outfit, rng: np.random.Generator) -> Outfit:
    """Shoes whose soles are of another colour, as often light as not."""
    first = random_color(rng)
    second = np.full(3, rng.uniform(0.4, 0.9)) if rng.random() < 0.5 else random_color(rng)
    materials = outfit.materials.copy()
    # The stripe about z = 0 is the sole, the next one the shoe.
    materials[_SHOES] = material(STRIPES, first, second, float(rng.uniform(0.08, 0.2)), grain=0.1)
    return replace(outfit, materials=materials)


def _formed(points: Float[np.ndarray, "n 3"], last: Last) -> Float[np.ndarray, "n 3"]:
    """Vertices of one foot, which points along x, on the shoe."""
    low = points[points[:, 2] < 0.5 * _HIGHEST_FOOT]
    (back, right, _), (front, left, _) = low.min(0), low.max(0)
    length = front - back
    middle = np.array([back + _BOX_MIDDLE * length, (left + right) / 2, last.height / 2])
    reach = np.array([front + last.room - middle[0], (left - right) / 2 + last.wider, last.height / 2])
    # Rays from the box's middle meet a superellipsoid: toes and the gaps between them come to lie on one surface.
    out = (points - middle) / reach
    plan = (np.abs(out[:, :2]) ** last.roundness).sum(1) ** (2 / last.roundness)
    on_box = middle + (points - middle) / np.sqrt(np.maximum(plan + out[:, 2] ** 2, 1e-6))[:, None]
    share = np.clip((points[:, 0] - middle[0]) / (_BOX_RISE * length), 0, 1)[:, None]
    formed = points + share * share * (3 - 2 * share) * (on_box - points)
    under = np.clip(2 - formed[:, 2] / _SOLE_DEPTH, 0, 1)
    around = formed[:, :2] - [back + 0.5 * length, middle[1]]
    outwards = around / np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-6)
    formed[:, :2] += last.wider * under[:, None] * outwards
    formed[:, 2] -= last.sole * under
    return formed
