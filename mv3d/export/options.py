"""What every export leaves open (axes, unit of length, rate), and what each choice means."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from mv3d.errors import ConfigError
from mv3d.motion.filters import FilterConfig
from mv3d.motion.retarget import RETARGETS

Axes = Literal["auto", "world", "y_up", "z_up"]
Units = Literal["auto", "m", "cm", "mm"]

UNITS_PER_METRE = {"m": 1.0, "cm": 100.0, "mm": 1000.0}
# A unit vector that is an axis of the world but for rounding.
_IS_AXIS = 1 - 1e-9
# Square of the sine of an angle to the vertical that is rounding, and whose direction says nothing.
_IS_VERTICAL = 1e-24


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The same choices for all formats.

    Attributes:
        axes: "world" keeps the axes of the rig; "y_up" and "z_up" turn the direction that is up in the world onto that
            axis; "auto" is what readers of the format expect.
        units: unit of length; "auto" is what readers of the format expect.
        fps: frames per second; the frames are interpolated at that rate. None keeps the frames.
        filter: run over the points before anything is written of them; None leaves them as they were reconstructed.
        retarget: another rig whose joint names and rest pose BVH files have: mixamo, unreal or rigify.
        rotation_order: of the angles in BVH files, first turn first.
    """

    axes: Axes = "auto"
    units: Units = "auto"
    fps: float | None = None
    filter: FilterConfig | None = None
    retarget: str | None = None
    rotation_order: str = "ZXY"

    def __post_init__(self) -> None:
        if self.fps is not None and not (math.isfinite(self.fps) and 0 < self.fps <= 10_000):
            raise ConfigError(f"fps is {self.fps:g}; a number above 0 and up to 10000 is wanted")
        if sorted(self.rotation_order) != ["X", "Y", "Z"]:
            raise ConfigError(f"rotation order {self.rotation_order!r} is none; X, Y and Z in some order are wanted")
        if self.retarget is not None and self.retarget not in RETARGETS:
            raise ConfigError(f"there is no rig {self.retarget!r}; there are {', '.join(RETARGETS)}")


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """How a file's coordinates follow from the world: x_file = scale * axes_from_world @ x_world.

    Attributes:
        axes: "world", "y_up" or "z_up".
        units: "m", "cm" or "mm".
        axes_from_world: (3, 3) rotation.
        up: (3,) unit vector against gravity, in the axes of the file.
    """

    axes: Literal["world", "y_up", "z_up"]
    units: Literal["m", "cm", "mm"]
    axes_from_world: Float[np.ndarray, "3 3"]
    up: Float[np.ndarray, "3"]

    @property
    def scale(self) -> float:
        """Units of the file per metre."""
        return UNITS_PER_METRE[self.units]

    def points(self, x_world: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        """Points (m, world) in the axes and the unit of the file; NaN stays NaN."""
        turned = x_world if self.axes == "world" else x_world @ self.axes_from_world.T
        return turned if self.scale == 1 else turned * self.scale

    @property
    def description(self) -> str:
        """One sentence for files that have a place for it."""
        up = axis_name(self.up)
        return (
            f"right-handed; axes: {self.axes}, up is {up or 'along no axis'}; unit: {self.units}; rows of "
            f"axes_from_world: {' '.join(f'{value:g}' for value in self.axes_from_world.ravel())}"
        )


def place(
    axes: Axes = "world", units: Units = "m", up: Float[np.ndarray, "3"] | tuple[float, float, float] = (0.0, 0.0, 1.0)
) -> Placement:
    """The placement of a file.

    Args:
        axes: "world", "y_up" or "z_up"; "auto" is the world.
        units: unit of length; "auto" is metres.
        up: direction against gravity in the world.
    """
    direction = np.asarray(up, float) / np.linalg.norm(up)
    turn = np.eye(3) if axes in ("auto", "world") else turn_upright(direction)
    if axes == "y_up":
        turn = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]) @ turn
    return Placement("world" if axes == "auto" else axes, "m" if units == "auto" else units, turn, turn @ direction)


def turn_upright(up: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """The least rotation that takes the unit vector `up` to +z; half a turn about x where it is -z.

    For v = up x z and c = up . z: R = I + [v] + [v]^2 (1 - c) / |v|^2, Rodrigues' formula without the angle.
    """
    x, y, z = up
    squared = x * x + y * y
    if squared < _IS_VERTICAL:
        return np.eye(3) if z > 0 else np.diag([1.0, -1.0, -1.0])
    skew = np.array([[0.0, 0, -x], [0, 0, -y], [x, y, 0]])
    return np.eye(3) + skew + skew @ skew * ((1 - z) / squared)


def axis_name(direction: Float[np.ndarray, "3"]) -> str | None:
    """From "+X" to "-Z"; None if the unit vector is none of the axes."""
    nearest = int(np.argmax(np.abs(direction)))
    if abs(direction[nearest]) < _IS_AXIS:
        return None
    return ("+" if direction[nearest] > 0 else "-") + "XYZ"[nearest]
