"""Which detection of each view is the performer: chosen by geometry, followed over time.

A detector's confidence says nothing of who matters: a bystander near one camera scores highest there. Detections of
different views belong together when the rays of their joints meet; the performer is the person on whom the views
agree most.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.data.rig import Rig
from mv3d.geometry.triangulation import triangulate_robust
from mv3d.reconstruct.middle import middle_of_body
from mv3d.reconstruct.observations import Observations, observe
from mv3d.reconstruct.people_kernels import pair_agreements


@dataclass(frozen=True, slots=True)
class AssociationConfig:
    """Choosing the performer.

    Attributes:
        tolerance_m: distance between a joint's ray and the 3D joint at which support halves.
        least_support: a view's detection is the performer only if its joints support the 3D person with at least this
            share of their score.
        reach_m: joints farther than this from the person's middle are taken for errors.
        leap_m: a person whom fewer than two views show where they were expected is looked for up to this far from
            there; 0.5 m between frames at 30 frames/s is a sprinter's start.
        hold_s: a joint that was not seen for longer is no longer predicted; a person so lost is searched for anew.
        start_frames: in how many frames, spread over the recording, a first sight of the performer is sought.
        most_starts: pairs of detections of a frame that are tried as the performer, those that meet best; bounds the
            time of a frame in a crowd.
    """

    tolerance_m: float = 0.10
    least_support: float = 0.3
    reach_m: float = 1.5
    leap_m: float = 0.5
    hold_s: float = 0.5
    start_frames: int = 16
    most_starts: int = 500


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One person in one frame.

    Attributes:
        detections: for each view the index of its detection, or None.
        xyz: (joint, 3) m; NaN where fewer than two views agree.
        support: agreement of the views beyond what they must, in views summed over joints.
    """

    detections: tuple[int | None, ...]
    xyz: np.ndarray
    support: float


def find_performer(
    rig: Rig,
    xy: Sequence[Float[np.ndarray, "_ joint 2"]],
    score: Sequence[Float[np.ndarray, "_ joint"]],
    config: AssociationConfig,
) -> Sighting | None:
    """The person on whom the views agree most, from every pair of detections of two views as a start.

    Args:
        rig: the cameras.
        xy: for each view its detections, px.
        score: likewise, 0 where missing.

    Returns:
        None if no two views see a common person.
    """
    starts = [
        ((a, i), (b, k))
        for a, b in itertools.combinations(range(len(rig)), 2)
        for i in range(len(xy[a]))
        for k in range(len(xy[b]))
    ]
    if not starts:
        return None
    pooled = [observe(rig.subset([name]), xy[v][:, None], score[v][:, None]) for v, name in enumerate(rig.names)]
    meetings = _meet_pairs(rig, pooled, _best_starts(rig, pooled, starts, config), config)
    ranked = sorted((_join(rig, pooled, xyz, config) for xyz in meetings), key=lambda s: -s.support)
    best = [_refined(rig, xy, score, pooled, sighting, config) for sighting in ranked[:3]]
    best = [sighting for sighting in best if sum(d is not None for d in sighting.detections) >= 2]
    return max(best, key=lambda s: s.support, default=None)


def follow(
    rig: Rig,
    xy: Sequence[Float[np.ndarray, "_ joint 2"]],
    score: Sequence[Float[np.ndarray, "_ joint"]],
    predicted: Float[np.ndarray, "joint 3"],
    config: AssociationConfig,
) -> Sighting:
    """The detection of each view that agrees best with where the person is expected.

    Where fewer than two views agree, the person may have moved faster than expected: whoever the views agree on
    nearby is taken.
    """
    pooled = [observe(rig.subset([name]), xy[v][:, None], score[v][:, None]) for v, name in enumerate(rig.names)]
    sighting = _join(rig, pooled, predicted, config)
    if sum(d is not None for d in sighting.detections) < 2:
        other = find_performer(rig, xy, score, config)
        if other is not None and np.linalg.norm(middle_of_body(other.xyz - predicted)) < config.leap_m:
            return other
    xyz = triangulate_chosen(rig, *chosen_keypoints(xy, score, sighting.detections), config)
    return Sighting(sighting.detections, xyz, sighting.support)


def chosen_keypoints(
    xy: Sequence[np.ndarray], score: Sequence[np.ndarray], detections: Sequence[int | None]
) -> tuple[Float[np.ndarray, "view joint 2"], Float[np.ndarray, "view joint"]]:
    """Keypoints of one detection a view; NaN and 0 for views without one."""
    joints = xy[0].shape[1]
    out_xy, out_score = np.full((len(xy), joints, 2), np.nan), np.zeros((len(xy), joints))
    for v, d in enumerate(detections):
        if d is not None:
            out_xy[v], out_score[v] = xy[v][d], score[v][d]
    return out_xy, out_score


def triangulate_chosen(
    rig: Rig,
    xy: Float[np.ndarray, "view joint 2"],
    score: Float[np.ndarray, "view joint"],
    config: AssociationConfig,
) -> Float[np.ndarray, "joint 3"]:
    """Robust points of a single frame at the config's tolerance; NaN outside the person's reach."""
    one = observe(rig, xy[None], score[None])
    xyz = _triangulate(rig.centers, one.bearings[0], one.pixel_jacobians[0], one.score[0], config)
    return within_reach(xyz, config.reach_m)


def _best_starts(
    rig: Rig,
    pooled: list[Observations],
    starts: list[tuple[tuple[int, int], tuple[int, int]]],
    config: AssociationConfig,
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """All starts, or where there are too many those whose rays meet in most joints."""
    if len(starts) <= config.most_starts:
        return starts
    counts = np.array([len(observations.score) for observations in pooled])
    first, view = np.cumsum(counts) - counts, np.repeat(np.arange(len(rig)), counts)
    bearings, score = (
        np.concatenate([getattr(observations, name)[:, 0] for observations in pooled]) for name in ("bearings", "score")
    )
    agreement, common = np.zeros((len(view),) * 2), np.zeros((len(view),) * 2, np.int64)
    pair_agreements(config.tolerance_m, config.reach_m, rig.centers, bearings, score, view, agreement, common)
    met = np.array([agreement[first[a] + i, first[b] + k] for (a, i), (b, k) in starts])
    return [starts[s] for s in np.argsort(-met, kind="stable")[: config.most_starts]]


def _meet_pairs(
    rig: Rig,
    pooled: list[Observations],
    starts: list[tuple[tuple[int, int], tuple[int, int]]],
    config: AssociationConfig,
) -> Float[np.ndarray, "start joint 3"]:
    """Each start's joints triangulated from its two detections."""
    joints = pooled[0].score.shape[2]
    bearings = np.empty((len(starts), joints, 2, 3))
    jacobians, score = np.empty((len(starts), joints, 2, 2, 3)), np.empty((len(starts), joints, 2))
    centers = np.empty((len(starts), 2, 3))
    for s, pair in enumerate(starts):
        for side, (view, detection) in enumerate(pair):
            bearings[s, :, side] = pooled[view].bearings[detection, 0]
            jacobians[s, :, side] = pooled[view].pixel_jacobians[detection, 0]
            score[s, :, side] = pooled[view].score[detection, 0]
            centers[s, side] = rig.centers[view]
    xyz = np.empty((len(starts), joints, 3))
    for views in sorted({(a, b) for (a, _), (b, _) in starts}):
        of = [s for s, ((a, _), (b, _)) in enumerate(starts) if (a, b) == views]
        flat = [np.concatenate(list(array[of])) for array in (bearings, jacobians, score)]
        points, _, _ = triangulate_robust(rig.centers[list(views)], flat[0], flat[1], flat[2], angular_scale(flat[1]))
        xyz[of] = points.reshape(len(of), joints, 3)
    return np.stack([within_reach(points, config.reach_m) for points in xyz])


def angular_scale(pixel_jacobians: Float[np.ndarray, "*batch 2 3"]) -> Float[np.ndarray, "*batch"]:
    """Pixels of 0.02 rad: 10 cm at 5 m, whatever the lens. Used before the distance is known."""
    return np.maximum(np.linalg.norm(np.nan_to_num(pixel_jacobians), axis=(-2, -1)) / np.sqrt(2) * 0.02, 1.0)


def _triangulate(
    centers: np.ndarray, bearings: np.ndarray, jacobians: np.ndarray, score: np.ndarray, config: AssociationConfig
) -> np.ndarray:
    """(view, joint, ...) arrays of one frame -> (joint, 3), with the tolerance at the person's distance."""
    rows = [np.swapaxes(array, 0, 1) for array in (bearings, jacobians, score)]
    xyz, _, _ = triangulate_robust(centers, rows[0], rows[1], rows[2], angular_scale(rows[1]))
    depth = np.linalg.norm(middle_of_body(xyz) - centers, axis=1)
    if not np.isfinite(depth).all():
        return xyz
    scale = angular_scale(rows[1]) * (config.tolerance_m / 0.02 / depth)
    xyz, _, _ = triangulate_robust(centers, rows[0], rows[1], rows[2], scale)
    return xyz


def within_reach(xyz: Float[np.ndarray, "joint 3"], reach_m: float) -> Float[np.ndarray, "joint 3"]:
    """One person's joints without those that are far from the middle of them, which are errors."""
    far = ~(np.linalg.norm(xyz - middle_of_body(xyz), axis=-1) < reach_m)
    return np.where(far[:, None], np.nan, xyz)


def _join(rig: Rig, pooled: list[Observations], xyz: np.ndarray, config: AssociationConfig) -> Sighting:
    """The best detection of each view for a given 3D person, if it agrees well enough."""
    chosen: list[int | None] = []
    agreements = np.zeros((len(rig), len(xyz)))
    for view, observations in enumerate(pooled):
        offset = xyz - rig.centers[view]
        bearings, score = observations.bearings[:, 0], observations.score[:, 0]
        depth = np.einsum("djk,jk->dj", bearings, offset)
        distance2 = ((offset - depth[..., None] * bearings) ** 2).sum(-1)
        agreement = np.where(depth > 0, config.tolerance_m**2 / (config.tolerance_m**2 + distance2), 0.0)
        agreement = np.where(score > 0, np.nan_to_num(agreement), 0.0)
        support = (score * agreement).sum(1)
        possible = np.where(np.isfinite(xyz[:, 0]), score, 0.0).sum(1)
        best = int(np.argmax(support)) if len(support) else -1
        if best < 0 or support[best] <= config.least_support * max(possible[best], 1e-9):
            chosen.append(None)
            continue
        chosen.append(best)
        agreements[view] = agreement[best]
    return Sighting(tuple(chosen), xyz, _redundancy(agreements))


def _redundancy(agreements: Float[np.ndarray, "view joint"]) -> float:
    """How much the views agree beyond what they must, in views, summed over joints; scores have no say.

    Each view of a joint gives two numbers and the joint takes three, so one and a half views agree by themselves: two
    rays nearly always meet somewhere, four do not.
    """
    return float(np.maximum(agreements.sum(0) - 1.5, 0.0).sum())


def _refined(
    rig: Rig,
    xy: Sequence[np.ndarray],
    score: Sequence[np.ndarray],
    pooled: list[Observations],
    sighting: Sighting,
    config: AssociationConfig,
) -> Sighting:
    """Triangulate from all chosen views and choose again."""
    for _ in range(2):
        xyz = triangulate_chosen(rig, *chosen_keypoints(xy, score, sighting.detections), config)
        sighting = _join(rig, pooled, xyz, config)
    return sighting
