"""Triangles for spheres and tubes, as plain arrays: what the 3D scene is built of."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

# At the sizes drawn these look round; more only costs time on a software renderer.
_SPHERE_RINGS, _SPHERE_SIDES = 8, 14


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A coloured triangle mesh.

    Attributes:
        vertices: (vertex, 3) m, in the world.
        normals: (vertex, 3) outward, of unit length.
        triangles: (triangle, 3) int32 indices of vertices, anticlockwise seen from outside.
        rgb: (vertex, 3) in [0, 1].
    """

    vertices: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray
    rgb: np.ndarray


def spheres(
    centers: Float[np.ndarray, "sphere 3"], radii: Float[np.ndarray, " sphere"], rgb: Float[np.ndarray, "sphere 3"]
) -> Mesh:
    """One mesh of many spheres; centres and radii in m."""
    unit, triangles = _unit_sphere()
    vertices = centers[:, None] + radii[:, None, None] * unit
    normals = np.broadcast_to(unit, vertices.shape)
    return _instances(vertices, normals, triangles, rgb)


def tubes(
    segments: Float[np.ndarray, "tube 2 3"],
    radii: Float[np.ndarray, " tube"],
    rgb: Float[np.ndarray, "tube 3"],
    sides: int = 12,
) -> Mesh:
    """One mesh of many open cylinders from `segments[:, 0]` to `segments[:, 1]`, m.

    Cylinders of no length have no direction and are left out.
    """
    along = segments[:, 1] - segments[:, 0]
    length = np.linalg.norm(along, axis=1)
    keep = length > 1e-9
    segments, radii, rgb = segments[keep], radii[keep], rgb[keep]
    u, v = _across(along[keep] / length[keep, None])
    angle = 2 * np.pi * np.arange(sides) / sides
    rim = np.cos(angle)[:, None] * u[:, None] + np.sin(angle)[:, None] * v[:, None]
    offset = radii[:, None, None] * rim
    vertices = np.concatenate([segments[:, 0, None] + offset, segments[:, 1, None] + offset], axis=1)
    return _instances(vertices, np.concatenate([rim, rim], axis=1), _tube_triangles(sides), rgb)


def merged(meshes: Sequence[Mesh]) -> Mesh:
    """Several meshes as one."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])[:-1]
    return Mesh(
        np.concatenate([np.zeros((0, 3)), *(mesh.vertices for mesh in meshes)]),
        np.concatenate([np.zeros((0, 3)), *(mesh.normals for mesh in meshes)]),
        np.concatenate(
            [np.zeros((0, 3), np.int32), *(m.triangles + np.int32(s) for m, s in zip(meshes, starts, strict=True))]
        ),
        np.concatenate([np.zeros((0, 3)), *(mesh.rgb for mesh in meshes)]),
    )


def shadow(
    mesh: Mesh, height: float, up: Float[np.ndarray, "3"], rgb: tuple[float, float, float], lift: float = 0.002
) -> Mesh:
    """The mesh pressed flat, along `up`, onto the plane `up @ x = height`.

    Args:
        mesh: what throws the shadow.
        height: of the plane, m.
        up: unit normal of the plane.
        rgb: colour of the shadow, in [0, 1].
        lift: m above the plane, so that the grid does not flicker through.
    """
    above = mesh.vertices @ up - (height + lift)
    return Mesh(
        mesh.vertices - above[:, None] * up,
        np.broadcast_to(up, mesh.vertices.shape),
        mesh.triangles,
        np.broadcast_to(np.array(rgb), mesh.vertices.shape),
    )


def _across(direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors square to each direction (n, 3), so that (u, v, direction) is right-handed."""
    helper = np.zeros_like(direction)
    helper[np.arange(len(direction)), np.argmin(np.abs(direction), axis=1)] = 1.0
    u = np.cross(helper, direction)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    return u, np.cross(direction, u)


def _instances(vertices: np.ndarray, normals: np.ndarray, triangles: np.ndarray, rgb: np.ndarray) -> Mesh:
    """Flatten (instance, vertex, 3) arrays of one shape into a mesh."""
    count, per_instance = vertices.shape[:2]
    starts = (np.arange(count, dtype=np.int32) * per_instance)[:, None, None]
    return Mesh(
        vertices.reshape(-1, 3),
        np.ascontiguousarray(normals).reshape(-1, 3),
        (triangles[None] + starts).reshape(-1, 3).astype(np.int32),
        np.repeat(rgb, per_instance, axis=0),
    )


@lru_cache
def _unit_sphere() -> tuple[np.ndarray, np.ndarray]:
    """Vertices on rings between the poles, and triangles."""
    polar = np.pi * np.arange(1, _SPHERE_RINGS) / _SPHERE_RINGS
    around = 2 * np.pi * np.arange(_SPHERE_SIDES) / _SPHERE_SIDES
    rings = np.stack(
        [
            np.outer(np.sin(polar), np.cos(around)),
            np.outer(np.sin(polar), np.sin(around)),
            np.outer(np.cos(polar), np.ones(_SPHERE_SIDES)),
        ],
        axis=-1,
    )
    vertices = np.concatenate([rings.reshape(-1, 3), [[0, 0, 1.0], [0, 0, -1.0]]])
    north, south = len(vertices) - 2, len(vertices) - 1
    k = np.arange(_SPHERE_SIDES)
    after = (k + 1) % _SPHERE_SIDES
    last = (_SPHERE_RINGS - 2) * _SPHERE_SIDES
    faces = [
        np.stack([np.full_like(k, north), k, after], 1),
        np.stack([np.full_like(k, south), last + after, last + k], 1),
    ]
    for ring in range(_SPHERE_RINGS - 2):
        a, b = ring * _SPHERE_SIDES, (ring + 1) * _SPHERE_SIDES
        faces += [np.stack([a + k, b + k, b + after], 1), np.stack([a + k, b + after, a + after], 1)]
    return vertices, np.concatenate(faces).astype(np.int32)


@lru_cache
def _tube_triangles(sides: int) -> np.ndarray:
    k = np.arange(sides)
    after = (k + 1) % sides
    faces = [np.stack([k, after, sides + after], 1), np.stack([k, sides + after, sides + k], 1)]
    return np.concatenate(faces).astype(np.int32)
