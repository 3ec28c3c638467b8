"""A person of the 3D result: the points as a file holds them, and which detection of each view shows them."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int

from mv3d.data.camera import Camera
from mv3d.data.poses import MEASURED, MISSING, Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.export.options import Placement
from mv3d.export.text_rows import blocks

# A detection further from the projected skeleton than this share of its height is somebody else.
_FAR_IN_HEIGHTS = 0.4


def points_in_file(
    poses: Poses3D, block: slice, person: int, placement: Placement
) -> Float[np.ndarray, "frame joint 3"]:
    """One person's joints of some frames in the axes and the unit of a file; NaN, all three, where missing."""
    here = poses.state[block, person] != MISSING
    return placement.points(np.where(here[..., None], poses.xyz[block, person], np.nan))


def frame_in_view(poses: Poses3D, poses2d: Poses2D, view: int) -> Int[np.ndarray, " frame"]:
    """For each 3D frame the frame of a view taken nearest to it in time; -1 where none is within half a frame.

    Args:
        poses: the 3D result, whose `time_offsets` say how the clock of the view differs.
        poses2d: the view's keypoints.
        view: its index.
    """
    times = poses.timestamps - poses.time_offsets[view]
    if not len(poses2d):
        return np.full(len(times), -1)
    right = np.clip(np.searchsorted(poses2d.timestamps, times), 1, max(len(poses2d) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(poses2d) - 1)
    to_left, to_right = (np.abs(poses2d.timestamps[side] - times) for side in (left, right))
    nearest = np.where(to_left <= to_right, left, right)
    half = 0.5 * float(np.median(np.diff(poses2d.timestamps))) if len(poses2d) > 1 else np.inf
    # Half a frame and the last digits of a time that went through a text file.
    return np.where(np.minimum(to_left, to_right) <= 1.001 * half, nearest, -1)


def points_of_person(
    poses: Poses3D, poses2d: Poses2D, camera: Camera | None, view: int, person: int = 0
) -> Float[np.ndarray, "frame joint 3"]:
    """x, y (px) and score of a person in one view, for each 3D frame; zeros where missing.

    Of several detections, the one nearest to the projected skeleton is taken, or none if all are far from it. Without
    a camera, or with a single detection, slot `person` is taken to be the person.
    """
    out = np.zeros((len(poses), len(poses.skeleton), 3))
    frames = frame_in_view(poses, poses2d, view)
    for block in blocks(len(poses)):
        shown = np.flatnonzero(frames[block] >= 0)
        k = frames[block][shown]
        slot = _slots(poses.xyz[block, person][shown], poses2d.xy[k], camera, person)
        shown, k, slot = shown[slot >= 0], k[slot >= 0], slot[slot >= 0]
        xy = np.nan_to_num(poses2d.xy[k, slot])
        out[block.start + shown] = np.concatenate([xy, poses2d.score[k, slot][..., None]], axis=-1)
    return out


def views_used(poses: Poses3D, rig: Rig, poses2d: Mapping[str, Poses2D]) -> Bool[np.ndarray, "frame person joint view"]:
    """Which cameras a measured point rests on: of those that saw it, the `n_views` in which it lies nearest.

    The 3D result holds the number of views only. Which they are follows from the keypoints: those that the others
    contradicted lie farthest from the projected point.
    """
    frames, people, joints = poses.state.shape
    used = np.zeros((frames, people, joints, len(poses.cameras)), bool)
    for person in range(people):
        distance = np.full((frames, joints, len(poses.cameras)), np.inf)
        for view, name in enumerate(poses.cameras):
            if name in poses2d and name in rig.names:
                seen = points_of_person(poses, poses2d[name], rig[name], view, person)
                apart = np.linalg.norm(seen[..., :2] - rig[name].project(poses.xyz_per_frame[:, person]), axis=-1)
                distance[..., view] = np.where((seen[..., 2] > 0) & np.isfinite(apart), apart, np.inf)
        rank = np.argsort(np.argsort(distance, axis=-1), axis=-1)
        used[:, person] = (rank < poses.n_views[:, person, :, None]) & np.isfinite(distance)
    return used & (poses.state == MEASURED)[..., None]


def _slots(x_world: np.ndarray, xy: np.ndarray, camera: Camera | None, person: int) -> np.ndarray:
    """Index of the detection (frame, detection, joint, 2) that is the person in each frame; -1 for none."""
    if camera is None or xy.shape[1] == 1:
        return np.full(len(xy), person if person < xy.shape[1] else -1)
    shown = camera.project(x_world)
    finite = np.asarray(np.isfinite(shown).all(-1))
    kept = np.where(finite[..., None], shown, np.nan)
    height = np.max(np.nan_to_num(_spread(kept)), axis=-1)
    medians = _median_of_finite(np.linalg.norm(xy - shown[:, None], axis=-1))
    best = np.argmin(medians, axis=1)
    near = np.take_along_axis(medians, best[:, None], axis=1)[:, 0] <= _FAR_IN_HEIGHTS * height
    return np.where(finite.any(-1) & near, best, -1)


def _spread(xy: np.ndarray) -> np.ndarray:
    """Width and height (frame, 2) of the finite points; -inf without any."""
    return np.fmax.reduce(xy, axis=1, initial=-np.inf) - np.fmin.reduce(xy, axis=1, initial=np.inf)


def _median_of_finite(values: np.ndarray) -> np.ndarray:
    """Median over the last axis without NaN; infinite where all are."""
    ordered = np.sort(values, axis=-1)  # NaN goes last
    count = np.isfinite(values).sum(-1)[..., None]
    middle = np.concatenate([np.maximum(count - 1, 0) // 2, np.minimum(count // 2, np.maximum(count - 1, 0))], axis=-1)
    return np.where(count[..., 0] > 0, np.take_along_axis(ordered, middle, axis=-1).mean(-1), np.inf)
