"""Rooms: a floor and walls, boxes that hide people, and light."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.synthetic.studio.background_kernels import cast_shadow_map
from mv3d.synthetic.studio.texture_kernels import BLOTCHES, BRICKS, CHECKS, PLAIN, PLANKS, STRIPES, TILES
from mv3d.synthetic.studio.wardrobe import material, random_color

_TEXELS = 768
# A box nearer to a camera than this could fill its picture, m.
_BEFORE_CAMERA = 1.5
# Draws of a place for a box, of which the last is taken if none is clear.
_TRIES = 30


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """A sun and the light from all around; colours are linear BGR."""

    toward: np.ndarray
    sun: np.ndarray
    sky: np.ndarray
    ground: np.ndarray

    @property
    def row(self) -> Float[np.ndarray, "12"]:
        """As the kernels take it: direction, sun, sky, ground."""
        return np.concatenate([self.toward, self.sun, self.sky, self.ground])


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """What stands still.

    Attributes:
        boxes: (box, 8): lower and upper corner (m) before the box is turned about its own vertical axis, and cosine and
            sine of that turn. The first is the room, seen from inside.
        materials: (box, 6, 12) of the faces -x +x -y +y -z +z.
    """

    boxes: np.ndarray
    materials: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class ShadowMap:
    """What the boxes keep from the sun; people are added to a copy in every frame.

    Attributes:
        depth: (n, n) m along the light.
        frame: (3, 4) from the world to column, row (texels) and distance (m).
    """

    depth: np.ndarray
    frame: np.ndarray


def plain_room(half: float = 6.0, height: float = 4.0) -> tuple[Room, Light]:
    """An even grey room in soft light, for teaching and tests."""
    grey, floor = np.full(3, 0.35), np.full(3, 0.22)
    wall, ground = material(PLAIN, grey, grey), material(TILES, floor, 0.6 * floor, 0.5)
    faces = np.stack([wall, wall, wall, wall, ground, wall])
    return Room(np.array([[-half, -half, 0, half, half, height, 1.0, 0.0]]), faces[None]), _light(0.6, 1.1, 1.0, 0.55)


def random_room(
    rng: np.random.Generator,
    half: float = 6.0,
    occluders: int = 3,
    clear: float = 1.2,
    cameras: Float[np.ndarray, "camera 3"] | None = None,
) -> tuple[Room, Light]:
    """Walls, floor, boxes and light by chance.

    Args:
        rng: the chance.
        half: least distance of the walls from the middle, m; cameras should stand within.
        occluders: boxes like furniture that stand about.
        clear: no box comes nearer to the middle, m.
        cameras: where they stand, m; no box comes nearer to one than `_BEFORE_CAMERA`. None for anywhere.
    """
    sides = half + rng.uniform(0, 2, 4)
    height = rng.uniform(2.8, 5.0)
    boxes = [np.array([-sides[0], -sides[1], 0, sides[2], sides[3], height, 1.0, 0.0])]
    walls = [_surface(rng, (PLAIN, PLAIN, STRIPES, BRICKS, BLOTCHES, PLANKS), axis) for axis in (0, 0, 1, 1)]
    faces = [np.stack([*walls, _surface(rng, (PLAIN, TILES, PLANKS, CHECKS, BLOTCHES), 2), _surface(rng, (PLAIN,), 2)])]
    for _ in range(occluders):
        boxes.append(_furniture(rng, clear, 0.75 * half, np.zeros((0, 3)) if cameras is None else cameras))
        one = _surface(rng, (PLAIN, PLANKS, BLOTCHES, CHECKS), int(rng.integers(3)))
        faces.append(np.repeat(one[None], 6, 0))
    light = _light(rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 1.4), rng.uniform(0.3, 1.4), rng.uniform(0.25, 0.9), rng)
    return Room(np.stack(boxes), np.stack(faces)), light


def shadow_map(room: Room, light: Light, center: tuple[float, float, float], reach: float) -> ShadowMap:
    """The light's view of a ball of radius `reach` (m) around `center`: what the boxes hide there."""
    along = -light.toward
    column = np.cross(along, np.eye(3)[np.argmin(np.abs(along))])
    column /= np.linalg.norm(column)
    row = np.cross(along, column)
    texel = 2 * reach / _TEXELS
    origin = np.array(center) - reach * (column + row) - 30.0 * along
    depth = np.empty((_TEXELS, _TEXELS), np.float32)
    cast_shadow_map(origin, column, row, along, room.boxes, texel, depth)
    axes = np.stack([column / texel, row / texel, along])
    return ShadowMap(depth, np.concatenate([axes, -(axes @ origin)[:, None]], axis=1))


def _light(yaw: float, height: float, sun: float, sky: float, rng: np.random.Generator | None = None) -> Light:
    toward = np.array([np.cos(yaw) * np.cos(height), np.sin(yaw) * np.cos(height), np.sin(height)])
    tint = np.ones((2, 3)) if rng is None else 1 + rng.normal(0, 0.08, (2, 3))
    return Light(toward, sun * tint[0], sky * tint[1], 0.55 * sky * tint[1])


def _surface(rng: np.random.Generator, kinds: tuple[int, ...], axis: int) -> np.ndarray:
    """A material for faces across an axis; its second colour is near the first more often than not."""
    kind = int(rng.choice(kinds))
    first, second = random_color(rng), random_color(rng)
    if rng.random() < 0.7:
        second = np.clip(first * rng.uniform(0.4, 1.6), 0, 1)
    scale = {TILES: 0.5, PLANKS: 0.16, BRICKS: 0.4}.get(kind, 0.5) * rng.uniform(0.6, 1.6)
    way = np.eye(3)[axis] if kind in (TILES, PLANKS, BRICKS) else np.eye(3)[(axis + 1) % 3]
    return material(kind, first, second, float(scale), (float(way[0]), float(way[1]), float(way[2])), 0.05)


def _furniture(rng: np.random.Generator, clear: float, reach: float, cameras: np.ndarray) -> np.ndarray:
    """A box on the floor that stands clear of the middle and of cameras, if there is such a place within reach."""
    size = np.array([rng.uniform(0.3, 1.2), rng.uniform(0.3, 0.8), rng.uniform(0.4, 1.9)])
    around = 0.5 * float(np.hypot(*size[:2]))
    middle, turn = np.zeros(2), 0.0
    for _ in range(_TRIES):
        away = clear + around + rng.random() * max(reach - clear, 0.1)
        angle, turn = rng.uniform(0, 2 * np.pi, 2)
        middle = away * np.array([np.cos(angle), np.sin(angle)])
        if (np.linalg.norm(cameras[:, :2] - middle, axis=1) > around + _BEFORE_CAMERA).all():
            break
    low, high = middle - size[:2] / 2, middle + size[:2] / 2
    return np.array([*low, 0.0, *high, size[2], np.cos(turn), np.sin(turn)])
