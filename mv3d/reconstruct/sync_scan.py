"""Large offsets between cameras: every pair is tried at whole lags, and the offsets that suit all pairs are chosen.

Three cameras of four may be off at once; then no camera's others agree among themselves, but every pair does at its
own lag. A pair's disagreement is how far the bearings miss each other across the epipolar plane.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.data.rig import Rig
from mv3d.reconstruct import sync_kernels as kernels
from mv3d.reconstruct.tracks import Track, on_grid

_Cost = dict[tuple[int, int], np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Result of the scan.

    Attributes:
        offsets: (view,) s, whole steps of the grid; the first view's is 0.
        lags: (lag,) s.
        cost: (view, lag) disagreement of a view with all others at their offsets, when it alone is moved by the lag.
    """

    offsets: np.ndarray
    lags: np.ndarray
    cost: np.ndarray


def scan_offsets(
    rig: Rig, tracks: list[Track], joints: list[int], max_offset_s: float, most_samples: int
) -> Scan | None:
    """Offsets of all views to the nearest frame.

    Args:
        rig: cameras in view order.
        tracks: keypoints by view.
        joints: that are compared.
        max_offset_s: largest offset between two cameras that is tried; never more than a third of the recording.
        most_samples: instants compared, spread evenly.

    Returns:
        None where the recording is too short for a single lag.
    """
    interval = min(track.interval for track in tracks)
    first, last = min(t.times[0] for t in tracks), max(t.times[-1] for t in tracks)
    reach = int(min(max_offset_s, (last - first) / 3) / interval) if np.isfinite(interval) else 0
    if reach < 1:
        return None
    grid = np.arange(first, last + 0.5 * interval, interval)
    bearings = [_bearings(rig, v, track, grid, joints) for v, track in enumerate(tracks)]
    frames = np.unique(np.linspace(0, len(grid) - 1, min(most_samples, len(grid))).astype(np.int64))
    lags = np.arange(-reach, reach + 1)
    cost = {pair: _pair_cost(rig, bearings, pair, frames, lags) for pair in itertools.combinations(range(len(rig)), 2)}
    offsets = _choose(cost, len(rig), reach)
    moved = np.stack([_view_costs(cost, offsets, v, reach) for v in range(len(rig))])
    return Scan(offsets * interval, lags * interval, moved)


def _bearings(
    rig: Rig, view: int, track: Track, grid: np.ndarray, joints: list[int]
) -> Float[np.ndarray, "time joint 3"]:
    own = rig[view].rays(track.xy[:, joints])
    there = on_grid(track, own, grid, 2.5 * track.interval)
    return np.ascontiguousarray(there / np.linalg.norm(there, axis=-1, keepdims=True))


def _pair_cost(
    rig: Rig, bearings: list[np.ndarray], pair: tuple[int, int], frames: np.ndarray, lags: np.ndarray
) -> Float[np.ndarray, " lag"]:
    """Cost of each lag of the pair's first view against the second; NaN where less than a tenth overlaps."""
    a, b = pair
    base = rig.centers[b] - rig.centers[a]
    length = float(np.linalg.norm(base))
    cost = np.full(len(lags), np.nan)
    if length > 0:
        fewest = max(30, len(frames) * bearings[a].shape[1] // 10)
        kernels.lag_costs(bearings[a], bearings[b], base / length, frames, lags, fewest, cost)
    return cost


def _relative(cost: _Cost, a: int, b: int, difference: np.ndarray, reach: int) -> Float[np.ndarray, " _"]:
    """Cost of pair (a, b) when offset b exceeds offset a by whole steps; the worst one known beyond the scan."""
    table = cost[min(a, b), max(a, b)]
    if not np.isfinite(table).any():
        return np.zeros(len(difference))
    at = difference if a < b else -difference
    inside = np.abs(at) <= reach
    values = table[np.clip(at, -reach, reach) + reach]
    return np.where(inside & np.isfinite(values), values, np.nanmax(table))


def _view_costs(cost: _Cost, offsets: np.ndarray, view: int, reach: int) -> Float[np.ndarray, " lag"]:
    """Mean cost of a view against all others for each of its own offsets around the chosen one."""
    candidates = offsets[view] + np.arange(-reach, reach + 1)
    others = [u for u in range(len(offsets)) if u != view]
    return np.mean([_relative(cost, u, view, candidates - offsets[u], reach) for u in others], axis=0)


def _choose(cost: _Cost, views: int, reach: int) -> np.ndarray:
    """Whole offsets of least total cost: grown from every view in turn, then improved one view at a time."""
    starts = [np.zeros(views, np.int64), *(_grown(cost, views, reach, root) for root in range(views))]
    improved = [_improved(cost, start, reach) for start in starts]
    best = min(improved, key=lambda offsets: _total(cost, offsets, reach))
    return best - best[0]


def _grown(cost: _Cost, views: int, reach: int, root: int) -> np.ndarray:
    """Views placed one by one against those that stand, the one with the clearest minimum first."""
    offsets, placed = np.zeros(views, np.int64), [root]
    while len(placed) < views:
        best = (-1.0, 0, 0)
        for v in set(range(views)) - set(placed):
            candidates = np.unique(np.concatenate([offsets[u] + np.arange(-reach, reach + 1) for u in placed]))
            total = np.mean([_relative(cost, u, v, candidates - offsets[u], reach) for u in placed], axis=0)
            clear = float(np.median(total) - total.min())
            if clear > best[0]:
                best = (clear, v, int(candidates[total.argmin()]))
        offsets[best[1]] = best[2]
        placed.append(best[1])
    return offsets


def _improved(cost: _Cost, offsets: np.ndarray, reach: int) -> np.ndarray:
    offsets = offsets.copy()
    for _ in range(10):
        before = offsets.copy()
        for v in range(len(offsets)):
            offsets[v] += int(_view_costs(cost, offsets, v, reach).argmin()) - reach
        if np.array_equal(before, offsets):
            break
    return offsets


def _total(cost: _Cost, offsets: np.ndarray, reach: int) -> float:
    return sum(float(_relative(cost, a, b, offsets[[b]] - offsets[a], reach)[0]) for a, b in cost)
