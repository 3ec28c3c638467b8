"""Keypoints as detectors get them wrong: biased, correlated in time, bursts, drifts, swapped sides, late cameras.

`mv3d.synthetic.observations` draws every error anew in every frame. Real detectors do not: an error stays for many
frames, and two views can be wrong at once. Everything here is set in one `Faults`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.interpolate import CubicSpline

from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton

_LEGS = ("Hip", "Knee", "Ankle", "BigToe", "SmallToe", "Heel")
# Correct and wrong joints overlap in score: detectors know little of their own errors.
_SCORES, _WRONG_SCORES = (0.5, 0.95), (0.3, 0.8)


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with the keypoints; all off but white noise.

    Attributes:
        noise_px: white noise, standard deviation of each coordinate.
        bias_px: constant error of each joint in each view, standard deviation of each coordinate.
        correlated_px: error that changes slowly (first-order Gauss-Markov), standard deviation of each coordinate.
        correlation_frames: frames over which that error falls to 1/e of its correlation.
        missing: share of joints that are not reported.
        missing_frames: mean length of such a gap; 1 draws every frame anew.
        wrong: share of joints that lie off by `wrong_px`.
        wrong_px: least and greatest distance of a wrong joint.
        wrong_frames: mean length; a joint stays off by the same vector all along.
        leg_swap: share of frames in which a view swaps the joints of the legs.
        body_swap: share of frames in which a view mirrors the whole body.
        swap_frames: mean length of a swap.
        blackout_s: each joint once goes unseen by all views for this long, at a time of its own.
        offset_frames: each camera's clock is off by a uniform draw from 0 to this; their mean is taken off, so that no
            method is charged for a common shift, which nothing can tell.
    """

    noise_px: float = 2.0
    bias_px: float = 0.0
    correlated_px: float = 0.0
    correlation_frames: float = 10.0
    missing: float = 0.10
    missing_frames: float = 1.0
    wrong: float = 0.05
    wrong_px: tuple[float, float] = (40.0, 300.0)
    wrong_frames: float = 1.0
    leg_swap: float = 0.0
    body_swap: float = 0.0
    swap_frames: float = 10.0
    blackout_s: float = 0.0
    offset_frames: float = 0.0


def detect(
    rig: Rig,
    xyz: Float[np.ndarray, "frame joint 3"],
    timestamps: Float[np.ndarray, " frame"],
    skeleton: Skeleton,
    faults: Faults,
    seed: int = 0,
) -> tuple[Float[np.ndarray, "frame view joint 2"], Float[np.ndarray, "frame view joint"]]:
    """One person's keypoints in all views.

    Args:
        rig: the true cameras.
        xyz: the person, world, m.
        timestamps: s, evenly spaced.
        skeleton: names of the joints, for swaps.
        faults: what goes wrong.
        seed: of everything random.

    Returns:
        Pixels, NaN where missing or outside the image, and scores, 0 where missing.
    """
    rng = np.random.default_rng([seed, 1])
    shape = (len(xyz), len(rig), len(skeleton))
    exact = _late_projections(rig, xyz, timestamps, faults, rng)
    size = np.array([camera.size for camera in rig], float)[:, None]
    inside = ((exact >= 0) & (exact <= size - 1)).all(-1)
    xy = exact + _noise(shape, faults, rng)
    xy, scrambled = _swapped(xy, skeleton, faults, rng)
    wrong, offset = _wrong(shape, faults, rng)
    xy = np.where(wrong[..., None], np.clip(xy + offset, 0, size - 1), xy)
    score = np.where(wrong | scrambled, rng.uniform(*_WRONG_SCORES, shape), rng.uniform(*_SCORES, shape))
    gone = episodes(shape, faults.missing, faults.missing_frames, rng) | _blackout(shape, timestamps, faults, rng)
    lost = gone | ~inside
    return np.where(lost[..., None], np.nan, xy), np.where(lost, 0.0, score)


def episodes(
    shape: tuple[int, ...], share: float, length: float, rng: np.random.Generator
) -> Bool[np.ndarray, "frame ..."]:
    """A two-state Markov chain along the first axis: true for `share` of the frames, `length` at a time on average."""
    if share <= 0:
        return np.zeros(shape, bool)
    leave = 1 / max(length, 1.0)
    enter = min(1.0, leave * share / (1 - share))
    if length <= 1:
        return rng.random(shape) < share
    out = np.empty(shape, bool)
    state = rng.random(shape[1:]) < share
    for frame in range(shape[0]):
        draw = rng.random(shape[1:])
        state = np.where(state, draw > leave, draw < enter)
        out[frame] = state
    return out


def _late_projections(
    rig: Rig, xyz: np.ndarray, timestamps: np.ndarray, faults: Faults, rng: np.random.Generator
) -> np.ndarray:
    """Exact pixels (frame, view, joint, 2) of what each camera saw at its own instant."""
    if faults.offset_frames <= 0:
        return np.stack([camera.project(xyz) for camera in rig], axis=1)
    interval = float(np.median(np.diff(timestamps)))
    offsets = rng.uniform(0, faults.offset_frames, len(rig)) * interval
    motion = CubicSpline(timestamps, xyz)
    late = timestamps[:, None] + offsets - offsets.mean()
    return np.stack([camera.project(motion(late[:, v])) for v, camera in enumerate(rig)], axis=1)


def _noise(shape: tuple[int, int, int], faults: Faults, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(0, faults.noise_px, (*shape, 2)) + rng.normal(0, faults.bias_px, (*shape[1:], 2))
    if faults.correlated_px > 0:
        keep = np.exp(-1 / faults.correlation_frames)
        kicks = rng.normal(0, faults.correlated_px, (*shape, 2))
        kicks[1:] *= np.sqrt(1 - keep**2)
        for frame in range(1, shape[0]):
            kicks[frame] += keep * kicks[frame - 1]
        noise += kicks
    return noise


def _swapped(
    xy: np.ndarray, skeleton: Skeleton, faults: Faults, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Left and right exchanged in some views for some frames, and where (frame, view, joint)."""
    legs = np.zeros(len(skeleton), bool)
    legs[list(skeleton.indices(tuple(side + name for side in "RL" for name in _LEGS)))] = True
    sided = skeleton.mirror != np.arange(len(skeleton))
    where = np.zeros(xy.shape[:3], bool)
    for share, joints in ((faults.leg_swap, legs), (faults.body_swap, sided)):
        during = episodes(xy.shape[:2], share, faults.swap_frames, rng)[..., None] & joints
        xy = np.where(during[..., None], xy[:, :, skeleton.mirror], xy)
        where |= during
    return xy, where


def _wrong(shape: tuple[int, int, int], faults: Faults, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which joints are wrong, and by what vector (px), which stays the same from the start of an episode to its end."""
    wrong = episodes(shape, faults.wrong, faults.wrong_frames, rng)
    distance, angle = rng.uniform(*faults.wrong_px, shape), rng.uniform(0, 2 * np.pi, shape)
    offset = distance[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    if faults.wrong_frames > 1:
        starts = wrong & ~np.concatenate([np.zeros_like(wrong[:1]), wrong[:-1]])
        start = np.maximum.accumulate(np.where(starts, np.arange(shape[0])[:, None, None], 0), axis=0)
        offset = np.take_along_axis(offset, start[..., None], axis=0)
    return wrong, offset


def _blackout(
    shape: tuple[int, int, int], timestamps: np.ndarray, faults: Faults, rng: np.random.Generator
) -> np.ndarray:
    """(frame, 1, joint): all views lose the joint for `blackout_s`."""
    if faults.blackout_s <= 0 or not len(timestamps):
        return np.zeros((shape[0], 1, shape[2]), bool)
    latest = max(float(timestamps[-1]) - faults.blackout_s, 0.0)
    start = rng.uniform(0, latest, shape[2])
    return ((timestamps[:, None] >= start) & (timestamps[:, None] < start + faults.blackout_s))[:, None]
