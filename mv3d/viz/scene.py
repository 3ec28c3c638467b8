"""The 3D scene as plain arrays: skeleton, floor grid, cameras, world axes. No window and no Open3D in here."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.data.camera import Camera
from mv3d.data.poses import FILLED, Poses3D
from mv3d.data.rig import Rig
from mv3d.viz.body import extent, facing_direction, foot_height, up_direction
from mv3d.viz.colors import bone_colors, joint_colors
from mv3d.viz.mesh import Mesh, merged, spheres, tubes

BACKGROUND = (0.96, 0.965, 0.975)
"""RGB behind everything, in [0, 1]."""

# Feet further than this from z = 0 do not stand on the plane z = 0: then the grid is drawn at the feet.
_FLOOR_TOLERANCE_M = 0.3
_GRID_STEP_M = 0.5
_GRID_MARGIN_M = 1.5
_GRID_MOST_LINES = 40
_GRID_RGB = (0.80, 0.82, 0.85)
_GRID_METRE_RGB = (0.66, 0.69, 0.74)
_CAMERA_RGB = (0.33, 0.36, 0.42)
_AXES_RGB = ((0.85, 0.25, 0.22), (0.25, 0.65, 0.30), (0.20, 0.40, 0.85))
_AXIS_LENGTH_M = 0.3
# Share of a filled joint's colour that is replaced by the background's: filled parts look pale.
_PALE = 0.6
# Radii as shares of a person's trunk (shoulders to hips, about 0.5 m), so that dogs and giants look alike.
_BONE_RADIUS, _JOINT_RADIUS = 0.052, 0.07
_DEFAULT_TRUNK_M = 0.5
# Joints of the head and feet lie close together: they are drawn smaller.
_SMALL_PARTS = ("Eye", "Ear", "Nose", "Toe", "Heel", "Face_", "Hand_", "Thumb", "Index", "Middle", "Ring", "Pinky")


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Straight lines: segments (line, 2, 3) m, radius (line,) m, rgb (line, 3) in [0, 1]."""

    segments: np.ndarray
    radius: np.ndarray
    rgb: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class SkeletonGeometry:
    """The people of one frame. Joints that are missing are not in here.

    Attributes:
        joint_xyz: (joint, 3) m.
        joint_radius: (joint,) m.
        joint_rgb: (joint, 3) in [0, 1].
        bones: capsules between the joints.
    """

    joint_xyz: np.ndarray
    joint_radius: np.ndarray
    joint_rgb: np.ndarray
    bones: Lines

    def mesh(self) -> Mesh:
        """Shaded capsules."""
        joints = spheres(self.joint_xyz, self.joint_radius, self.joint_rgb)
        return merged([joints, tubes(self.bones.segments, self.bones.radius, self.bones.rgb)])


@dataclass(frozen=True, slots=True, eq=False)
class SceneGeometry:
    """All that stands still.

    Attributes:
        up: (3,) unit vector; +z unless the world was never aligned.
        facing: (3,) horizontal unit vector in which the person looks.
        extent: (2, 3) m, box of the person's movement.
        floor_height: m along `up` at which the grid lies.
        note: what a viewer should know about the floor; "" when the grid is at z = 0.
        grid, frusta, axes: lines.
        camera_names: in view order.
        camera_xyz: (view, 3) m, where each name is written: a little above the camera.
    """

    up: np.ndarray
    facing: np.ndarray
    extent: np.ndarray
    floor_height: float
    note: str
    grid: Lines
    frusta: Lines
    axes: Lines
    camera_names: tuple[str, ...]
    camera_xyz: np.ndarray

    def mesh(self) -> Mesh:
        """Grid, frusta and axes as thin tubes."""
        return merged([tubes(part.segments, part.radius, part.rgb, 6) for part in (self.grid, self.frusta, self.axes)])


def scene_geometry(rig: Rig, poses3d: Poses3D) -> SceneGeometry:
    """Everything but the people."""
    up = up_direction(rig, poses3d)
    facing = facing_direction(poses3d, up)
    box = extent(poses3d)
    height, note = _floor(poses3d, up)
    size = _frustum_size(rig, box)
    return SceneGeometry(
        up,
        facing,
        box,
        height,
        note,
        _grid(box, up, facing, height),
        camera_frusta(rig, size),
        _world_axes(up, height),
        rig.names,
        np.stack([camera.center - 0.75 * size * camera.R[1] for camera in rig]),
    )


def skeleton_geometry(poses3d: Poses3D, frame: int) -> SkeletonGeometry:
    """Spheres and capsules of everyone in one frame; filled parts are paler."""
    people = [_person(poses3d, frame, person) for person in range(poses3d.xyz.shape[1])]
    empty = SkeletonGeometry(np.zeros((0, 3)), np.zeros(0), np.zeros((0, 3)), _lines([]))
    people = [empty, *people]
    return SkeletonGeometry(
        np.concatenate([p.joint_xyz for p in people]),
        np.concatenate([p.joint_radius for p in people]),
        np.concatenate([p.joint_rgb for p in people]),
        _joined([p.bones for p in people]),
    )


def camera_frusta(rig: Rig, size: float) -> Lines:
    """Pyramids of `size` m from each camera's centre through its image corners, with a notch on the image's top."""
    return _joined([_frustum(camera, size) for camera in rig])


def _person(poses3d: Poses3D, frame: int, person: int) -> SkeletonGeometry:
    skeleton, xyz = poses3d.skeleton, poses3d.xyz[frame, person]
    there = np.isfinite(xyz).all(-1)
    is_filled = poses3d.state[frame, person] == FILLED
    trunk = _trunk_length(poses3d, person)
    small = np.array([any(part in name for part in _SMALL_PARTS) for name in skeleton.keypoints])
    size = trunk * np.where(small, 0.55, 1.0)
    bones = np.array([b for b in skeleton.bones if there[b[0]] and there[b[1]]], dtype=int).reshape(-1, 2)
    kept = np.array([bool(there[a] and there[b]) for a, b in skeleton.bones], dtype=bool)
    bone_rgb = _paled(bone_colors(skeleton)[kept], is_filled[bones].any(1))
    return SkeletonGeometry(
        xyz[there],
        _JOINT_RADIUS * size[there],
        _paled(joint_colors(skeleton), is_filled)[there],
        Lines(xyz[bones], _BONE_RADIUS * size[bones].min(1), bone_rgb),
    )


def _trunk_length(poses3d: Poses3D, person: int) -> float:
    """Median distance between hips and shoulders, m; half a metre where it is not known."""
    skeleton, xyz = poses3d.skeleton, poses3d.xyz[:, person]
    pairs = [skeleton.indices(pair) for pair in (("LShoulder", "LHip"), ("RShoulder", "RHip"))]
    lengths = [np.linalg.norm(xyz[:, p[0]] - xyz[:, p[1]], axis=-1) for p in pairs if len(p) == 2]
    finite = np.concatenate([np.zeros(0), *lengths])
    finite = finite[np.isfinite(finite)]
    return float(np.median(finite)) if len(finite) else _DEFAULT_TRUNK_M


def _paled(rgb: np.ndarray, is_filled: np.ndarray) -> np.ndarray:
    share = np.where(is_filled, _PALE, 0.0)[:, None]
    return rgb / 255 * (1 - share) + np.array(BACKGROUND) * share


def _floor(poses3d: Poses3D, up: np.ndarray) -> tuple[float, str]:
    """Height of the grid along `up`, and what to say about it."""
    feet = foot_height(poses3d, up)
    tilted = "" if up[2] > 0.999 else "up is the person's: z is not up in this world; "
    if not np.isfinite(feet) or (not tilted and abs(feet) <= _FLOOR_TOLERANCE_M):
        return 0.0, tilted.rstrip("; ")
    return feet, f"{tilted}floor drawn at the feet ({feet:+.2f} m, the world's is at 0)"


def _grid(box: np.ndarray, up: np.ndarray, facing: np.ndarray, height: float) -> Lines:
    """Square grid around the person, along the world's axes where z is up; every second line is a whole metre."""
    is_z_up = up[2] > 0.999
    u = np.array([1.0, 0, 0]) if is_z_up else facing
    v = np.cross(up, u)
    center = box.mean(0)
    reach = 0.5 * float(np.linalg.norm((box[1] - box[0]) - ((box[1] - box[0]) @ up) * up)) + _GRID_MARGIN_M
    metres = min(int(np.ceil(reach)), int(_GRID_MOST_LINES * _GRID_STEP_M / 2))
    middle = np.round([center @ u, center @ v])
    steps = np.arange(-metres, metres + _GRID_STEP_M / 2, _GRID_STEP_M)
    ends = np.array([-metres, metres], float)
    along_u = [[(middle[0] + e) * u + (middle[1] + s) * v for e in ends] for s in steps]
    along_v = [[(middle[0] + s) * u + (middle[1] + e) * v for e in ends] for s in steps]
    segments = np.array(along_u + along_v) + height * up
    is_metre = np.tile(np.isclose(steps, np.round(steps)), 2)
    rgb = np.where(is_metre[:, None], _GRID_METRE_RGB, _GRID_RGB)
    return Lines(segments, np.where(is_metre, 0.004, 0.0025), rgb)


def _world_axes(up: np.ndarray, height: float) -> Lines:
    """The world's x (red), y (green), z (blue) at its origin; on the grid where that lies above or below z = 0."""
    origin = height * up
    segments = [(origin, origin + _AXIS_LENGTH_M * axis) for axis in np.eye(3)]
    return _lines(segments, 0.009, _AXES_RGB)


def _frustum_size(rig: Rig, box: np.ndarray) -> float:
    """Length of the pyramids, m: a share of the cameras' distance, within what looks like a camera."""
    distance = float(np.median(np.linalg.norm(rig.centers - box.mean(0), axis=1)))
    return float(np.clip(0.09 * distance, 0.1, 0.5))


def _frustum(camera: Camera, size: float) -> Lines:
    tip = camera.center
    corners = tip + size * _corner_rays(camera)
    top_left, top_right = corners[0], corners[1]
    notch = 0.5 * (top_left + top_right) - 0.35 * np.linalg.norm(top_right - top_left) * camera.R[1]
    edges = [(tip, c) for c in corners] + [(corners[i], corners[(i + 1) % 4]) for i in range(4)]
    edges += [(0.7 * top_left + 0.3 * top_right, notch), (0.3 * top_left + 0.7 * top_right, notch)]
    return _lines(edges, 0.012 * size + 0.0015, [_CAMERA_RGB] * len(edges))


def _corner_rays(camera: Camera) -> Float[np.ndarray, "4 3"]:
    """Unit directions of the image corners; of the undistorted ones where the lens folds before the corner."""
    w, h = camera.size
    corners = np.array([[-0.5, -0.5], [w - 0.5, -0.5], [w - 0.5, h - 0.5], [-0.5, h - 0.5]])
    rays = camera.rays(corners)
    ideal = np.concatenate([corners, np.ones((4, 1))], axis=1) @ np.linalg.inv(camera.lens.K).T
    ideal = ideal / np.linalg.norm(ideal, axis=1, keepdims=True) @ camera.R
    return np.where(np.isfinite(rays), rays, ideal)


def _lines(segments: list, radius: float = 0.0, rgb: object = ()) -> Lines:
    count = len(segments)
    return Lines(
        np.array(segments, float).reshape(count, 2, 3),
        np.full(count, radius),
        np.array(rgb, float).reshape(count, 3),
    )


def _joined(parts: list[Lines]) -> Lines:
    return Lines(
        np.concatenate([p.segments for p in parts]),
        np.concatenate([p.radius for p in parts]),
        np.concatenate([p.rgb for p in parts]),
    )
