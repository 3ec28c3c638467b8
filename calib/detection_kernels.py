"""Kernels that find the corners of a checkerboard: saddle points, and the ring around them.

Angles are atan2(dy, dx) with y down. A corner of a checkerboard is crossed by two edges. On a ring around it, walked by
increasing angle, the image turns bright on one of them (the "rising" edge) and dark on the other (the "falling" edge),
on both sides alike. Along the edge that two neighbouring corners share, it is rising at one and falling at the other.
"""

import math

import numpy as np
from numba import njit

# Samples on the ring: fine enough that a sector of 20 degrees, the slimmest that is accepted, holds two.
_RING = 32
_COS, _SIN = (np.array([wave(2 * math.pi * k / _RING) for k in range(_RING)]) for wave in (math.cos, math.sin))
# px at the rim where no saddle is looked for.
_MARGIN = 3
_SLIMMEST_SECTOR = math.radians(18)
# By how much the two halves of an edge may fail to make one line: lens distortion and noise bend it by less.
_MOST_BEND = math.radians(32)
# The inner ring, as a share of the outer one, and by how much an edge may turn between them. An edge through the middle
# does not; the two sides of a bright line, which else looks like a corner, turn by 30 degrees.
_INNER = 0.6
_MOST_TURN = math.radians(14)
# Ratio of the two curvatures at a corner: tan^2 of half the angle between its edges, so this is 40 degrees.
_LEAST_RATIO = 0.13
# Strength at the middle as a share of what the ring's contrast asks for: 0.7 for a sharp corner, less for a blurred
# one, 0.3 for notches of lines.
_LEAST_STRENGTH = 0.3
# Share of the ring's energy that may be odd under a turn by 180 degrees; a step edge has all, a saddle none.
_MOST_ODD = 0.2


@njit(cache=True, fastmath=True, nogil=True)
def _strength_row(above, here, below, out):
    """Ixy^2 - Ixx Iyy along a row of a smooth image, (gray levels / px^2)^2: positive at saddles."""
    width = len(here)
    for x in range(1, width - 1):
        twice = np.float32(2.0) * here[x]
        xx = here[x - 1] + here[x + 1] - twice
        yy = above[x] + below[x] - twice
        xy = np.float32(0.25) * (above[x - 1] + below[x + 1] - above[x + 1] - below[x - 1])
        out[x] = xy * xy - xx * yy


@njit(cache=True, fastmath=True, nogil=True)
def _mark(row, threshold, marks):
    """Which pixels are above the threshold; done in vectors, and read eight at a time."""
    for x in range(len(row)):
        marks[x] = row[x] > threshold


@njit(cache=True, nogil=True)
def _is_highest(rows, y, x):
    """Whether a pixel is the highest of 5 x 5; of equal neighbours, the last in x and in y is.

    Row y of the image is row y % 5 of `rows`.
    """
    value = rows[y % 5, x]
    if value < rows[y % 5, x - 1] or value <= rows[y % 5, x + 1]:
        return False
    if value < rows[(y - 1) % 5, x] or value <= rows[(y + 1) % 5, x]:
        return False
    for v in range(5):
        for u in range(x - 2, x + 3):
            if rows[v, u] > value:
                return False
    return True


@njit(cache=True, nogil=True)
def saddles(image, threshold, most):
    """(peak, 3) x, y, strength of the strongest saddles in 5 x 5 px above the threshold; at most `most` of them.

    Five rows of strengths are kept, no image of them: it would not stay in the cache.
    """
    height, width = image.shape
    found = np.empty((most, 3), np.float64)
    rows = np.zeros((5, width), np.float32)
    marks = np.zeros(8 * (width // 8 + 1), np.uint8)
    eights = marks.view(np.uint64)
    count = 0
    for below in range(1, height - 1):
        _strength_row(image[below - 1], image[below], image[below + 1], rows[below % 5])
        y = below - 2
        if y < _MARGIN:
            continue
        _mark(rows[y % 5], threshold, marks)
        for eight in range(len(eights)):
            if eights[eight] == 0:
                continue
            for x in range(max(8 * eight, _MARGIN), min(8 * eight + 8, width - _MARGIN)):
                if marks[x] == 0 or not _is_highest(rows, y, x):
                    continue
                found[count, 0] = x
                found[count, 1] = y
                found[count, 2] = rows[y % 5, x]
                count += 1
                if count == most:
                    return found
    return found[:count]


@njit(cache=True, nogil=True)
def _bilinear(image, x, y):
    """Value at a place at least one pixel inside the image."""
    left = int(x)
    top = int(y)
    fx = x - left
    fy = y - top
    upper = image[top, left] * (1 - fx) + image[top, left + 1] * fx
    lower = image[top + 1, left] * (1 - fx) + image[top + 1, left + 1] * fx
    return upper * (1 - fy) + lower * fy


@njit(cache=True, nogil=True)
def _to_saddle(image, x, y, out):
    """Fill out = (x, y) where the quadratic through 3 x 3 px is flat, at most a pixel away; whether it is fair.

    At the corner of two edges the two curvatures are of one size, at the notches of a bright line they are not.
    """
    u = int(x + 0.5)
    v = int(y + 0.5)
    gx = 0.5 * (image[v, u + 1] - image[v, u - 1])
    gy = 0.5 * (image[v + 1, u] - image[v - 1, u])
    xx = image[v, u - 1] + image[v, u + 1] - 2 * image[v, u]
    yy = image[v - 1, u] + image[v + 1, u] - 2 * image[v, u]
    xy = 0.25 * (image[v - 1, u - 1] + image[v + 1, u + 1] - image[v - 1, u + 1] - image[v + 1, u - 1])
    determinant = xx * yy - xy * xy
    if determinant >= 0:
        return False
    half_trace = 0.5 * (xx + yy)
    root = math.sqrt(half_trace * half_trace - determinant)
    if root - abs(half_trace) < _LEAST_RATIO * (root + abs(half_trace)):
        return False
    dx = -(yy * gx - xy * gy) / determinant
    dy = -(xx * gy - xy * gx) / determinant
    longest = max(abs(dx), abs(dy), 1.0)
    out[0] = u + dx / longest
    out[1] = v + dy / longest
    return True


@njit(cache=True, nogil=True)
def _read_ring(image, x, y, radius, least_contrast, out):
    """Fill out = (rising, falling, contrast, odd share) of the ring at (x, y); whether it is that of a corner."""
    ring = np.empty(_RING)
    low, high, mean = 1e9, -1e9, 0.0
    for k in range(_RING):
        value = _bilinear(image, x + radius * _COS[k], y + radius * _SIN[k])
        ring[k] = value
        low = min(low, value)
        high = max(high, value)
        mean += value / _RING
    if high - low < least_contrast:
        return False
    middle = 0.5 * (low + high)
    odd, energy = 0.0, 0.0
    for k in range(_RING):
        odd += (ring[k] - ring[(k + _RING // 2) % _RING]) ** 2 / 4
        energy += (ring[k] - mean) ** 2
    if odd > _MOST_ODD * energy:
        return False
    rising = np.empty(2)
    falling = np.empty(2)
    n_rising, n_falling = 0, 0
    for k in range(_RING):
        here = ring[k] - middle
        there = ring[(k + 1) % _RING] - middle
        if (here <= 0) == (there <= 0):
            continue
        angle = 2 * math.pi * (k + here / (here - there)) / _RING
        if there > here:
            if n_rising == 2:
                return False
            rising[n_rising] = angle
            n_rising += 1
        else:
            if n_falling == 2:
                return False
            falling[n_falling] = angle
            n_falling += 1
    if n_rising != 2 or n_falling != 2:
        return False
    if abs(rising[1] - rising[0] - math.pi) > _MOST_BEND or abs(falling[1] - falling[0] - math.pi) > _MOST_BEND:
        return False
    for i in range(2):
        for j in range(2):
            apart = abs(rising[i] - falling[j])
            if min(apart, 2 * math.pi - apart) < _SLIMMEST_SECTOR:
                return False
    out[0] = (0.5 * (rising[0] + rising[1] - math.pi)) % math.pi
    out[1] = (0.5 * (falling[0] + falling[1] - math.pi)) % math.pi
    out[2] = high - low
    out[3] = odd / energy
    return True


@njit(cache=True, nogil=True)
def angle_apart(a, b):
    """Angle between two lines, 0 to pi/2."""
    d = abs(a - b) % math.pi
    return min(d, math.pi - d)


@njit(cache=True, nogil=True)
def corners_among(image, peaks, blur, radius, least_contrast):
    """(corner, 6) x, y, rising, falling (rad, modulo pi), contrast, odd share of the peaks that are corners.

    Args:
        image: gray levels, smoothed by a Gaussian of `blur` px.
        peaks: as `saddles` gives them.
        blur: px.
        radius: px of the ring.
        least_contrast: gray levels between dark and bright on the ring.
    """
    height, width = image.shape
    found = np.empty((len(peaks), 6))
    inner = np.empty(4)
    count = 0
    for i in range(len(peaks)):
        if not _to_saddle(image, peaks[i, 0], peaks[i, 1], inner):
            continue
        x, y = inner[0], inner[1]
        edge = radius + 2
        if x < edge or y < edge or x > width - 1 - edge or y > height - 1 - edge:
            continue
        if not _read_ring(image, x, y, radius, least_contrast, found[count, 2:]):
            continue
        if math.sqrt(peaks[i, 2]) * math.pi * blur * blur < _LEAST_STRENGTH * found[count, 2]:
            continue
        if not _read_ring(image, x, y, _INNER * radius, 0.3 * least_contrast, inner):
            continue
        if angle_apart(inner[0], found[count, 2]) > _MOST_TURN or angle_apart(inner[1], found[count, 3]) > _MOST_TURN:
            continue
        found[count, 0] = x
        found[count, 1] = y
        count += 1
    return found[:count]
