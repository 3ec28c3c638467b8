"""Linear blend skinning and vertex normals."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def skin(rest, index, weight, matrices, out):
    """Points (n, 3) carried by up to four bones each: out = sum of weight times (matrix times point)."""
    for v in range(rest.shape[0]):
        x, y, z = rest[v, 0], rest[v, 1], rest[v, 2]
        a = b = c = 0.0
        for k in range(index.shape[1]):
            w = weight[v, k]
            if w > 0.0:
                m = matrices[index[v, k]]
                a += w * (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3])
                b += w * (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3])
                c += w * (m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3])
        out[v, 0], out[v, 1], out[v, 2] = a, b, c


@njit(cache=True, nogil=True)
def vertex_normals(points, triangles, out):
    """Unit normals, outwards where triangles run counter-clockwise as seen from outside; weighted by area."""
    out[:] = 0.0
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t]
        ux, uy, uz = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1], points[j, 2] - points[i, 2]
        vx, vy, vz = points[k, 0] - points[i, 0], points[k, 1] - points[i, 1], points[k, 2] - points[i, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (i, j, k):
            out[corner, 0] += nx
            out[corner, 1] += ny
            out[corner, 2] += nz
    for v in range(points.shape[0]):
        length = np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2)
        if length > 0.0:
            out[v] /= length
