"""Blobs put in order: which of them is which circle of a grid.

A lattice grows from a blob and two neighbours, each step as long as the one before it, so that perspective and lens may
change it slowly. The grid's cells are then looked for among those that were reached, whatever the two neighbours were:
any basis of a lattice goes over into any other by a matrix of whole numbers with determinant one.
"""

from itertools import product

import numpy as np
from jaxtyping import Float, Int

# How far from where it is expected a blob may lie, as a share of the step.
_REACH = 0.35
# Blobs that are tried as the first of a lattice; neighbours of each.
_SEEDS, _NEIGHBOURS = 60, 6
# Sine of the smallest angle between the first two steps.
_LEAST_SINE = 0.35
_BASES = [np.array(m).reshape(2, 2) for m in product((-1, 0, 1), repeat=4) if m[0] * m[3] - m[1] * m[2] == 1]
_STEPS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])


def lattice_cells(cells: Int[np.ndarray, "circle 2"], asymmetric: bool) -> Int[np.ndarray, "circle 2"]:
    """Cells (column, row) of circles in a lattice without holes; an asymmetric grid's runs along its diagonals."""
    x, y = cells.T
    if not asymmetric:
        return cells
    across = 2 * x + y % 2
    return np.stack([(across + y) // 2, (y - across) // 2], axis=1)


def ordered_blobs(
    blobs: Float[np.ndarray, "blob 2"], cells: Int[np.ndarray, "circle 2"]
) -> list[Float[np.ndarray, "circle 2"]]:
    """Blobs in the grid's order, in each way in which they fill it; empty where they do not.

    Args:
        blobs: px, also of other things.
        cells: of the grid in a lattice without holes, right-handed as the image is: x right, y down.
    """
    if len(blobs) < len(cells):
        return []
    middle = np.argsort(np.linalg.norm(blobs - np.median(blobs, axis=0), axis=1))
    for seed in middle[:_SEEDS]:
        for first, second in _first_steps(blobs, int(seed)):
            reached = _grown(blobs, int(seed), first, second)
            found = _fillings(reached, cells) if len(reached) >= len(cells) else []
            if found:
                return [blobs[order] for order in found]
    return []


def _first_steps(blobs: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Steps to the nearest neighbour and to the nearest in another direction, right-handed."""
    offset = blobs - blobs[seed]
    near = np.argsort(np.linalg.norm(offset, axis=1))[1 : 1 + _NEIGHBOURS]
    pairs = []
    for a in near[:2]:
        for b in near:
            u, v = offset[a], offset[b]
            cross = u[0] * v[1] - u[1] * v[0]
            if abs(cross) > _LEAST_SINE * np.linalg.norm(u) * np.linalg.norm(v):
                pairs.append((u, v) if cross > 0 else (v, u))
                break
    return pairs


def _grown(blobs: np.ndarray, seed: int, first: np.ndarray, second: np.ndarray) -> dict[tuple[int, int], int]:
    """Blob in each cell of the lattice that could be reached."""
    reached, steps = {(0, 0): seed}, {(0, 0): (first, second)}
    waiting, taken = [(0, 0)], {seed}
    while waiting:
        cell = waiting.pop(0)
        here, own = blobs[reached[cell]], steps[cell]
        for k, (i, j) in enumerate(_STEPS.tolist()):
            there = (cell[0] + i, cell[1] + j)
            step = own[k % 2] * (1 if k < 2 else -1)
            if there in reached:
                continue
            distance = np.linalg.norm(blobs - (here + step), axis=1)
            blob = int(distance.argmin())
            if blob in taken or distance[blob] > _REACH * np.linalg.norm(step):
                continue
            reached[there] = blob
            taken.add(blob)
            gone = (blobs[blob] - here) * (1 if k < 2 else -1)
            steps[there] = (gone, own[1]) if k % 2 == 0 else (own[0], gone)
            waiting.append(there)
    return reached


def _fillings(reached: dict[tuple[int, int], int], cells: np.ndarray) -> list[list[int]]:
    """Blobs of the grid's cells, for every basis and shift by which all of them were reached."""
    found = []
    for basis in _BASES:
        turned = (cells - cells[0]) @ basis.T
        for start in reached:
            order = [reached.get((start[0] + i, start[1] + j)) for i, j in turned.tolist()]
            filled = [blob for blob in order if blob is not None]
            if len(filled) == len(order):
                found.append(filled)
    return found
