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
# Stands for "no source px" in the maps; far beyond any border.
_OUTSIDE = -1e4
# A minification of 1.97 is shrunk by 2: the loss of sharpness is nil, the aliasing would not be.
_NEARLY_WHOLE = 0.05


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


def source_pixels_per_metre(crop: VirtualCamera) -> float:
    """Scale of the source image at the crop's target."""
    return crop.pixels_per_metre * float(crop.camera.lens.focal) / crop.focal


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
    steps = np.arange(0, crop.size + _GRID, _GRID, dtype=float)
    coarse = to_source(crop, np.stack(np.meshgrid(steps, steps), axis=-1))
    shrink = _shrink_factor(coarse)
    region, origin = _shrunk_region(image, coarse, shrink)
    x, y = np.moveaxis(_interpolated((coarse - origin + 0.5) / shrink - 0.5, crop.size), -1, 0)
    grey = (PAD_VALUE,) * 3
    return cv2.remap(region, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=grey)


def _shrink_factor(coarse: Float[np.ndarray, "n n 2"]) -> int:
    """By what whole factor the crop minifies at its middle, at least 1."""
    middle = len(coarse) // 2
    here = coarse[middle, middle]
    by_x, by_y = here - coarse[middle, middle - 1], here - coarse[middle - 1, middle]
    scale = np.sqrt(abs(by_x[0] * by_y[1] - by_x[1] * by_y[0])) / _GRID
    return max(1, int(scale + _NEARLY_WHOLE)) if np.isfinite(scale) else 1


def _interpolated(coarse: Float[np.ndarray, "n n 2"], size: int) -> Float[np.ndarray, "size size 2"]:
    """Positions (float32) of every px from those of every eighth; far outside where a neighbour has none."""
    unseen = np.isnan(coarse[..., 0])
    positions = _between(np.where(unseen[..., None], _OUTSIDE, coarse).astype(np.float32), size)
    if unseen.any():
        touched = _between(unseen[..., None].astype(np.float32), size)[..., 0] > 0
        positions[touched] = _OUTSIDE
    return positions


def _between(coarse: Float[np.ndarray, "n n c"], size: int) -> Float[np.ndarray, "size size c"]:
    """Linear interpolation of a grid of every 8 px to every px, along y and then along x."""
    share = (np.arange(_GRID) / _GRID).astype(np.float32)[:, None]
    rows = coarse[:-1, None] + np.diff(coarse, axis=0)[:, None] * share[..., None]
    rows = rows.reshape(-1, *coarse.shape[1:])[:size]
    full = rows[:, :-1, None] + np.diff(rows, axis=1)[:, :, None] * share
    return full.reshape(len(rows), -1, coarse.shape[2])[:, :size]


def _shrunk_region(
    image: UInt8[np.ndarray, "height width 3"], coarse: Float[np.ndarray, "n n 2"], shrink: int
) -> tuple[UInt8[np.ndarray, "height2 width2 3"], Float[np.ndarray, "2"]]:
    """The part of the image that the crop reads, shrunk by area, and the source px of its top left pixel."""
    last = np.array([image.shape[1], image.shape[0]]) - 1
    seen = coarse[~np.isnan(coarse[..., 0])]
    if not len(seen):
        return np.full((1, 1, 3), PAD_VALUE, np.uint8), np.zeros(2)
    low = np.clip(np.floor(seen.min(0)) - shrink, 0, last).astype(int)
    high = np.clip(np.ceil(seen.max(0)) + shrink, 0, last).astype(int) + 1
    small = np.maximum((high - low) // shrink, 1)
    high = np.minimum(low + small * shrink, high)
    region = image[low[1] : high[1], low[0] : high[0]]
    if shrink > 1:
        region = cv2.resize(region, small.tolist(), interpolation=cv2.INTER_AREA)
    return region, low.astype(float)
