"""Kernel that reads the markers in the squares of a grid."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def read_markers(image, corners, patterns, places, cells, wrong_bits, wrong_border, least_contrast):
    """(found, 4) row, column, marker, quarter turns of the squares that show a marker.

    Args:
        image: gray levels.
        corners: (row, column, 2) px of the squares' corners.
        patterns: (marker and quarter turn, bit) -1 black, +1 white.
        places: (sample, 4) where a square is read, as weights of its corners going round: two by two in each cell.
        cells: along a marker's side, border included.
        wrong_bits, wrong_border: most cells inside, and in the border, that may have the wrong colour.
        least_contrast: gray levels between the brightest and the darkest cell.
    """
    height, width = image.shape
    rows, columns = corners.shape[0] - 1, corners.shape[1] - 1
    found = np.empty((rows * columns, 4), np.int64)
    value = np.empty((cells, cells))
    bits = np.empty((cells - 2) * (cells - 2))
    count = 0
    for i in range(rows):
        for j in range(columns):
            quad = (corners[i, j], corners[i, j + 1], corners[i + 1, j + 1], corners[i + 1, j])
            inside = True
            for corner in quad:
                inside &= corner[0] > 0 and corner[1] > 0 and corner[0] < width - 1 and corner[1] < height - 1
            if not inside:
                continue
            # Within one square, bilinear is as good as projective: a marker's cell is off by a few percent of itself.
            value[:] = 0.0
            for p in range(len(places)):
                x, y = 0.0, 0.0
                for k in range(4):
                    x += places[p, k] * quad[k][0]
                    y += places[p, k] * quad[k][1]
                left, top = min(int(x), width - 2), min(int(y), height - 2)
                fx, fy = x - left, y - top
                upper = image[top, left] * (1 - fx) + image[top, left + 1] * fx
                lower = image[top + 1, left] * (1 - fx) + image[top + 1, left + 1] * fx
                value[p // (2 * cells) // 2, p % (2 * cells) // 2] += 0.25 * (upper * (1 - fy) + lower * fy)
            low, high = value.min(), value.max()
            if high - low <= least_contrast:
                continue
            middle = 0.5 * (low + high)
            bright = 0
            for a in range(cells):
                for b in range(cells):
                    if 0 < a < cells - 1 and 0 < b < cells - 1:
                        bits[(a - 1) * (cells - 2) + b - 1] = 1.0 if value[a, b] > middle else -1.0
                    elif value[a, b] > middle:
                        bright += 1
            if bright > wrong_border:
                continue
            best, fewest = -1, float(wrong_bits) + 1
            for m in range(len(patterns)):
                wrong = 0.0
                for k in range(len(bits)):
                    if bits[k] != patterns[m, k]:
                        wrong += 1
                        if wrong >= fewest:
                            break
                if wrong < fewest:
                    best, fewest = m, wrong
            if best >= 0:
                found[count, 0], found[count, 1] = i, j
                found[count, 2], found[count, 3] = best // 4, best % 4
                count += 1
    return found[:count]
