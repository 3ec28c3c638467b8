"""Virtual crops: a pinhole turned about a camera's own centre, so that it looks at a person and shows them upright.

Turning about the centre changes no line of sight, so a crop is a mere resampling of the source image, free of lens
distortion, and two crops of one camera are related by a homography whatever the scene.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mv3d.data.camera import Camera
from mv3d.data.checks import frozen_array
from mv3d.geometry.rotations import look_along
from mv3d.pose2d.preprocess import PAD_VALUE

# Source positions are computed every so many crop px and interpolated between: within 0.1 px even for wide lenses.
_GRID = 8
# Where the sine of the angle between up and the line of sight is less, the crop's roll would be noise.
_LEAST_SINE = 0.1
# A lens model folded back on itself maps far directions into the image; their way back ends elsewhere (rad).
_SAME_DIRECTION = 1e-3
_OUTSIDE = -1e4


@dataclass(frozen=True, slots=True)
class VirtualCamera:
    """A square pinhole view at a camera's centre.

    Attributes:
        camera: the source camera.
        R: rotation (3, 3), crop_from_world; rows are right, down and forward of the crop.
        focal: focal length px.
        size: side px, a multiple of 8; the optical axis meets the middle.
        pixels_per_metre: scale at the target's distance.
    """

    camera: Camera
    R: np.ndarray
    focal: float
    size: int
    pixels_per_metre: float

    def __post_init__(self) -> None:
        if self.size <= 0 or self.size % 8:
            raise ValueError(f"crop size {self.size} is not a positive multiple of 8")
        if not (np.isfinite(self.focal) and self.focal > 0):
            raise ValueError(f"crop focal length {self.focal} is not positive")
        object.__setattr__(self, "R", frozen_array("R of a crop", self.R, (3, 3)))

    @property
    def K(self) -> Float[np.ndarray, "3 3"]:
        """Camera matrix of the crop."""
        middle = (self.size - 1) / 2
        return np.array([[self.focal, 0, middle], [0, self.focal, middle], [0, 0, 1]])

    @property
    def P(self) -> Float[np.ndarray, "3 4"]:
        """Projection matrix K [R | -R c] from the world to crop px."""
        return self.K @ np.hstack([self.R, -self.R @ self.camera.center[:, None]])

    @property
    def metres_per_pixel(self) -> float:
        """Size of a crop px at the target's distance, m."""
        return 1 / self.pixels_per_metre


def make_crop(
    camera: Camera,
    target_world: Float[np.ndarray, "3"],
    up_world: Float[np.ndarray, "3"],
    pixels_per_metre: float,
    size: int,
) -> VirtualCamera:
    """The view of a camera towards a point.

    Args:
        camera: the source camera.
        target_world: the point in the middle of the crop, m.
        up_world: direction towards the top of the crop: the world's up, or the person's trunk. Where it is nearly the
            line of sight, the camera's own up is taken.
        pixels_per_metre: scale of the crop at the target.
        size: side of the crop px, a multiple of 8.

    Raises:
        ValueError: the target is not finite or lies in the camera's centre, or a size that is not positive.
    """
    sight = np.asarray(target_world, float) - camera.center
    distance = float(np.linalg.norm(sight))
    if not (np.isfinite(distance) and distance > 0):
        raise ValueError(f"camera {camera.name} cannot look at {target_world}")
    if not (np.isfinite(pixels_per_metre) and pixels_per_metre > 0):
        raise ValueError(f"{pixels_per_metre} pixels per metre is not a scale")
    R = look_along(sight, _usable_up(sight / distance, np.asarray(up_world, float), camera))
    return VirtualCamera(camera, R, pixels_per_metre * distance, size, pixels_per_metre)


def _usable_up(forward: np.ndarray, up: np.ndarray, camera: Camera) -> np.ndarray:
    """The first of up, the camera's up and the camera's forward axis that is not along the line of sight."""
    for axis in (up, -camera.R[1], camera.R[2]):
        length = np.linalg.norm(axis)
        if length > 0 and np.linalg.norm(np.cross(forward, axis)) > _LEAST_SINE * length:
            return axis
    raise AssertionError("two perpendicular axes cannot both be along the line of sight")


def to_source(crop: VirtualCamera, xy_crop: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
    """Source px of crop px; NaN behind the source camera and for NaN."""
    middle = (crop.size - 1) / 2
    flat = (np.asarray(xy_crop, float) - middle) / crop.focal
    rays = np.concatenate([flat, np.ones((*flat.shape[:-1], 1))], axis=-1)
    return crop.camera.lens.project(rays @ (crop.R @ crop.camera.R.T))


def to_crop(crop: VirtualCamera, xy_source: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
    """Crop px of source px; NaN behind the crop, where the lens folds, and for NaN."""
    rays = crop.camera.lens.unproject(np.asarray(xy_source, float)) @ (crop.camera.R @ crop.R.T)
    depth = np.where(rays[..., 2:] > 0, rays[..., 2:], np.nan)
    return crop.focal * rays[..., :2] / depth + (crop.size - 1) / 2


def crop_from_crop(to: VirtualCamera, source: VirtualCamera) -> Float[np.ndarray, "3 3"]:
    """Homography that takes px of one crop to px of another crop of the same camera.

    Raises:
        ValueError: the crops do not share their centre.
    """
    if not np.allclose(to.camera.center, source.camera.center, rtol=0, atol=1e-9):
        raise ValueError(f"crops of {to.camera.name} and {source.camera.name} do not share a centre")
    return to.K @ to.R @ source.R.T @ np.linalg.inv(source.K)


def outline(crop: VirtualCamera, points_per_side: int = 16) -> Float[np.ndarray, "n 2"]:
    """The crop's border as a polygon in source px, without a repeated end; for drawing."""
    along = np.arange(points_per_side) / points_per_side * crop.size - 0.5
    low, high = np.full(points_per_side, -0.5), np.full(points_per_side, crop.size - 0.5)
    back = crop.size - 1 - along
    x = np.concatenate([along, high, back, low])
    y = np.concatenate([low, along, high, back])
    return to_source(crop, np.stack([x, y], axis=-1))


def render(image: UInt8[np.ndarray, "height width 3"], crop: VirtualCamera) -> UInt8[np.ndarray, "size size 3"]:
    """What the crop sees; grey where the source image has no pixels.

    A crop that minifies is sampled from an image shrunk by area first, so that nothing aliases.

    Raises:
        ValueError: the image has another size than the source camera.
    """
    if (image.shape[1], image.shape[0]) != crop.camera.size:
        raise ValueError(
            f"image {image.shape[1]}x{image.shape[0]} of a camera of {crop.camera.size}; resize the camera"
        )
    positions, shrink = _source_positions(crop)
    small, origin = _shrunk_region(image, positions, shrink)
    if small.size == 0:
        return np.full((crop.size, crop.size, 3), PAD_VALUE, np.uint8)
    at = ((positions - origin + 0.5) / shrink - 0.5).astype(np.float32)
    grey = (PAD_VALUE,) * 3
    return cv2.remap(small, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=grey)  # type: ignore[call-overload]


def _source_positions(crop: VirtualCamera) -> tuple[Float[np.ndarray, "size size 2"], int]:
    """Source px of every crop px, and by what whole factor the crop minifies at its middle."""
    steps = np.arange(0, crop.size + _GRID, _GRID, dtype=float)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1)
    coarse = to_source(crop, grid)
    middle = len(steps) // 2
    seen = _is_seen(crop, grid, coarse)
    if seen[middle - 1 : middle + 1, middle - 1 : middle + 1].all():
        by_x, by_y = (coarse[middle, middle] - coarse[i] for i in ((middle, middle - 1), (middle - 1, middle)))
        area = abs(by_x[0] * by_y[1] - by_x[1] * by_y[0])
    else:
        area = 0.0
    positions = _interpolated(np.where(seen[..., None], coarse, 0), crop.size)
    unseen = _interpolated(np.where(seen, 0.0, 1.0), crop.size) > 0
    positions[unseen] = _OUTSIDE
    return positions, max(1, int(np.sqrt(area) / _GRID))


def _is_seen(crop: VirtualCamera, grid: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Whether crop px have a source px that leads back to them (a polynomial lens may fold far outside its image)."""
    seen = np.isfinite(source[..., 0] + source[..., 1])
    if not np.any(crop.camera.lens.dist):
        return seen
    width, height = crop.camera.size
    inside = seen & (source > -_GRID).all(-1) & (source < np.array([width, height]) + _GRID).all(-1)
    error = np.linalg.norm(to_crop(crop, source[inside]) - grid[inside], axis=-1)
    seen[inside] = error < _SAME_DIRECTION * crop.focal
    return seen


def _interpolated(coarse: np.ndarray, size: int) -> np.ndarray:
    """Linear interpolation of a grid of every 8 px to every px."""
    at = np.arange(size)
    cell, share = at // _GRID, (at % _GRID) / _GRID
    share_y = share.reshape(-1, *([1] * (coarse.ndim - 1)))
    rows = coarse[cell] * (1 - share_y) + coarse[cell + 1] * share_y
    share_x = share.reshape(1, -1, *([1] * (coarse.ndim - 2)))
    return rows[:, cell] * (1 - share_x) + rows[:, cell + 1] * share_x


def _shrunk_region(image: np.ndarray, positions: np.ndarray, shrink: int) -> tuple[np.ndarray, np.ndarray]:
    """The part of the image that the crop reads, shrunk by area, and the source px of its top left pixel."""
    size = np.array([image.shape[1], image.shape[0]])
    inside = ((positions > -1) & (positions < size)).all(-1)
    if not inside.any():
        return image[:0, :0], np.zeros(2)
    low = np.maximum(np.floor(positions[inside].min(0)).astype(int) - shrink, 0)
    high = np.minimum(np.ceil(positions[inside].max(0)).astype(int) + shrink + 1, size)
    high = low + np.maximum((high - low) // shrink, 1) * shrink
    region = image[low[1] : high[1], low[0] : high[0]]
    if shrink > 1:
        small = ((high - low) // shrink).tolist()
        region = cv2.resize(region, small, interpolation=cv2.INTER_AREA)
    return region, low
