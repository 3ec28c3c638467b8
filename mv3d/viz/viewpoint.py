"""From where the scene is looked at: a pinhole without distortion, turned towards the person."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from mv3d.geometry.pinhole import project
from mv3d.geometry.rotations import look_along, rotation_from_vector
from mv3d.viz.scene import SceneGeometry

# Vertical field of view: that of a moderate lens, so that near limbs do not look huge.
_TANGENT = float(np.tan(np.deg2rad(38.0) / 2))
# Share of the picture's height that the person's movement fills; the rest is for the floor and the cameras.
_PERSON_SHARE = 0.5
# A three-quarter view shows front and side; eyes a little above the person's see the floor.
_AZIMUTHS_DEG = (38.0, -38.0, 25.0, -25.0, 52.0, -52.0, 65.0, -65.0)
_ELEVATION_DEG = 20.0
_NO_DISTORTION = np.zeros(0)


@dataclass(frozen=True, slots=True, eq=False)
class Viewpoint:
    """The eye of a picture of the scene.

    Attributes:
        eye: (3,) m.
        target: (3,) m, shown in the middle.
        up: (3,) unit vector towards the picture's top.
        size: (width, height) px.
        tangent: half the picture's height at a distance of 1.
    """

    eye: np.ndarray
    target: np.ndarray
    up: np.ndarray
    size: tuple[int, int]
    tangent: float = _TANGENT

    @property
    def K(self) -> Float[np.ndarray, "3 3"]:
        """Camera matrix, px; pixel centres at integers."""
        width, height = self.size
        focal = 0.5 * height / self.tangent
        return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])

    @property
    def eye_from_world(self) -> Float[np.ndarray, "4 4"]:
        """Rigid transform into the eye's frame: +x right, +y down, +z forward."""
        transform = np.eye(4)
        transform[:3, :3] = look_along(self.target - self.eye, self.up)
        transform[:3, 3] = -transform[:3, :3] @ self.eye
        return transform

    def project(self, x_world: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
        """Pixels of world points; NaN behind the eye."""
        transform = self.eye_from_world
        return project(x_world @ transform[:3, :3].T + transform[:3, 3], self.K, _NO_DISTORTION)

    def turned(self, angle: float) -> "Viewpoint":
        """The same after walking around the target by `angle` (rad) about `up`."""
        R = rotation_from_vector(angle * self.up)
        return replace(self, eye=self.target + R @ (self.eye - self.target))


def default_viewpoint(scene: SceneGeometry, size: tuple[int, int]) -> Viewpoint:
    """Front and side of the person and the whole movement in the picture.

    Of several such directions the one in which fewest cameras stand in front of the person, then most are shown.
    """
    views = [_viewpoint(scene, size, np.deg2rad(angle)) for angle in _AZIMUTHS_DEG]
    return max(views, key=lambda view: (-_cameras_in_the_way(view, scene), _cameras_shown(view, scene)))


def _viewpoint(scene: SceneGeometry, size: tuple[int, int], azimuth: float) -> Viewpoint:
    low, high = scene.extent
    corners = _corners(scene)
    target = corners.mean(0)
    around = rotation_from_vector(azimuth * scene.up) @ scene.facing
    elevation = np.deg2rad(_ELEVATION_DEG)
    direction = np.cos(elevation) * around + np.sin(elevation) * scene.up
    tallest = max(float(np.ptp(corners @ scene.up)), 0.3)
    widest = max(float(np.linalg.norm((high - low) - ((high - low) @ scene.up) * scene.up)), 0.3)
    slope = _TANGENT
    by_height = tallest / (2 * slope * _PERSON_SHARE)
    by_width = widest / (2 * slope * (size[0] / size[1]) * _PERSON_SHARE)
    # Half the movement's depth comes on top, so that its near side fits as well.
    distance = max(by_height, by_width) + 0.5 * widest
    return Viewpoint(target + distance * direction, target, scene.up, size)


def _corners(scene: SceneGeometry) -> np.ndarray:
    """The eight corners (8, 3) of the box of the movement."""
    low, high = scene.extent
    return np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])


def _cameras_shown(view: Viewpoint, scene: SceneGeometry) -> int:
    xy = view.project(scene.camera_xyz)
    return int(((xy >= 0) & (xy < np.array(view.size))).all(-1).sum())


def _cameras_in_the_way(view: Viewpoint, scene: SceneGeometry) -> int:
    """How many drawn cameras are nearer than the person and overlap it in the picture."""
    body = view.project(_corners(scene))
    low, high = np.nanmin(body, axis=0), np.nanmax(body, axis=0)
    count = len(scene.camera_names)
    points = np.concatenate([scene.frusta.segments.reshape(count, -1, 3), scene.camera_xyz[:, None]], axis=1)
    xy = view.project(points)
    forward = (view.target - view.eye) / np.linalg.norm(view.target - view.eye)
    is_nearer = ((points - view.target) @ forward < 0).all(1)
    with np.errstate(invalid="ignore"):
        first, last = np.fmin.reduce(xy, axis=1), np.fmax.reduce(xy, axis=1)
        overlaps = ((first < high) & (last > low)).all(-1)
    return int((is_nearer & overlaps).sum())
