"""The people of one frame as spheres and capsules, coloured by side; filled parts are paler."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.data.poses import FILLED, Poses3D
from mv3d.viz.colors import BACKGROUND, Rgb, bone_colors, joint_colors, person_color
from mv3d.viz.lines import Lines, joined, lines
from mv3d.viz.mesh import Mesh, merged, spheres

# Share of a filled joint's colour that is replaced by the background's: filled parts look pale.
_PALE = 0.6
# Radii as shares of a person's trunk (shoulders to hips, about 0.5 m), so that dogs and giants look alike.
BONE_RADIUS, _JOINT_RADIUS = 0.052, 0.07
_DEFAULT_TRUNK_M = 0.5
# An animal or a hand has no trunk by these names: the median bone of an adult is this share of the trunk.
_BONE_BY_TRUNK = 0.55
# Joints of the head and feet lie close together: they are drawn smaller.
_SMALL_PARTS = ("Eye", "Ear", "Nose", "Toe", "Heel", "Face_", "Hand_", "Thumb", "Index", "Middle", "Ring", "Pinky")
# Trunks are looked up in this many frames at most: a median needs no more, and an hour has 200 thousand.
_MOST_FRAMES = 2000


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
        return merged([joints, self.bones.mesh(12)])


def skeleton_geometry(
    poses3d: Poses3D,
    frame: int,
    trunks: Float[np.ndarray, " person"] | None = None,
    thickness: float = 1.0,
    rgb: Rgb | None = None,
) -> SkeletonGeometry:
    """Spheres and capsules of everyone in one frame.

    Args:
        poses3d: the people.
        frame: which frame.
        trunks: what `trunk_lengths` gives; looked up if None, which costs a look at all frames.
        thickness: factor of all radii.
        rgb: one colour for everything, instead of those of the sides.
    """
    trunks = trunk_lengths(poses3d) if trunks is None else trunks
    people = [_person(poses3d, frame, person, float(trunks[person])) for person in range(poses3d.xyz.shape[1])]
    people = [SkeletonGeometry(np.zeros((0, 3)), np.zeros(0), np.zeros((0, 3)), lines([])), *people]
    bones = joined([p.bones for p in people])
    joint_rgb, bone_rgb = np.concatenate([p.joint_rgb for p in people]), bones.rgb
    if rgb is not None:
        joint_rgb, bone_rgb = (np.broadcast_to(np.array(rgb) / 255, part.shape) for part in (joint_rgb, bone_rgb))
    return SkeletonGeometry(
        np.concatenate([p.joint_xyz for p in people]),
        thickness * np.concatenate([p.joint_radius for p in people]),
        joint_rgb,
        Lines(bones.segments, thickness * bones.radius, bone_rgb),
    )


def trunk_lengths(poses3d: Poses3D) -> Float[np.ndarray, " person"]:
    """Median distance between hips and shoulders of each person, m; what fits its bones where it has no such joints."""
    xyz = poses3d.xyz[:: max(len(poses3d) // _MOST_FRAMES, 1)]
    return np.array([_trunk_length(poses3d, xyz[:, person]) for person in range(xyz.shape[1])])


def _trunk_length(poses3d: Poses3D, xyz: np.ndarray) -> float:
    skeleton = poses3d.skeleton
    pairs = [skeleton.indices(pair) for pair in (("LShoulder", "LHip"), ("RShoulder", "RHip"))]
    length = _median_length(xyz, [(p[0], p[1]) for p in pairs if len(p) == 2])
    if not np.isfinite(length):
        length = _median_length(xyz, list(skeleton.bones)) / _BONE_BY_TRUNK
    return length if np.isfinite(length) and length > 0 else _DEFAULT_TRUNK_M


def _median_length(xyz: np.ndarray, pairs: list[tuple[int, int]]) -> float:
    lengths = [np.linalg.norm(xyz[:, a] - xyz[:, b], axis=-1) for a, b in pairs]
    finite = np.concatenate([np.zeros(0), *lengths])
    finite = finite[np.isfinite(finite)]
    return float(np.median(finite)) if len(finite) else float("nan")


def _person(poses3d: Poses3D, frame: int, person: int, trunk: float) -> SkeletonGeometry:
    skeleton, xyz = poses3d.skeleton, poses3d.xyz[frame, person]
    there = np.isfinite(xyz).all(-1)
    is_filled = poses3d.state[frame, person] == FILLED
    small = np.array([any(part in name for part in _SMALL_PARTS) for name in skeleton.keypoints])
    size = trunk * np.where(small, 0.55, 1.0)
    bones = np.array([b for b in skeleton.bones if there[b[0]] and there[b[1]]], dtype=int).reshape(-1, 2)
    kept = np.array([bool(there[a] and there[b]) for a, b in skeleton.bones], dtype=bool)
    palette = person_color(int(poses3d.person_id[person]))
    bone_rgb = _paled(bone_colors(skeleton, palette)[kept], is_filled[bones].any(1))
    return SkeletonGeometry(
        xyz[there],
        _JOINT_RADIUS * size[there],
        _paled(joint_colors(skeleton, palette), is_filled)[there],
        Lines(xyz[bones], BONE_RADIUS * size[bones].min(1), bone_rgb),
    )


def _paled(rgb: np.ndarray, is_filled: np.ndarray) -> np.ndarray:
    share = np.where(is_filled, _PALE, 0.0)[:, None]
    return rgb / 255 * (1 - share) + np.array(BACKGROUND) * share
