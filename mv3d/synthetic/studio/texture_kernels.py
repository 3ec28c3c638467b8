"""Solid procedural textures: a colour for every point of space, so that nothing needs to be unwrapped.

A material is a row of 12 numbers: kind, scale (m), direction (3), first colour (3), second colour (3), strength of
wrinkles or grain. Colours are linear BGR, 0 to 1.
"""

import numpy as np
from numba import njit

PLAIN, STRIPES, CHECKS, BLOTCHES, DOTS, TILES, PLANKS, BRICKS = range(8)
MATERIAL_SIZE = 12
# Share of a stripe over which its edge is blended.
_EDGE = 0.06


@njit(cache=True, nogil=True)
def _hash(x, y, z):
    """A value in 0 to 1 for a point of the integer grid."""
    h = np.uint32(x * 374761393 + y * 668265263 + z * 2147483647 % 1274126177 + z * 40503)
    h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(1274126177))
    h = h ^ (h >> np.uint32(16))
    return (h & np.uint32(0xFFFFFF)) / 16777216.0


@njit(cache=True, nogil=True)
def value_noise(x, y, z):
    """Smooth noise of unit wavelength, 0 to 1."""
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    ix, iy, iz = int(fx), int(fy), int(fz)
    u, v, w = x - fx, y - fy, z - fz
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                share = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
                total += share * _hash(ix + a, iy + b, iz + c)
    return total


@njit(cache=True, nogil=True)
def _step(x):
    """0 below 0, 1 above 1, smooth between."""
    x = min(max(x, 0.0), 1.0)
    return x * x * (3 - 2 * x)


@njit(cache=True, nogil=True)
def _band(x):
    """A square wave of period 1 with soft edges."""
    x = x - np.floor(x)
    return _step((abs(x - 0.5) - 0.25) / _EDGE + 0.5)


@njit(cache=True, nogil=True)
def _across(m):
    """Two unit directions across a material's own."""
    dx, dy, dz = m[2], m[3], m[4]
    if abs(dz) < 0.9:
        ax, ay, az = -dy, dx, 0.0
    else:
        ax, ay, az = 0.0, -dz, dy
    n = np.sqrt(ax * ax + ay * ay + az * az)
    ax, ay, az = ax / n, ay / n, az / n
    return ax, ay, az, dy * az - dz * ay, dz * ax - dx * az, dx * ay - dy * ax


@njit(cache=True, nogil=True)
def _share(m, x, y, z):
    """How much of the second colour there is at a point, 0 to 1."""
    kind, s = int(m[0]), m[1]
    along = (m[2] * x + m[3] * y + m[4] * z) / s
    if kind == STRIPES:
        return _band(along)
    if kind == BLOTCHES:
        noise = 0.65 * value_noise(x / s, y / s, z / s) + 0.35 * value_noise(2.7 * x / s, 2.7 * y / s, 2.7 * z / s)
        return _step((noise - 0.5) * 8 + 0.5)
    ax, ay, az, bx, by, bz = _across(m)
    first, second = (ax * x + ay * y + az * z) / s, (bx * x + by * y + bz * z) / s
    if kind == CHECKS:
        return 0.5 * (_band(along) + _band(first))
    if kind == DOTS:
        u, v = first - np.floor(first) - 0.5, along - np.floor(along) - 0.5
        return _step((0.3 - np.sqrt(u * u + v * v)) / _EDGE)
    if kind == TILES:  # on planes across the direction: joints between square tiles
        u, v = first - np.floor(first), second - np.floor(second)
        return _step((0.02 - min(min(u, 1 - u), min(v, 1 - v))) / 0.01 + 0.5)
    if kind == PLANKS:
        row = np.floor(first)
        along_plank = second / 8 + 0.37 * row
        plank = _hash(int(row), int(np.floor(along_plank)), 7)
        return 0.75 * plank + 0.25 * value_noise(second * 0.8, first * 9 + 31 * row, 0.5)
    if kind == BRICKS:
        row = np.floor(second * 2)
        u, v = first + 0.5 * row, second * 2
        u, v = u - np.floor(u), v - np.floor(v)
        return _step((0.03 - min(min(u, 1 - u), 0.5 * min(v, 1 - v))) / 0.015 + 0.5)
    return 0.0


@njit(cache=True, nogil=True)
def texture(m, x, y, z):
    """Linear BGR of a material at a point."""
    share = _share(m, x, y, z)
    grain = 1.0
    if m[11] > 0.0:
        s = 0.04
        noise = 0.6 * value_noise(x / s, y / s, z / s) + 0.4 * value_noise(3 * x / s, 3 * y / s, 3 * z / s)
        grain = 1.0 + m[11] * (noise - 0.5)
    b = grain * (m[5] + share * (m[8] - m[5]))
    g = grain * (m[6] + share * (m[9] - m[6]))
    r = grain * (m[7] + share * (m[10] - m[7]))
    return b, g, r
