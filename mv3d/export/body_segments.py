"""How thick the parts of a body are: what the mesh around an armature is made of.

Radii are those of an adult of 1.75 m, from a handful of girths of anthropometric tables divided by 2 pi, and grow with
the body. Bones with names that are not a human's get a share of their length.
"""

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.data.motion import Armature

_ADULT_LEG = 0.86  # m from hip to ankle
_ADULT_REACH = 1.75  # m, the largest extent of the rest pose
# Of bones without a known name: radius by length, and its range on an adult (m).
_SHARE, _THINNEST, _THICKEST = 0.13, 0.008, 0.06

# joint at the upper end, without the side: radii (m) from there to its child, and thickness over width.
_PARTS: dict[str, tuple[tuple[float, ...], float]] = {
    "Hip": ((0.088, 0.078, 0.056), 1.0),
    "Knee": ((0.055, 0.058, 0.038), 1.0),
    "Shoulder": ((0.055, 0.048, 0.040), 1.0),
    "Elbow": ((0.041, 0.039, 0.027), 0.9),
    "Wrist": ((0.030, 0.044, 0.030), 0.45),
    "Clavicle": ((0.055, 0.062), 1.0),
    "Neck": ((0.058, 0.054), 1.0),
    "Head": ((0.066, 0.088, 0.084), 1.0),
    "MidHip": ((0.150, 0.138), 0.72),
    "Spine": ((0.138, 0.150), 0.72),
    "Chest": ((0.152, 0.148, 0.080), 0.72),
}
_HIPS = ((0.090, 0.094), 1.0)
_FOOT = ((0.034, 0.040, 0.026), 0.8)
_SHOULDER_GIRDLE = ((0.06, 0.06), 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A part of the body that is rigid on one joint, in the rest pose.

    Attributes:
        driver: index of the joint that it moves with.
        start: (3,) m.
        end: (3,) m.
        radii: from start to end at equal steps, m.
        flat: thickness over width.
        flat_axis: (3,) unit direction of the thickness.
    """

    driver: int
    start: Float[np.ndarray, "3"]
    end: Float[np.ndarray, "3"]
    radii: tuple[float, ...]
    flat: float
    flat_axis: Float[np.ndarray, "3"]

    def along(self, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
        """Share of the way from start to end at which each point is, 0 to 1."""
        way = self.end - self.start
        return np.clip((points - self.start) @ way / max(float(way @ way), 1e-12), 0.0, 1.0)

    def distance(self, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
        """Signed distance (m) to the surface, about; negative inside."""
        t = self.along(points)
        apart = points - self.start - t[:, None] * (self.end - self.start)
        stretch = (1 / self.flat - 1) * (apart @ self.flat_axis)
        apart = apart + stretch[:, None] * self.flat_axis
        return np.linalg.norm(apart, axis=-1) - np.interp(t, np.linspace(0, 1, len(self.radii)), self.radii)


def body_scale(armature: Armature) -> float:
    """Size of the body as a multiple of an adult's: by its legs, or by its whole extent where it has none."""
    rest, joints = armature.rest, armature.joints
    legs = [
        float(np.linalg.norm(rest[joints.index(f"{side}Ankle")] - rest[joints.index(f"{side}Hip")]))
        for side in "RL"
        if {f"{side}Ankle", f"{side}Hip"} <= set(joints)
    ]
    if legs:
        return max(legs) / _ADULT_LEG
    ends = rest + np.nan_to_num(armature.end_offsets)
    return max(float(np.ptp(np.concatenate([rest, ends]), axis=0).max()), 1e-3) / _ADULT_REACH


def segments_of(armature: Armature) -> list[Segment]:
    """The parts around all bones, from each joint to its children and to its tip."""
    rest, scale = armature.rest, body_scale(armature)
    found = []
    for joint, parent in enumerate(armature.parents):
        if parent >= 0 and np.linalg.norm(armature.offsets[joint]) > 1e-6:
            found.append(_segment(armature, parent, rest[parent], rest[joint], scale, joint))
        if np.isfinite(armature.end_offsets[joint]).all():
            found.append(_segment(armature, joint, rest[joint], rest[joint] + armature.end_offsets[joint], scale, None))
    if not found:  # a lone joint
        found.append(Segment(0, rest[0], rest[0], (_THICKEST * scale,), 1.0, np.eye(3)[1]))
    return found


def _segment(
    armature: Armature, driver: int, start: np.ndarray, end: np.ndarray, scale: float, child: int | None
) -> Segment:
    name = _without_side(armature.joints[driver])
    length = float(np.linalg.norm(end - start))
    other = None if child is None else _without_side(armature.joints[child])
    radii, flat = _thickness(name, other, length, scale)
    if child is None:
        # The tip is where the body ends, not where its last cap begins.
        end = end - (end - start) * min(0.8, radii[-1] / max(length, 1e-9))
    if name == "Ankle" and child is None:
        start = _heel(start, end)
    # Trunk and neck are flat from front to back, hands and feet from top to bottom: at rest a body faces -y.
    axis = np.eye(3)[1] if name in ("MidHip", "Spine", "Chest") else np.eye(3)[2]
    return Segment(driver, start, end, radii, flat, axis)


def _thickness(name: str, child: str | None, length: float, scale: float) -> tuple[tuple[float, ...], float]:
    radii, flat = _PARTS.get(name, (None, 1.0))
    if child == "Hip":
        radii, flat = _HIPS
    elif child == "Clavicle" or child == "Shoulder":
        radii, flat = _SHOULDER_GIRDLE
    elif name == "Ankle":
        radii, flat = _FOOT
    if radii is None:
        radius = float(np.clip(_SHARE * length, _THINNEST * scale, _THICKEST * scale))
        return (radius, 0.8 * radius), 1.0
    return tuple(radius * scale for radius in radii), flat


def _heel(ankle: np.ndarray, toe: np.ndarray) -> np.ndarray:
    """Behind the ankle by a third of the foot, at the height of the toe."""
    forward = (toe - ankle) * [1, 1, 0]
    return np.array([ankle[0], ankle[1], toe[2]]) - 0.3 * forward


def _without_side(name: str) -> str:
    return re.sub(r"^[RL](?=[A-Z])", "", name)
