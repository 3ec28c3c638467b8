"""The studio's human: any body between child and old, thin and heavy, as a rest pose with a skin and a rig."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
from jaxtyping import Float

from mv3d.data.npz import load_npz

_WANTED = (
    *("mean", "basis", "basis_step", "corners", "races", "triangles", "bones", "parents", "skin_index", "skin_weight"),
    *("keypoints", "keypoint_index", "keypoint_weight", "masks", "mask_names"),
)


@dataclass(frozen=True, slots=True)
class BodyShape:
    """Who somebody is.

    Attributes:
        sex: 0 female, 1 male; anything between is possible.
        age: 0 a child of ten, 1 a young adult, 2 an old person.
        muscle, weight, height: -1 least, 0 average, 1 most; a height beyond 0.4 either way is rare.
        race: shares of the three archetypes of MakeHuman's shapes.
        stature: m; None for what the shape gives.
    """

    sex: float = 0.5
    age: float = 1.0
    muscle: float = 0.0
    weight: float = 0.0
    height: float = 0.0
    race: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    stature: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Human:
    """Data of the npz; arrays are not to be written to.

    Attributes:
        mean: (point, 3) m: vertices, heads, tails; x forward, y left, z up.
        basis: (direction, point, 3) m.
        corners: (sex, age, muscle, weight, height, direction) coordinates of bodies.
        races: (sex, age, race, direction) what is added for each.
        triangles: (triangle, 3).
        bones, parents: of the rig, parents first.
        skin_index, skin_weight: (vertex, 4) bones of each vertex and their shares.
        keypoints: names; keypoint_index, keypoint_weight: (keypoint, 4) points whose weighted mean each is.
        masks: (vertex,) by name, 0 to 1: lips, ears, eyelids, fingernails.
    """

    mean: np.ndarray
    basis: np.ndarray
    corners: np.ndarray
    races: np.ndarray
    triangles: np.ndarray
    bones: tuple[str, ...]
    parents: np.ndarray
    skin_index: np.ndarray
    skin_weight: np.ndarray
    keypoints: tuple[str, ...]
    keypoint_index: np.ndarray
    keypoint_weight: np.ndarray
    masks: dict[str, np.ndarray]

    @property
    def vertex_count(self) -> int:
        """Vertices of the mesh."""
        return len(self.skin_index)


@dataclass(frozen=True, slots=True, eq=False)
class RestBody:
    """A body in its rest pose (arms 45 degrees down), the soles at z = 0.

    Attributes:
        vertices: (vertex, 3) m.
        heads, tails: (bone, 3) m.
        keypoints: (keypoint, 3) m.
    """

    vertices: np.ndarray
    heads: np.ndarray
    tails: np.ndarray
    keypoints: np.ndarray


@cache
def load_human() -> Human:
    """The human of the package, read once."""
    with as_file(files("mv3d.synthetic.studio") / "human.npz") as path:
        a = load_npz(path, _WANTED)
    weight = a["skin_weight"].astype(float)
    return Human(
        mean=a["mean"].astype(float),
        basis=a["basis"] * float(a["basis_step"]),
        corners=a["corners"].astype(float),
        races=a["races"].astype(float),
        triangles=a["triangles"].astype(np.int32),
        bones=tuple(a["bones"].tolist()),
        parents=a["parents"].astype(np.int64),
        skin_index=a["skin_index"].astype(np.int64),
        skin_weight=weight / weight.sum(1, keepdims=True),
        keypoints=tuple(a["keypoints"].tolist()),
        keypoint_index=a["keypoint_index"].astype(np.int64),
        keypoint_weight=a["keypoint_weight"].astype(float),
        masks=dict(zip(a["mask_names"].tolist(), a["masks"] / 255.0, strict=True)),
    )


def shaped_body(human: Human, shape: BodyShape) -> RestBody:
    """The rest pose of somebody."""
    points = human.mean + np.tensordot(_coordinates(human, shape), human.basis, axes=1)
    vertices = points[: human.vertex_count]
    points = points - [0.0, 0.0, vertices[:, 2].min()]
    if shape.stature is not None:
        points = points * (shape.stature / points[: human.vertex_count, 2].max())
    count, bones = human.vertex_count, len(human.bones)
    keypoints = np.einsum("kw,kwc->kc", human.keypoint_weight, points[human.keypoint_index])
    return RestBody(points[:count], points[count : count + bones], points[count + bones :], keypoints)


def random_shape(rng: np.random.Generator, children: float = 0.1) -> BodyShape:
    """Somebody by chance; `children` is the share of children, who are as tall as theirs are."""
    age = rng.uniform(0.0, 0.6) if rng.random() < children else rng.uniform(0.7, 1.8)
    race = rng.dirichlet((0.7, 0.7, 0.7))
    return BodyShape(
        sex=float(np.clip(rng.choice([0.0, 1.0]) + rng.normal(0, 0.15), 0, 1)),
        age=float(age),
        muscle=float(np.clip(rng.normal(0, 0.45), -1, 1)),
        weight=float(np.clip(rng.normal(0.05, 0.45), -1, 1)),
        height=float(np.clip(rng.normal(0, 0.13), -0.35, 0.35)),
        race=(float(race[0]), float(race[1]), float(race[2])),
    )


def _coordinates(human: Human, shape: BodyShape) -> Float[np.ndarray, " direction"]:
    """Multilinear between the corners, races on top."""
    sex, age = _hat(shape.sex, 2), _hat(shape.age, 3)
    build = [_hat(value + 1, 3) for value in (shape.muscle, shape.weight, shape.height)]
    out = np.einsum("a,b,c,d,e,abcdek->k", sex, age, *build, human.corners)
    share = np.array(shape.race) / np.sum(shape.race)
    return out + np.einsum("a,b,r,abrk->k", sex, age, share, human.races)


def _hat(value: float, count: int) -> Float[np.ndarray, " corner"]:
    """Weights of linear interpolation between corners at 0, 1, ..."""
    return np.maximum(0, 1 - np.abs(np.clip(value, 0, count - 1) - np.arange(count)))
