"""Kernel that grows a grid over the corners of a board, from one corner on.

Edges are named as in `detection_kernels`: what is the rising edge of a corner is the falling one of its neighbours.
"""

import math

import numpy as np
from numba import njit

from calib.detection_kernels import angle_apart


@njit(cache=True, nogil=True)
def _nearest_along(corners, at, line, sign, turn):
    """The nearest corner from `at` along its line (2 rising, 3 falling) whose edges fit; -1 if none."""
    x, y, angle = corners[at, 0], corners[at, 1], corners[at, line]
    ux, uy = sign * math.cos(angle), sign * math.sin(angle)
    best, best_cost = -1, 1e18
    for k in range(len(corners)):
        dx, dy = corners[k, 0] - x, corners[k, 1] - y
        along = dx * ux + dy * uy
        if along <= 0 or along >= best_cost or k == at:
            continue
        across = abs(dx * uy - dy * ux)
        if across > turn * along:
            continue
        if (
            angle_apart(corners[k, 5 - line], angle) > 2 * turn
            or angle_apart(corners[k, line], corners[at, 5 - line]) > 3 * turn
        ):
            continue
        best, best_cost = k, along
    return best


@njit(cache=True, nogil=True)
def _nearest_to(corners, x, y, reach, along_line, across_line, turn, swap):
    """The corner nearest to (x, y) within reach whose edges fit those expected; -1 if none."""
    first, second = (3, 2) if swap else (2, 3)
    best, best_cost = -1, reach * reach
    for k in range(len(corners)):
        dx, dy = corners[k, 0] - x, corners[k, 1] - y
        cost = dx * dx + dy * dy
        if cost >= best_cost:
            continue
        if angle_apart(corners[k, first], along_line) > turn or angle_apart(corners[k, second], across_line) > turn:
            continue
        best, best_cost = k, cost
    return best


@njit(cache=True, nogil=True)
def _predict(corners, grid, i, j, di, dj, out):
    """Guess of cell (i + di, j + dj) next to filled cell (i, j): by the row's own step and by those of rows beside."""
    here = grid[i, j]
    n, x, y = 0.0, 0.0, 0.0
    if grid[i - di, j - dj] >= 0:
        back = grid[i - di, j - dj]
        step_x, step_y = corners[here, 0] - corners[back, 0], corners[here, 1] - corners[back, 1]
        # Perspective: steps shrink or grow geometrically.
        if grid[i - 2 * di, j - 2 * dj] >= 0:
            far = grid[i - 2 * di, j - 2 * dj]
            before = math.hypot(corners[back, 0] - corners[far, 0], corners[back, 1] - corners[far, 1])
            ratio = min(max(math.hypot(step_x, step_y) / before, 0.7), 1.4)
            step_x, step_y = step_x * ratio, step_y * ratio
        x, y, n = x + corners[here, 0] + step_x, y + corners[here, 1] + step_y, n + 1
    for side in (-1, 1):
        a, b = grid[i + side * dj, j + side * di], grid[i + side * dj + di, j + side * di + dj]
        if a >= 0 and b >= 0:
            x += corners[here, 0] + corners[b, 0] - corners[a, 0]
            y += corners[here, 1] + corners[b, 1] - corners[a, 1]
            n += 1
    if n == 0:
        return False
    out[0], out[1] = x / n, y / n
    return True


@njit(cache=True, nogil=True)
def grow_grid(corners, seed, free, reach, turn, half):
    """A grid of corners around a seed.

    Args:
        corners: as `corners_among` gives them.
        seed: index of the corner at the middle of the grid; its first axis is the rising edge.
        free: (corner,) which may be used.
        reach: distance from the prediction, in steps, within which a corner is looked for.
        turn: rad, by how much edges may turn from one corner to the next.
        half: cells from the middle to the rim.

    Returns:
        (2 half + 1, 2 half + 1) index of the corner in each cell [first axis, second axis], -1 where there is none.
    """
    size = 2 * half + 1
    grid = np.full((size, size), -1, np.int64)
    grid[half, half] = seed
    used = np.zeros(len(corners), np.bool_)
    used[seed] = True
    # A cell is put in once when it is filled, and at most once more by each of its two neighbours beside.
    queue = np.empty((3 * size * size, 2), np.int64)
    queue[0, 0], queue[0, 1] = half, half
    head, tail = 0, 1
    # The seed's neighbours by direction alone.
    for axis in range(2):
        for sign in (-1, 1):
            k = _nearest_along(corners, seed, 2 + axis, sign, turn)
            if k < 0 or not free[k] or used[k]:
                continue
            i, j = (half + sign, half) if axis == 0 else (half, half + sign)
            grid[i, j] = k
            used[k] = True
            queue[tail, 0], queue[tail, 1] = i, j
            tail += 1
    guess = np.empty(2)
    while head < tail:
        i, j = queue[head, 0], queue[head, 1]
        head += 1
        here = grid[i, j]
        swapped = (i + j) % 2 == 1
        along, across = (corners[here, 3], corners[here, 2]) if swapped else (corners[here, 2], corners[here, 3])
        for d in range(4):
            di, dj = (1 - 2 * d, 0) if d < 2 else (0, 2 * d - 5)
            a, b = i + di, j + dj
            if a < 3 or b < 3 or a >= size - 3 or b >= size - 3 or grid[a, b] >= 0:
                continue
            if not _predict(corners, grid, i, j, di, dj, guess):
                continue
            step = math.hypot(guess[0] - corners[here, 0], guess[1] - corners[here, 1])
            # The next cell's rising and falling edges have changed places.
            k = _nearest_to(corners, guess[0], guess[1], reach * step, along, across, turn, not swapped)
            if k < 0 or used[k] or not free[k]:
                continue
            grid[a, b] = k
            used[k] = True
            queue[tail, 0], queue[tail, 1] = a, b
            tail += 1
            # A cell that could not be predicted before may be now.
            for near in range(2):
                u, v = (a + dj * (1 - 2 * near), b + di * (1 - 2 * near))
                if grid[u, v] >= 0:
                    queue[tail, 0], queue[tail, 1] = u, v
                    tail += 1
    return grid
