"""MakeHuman's base mesh, shape targets, rig and skin weights, read from the CC0 files of MPFB2.

Only the one-off export of the studio's human reads these. Their axes (decimetres, x to the body's left, y up,
z forward) become the body axes of mv3d here: metres, x forward, y left, z up, the floor under the feet at 0.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float

# The parts of the base mesh that can be seen; the other groups are stand-ins for clothes, hair and joints.
_SEEN = ("body", "helper-l-eye", "helper-r-eye")
_AXES, _METRES = [2, 0, 1], 0.1
AGES, LEVELS, RACES = ("child", "young", "old"), ("min", "average", "max"), ("african", "asian", "caucasian")
SEXES = ("female", "male")


@dataclass(frozen=True, slots=True, eq=False)
class BaseMesh:
    """The base mesh.

    Attributes:
        points: (point, 3) m, all vertices, helpers included.
        seen: indices of the vertices of the body and the eyes.
        triangles: (triangle, 3) indices into `seen`.
        uv: (vertex, 2) texture coordinates of the seen vertices, from the lower left corner.
        cubes: name of a joint -> indices of the eight points around it.
    """

    points: np.ndarray
    seen: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray
    cubes: dict[str, np.ndarray]


def read_base_mesh(folder: Path) -> BaseMesh:
    """Read `3dobjs/base.obj` of the MPFB2 data folder; quads are cut along their first diagonal."""
    points, uv, quads, groups = [], [], [], {}
    group = ""
    for line in (folder / "3dobjs" / "base.obj").read_text(encoding="utf-8").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            points.append([float(x) for x in rest.split()])
        elif kind == "vt":
            uv.append([float(x) for x in rest.split()[:2]])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            corners = [tuple(int(i) - 1 for i in corner.split("/")[:2]) for corner in rest.split()]
            quads.append((group, corners))
            groups.setdefault(group, set()).update(v for v, _ in corners)
    seen = np.array(sorted(set().union(*(groups[name] for name in _SEEN))))
    place = {v: i for i, v in enumerate(seen)}
    of_vertex, triangles = np.zeros((len(seen), 2)), []
    for name, corners in quads:
        if name in _SEEN:
            own = [place[v] for v, _ in corners]
            of_vertex[own] = [uv[t] for _, t in corners]
            triangles += [[own[0], own[k], own[k + 1]] for k in range(1, len(own) - 1)]
    cubes = {name: np.array(sorted(own)) for name, own in groups.items() if name.startswith("joint-")}
    return BaseMesh(_METRES * np.array(points)[:, _AXES], seen, np.array(triangles), of_vertex, cubes)


def read_target(path: Path, count: int) -> Float[np.ndarray, "point 3"]:
    """Displacements (m) of a shape target; zeros if there is no such file, which MakeHuman takes for "no change"."""
    moved = np.zeros((count, 3))
    if path.exists():
        with gzip.open(path, "rt", encoding="utf-8") as file:
            words = [line.split() for line in file if line.strip() and line[0] not in '#"']
        rows = np.array(words, dtype=float).reshape(-1, 4)
        moved[rows[:, 0].astype(int)] = _METRES * rows[:, 1:][:, _AXES]
    return moved


def read_corners(folder: Path, count: int) -> dict[tuple[str, ...], np.ndarray]:
    """Displacements (point, 3) m at all corners (sex, age, muscle, weight, height) of the shapes, races evenly.

    Source of the products: `targets/macrodetails/macro.json`.
    """
    targets = folder / "targets"
    corners = {}
    for sex, age in product(SEXES, AGES):
        races = [read_target(targets / "macrodetails" / f"{r}-{sex}-{age}.target.gz", count) for r in RACES]
        for muscle, weight in product(LEVELS, LEVELS):
            kind = f"{sex}-{age}-{muscle}muscle-{weight}weight"
            built = read_target(targets / "macrodetails" / f"universal-{kind}.target.gz", count)
            for height in LEVELS:
                tall = read_target(targets / "macrodetails" / "height" / f"{kind}-{height}height.target.gz", count)
                corners[sex, age, muscle, weight, height] = np.mean(races, axis=0) + built + tall
    return corners


def read_races(folder: Path, count: int) -> dict[tuple[str, str, str], np.ndarray]:
    """Displacements (point, 3) m of each (sex, age, race) from the mean of the races."""
    deviations = {}
    for sex, age in product(SEXES, AGES):
        paths = [folder / "targets" / "macrodetails" / f"{race}-{sex}-{age}.target.gz" for race in RACES]
        own = [read_target(path, count) for path in paths]
        deviations |= {(sex, age, r): d - np.mean(own, axis=0) for r, d in zip(RACES, own, strict=True)}
    return deviations


def read_rig(folder: Path, rig: str) -> tuple[dict[str, Any], dict[str, list[tuple[int, float]]]]:
    """Bones and skin weights of a rig, parents before their children."""
    bones = json.loads((folder / "rigs" / "standard" / f"rig.{rig}.json").read_text(encoding="utf-8"))
    weights = json.loads((folder / "rigs" / "standard" / f"weights.{rig}.json").read_text(encoding="utf-8"))["weights"]
    order: list[str] = []
    while len(order) < len(bones):
        order += [name for name in bones if name not in order and bones[name]["parent"] in (*order, "")]
    return {name: bones[name] for name in order}, weights


def bone_end(end: Mapping[str, Any], mesh: BaseMesh) -> np.ndarray:
    """Indices of the points whose mean is the head or tail of a bone."""
    if end["strategy"] == "CUBE":
        return mesh.cubes[end["cube_name"]]
    return np.array(end["vertex_indices"])


def sample_mask(path: Path, uv: Float[np.ndarray, "vertex 2"]) -> Float[np.ndarray, " vertex"]:
    """Values (0 to 1) of a mask texture at the vertices."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError(f"{path} is no picture")
    size = np.array(image.shape[::-1])
    at = np.clip((uv * [1, -1] + [0, 1]) * size, 0, size - 1).astype(int)
    return image[at[:, 1], at[:, 0]] / 255.0
