"""Single pictures by chance: rooms, light, people in any posture, and a camera from anywhere around them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.geometry.rotations import look_along, rotation_from_vector
from mv3d.synthetic.studio.actors import moved
from mv3d.synthetic.studio.clips import Clip, make_clip
from mv3d.synthetic.studio.film import Film
from mv3d.synthetic.studio.footwear import random_last, shod, with_soles
from mv3d.synthetic.studio.human import Human, load_human, random_shape, shaped_body
from mv3d.synthetic.studio.posing import posed_segments
from mv3d.synthetic.studio.postures import random_segments
from mv3d.synthetic.studio.rooms import random_room
from mv3d.synthetic.studio.scene import Actor, Scene
from mv3d.synthetic.studio.view import Shot, View
from mv3d.synthetic.studio.wardrobe import DressedBody, dressed, random_outfit

_UP = np.array([0.0, 0.0, 1.0])
# Between the two instants of a posture, s; a shutter is never open for longer.
_INTERVAL = 1 / 30
# What a person is taken for where the camera's distance is chosen, m.
_STATURE = 1.7
_NO_SHOES = -1.0


@dataclass(frozen=True, slots=True)
class SnapshotConfig:
    """What may be in the pictures.

    Attributes:
        size: (width, height) px.
        person_height: (least, largest) px of somebody who stands upright in the middle.
        people: (most in a picture; fewer are likelier).
        barefoot: share of people without shoes.
        occluders: share of rooms with boxes that stand near the people.
        blurred: share of pictures that are blurred by motion, and of those out of focus.
        shots: pictures of one room, one camera and the same people, who change their postures.
    """

    size: tuple[int, int] = (480, 480)
    person_height: tuple[float, float] = (100.0, 450.0)
    people: int = 3
    barefoot: float = 0.35
    occluders: float = 0.3
    blurred: float = 0.2
    shots: int = 2


def snapshots(config: SnapshotConfig, seed: int) -> Iterator[Shot]:
    """The pictures of one room, `config.shots` of them, the same for a seed."""
    rng = np.random.default_rng(seed)
    human = load_human()
    camera, away = _camera(config, rng)
    room, light = random_room(
        rng, half=away + 0.8, occluders=int(rng.integers(1, 5)) * (rng.random() < config.occluders), clear=0.5
    )
    count = 1 + int(rng.integers(config.people)) * (rng.random() < 0.45)
    actors = _actors(human, config, count, rng)
    view = View(camera, Scene(room, light, actors), _film(config, rng))
    for shot in range(config.shots):
        yield view.shoot((2 * shot + 0.5) * _INTERVAL, seed=seed + shot)


def _camera(config: SnapshotConfig, rng: np.random.Generator) -> tuple[Camera, float]:
    """A camera that looks at the middle of the room, and its distance from there, m."""
    width, height = config.size
    focal = max(config.size) * rng.uniform(0.65, 1.3)
    low, high = config.person_height
    away = focal * _STATURE / rng.uniform(low, high)
    target = np.array([*rng.normal(0, 0.12, 2), rng.uniform(0.6, 1.1)])
    # Mostly at the height of a tripod or a wall, now and then from the floor or from above.
    rise = rng.choice([rng.uniform(-0.1, 0.5), rng.uniform(0.4, 0.9), rng.uniform(-0.25, -0.05)], p=[0.65, 0.25, 0.1])
    yaw = rng.uniform(0, 2 * np.pi)
    center = target + away * np.array([np.cos(yaw) * np.cos(rise), np.sin(yaw) * np.cos(rise), np.sin(rise)])
    center[2] = max(center[2], 0.12)
    R = rotation_from_vector(np.array([0, 0, rng.normal(0, 0.12)])) @ look_along(target - center, _UP)
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    dist = np.array([rng.uniform(-0.15, 0.05), 0.0, 0.0, 0.0])
    return Camera("camera", config.size, Pinhole(K, dist), R, -R @ center), float(np.linalg.norm(center[:2]))


def _film(config: SnapshotConfig, rng: np.random.Generator) -> Film:
    noise = 10 ** rng.uniform(-2.7, -1.4)
    return Film(
        exposure_s=float(rng.uniform(0.2, 1.0) * _INTERVAL) if rng.random() < config.blurred else 0.0,
        gain=float(rng.uniform(0.6, 1.5)),
        read_noise=0.3 * noise,
        shot_noise=noise,
        defocus_px=float(rng.uniform(0.3, 1.5)) if rng.random() < config.blurred else 0.0,
        jpeg=int(rng.integers(30, 95)) if rng.random() < 0.6 else 0,
    )


def _dressed(human: Human, config: SnapshotConfig, rng: np.random.Generator) -> DressedBody:
    body, outfit = shaped_body(human, random_shape(rng)), random_outfit(rng)
    if rng.random() < config.barefoot:
        outfit = replace(outfit, cut=replace(outfit.cut, shoe=_NO_SHOES))
    elif rng.random() < 0.15:
        outfit = replace(outfit, cut=replace(outfit.cut, shoe=float(rng.uniform(0.15, 0.4))))
    if rng.random() < 0.6:
        outfit = with_soles(outfit, rng)
    worn = dressed(human, body, outfit, rng)
    # Socks and slippers keep the form of the foot.
    return worn if rng.random() < 0.15 else shod(worn, random_last(rng))


def _places(count: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Where people stand on the floor, m: one about the middle, more in a ring that they may overlap in a picture."""
    first, reach = rng.uniform(0, 2 * np.pi), 0.0 if count == 1 else rng.uniform(0.45, 0.9)
    angles = first + 2 * np.pi * np.arange(count) / count
    return [
        (float(reach * np.cos(a) + rng.normal(0, 0.1)), float(reach * np.sin(a) + rng.normal(0, 0.1))) for a in angles
    ]


def _actors(human: Human, config: SnapshotConfig, count: int, rng: np.random.Generator) -> tuple[Actor, ...]:
    """People whose clips pass through a posture for each shot, two samples each."""
    places = [_places(count, rng) for _ in range(config.shots)]
    actors = []
    for person in range(count):
        worn = _dressed(human, config, rng)
        clips = [_posture(human, worn, shot[person], rng) for shot in places]
        turns, place = (np.concatenate([getattr(c, name) for c in clips]) for name in ("turns", "place"))
        actors.append(Actor(human, worn, Clip(1 / _INTERVAL, turns, place)))
    return tuple(actors)


def _posture(human: Human, worn: DressedBody, place: tuple[float, float], rng: np.random.Generator) -> Clip:
    """One posture with its movement, the lowest point of the skin on the floor, whatever part of the body that is."""
    segments, toes = random_segments(rng, _INTERVAL)
    curl = (float(rng.uniform(0.05, 0.8)), float(rng.uniform(0.05, 0.8)))
    R = posed_segments(human, worn.body, segments, curl)
    for letter, bend in zip("lr", toes, strict=True):
        ball = human.bones.index(f"ball_{letter}")
        R[:, ball] = R[:, ball] @ rotation_from_vector(np.array([0, -bend, 0]))
    clip = moved(make_clip(1 / _INTERVAL, R, np.zeros((2, 3))), place, float(rng.uniform(0, 2 * np.pi)))
    low = Actor(human, worn, clip).posed(0.0).vertices[:, 2].min()
    return replace(clip, place=clip.place - [0, 0, low])
