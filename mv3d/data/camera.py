"""Camera: a lens at a place in the world."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from mv3d.data.checks import frozen_array
from mv3d.data.lens import Lens

# A rotation read from a text file with six decimals is orthonormal to about 1e-6; a wrong one is off by far more.
_ORTHONORMAL_TOLERANCE = 1e-4
# What Windows, macOS or Linux refuse in a file name; and lengths that leave room for a suffix.
_NOT_IN_FILE_NAMES = '/\\:*?"<>|'
_LONGEST_NAME = 100
# No sensor comes near; an image of this size squared would not fit in memory.
_LARGEST_SIDE = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A calibrated camera: x_cam = R @ x_world + t; +x right, +y down, +z forward.

    Attributes:
        name: unique in a rig; also the stem of its files, so it holds no path separator.
        size: (width, height) px of the images that the lens was calibrated for.
        lens: Pinhole, Fisheye or DoubleSphere.
        R: rotation (3, 3), cam_from_world.
        t: translation (3,) m.
    """

    name: str
    size: tuple[int, int]
    lens: Lens
    R: np.ndarray
    t: np.ndarray

    def __post_init__(self) -> None:
        if not is_file_stem(self.name):
            raise ValueError(f"camera name {self.name[:_LONGEST_NAME]!r} cannot be a file name")
        width, height = (int(n) for n in self.size)
        if not (0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE):
            raise ValueError(f"camera {self.name}: image size {self.size} is not between 1 and {_LARGEST_SIDE} px")
        if not isinstance(self.lens, Lens):
            raise ValueError(f"camera {self.name}: {type(self.lens).__name__} is not a lens")
        R = frozen_array(f"R of camera {self.name}", self.R, (3, 3))
        if np.abs(R @ R.T - np.eye(3)).max() > _ORTHONORMAL_TOLERANCE or np.linalg.det(R) < 0:
            raise ValueError(f"R of camera {self.name} is not a rotation (orthonormal, determinant +1)")
        object.__setattr__(self, "size", (width, height))
        object.__setattr__(self, "R", R)
        object.__setattr__(self, "t", frozen_array(f"t of camera {self.name}", np.ravel(np.asarray(self.t)), (3,)))

    @property
    def center(self) -> Float[np.ndarray, "3"]:
        """Position of the camera in the world, m."""
        return -self.R.T @ self.t

    def to_camera(self, x_world: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        """World points in the camera frame, m."""
        return x_world @ self.R.T + self.t

    def project(self, x_world: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
        """Pixels of world points, distortion included; NaN behind the camera."""
        return self.lens.project(self.to_camera(x_world))

    def rays(self, x_image: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 3"]:
        """Unit directions in the world of pixels, from `center`; NaN where the lens folds."""
        return self.lens.unproject(x_image) @ self.R

    def resized(self, size: tuple[int, int]) -> "Camera":
        """The camera for images of another size that show the same field of view."""
        factors = size[0] / self.size[0], size[1] / self.size[1]
        return replace(self, size=size, lens=self.lens.scaled(*factors))


def is_file_stem(name: str) -> bool:
    """Whether files of every system can be called so."""
    bad = any(c in _NOT_IN_FILE_NAMES or not c.isprintable() for c in name)
    return not bad and 0 < len(name) <= _LONGEST_NAME and name[0] not in ". " and name[-1] not in ". "
