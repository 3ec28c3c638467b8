"""What people look like: skin, hair, shoes and clothes, as regions of the body with materials and thicknesses.

A region is a field over the vertices, positive where it covers; between vertices it is interpolated, so that a hem is a
line and no staircase. Where several cover a place the first in `REGIONS` is seen.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.synthetic.studio.fields import REGIONS, Cut, region_fields
from mv3d.synthetic.studio.human import Human, RestBody
from mv3d.synthetic.studio.skinning_kernels import vertex_normals
from mv3d.synthetic.studio.texture_kernels import BLOTCHES, CHECKS, DOTS, MATERIAL_SIZE, PLAIN, STRIPES

# sRGB (0 to 255) of skin from light to dark, and of hair.
_SKIN = ((255, 219, 196), (241, 194, 166), (224, 172, 130), (198, 134, 92), (141, 85, 54), (92, 56, 38), (60, 38, 28))
_HAIR = ((24, 20, 18), (52, 36, 26), (96, 62, 38), (150, 104, 60), (196, 160, 104), (150, 62, 32), (150, 148, 146))
_IRIS = ((70, 44, 26), (60, 90, 120), (70, 100, 60), (40, 26, 20))
# Coverage over which a garment comes off the skin, m.
_RISE = 0.015


@dataclass(frozen=True, slots=True, eq=False)
class Outfit:
    """What somebody wears and how they look.

    Attributes:
        cut: where garments and hair end.
        materials: (region, 12), in the order of `REGIONS`, then skin, eye white, iris, pupil; see `texture_kernels`.
        thickness: (region,) m by which each region lies off the skin.
        folds: share by which the thickness varies from place to place.
    """

    cut: Cut
    materials: np.ndarray
    thickness: np.ndarray
    folds: float = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class DressedBody:
    """A rest body with its outfit: what is skinned and drawn.

    Attributes:
        body: naked, for the joints.
        vertices: (vertex, 3) m, clothes included.
        fields: (vertex, region) m; the last is the distance from the pupil for the eyes, -1 elsewhere.
        materials: (region + 4, 12).
    """

    body: RestBody
    vertices: np.ndarray
    fields: np.ndarray
    materials: np.ndarray


def dressed(human: Human, body: RestBody, outfit: Outfit, rng: np.random.Generator) -> DressedBody:
    """Put an outfit on: vertices move outwards by the thickness of the first region that covers them."""
    fields = region_fields(human, outfit.cut)
    normals = np.empty_like(body.vertices)
    vertex_normals(body.vertices, human.triangles, normals)
    off, free = np.zeros(len(fields)), np.ones(len(fields))
    for region in range(len(REGIONS)):
        cover = np.clip(fields[:, region] / _RISE, 0, 1)
        off += free * cover * outfit.thickness[region]
        free *= 1 - cover
    waves = rng.normal(0, 14, (6, 3))  # folds a hand wide
    bumpy = np.sin(body.vertices @ waves.T + rng.uniform(0, 2 * np.pi, 6)).mean(1)
    off *= 1 + outfit.folds * np.clip(2 * bumpy, -1, 1)
    return DressedBody(body, body.vertices + off[:, None] * normals, fields, outfit.materials)


def random_outfit(rng: np.random.Generator) -> Outfit:
    """Somebody's look by chance: short or long sleeves and legs, tight or loose, plain or patterned."""
    cut = Cut(
        sleeve=float(rng.choice([0.35, 0.5, 1.0, 1.9, 1.95])),
        hem=float(rng.uniform(-0.12, 0.06)),
        neckline=float(rng.uniform(-0.05, 0.02)),
        leg=float(rng.choice([0.35, 0.6, 0.9, 1.9, 1.9, 1.95])),
        shoe=float(rng.uniform(0.05, 0.13)),
        hair=float(rng.choice([0.0, 1.25, 1.45, 1.6], p=[0.08, 0.3, 0.32, 0.3])),
        long_hair=bool(rng.random() < 0.35),
    )
    tone = rng.uniform(0, len(_SKIN) - 1)
    skin = _blend(_SKIN, tone) * rng.uniform(0.9, 1.08)
    hair = linear(np.array(_HAIR[rng.integers(len(_HAIR))])) * rng.uniform(0.6, 1.3)
    lips = skin * np.array([0.62, 0.55, 0.9])
    rows = {
        "shoes": _fabric(rng, 0.1),
        "hair": material(PLAIN, hair, hair, grain=0.9),
        "brows": material(PLAIN, 0.7 * hair, hair),
        "lips": material(PLAIN, lips, lips),
        "top": _fabric(rng, 0.35),
        "bottom": _fabric(rng, 0.3, patterned=0.25),
    }
    iris = linear(np.array(_IRIS[rng.integers(len(_IRIS))]))
    white = np.full(3, 0.75)
    rest = [material(PLAIN, skin, skin, grain=0.08), *(material(PLAIN, c, c) for c in (white, iris, np.full(3, 0.01)))]
    thickness: dict[str, float] = {"shoes": 0.008, "hair": rng.uniform(0.008, 0.03), "top": rng.uniform(0.004, 0.022)}
    thickness["bottom"] = rng.uniform(0.004, 0.018)
    return Outfit(
        cut,
        np.stack([*(rows[name] for name in REGIONS), *rest]),
        np.array([thickness.get(name, 0.0) for name in REGIONS]),
    )


def material(
    kind: int,
    first: Float[np.ndarray, "3"],
    second: Float[np.ndarray, "3"],
    scale: float = 0.1,
    direction: tuple[float, float, float] = (0.0, 0.0, 1.0),
    grain: float = 0.0,
) -> Float[np.ndarray, "12"]:
    """A row for `texture_kernels.texture`; colours are linear BGR."""
    row = np.array([kind, scale, *direction, *first, *second, grain], dtype=float)
    assert len(row) == MATERIAL_SIZE
    return row


def linear(srgb: np.ndarray) -> Float[np.ndarray, "3"]:
    """Linear BGR (0 to 1) of an sRGB colour in 0 to 255, by a plain power of 2.2."""
    return (np.asarray(srgb, float)[::-1] / 255) ** 2.2


def random_color(rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """Linear BGR; greys, dark and muted colours are as likely as bright ones."""
    hue, saturation, value = rng.random(), rng.random() ** 1.5, rng.uniform(0.08, 0.95)
    ramp = np.abs((6 * hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1
    return (value * (1 - saturation * (1 - np.clip(ramp, 0, 1))))[::-1] ** 2.2


def _fabric(rng: np.random.Generator, wrinkles: float, patterned: float = 0.55) -> np.ndarray:
    kind = int(rng.choice([STRIPES, CHECKS, BLOTCHES, DOTS])) if rng.random() < patterned else PLAIN
    tilted = rng.normal(0, 0.05, 3) + np.eye(3)[rng.choice([1, 2], p=[0.3, 0.7])]
    way = tilted / np.linalg.norm(tilted)
    direction = (float(way[0]), float(way[1]), float(way[2]))
    return material(kind, random_color(rng), random_color(rng), float(rng.uniform(0.025, 0.14)), direction, wrinkles)


def _blend(colors: tuple[tuple[int, int, int], ...], at: float) -> np.ndarray:
    first = min(int(at), len(colors) - 2)
    share = at - first
    return linear((1 - share) * np.array(colors[first]) + share * np.array(colors[first + 1]))
