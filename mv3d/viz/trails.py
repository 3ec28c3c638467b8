"""Where the hands and feet have just been: lines that fade with age."""

import numpy as np
from jaxtyping import Float

from mv3d.data.poses import Poses3D
from mv3d.data.skeleton import Skeleton
from mv3d.viz.colors import BACKGROUND, joint_colors
from mv3d.viz.lines import Lines, lines
from mv3d.viz.people import BONE_RADIUS

_PREFERRED = ("LWrist", "RWrist", "LAnkle", "RAnkle")
# A trail is drawn with this many pieces at most: finer ones are not seen, and cost a picture's time.
_MOST_PIECES = 60
# Colour of the oldest piece, as the share of the background in it; and its radius as a share of the newest one's.
_OLDEST_PALE, _OLDEST_RADIUS = 0.85, 0.4
_RADIUS = 0.45  # of a bone's


def trail_joints(skeleton: Skeleton) -> tuple[int, ...]:
    """Wrists and ankles; for skeletons without them the ends of the bones, of which an animal has paws and a tail."""
    preferred = skeleton.indices(_PREFERRED)
    if preferred:
        return preferred
    uses = np.bincount(np.array(skeleton.bones, int).ravel(), minlength=len(skeleton))
    return tuple(int(j) for j in np.flatnonzero(uses == 1))


def trails(poses3d: Poses3D, frame: int, seconds: float, trunks: Float[np.ndarray, " person"]) -> Lines:
    """Trails of everyone up to a frame; broken where a joint was missing.

    Args:
        poses3d: the people.
        frame: the newest.
        seconds: length of the trails.
        trunks: (person,) m, see `mv3d.viz.people.trunk_lengths`.
    """
    joints = list(trail_joints(poses3d.skeleton))
    shown = _frames(poses3d.timestamps, frame, seconds)
    people = poses3d.xyz.shape[1]
    if len(shown) < 2 or not joints or not people:
        return lines([])
    path = poses3d.xyz[shown][:, :, joints]
    pieces = np.stack([path[:-1], path[1:]], axis=-2)
    age = (poses3d.timestamps[frame] - poses3d.timestamps[shown[1:]]) / seconds
    age = np.broadcast_to(age[:, None, None], pieces.shape[:3])
    rgb = np.broadcast_to(joint_colors(poses3d.skeleton)[joints] / 255, (*pieces.shape[:3], 3))
    radius = _RADIUS * BONE_RADIUS * np.broadcast_to(trunks[None, :, None], age.shape)
    pale = (_OLDEST_PALE * age)[..., None]
    there = np.isfinite(pieces).all((-2, -1))
    return Lines(
        pieces[there],
        (radius * (1 - (1 - _OLDEST_RADIUS) * age))[there],
        (rgb * (1 - pale) + np.array(BACKGROUND) * pale)[there],
    )


def _frames(timestamps: np.ndarray, frame: int, seconds: float) -> np.ndarray:
    """Frames of the trail, oldest first, thinned on a raster of frame numbers so that a trail does not shimmer."""
    first = int(np.searchsorted(timestamps, timestamps[frame] - seconds))
    step = -(-(frame - first + 1) // _MOST_PIECES)
    raster = np.arange(-(-first // step) * step, frame + 1, step)
    return raster if len(raster) and raster[-1] == frame else np.append(raster, frame)
