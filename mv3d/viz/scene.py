"""What stands still in the 3D scene, as plain arrays: floor grid, cameras, world axes. No window, no Open3D in here."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from mv3d.data.camera import Camera
from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.viz.body import extent, facing_direction, foot_height, up_direction
from mv3d.viz.lines import Lines, joined, lines
from mv3d.viz.people import trunk_lengths

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
# Up, floor and extent are told from this many frames at most, spread over all: an hour has 200 thousand.
_MOST_FRAMES = 2000


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
        frustum_size: m, length of the cameras' pyramids.
        trunks: (person,) m, by which the people's limbs are as thick as they are.
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
    frustum_size: float
    trunks: np.ndarray
    camera_names: tuple[str, ...]
    camera_xyz: np.ndarray


def scene_geometry(rig: Rig, poses3d: Poses3D) -> SceneGeometry:
    """Everything but the people."""
    poses3d = some_frames(poses3d)
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
        size,
        trunk_lengths(poses3d),
        rig.names,
        np.stack([camera.center - 0.75 * size * camera.R[1] for camera in rig]),
    )


def some_frames(poses3d: Poses3D, most: int = _MOST_FRAMES) -> Poses3D:
    """At most `most` frames, evenly spread over all."""
    chosen = frames_spread(len(poses3d), most)
    if len(chosen) == len(poses3d):
        return poses3d
    over_time = ("xyz", "score", "reprojection_error", "n_views", "covariance", "state", "xyz_per_frame", "timestamps")
    return replace(poses3d, **{name: getattr(poses3d, name)[chosen] for name in over_time})


def frames_spread(count: int, most: int) -> Int[np.ndarray, " chosen"]:
    """Numbers of at most `most` of `count` frames, evenly spread, first and last included."""
    return np.arange(count) if count <= most else np.linspace(0, count - 1, most).round().astype(int)


def camera_frusta(rig: Rig, size: float, edge: float = 1.0) -> Lines:
    """Pyramids from each camera's centre through its image corners, with a notch on the image's top.

    Args:
        rig: the cameras.
        size: m, length of the pyramids' edges.
        edge: factor of the lines' radius.
    """
    return joined([_frustum(camera, size, edge) for camera in rig])


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
    return lines(segments, 0.009, _AXES_RGB)


def _frustum_size(rig: Rig, box: np.ndarray) -> float:
    """Length of the pyramids, m: a share of the cameras' distance, within what looks like a camera."""
    distance = float(np.median(np.linalg.norm(rig.centers - box.mean(0), axis=1)))
    return float(np.clip(0.09 * distance, 0.1, 0.5))


def _frustum(camera: Camera, size: float, edge: float) -> Lines:
    tip = camera.center
    corners = tip + size * _corner_rays(camera)
    top_left, top_right = corners[0], corners[1]
    notch = 0.5 * (top_left + top_right) - 0.35 * np.linalg.norm(top_right - top_left) * camera.R[1]
    edges = [(tip, c) for c in corners] + [(corners[i], corners[(i + 1) % 4]) for i in range(4)]
    edges += [(0.7 * top_left + 0.3 * top_right, notch), (0.3 * top_left + 0.7 * top_right, notch)]
    return lines(edges, edge * (0.012 * size + 0.0015), [_CAMERA_RGB] * len(edges))


def _corner_rays(camera: Camera) -> Float[np.ndarray, "4 3"]:
    """Unit directions of the image corners; of the undistorted ones where the lens folds before the corner."""
    w, h = camera.size
    corners = np.array([[-0.5, -0.5], [w - 0.5, -0.5], [w - 0.5, h - 0.5], [-0.5, h - 0.5]])
    rays = camera.rays(corners)
    ideal = np.concatenate([corners, np.ones((4, 1))], axis=1) @ np.linalg.inv(camera.lens.K).T
    ideal = ideal / np.linalg.norm(ideal, axis=1, keepdims=True) @ camera.R
    return np.where(np.isfinite(rays), rays, ideal)
