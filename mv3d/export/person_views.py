"""Which detection of each view shows a person of the 3D result."""

import numpy as np
from jaxtyping import Float, Int

from mv3d.data.camera import Camera
from mv3d.data.poses import Poses2D, Poses3D

# A detection further from the projected skeleton than this share of its height is somebody else.
_FAR_IN_HEIGHTS = 0.4


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
    for i, k in enumerate(frame_in_view(poses, poses2d, view)):
        if k < 0:
            continue
        slot = _slot(poses.xyz[i, person], poses2d.xy[k], camera, person)
        if slot is not None:
            out[i, :, :2], out[i, :, 2] = np.nan_to_num(poses2d.xy[k, slot]), poses2d.score[k, slot]
    return out


def _slot(x_world: np.ndarray, xy: np.ndarray, camera: Camera | None, person: int) -> int | None:
    if camera is None or len(xy) == 1:
        return person if person < len(xy) else None
    shown = camera.project(x_world)
    if not np.isfinite(shown).any():
        return None
    height = np.ptp(shown[np.isfinite(shown).all(-1)], axis=0).max()
    distance = np.linalg.norm(xy - shown, axis=-1)
    medians = [np.median(d[np.isfinite(d)]) if np.isfinite(d).any() else np.inf for d in distance]
    best = int(np.argmin(medians))
    return best if medians[best] <= _FAR_IN_HEIGHTS * height else None
