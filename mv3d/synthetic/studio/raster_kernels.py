"""A z-buffer for meshes: which triangle each sample of an image shows, and at what distance."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def rasterise(xy, distance, triangles, first_id, depth, ids):
    """Draw triangles into a depth buffer and a buffer of triangle numbers.

    Samples lie at integer coordinates. Distances are interpolated by their inverse, as perspective wants it; triangles
    with a corner that is not finite, and those that run clockwise on the image's y-down plane as seen from outside a
    closed body would be its far side, are left out.

    Args:
        xy: (vertex, 2) sample coordinates.
        distance: (vertex,) m from the camera.
        triangles: (triangle, 3).
        first_id: number of the first triangle in `ids`.
        depth: (height, width) float32, in and out.
        ids: (height, width) int32, in and out.
    """
    height, width = depth.shape
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t]
        ax, ay, bx, by, cx, cy = xy[i, 0], xy[i, 1], xy[j, 0], xy[j, 1], xy[k, 0], xy[k, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if not area < 0.0:  # also leaves out what is not finite
            continue
        x0 = max(int(np.ceil(min(ax, bx, cx))), 0)
        x1 = min(int(np.floor(max(ax, bx, cx))), width - 1)
        y0 = max(int(np.ceil(min(ay, by, cy))), 0)
        y1 = min(int(np.floor(max(ay, by, cy))), height - 1)
        if x0 > x1 or y0 > y1:
            continue
        ia, ib, ic = 1.0 / distance[i], 1.0 / distance[j], 1.0 / distance[k]
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                w = 1.0 - u - v
                if u >= 0.0 and v >= 0.0 and w >= 0.0:
                    d = 1.0 / (u * ia + v * ib + w * ic)
                    if d < depth[y, x]:
                        depth[y, x] = d
                        ids[y, x] = first_id + t


@njit(cache=True, nogil=True)
def cover_depth(xy, distance, triangles, depth):
    """Draw into a depth buffer alone, both sides of every triangle, distances linear: a shadow map's parallel light."""
    height, width = depth.shape
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t]
        ax, ay, bx, by, cx, cy = xy[i, 0], xy[i, 1], xy[j, 0], xy[j, 1], xy[k, 0], xy[k, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0.0:
            continue
        x0, x1 = max(int(np.ceil(min(ax, bx, cx))), 0), min(int(np.floor(max(ax, bx, cx))), width - 1)
        y0, y1 = max(int(np.ceil(min(ay, by, cy))), 0), min(int(np.floor(max(ay, by, cy))), height - 1)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                w = 1.0 - u - v
                if u >= 0.0 and v >= 0.0 and w >= 0.0:
                    d = u * distance[i] + v * distance[j] + w * distance[k]
                    if d < depth[y, x]:
                        depth[y, x] = d
