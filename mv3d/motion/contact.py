"""Feet on the floor: when heel and toes rest, where they rest, and that they are not below the floor.

Nothing is planted that the keypoints do not show resting: a foot that slides, slides. A rest lasts while a foot's point
is slow and stays within a small circle; there it is wanted at the median of its places. The floor is only known where z
is up; it is z = 0 if the lowest rests are near it, else their height.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from mv3d.data.poses import MISSING, Poses3D
from mv3d.motion.model import Body
from mv3d.motion.observed import Targets

_FEET = tuple(side + name for side in "LR" for name in ("Heel", "BigToe", "SmallToe"))


@dataclass(frozen=True, slots=True)
class ContactConfig:
    """When a foot rests.

    Attributes:
        enabled: whether feet are looked at.
        speed: m/s below which a point may rest.
        circle: m around the middle of a rest that it may leave by no more.
        shortest_s: of a rest.
        smoothing_s: over which places are averaged before their speed is taken.
        sigma: m, how firmly a resting point is held.
        floor_band: m around z = 0 in which the lowest rests say that the floor is there.
    """

    enabled: bool = True
    speed: float = 0.25
    circle: float = 0.025
    shortest_s: float = 0.1
    smoothing_s: float = 0.1
    sigma: float = 0.0015
    floor_band: float = 0.06


@dataclass(frozen=True, slots=True, eq=False)
class Contacts:
    """Rests of the foot points.

    Attributes:
        sites: indices of the foot points among the body's sites.
        resting: (frame, foot point).
        place: (frame, foot point, 3) m, where it rests; zeros elsewhere.
        weight: (frame, foot point) 1/m2, fading at both ends of a rest.
        floor: m, height of the floor; None where it is not known.
    """

    sites: tuple[int, ...]
    resting: np.ndarray
    place: np.ndarray
    weight: np.ndarray
    floor: float | None


def foot_contacts(poses: Poses3D, person: int, body: Body, config: ContactConfig) -> Contacts:
    """Find the rests of one person's heels and toes; none where there are no such keypoints."""
    skeleton = poses.skeleton
    sites = tuple(i for i, s in enumerate(body.sites) if skeleton.keypoints[s.keypoint] in _FEET)
    sites = sites if config.enabled else ()
    keypoints = [body.sites[i].keypoint for i in sites]
    xyz = poses.xyz[:, person][:, keypoints]
    there = poses.state[:, person][:, keypoints] != MISSING
    resting, place, weight = np.zeros(there.shape, bool), np.zeros(xyz.shape), np.zeros(there.shape)
    interval = float(np.median(np.diff(poses.timestamps))) if len(poses) > 1 else 1.0
    for i in range(len(sites)):
        for rest in _rests(xyz[:, i], there[:, i], interval, config):
            middle = np.median(xyz[rest, i], axis=0)
            rest = _extended(rest, xyz[:, i], middle, config.circle, resting[:, i])
            resting[rest, i], place[rest, i] = True, middle
            weight[rest, i] = config.sigma**-2 * _fading(rest.stop - rest.start)
    floor = _floor(xyz, place, resting, config) if sites and _stands_upright(poses, person) else None
    if floor is not None:
        place[..., 2] = np.where(resting, np.maximum(place[..., 2], floor), 0.0)
    return Contacts(sites, resting, place, weight, floor)


def with_contacts(part: Targets, contacts: Contacts, frames: slice) -> Targets:
    """Targets of these frames with foot points drawn to where they rest, and none below the floor."""
    if not contacts.sites:
        return part
    sites = list(contacts.sites)
    position, information = part.position.copy(), part.information.copy()
    x, W = position[:, sites], information[:, sites]
    if contacts.floor is not None:
        measured = np.trace(W, axis1=-2, axis2=-1) > 0
        x[..., 2] = np.where(measured, np.maximum(x[..., 2], contacts.floor), x[..., 2])
    rest, place = contacts.weight[frames, :, None, None] * np.eye(3), contacts.place[frames]
    total = W + rest
    held = contacts.weight[frames] > 0
    both = (W @ x[..., None] + rest @ place[..., None])[held]
    x[held] = np.linalg.solve(total[held], both)[..., 0]
    position[:, sites], information[:, sites] = x, total
    return replace(part, position=position, information=information)


def _rests(
    xyz: Float[np.ndarray, "frame 3"], there: Bool[np.ndarray, " frame"], interval: float, config: ContactConfig
) -> list[slice]:
    """Stretches of frames in which a point rests."""
    half = max(1, round(config.smoothing_s / interval / 2))
    smooth = _moving_mean(np.where(there[:, None], xyz, np.nan), half)
    speed = np.full(len(xyz), np.inf)
    speed[1:-1] = np.linalg.norm(smooth[2:] - smooth[:-2], axis=-1) / (2 * interval)
    slow = np.flatnonzero((np.nan_to_num(speed, nan=np.inf) < config.speed) & there)
    out, least = [], max(3, round(config.shortest_s / interval))
    for run in np.split(slow, np.flatnonzero(np.diff(slow) > 1) + 1):
        out += _circles(run, smooth, config.circle, least)
    return out


def _circles(run: np.ndarray, smooth: np.ndarray, circle: float, least: int) -> list[slice]:
    """A run of slow frames, cut where the point has left the circle around the mean of its places since the cut."""
    out, first, total = [], 0, np.zeros(3)
    for i, frame in enumerate(run.tolist()):
        middle = (total + smooth[frame]) / (i - first + 1)
        if np.linalg.norm(smooth[frame] - middle) > circle:
            out.append((first, i))
            first, total = i, np.zeros(3)
        total = total + smooth[frame]
    out.append((first, len(run)))
    return [slice(int(run[a]), int(run[b - 1]) + 1) for a, b in out if b - a >= least]


def _moving_mean(xyz: np.ndarray, half: int) -> np.ndarray:
    """Mean over 2 half + 1 frames of what is there; NaN where nothing is."""
    there = np.isfinite(xyz).all(axis=-1, keepdims=True)
    padded = np.pad(np.where(there, xyz, 0.0), ((half + 1, half), (0, 0)))
    counts = np.pad(there.astype(float), ((half + 1, half), (0, 0)))
    width = 2 * half + 1
    sums, number = (np.cumsum(v, axis=0) for v in (padded, counts))
    with np.errstate(invalid="ignore"):
        return (sums[width:] - sums[:-width]) / (number[width:] - number[:-width])


def _extended(rest: slice, xyz: np.ndarray, middle: np.ndarray, circle: float, taken: np.ndarray) -> slice:
    """A rest with the frames before and after in which the point is still there: averages start and end late."""
    near = (np.linalg.norm(xyz - middle, axis=-1) < circle / 2) & ~taken
    first, last = rest.start, rest.stop
    while first > 0 and near[first - 1]:
        first -= 1
    while last < len(near) and near[last]:
        last += 1
    return slice(first, last)


def _fading(count: int) -> np.ndarray:
    """1 within a rest, less in the two frames at either end of it."""
    from_end = np.minimum(np.arange(count), np.arange(count)[::-1]) + 1.0
    return np.minimum(1.0, from_end / 3)


def _stands_upright(poses: Poses3D, person: int) -> bool:
    """Whether shoulders are mostly above feet along z."""
    index = {name: i for i, name in enumerate(poses.skeleton.keypoints)}
    upper, lower = ([index[s + name] for s in "LR" if s + name in index] for name in ("Shoulder", "Heel"))
    if not upper or not lower:
        return False
    x = poses.xyz[:, person]
    way = (x[:, upper] - x[:, lower]).mean(1)
    way = way[np.isfinite(way).all(axis=-1)]
    steep = way[:, 2] / np.linalg.norm(way, axis=-1)
    return bool(len(way) and np.median(steep) > np.cos(np.radians(35)))


def _floor(xyz: np.ndarray, place: np.ndarray, resting: np.ndarray, config: ContactConfig) -> float | None:
    heights = place[resting][:, 2] if resting.any() else xyz[np.isfinite(xyz).all(axis=-1)][:, 2]
    if not len(heights):
        return None
    # Points of a foot are a finger's breadth above the sole, and some rests are on something higher.
    lowest = float(np.percentile(heights, 10))
    if abs(lowest) < config.floor_band:
        return 0.0
    return lowest if resting.any() else None
