"""The surface where a function on a grid is zero, as triangles: naive surface nets (Gibson 1998).

A cell that the surface passes through has one vertex, the mean of the points where its edges cross the surface; an edge
of the grid that crosses has a quadrilateral between its four cells. Vertices are even and no triangle is a splinter,
which is why these and not marching cubes.
"""

import numpy as np
from jaxtyping import Float, Int

# Corners of a cell, and its twelve edges as pairs of them.
_CORNERS = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
_EDGES = np.array([(a, b) for a in range(8) for b in range(a + 1, 8) if np.abs(_CORNERS[a] - _CORNERS[b]).sum() == 1])


def zero_surface(
    values: Float[np.ndarray, "x y z"], origin: Float[np.ndarray, "3"], step: float
) -> tuple[Float[np.ndarray, "vertex 3"], Int[np.ndarray, "triangle 3"]]:
    """Vertices and triangles, counterclockwise seen from where the values are positive.

    Args:
        values: negative inside, positive on the border of the grid.
        origin: place of values[0, 0, 0].
        step: width of the grid.
    """
    cells = np.stack(np.meshgrid(*(np.arange(n - 1) for n in values.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    corner = np.stack([values[tuple((cells + c).T)] for c in _CORNERS], axis=1)
    crossed = (corner < 0).any(1) & (corner >= 0).any(1)
    cells, corner = cells[crossed], corner[crossed]
    a, b = corner[:, _EDGES[:, 0]], corner[:, _EDGES[:, 1]]
    cross = (a < 0) != (b < 0)
    share = np.where(cross, a / np.where(cross, a - b, 1.0), 0.0)
    at = _CORNERS[_EDGES[:, 0]] + share[..., None] * (_CORNERS[_EDGES[:, 1]] - _CORNERS[_EDGES[:, 0]])
    place = (at * cross[..., None]).sum(1) / cross.sum(1)[:, None]
    vertices = origin + step * (cells + place)
    index = np.full([n - 1 for n in values.shape], -1)
    index[tuple(cells.T)] = np.arange(len(cells))
    return vertices, np.concatenate([_quads(values, index, axis) for axis in range(3)])


def _quads(values: np.ndarray, index: np.ndarray, axis: int) -> np.ndarray:
    """Triangles around the edges of the grid along one axis."""
    u, v = (axis + 1) % 3, (axis + 2) % 3
    inside = values < 0
    steps = np.eye(3, dtype=int)
    first = np.take(inside, range(values.shape[axis] - 1), axis)
    second = np.take(inside, range(1, values.shape[axis]), axis)
    edges = np.argwhere(first != second)
    around = [index[tuple((edges - du * steps[u] - dv * steps[v]).T)] for du, dv in ((0, 0), (1, 0), (1, 1), (0, 1))]
    quads = np.stack(around, axis=1)
    leaving = first[tuple(edges.T)]
    quads = np.where(leaving[:, None], quads, quads[:, ::-1])
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
