"""Rays of pixels by interpolation in a table: what one frame at a time needs, where calls cost more than arithmetic.

The bearing of a pixel and the lens's Jacobian are smooth over the image. Between nodes 16 px apart, straight lines miss
a bearing by h^2 / 8 of its second derivative: 0.01 px for a lens with k1 = -0.12, 0.1 px for a wide fisheye.
"""

import numpy as np
from jaxtyping import Float, Int

from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.reconstruct.people_kernels import interpolate_rays

_SPACING_PX = 16
# A detector may guess a joint a little outside of its picture.
_MARGIN_PX = 64


class RayTable:
    """Bearings and Jacobians of all cameras of a rig on grids of pixels."""

    def __init__(self, rig: Rig) -> None:
        grids = [_grid(camera) for camera in rig]
        self._shape = np.array([grid.shape[:2] for grid in grids])
        self._first = np.concatenate([[0], np.cumsum(self._shape.prod(1))])
        self._values = np.concatenate([grid.reshape(-1, 9) for grid in grids])

    def look_up(
        self, xy: Float[np.ndarray, "detection joint 2"], view: Int[np.ndarray, " detection"]
    ) -> tuple[Float[np.ndarray, "detection joint 3"], Float[np.ndarray, "detection joint 2 3"]]:
        """Bearings in the world and pixel Jacobians, as `observe` gives them; NaN where the lens shows nothing.

        Args:
            xy: px; NaN where missing.
            view: camera of each detection.
        """
        joints = xy.shape[1]
        values = np.empty((len(xy), joints, 9))
        interpolate_rays(self._values, self._first, self._shape, _SPACING_PX, _MARGIN_PX, xy, view, values)
        return values[..., :3], values[..., 3:].reshape(len(xy), joints, 2, 3)


def _grid(camera: Camera) -> Float[np.ndarray, "row column 9"]:
    """Bearing and Jacobian at nodes that cover the image and its margin."""
    width, height = camera.size
    columns, rows = (
        np.arange(-_MARGIN_PX, side + _MARGIN_PX + _SPACING_PX, _SPACING_PX, dtype=float) for side in (width, height)
    )
    direction = camera.lens.unproject(np.stack(np.meshgrid(columns, rows), axis=-1))
    _, by_cam = camera.lens.project_with_jacobian(direction)
    jacobian = (by_cam @ camera.R).reshape(*direction.shape[:2], 6)
    return np.concatenate([direction @ camera.R, jacobian], axis=-1)
