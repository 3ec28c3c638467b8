"""A camera's picture as a lens without distortion would show it, and where its image plane stands in the world."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mv3d.data.camera import Camera
from mv3d.viz.viewpoint import Viewpoint

# Of a fisheye no plane shows all: what is further off the axis than this tangent (60 degrees) is cut off.
_WIDEST = float(np.tan(np.deg2rad(60)))
# A wide lens grows when it is straightened; more than this factor would only show blurred corners larger.
_MOST_GROWTH = 1.6
_BORDER_POINTS = 41
_OUTSIDE_BGR = (70, 66, 64)
# Pixels that no direction reaches are looked up here, outside of every image.
_NOWHERE = -1e4


@dataclass(frozen=True, slots=True, eq=False)
class IdealView:
    """An undistorted picture of a camera.

    Attributes:
        camera: the real one, for images of the size that pictures are made from.
        K: (3, 3) px, camera matrix of the undistorted picture; no skew.
        size: (width, height) px of it.
        lookup: what cv2.remap takes.
    """

    camera: Camera
    K: np.ndarray
    size: tuple[int, int]
    lookup: tuple[np.ndarray, np.ndarray]

    def picture(self, image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "rows columns 3"]:
        """An image of the camera, straightened; what the lens does not show is grey."""
        return cv2.remap(image, *self.lookup, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, _OUTSIDE_BGR)

    def corners(self, depth: float) -> Float[np.ndarray, "4 3"]:
        """Outer corners of the picture in the world, `depth` m in front: top left, top right, bottom right, left."""
        w, h = self.size
        edges = np.array([[-0.5, -0.5, 1], [w - 0.5, -0.5, 1], [w - 0.5, h - 0.5, 1], [-0.5, h - 0.5, 1.0]])
        x_cam = depth * edges @ np.linalg.inv(self.K).T
        return (x_cam - self.camera.t) @ self.camera.R

    def viewpoint(self, size: tuple[int, int]) -> Viewpoint:
        """The eye of a window of `size` (width, height) px in the camera's place, so that the whole picture fits."""
        reach = np.abs(self.corners(1.0) @ self.camera.R.T + self.camera.t)[:, :2].max(0)
        tangent = max(float(reach[1]), float(reach[0]) * size[1] / size[0])
        camera = self.camera
        return Viewpoint(camera.center, camera.center + camera.R[2], -camera.R[1], size, tangent)


def ideal_view(camera: Camera, longest: int) -> IdealView:
    """The undistorted picture that shows all of a camera's image, as far as a plane can.

    Args:
        camera: any lens.
        longest: px, longer side of the images that pictures will be made from; smaller images stay as they are.
    """
    shrunk = camera.resized(shrunk_size(camera.size, longest))
    low, high = _field(shrunk)
    focal = shrunk.lens.focal
    focal *= min(1.0, _MOST_GROWTH * max(shrunk.size) / float((high - low).max() * focal))
    size = tuple(max(int(n), 2) for n in np.ceil((high - low) * focal))
    K = np.array([[focal, 0, -low[0] * focal - 0.5], [0, focal, -low[1] * focal - 0.5], [0, 0, 1.0]])
    return IdealView(shrunk, K, (size[0], size[1]), _lookup(shrunk, K, (size[0], size[1])))


def shrunk_size(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """(width, height) of an image whose longer side is at most `longest` px."""
    scale = min(1.0, longest / max(size))
    return max(round(size[0] * scale), 2), max(round(size[1] * scale), 2)


def _field(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest (x, y) on the plane z = 1 that the image's border shows."""
    w, h = camera.size
    s = np.linspace(0, 1, _BORDER_POINTS)
    x, y = s * w - 0.5, s * h - 0.5
    sides = [np.stack(np.broadcast_arrays(x, e), 1) for e in (-0.5, h - 0.5)]
    sides += [np.stack(np.broadcast_arrays(e, y), 1) for e in (-0.5, w - 0.5)]
    border = np.concatenate(sides)
    rays = camera.lens.unproject(border)
    ideal = np.concatenate([border, np.ones((len(border), 1))], axis=1) @ np.linalg.inv(camera.lens.K).T
    # Beside and behind the lens (fisheyes) the plane has no end; beyond its fold there is nothing but the bare K.
    plane = rays[:, :2] / np.maximum(rays[:, 2:], 1e-6)
    plane = np.where(np.isfinite(plane), plane, ideal[:, :2])
    plane = np.clip(plane, -_WIDEST, _WIDEST)
    return plane.min(0), plane.max(0)


def _lookup(camera: Camera, K: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    u, v = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    x_norm = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones(u.shape)], axis=-1)
    x_image = np.nan_to_num(camera.lens.project(x_norm), nan=_NOWHERE, posinf=_NOWHERE, neginf=_NOWHERE)
    x_image = np.clip(x_image, _NOWHERE, -_NOWHERE).astype(np.float32)
    whole, fraction = cv2.convertMaps(x_image[..., 0], x_image[..., 1], cv2.CV_16SC2)
    return np.asarray(whole), np.asarray(fraction)
