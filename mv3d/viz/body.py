"""Which way is up, where the person faces and where the floor is: what a good view of the scene needs to know."""

import numpy as np
from jaxtyping import Float

from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton

# Cosine of the angle (60 degrees) to +z up to which the cameras or the body are taken to agree that z is up.
_AGREES_WITH_Z = 0.5
# The soles are this far below the ankles of an adult; used where the skeleton has no feet.
_ANKLE_HEIGHT_M = 0.08
# The low end of the feet's heights over time; not the minimum, which a single bad frame would set.
_LOW_PERCENTILE = 5


def up_direction(rig: Rig, poses3d: Poses3D) -> Float[np.ndarray, "3"]:
    """Unit vector that is up in the world.

    +z where the cameras' own up or the person's trunk says about the same; else, in a world that was never aligned,
    the mean direction from hips to shoulders, or that of the cameras where the person has none.
    """
    trunk = _trunk_axis(poses3d)
    cameras = _unit(np.mean([-camera.R[1] for camera in rig], axis=0))
    found = [axis for axis in (cameras, trunk) if axis is not None]
    if not found or any(axis[2] > _AGREES_WITH_Z for axis in found):
        return np.array([0.0, 0.0, 1.0])
    return trunk if trunk is not None else found[0]


def facing_direction(poses3d: Poses3D, up: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """Horizontal unit vector in which the person faces, over time; any horizontal one where that is not known."""
    xyz = _performer(poses3d)
    left = _center(xyz, poses3d.skeleton, ("LShoulder", "LHip"))
    right = _center(xyz, poses3d.skeleton, ("RShoulder", "RHip"))
    facing = np.cross(left - right, up)
    facing = facing[np.isfinite(facing).all(-1)]
    forward = _unit(facing.sum(0)) if len(facing) else None
    return forward if forward is not None else _any_horizontal(up)


def foot_height(poses3d: Poses3D, up: Float[np.ndarray, "3"]) -> float:
    """Lowest height (m, along `up`) at which the soles stay for some time; NaN without legs."""
    skeleton, xyz = poses3d.skeleton, _performer(poses3d)
    soles = skeleton.indices(("LHeel", "RHeel", "LBigToe", "RBigToe"))
    ankles = skeleton.indices(("LAnkle", "RAnkle"))
    heights = np.concatenate([xyz[:, soles] @ up, xyz[:, ankles] @ up - _ANKLE_HEIGHT_M], axis=1)
    finite = heights[np.isfinite(heights)]
    return float(np.percentile(finite, _LOW_PERCENTILE)) if len(finite) else float("nan")


def extent(poses3d: Poses3D) -> Float[np.ndarray, "2 3"]:
    """Box (lowest, highest corner) in m that holds nearly all joints of all frames; a metre around 0 when empty."""
    points = _performer(poses3d).reshape(-1, 3)
    points = points[np.isfinite(points).all(-1)]
    if not len(points):
        return np.array([[-0.5, -0.5, 0.0], [0.5, 0.5, 1.0]])
    # A few wild joints must not make the person small in the picture.
    return np.percentile(points, [1, 99], axis=0)


def _performer(poses3d: Poses3D) -> np.ndarray:
    """Joints (frame, joint, 3) of person 0; no frames when there is nobody."""
    return poses3d.xyz[:, 0] if poses3d.xyz.shape[1] else np.zeros((0, len(poses3d.skeleton), 3))


def _trunk_axis(poses3d: Poses3D) -> np.ndarray | None:
    xyz = _performer(poses3d)
    shoulders = _center(xyz, poses3d.skeleton, ("LShoulder", "RShoulder"))
    hips = _center(xyz, poses3d.skeleton, ("LHip", "RHip"))
    axis = shoulders - hips
    axis = axis[np.isfinite(axis).all(-1)]
    return _unit(np.median(axis, axis=0)) if len(axis) else None


def _center(xyz: np.ndarray, skeleton: Skeleton, names: tuple[str, ...]) -> np.ndarray:
    """Mean (frame, 3) of some joints; NaN where one is missing or unknown to the skeleton."""
    indices = skeleton.indices(names)
    return xyz[:, indices].mean(1) if len(indices) == len(names) else np.full((len(xyz), 3), np.nan)


def _unit(v: np.ndarray) -> np.ndarray | None:
    length = float(np.linalg.norm(v))
    return v / length if length > 1e-6 else None


def _any_horizontal(up: np.ndarray) -> np.ndarray:
    axis = np.eye(3)[int(np.argmin(np.abs(up)))]
    across = axis - (axis @ up) * up
    return across / np.linalg.norm(across)
