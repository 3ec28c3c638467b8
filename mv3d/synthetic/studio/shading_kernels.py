"""Light on what a camera sees: people by their triangles, then film: exposure, noise, gamma."""

import numpy as np
from numba import njit

from mv3d.synthetic.studio.texture_kernels import texture


@njit(cache=True, nogil=True)
def sunlit(shadow, frame, x, y, z):
    """Share of sunlight (0 to 1) at a world point.

    Args:
        shadow: (n, n) distance along the light of what is lit first.
        frame: (3, 4) world to shadow map: column, row, distance.
        x, y, z: m.
    """
    u = frame[0, 0] * x + frame[0, 1] * y + frame[0, 2] * z + frame[0, 3]
    v = frame[1, 0] * x + frame[1, 1] * y + frame[1, 2] * z + frame[1, 3]
    d = frame[2, 0] * x + frame[2, 1] * y + frame[2, 2] * z + frame[2, 3]
    n = shadow.shape[0]
    i, j = int(np.floor(v)), int(np.floor(u))
    if i < 0 or j < 0 or i >= n - 1 or j >= n - 1:
        return 1.0
    fv, fu = v - i, u - j
    lit = 0.0
    for a in range(2):
        for b in range(2):
            if shadow[i + a, j + b] >= d - 0.025:
                lit += (fv if a else 1 - fv) * (fu if b else 1 - fu)
    return lit


@njit(cache=True, nogil=True)
def _region(fields, i, j, k, u, v, w):
    """Index of the material at a place in a triangle."""
    last = fields.shape[1] - 1
    if fields[i, last] >= 0.0:
        away = u * fields[i, last] + v * fields[j, last] + w * fields[k, last]
        return last + (3 if away < 0.0028 else 2 if away < 0.0062 else 1)
    for r in range(last):
        if u * fields[i, r] + v * fields[j, r] + w * fields[k, r] > 0.0:
            return r
    return last


@njit(cache=True, nogil=True)
def shade_person(
    ids, first_id, xy, distance, triangles, world, normals, rest, fields, materials, light, shadow, frame, color
):
    """Colour the samples that show one person.

    Args:
        ids: (height, width) triangle numbers; this person's start at `first_id`.
        xy, distance: (vertex, 2) sample coordinates and (vertex,) m.
        triangles: (triangle, 3).
        world, normals, rest: (vertex, 3); textures hang on the rest pose.
        fields: (vertex, region + 1); materials: (region + 4, 12).
        light: direction to the sun (3), its colour (3), sky (3), ground (3), linear BGR.
        shadow, frame: see `sunlit`.
        color: (height, width, 3) float32, out.
    """
    count = triangles.shape[0]
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            t = ids[y, x] - first_id
            if t < 0 or t >= count:
                continue
            i, j, k = triangles[t]
            ax, ay, bx, by, cx, cy = xy[i, 0], xy[i, 1], xy[j, 0], xy[j, 1], xy[k, 0], xy[k, 1]
            area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
            u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area / distance[i]
            v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area / distance[j]
            w = (1.0 - u * distance[i] - v * distance[j]) / distance[k]
            total = u + v + w
            u, v, w = u / total, v / total, w / total
            m = materials[_region(fields, i, j, k, u, v, w)]
            b, g, r = texture(
                m,
                u * rest[i, 0] + v * rest[j, 0] + w * rest[k, 0],
                u * rest[i, 1] + v * rest[j, 1] + w * rest[k, 1],
                u * rest[i, 2] + v * rest[j, 2] + w * rest[k, 2],
            )
            nx = u * normals[i, 0] + v * normals[j, 0] + w * normals[k, 0]
            ny = u * normals[i, 1] + v * normals[j, 1] + w * normals[k, 1]
            nz = u * normals[i, 2] + v * normals[j, 2] + w * normals[k, 2]
            facing = (nx * light[0] + ny * light[1] + nz * light[2]) / np.sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
            sun = 0.0
            if facing > 0.0:
                # Half a texel along the normal, or the body would shade itself in patches.
                px = u * world[i, 0] + v * world[j, 0] + w * world[k, 0] + 0.01 * nx
                py = u * world[i, 1] + v * world[j, 1] + w * world[k, 1] + 0.01 * ny
                pz = u * world[i, 2] + v * world[j, 2] + w * world[k, 2] + 0.01 * nz
                sun = facing * sunlit(shadow, frame, px, py, pz)
            up = 0.5 + 0.5 * nz
            color[y, x, 0] = b * (sun * light[3] + up * light[6] + (1 - up) * light[9])
            color[y, x, 1] = g * (sun * light[4] + up * light[7] + (1 - up) * light[10])
            color[y, x, 2] = r * (sun * light[5] + up * light[8] + (1 - up) * light[11])


@njit(cache=True, nogil=True)
def add_resolved(color, factor, share, out):
    """Average squares of `factor` samples into pixels and add `share` of them to (height, width, 3) `out`."""
    scale = share / (factor * factor)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            b = g = r = 0.0
            for i in range(factor * y, factor * y + factor):
                for j in range(factor * x, factor * x + factor):
                    b += color[i, j, 0]
                    g += color[i, j, 1]
                    r += color[i, j, 2]
            out[y, x, 0] += scale * b
            out[y, x, 1] += scale * g
            out[y, x, 2] += scale * r


@njit(cache=True, nogil=True)
def develop(linear, exposure, read, shot, normals, start, curve, out):
    """Linear light to 8 bits: exposure, noise of the sensor, gamma.

    Args:
        linear: (height, width, 3).
        exposure: factor.
        read, shot: standard deviations of the noise: of the dark, and at full light (grows as its root).
        normals: (n,) standard normal numbers, n a power of two; `start` is where this picture begins in them.
        curve: (m,) uint8, the output for 0 to 1.
        out: (height, width, 3) uint8.
    """
    mask, top = normals.shape[0] - 1, curve.shape[0] - 1
    at = start
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            for c in range(3):
                value = exposure * linear[y, x, c]
                if read > 0.0 or shot > 0.0:
                    value += normals[at & mask] * np.sqrt(read * read + shot * shot * max(value, 0.0))
                    at += 1
                out[y, x, c] = curve[int(min(max(value, 0.0), 1.0) * top + 0.5)]
