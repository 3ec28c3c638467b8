"""A body around an armature: one low-poly skin over all thick parts, tubes around thin ones, and who moves what.

The skin is the zero surface of the smooth union of the parts, d = -k log(sum exp(-d_i / k)). A vertex moves with the
joint whose part is nearest and, about where parts meet, with the neighbours of that joint in the tree.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mv3d.data.motion import Armature
from mv3d.export.body_segments import Segment, body_scale, segments_of
from mv3d.export.surface_nets import zero_surface

# Of an adult, m: the grid, and how softly parts join.
_STEP, _JOIN = 0.021, 0.011
# Over which way, as a share of a part's radius, the skin changes from joint to joint.
_SKIN = 0.3
# Further than so many joins from its surface, a part adds nothing to the union.
_FAR_JOINS = 6.0
# Parts thinner than so many steps of the grid would have holes: they are tubes.
_THIN_STEPS = 1.0
_TUBE_SIDES, _TUBE_RINGS = 6, 3
# Cells of the grid: of a body that is larger in one direction than it is thick, the step grows instead.
_MOST_CELLS = 2_000_000
INFLUENCES = 4


@dataclass(frozen=True, slots=True, eq=False)
class BodyMesh:
    """A skinned surface in the rest pose, the root at the origin.

    Attributes:
        vertices: (vertex, 3) m.
        normals: (vertex, 3) unit, outwards.
        triangles: (triangle, 3) counterclockwise from outside.
        joints: (vertex, 4) the joints that move it.
        weights: (vertex, 4) how much of it, sum 1; 0 where a vertex has fewer.
    """

    vertices: Float[np.ndarray, "vertex 3"]
    normals: Float[np.ndarray, "vertex 3"]
    triangles: Int[np.ndarray, "triangle 3"]
    joints: Int[np.ndarray, "vertex 4"]
    weights: Float[np.ndarray, "vertex 4"]


def body_mesh(armature: Armature) -> BodyMesh:
    """The surface of a body that looks like the armature's, of some thousand triangles."""
    scale, segments = body_scale(armature), segments_of(armature)
    thin = [s for s in segments if min(s.radii) * min(s.flat, 1.0) < 0.55 * _THIN_STEPS * _STEP * scale]
    thick = [s for s in segments if s not in thin]
    parts = [_tube(segment) for segment in thin]
    if thick:
        parts.append(_skin(thick, scale))
    first = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    vertices = np.concatenate([v for v, _ in parts])
    triangles = np.concatenate([t + k for (_, t), k in zip(parts, first, strict=False)])
    joints, weights = _skinning(armature, segments, vertices)
    return BodyMesh(vertices, _normals(vertices, triangles), triangles, joints, weights)


def _skin(segments: list[Segment], scale: float) -> tuple[np.ndarray, np.ndarray]:
    join = _JOIN * scale
    reach = [max(s.radii) + _FAR_JOINS * join for s in segments]
    low = np.min([np.minimum(s.start, s.end) - r for s, r in zip(segments, reach, strict=True)], axis=0)
    high = np.max([np.maximum(s.start, s.end) + r for s, r in zip(segments, reach, strict=True)], axis=0)
    step = max(_STEP * scale, float(np.cbrt(np.prod(high - low) / _MOST_CELLS)))
    origin, counts = low - step, np.ceil((high - low) / step).astype(int) + 3
    near = np.full(counts, np.exp(-_FAR_JOINS))
    for segment, far in zip(segments, reach, strict=True):
        first = np.floor((np.minimum(segment.start, segment.end) - far - origin) / step).astype(int)
        last = np.ceil((np.maximum(segment.start, segment.end) + far - origin) / step).astype(int) + 1
        box = tuple(slice(max(a, 0), b) for a, b in zip(first, last, strict=True))
        ranges = [np.arange(count)[part] for count, part in zip(counts, box, strict=True)]
        points = origin + step * np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1)
        depth = np.clip(-segment.distance(points.reshape(-1, 3)) / join, -_FAR_JOINS, 200)
        near[box] += np.exp(depth).reshape(points.shape[:-1])
    return zero_surface(-join * np.log(near), origin, step)


def _tube(segment: Segment) -> tuple[np.ndarray, np.ndarray]:
    """Rings around a thin part, closed by a point at each end."""
    way = segment.end - segment.start
    length = float(np.linalg.norm(way))
    along = way / length if length > 1e-9 else np.eye(3)[2]
    side = np.cross(along, np.eye(3)[int(np.argmin(np.abs(along)))])
    side /= np.linalg.norm(side)
    angles = np.arange(_TUBE_SIDES) * 2 * np.pi / _TUBE_SIDES
    circle = np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * np.cross(along, side)
    shares = np.linspace(0, 1, _TUBE_RINGS)
    radii = np.interp(shares, np.linspace(0, 1, len(segment.radii)), segment.radii)
    rings = segment.start + shares[:, None, None] * way + radii[:, None, None] * circle
    tips = np.stack([segment.start - radii[0] * along, segment.end + radii[-1] * along])
    k, n = np.arange(_TUBE_SIDES), _TUBE_SIDES
    after, last = (k + 1) % n, n * _TUBE_RINGS
    triangles = [np.stack([np.full(n, last), after, k], axis=1)]
    for r in range(_TUBE_RINGS - 1):
        a, b, c, d = r * n + k, r * n + after, (r + 1) * n + after, (r + 1) * n + k
        triangles += [np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]
    top = (_TUBE_RINGS - 1) * n
    triangles.append(np.stack([np.full(n, last + 1), top + k, top + after], axis=1))
    return np.concatenate([rings.reshape(-1, 3), tips]), np.concatenate(triangles)


def _skinning(armature: Armature, segments: list[Segment], vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints (vertex, 4) and weights (vertex, 4), by the distance to the parts that each joint moves."""
    distance = np.full((len(vertices), len(armature)), np.inf)
    width = np.zeros((len(vertices), len(armature)))
    for segment in segments:
        here, driver = segment.distance(vertices), segment.driver
        nearer = here < distance[:, driver]
        distance[nearer, driver], width[nearer, driver] = here[nearer], _SKIN * max(segment.radii)
    nearest = np.argmin(distance, axis=1)
    width = np.take_along_axis(width, nearest[:, None], axis=1)
    parents = np.array(armature.parents)
    joints = np.arange(len(armature))
    related = (parents[:, None] == joints) | (parents == joints[:, None]) | (joints[:, None] == joints)
    gap = distance - distance.min(axis=1, keepdims=True)
    weights = np.where(related[nearest], np.exp(-np.minimum(gap / width, 700)), 0.0)
    order = np.argsort(-weights, axis=1, kind="stable")[:, :INFLUENCES]
    if order.shape[1] < INFLUENCES:
        order = np.pad(order, ((0, 0), (0, INFLUENCES - order.shape[1])), constant_values=-1)
    kept = np.where(order >= 0, np.take_along_axis(weights, np.maximum(order, 0), axis=1), 0.0)
    kept[kept < 1e-3] = 0
    # A joint that moves nothing of a vertex is written as joint 0.
    return np.where(kept > 0, order, 0), kept / kept.sum(1, keepdims=True)


def _normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(total, triangles[:, k], across)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 1e-15, total / np.where(length > 1e-15, length, 1), [0.0, 0.0, 1.0])
