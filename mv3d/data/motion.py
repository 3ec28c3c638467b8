"""Armature and Motion: a tree of rigid bones, and how it turns and moves over time; its native npz file.

In the rest pose every joint's frame is parallel to the world (BVH's convention), so that a joint's rotation is the
identity there and the rest pose is told by the offsets alone.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mv3d.data.checks import frozen_array
from mv3d.data.npz import load_npz, one_line, save_npz
from mv3d.errors import FormatError
from mv3d.geometry.kinematics import joint_frames

# Six digits after rounding to float32 elsewhere; a matrix further from orthonormal than this is not a rotation.
_ORTHONORMAL = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Armature:
    """A tree of joints with constant offsets.

    Attributes:
        name: of the armature, e.g. the skeleton that it was fitted to.
        joints: names, parents before their children; the first is the root.
        parents: index of each joint's parent; -1 for the root, of which there is one.
        offsets: (joint, 3) m, rest position of the joint in its parent's frame; zeros for the root.
        end_offsets: (joint, 3) m, tip of a leaf's bone in the leaf's frame; NaN where the joint has children or no tip.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    end_offsets: np.ndarray

    def __post_init__(self) -> None:
        joints, parents = tuple(str(j) for j in self.joints), tuple(int(p) for p in self.parents)
        if not joints or len(set(joints)) != len(joints):
            raise ValueError(f"{self.name}: an armature has at least one joint, and no name twice")
        if len(parents) != len(joints) or parents[0] != -1:
            raise ValueError(f"{self.name}: one parent for each joint, and -1 for the first, the root")
        if any(not 0 <= parent < j for j, parent in enumerate(parents) if j):
            raise ValueError(f"{self.name}: a joint's parent must come before it")
        offsets = frozen_array("offsets", self.offsets, (len(joints), 3))
        ends = frozen_array("end_offsets", self.end_offsets, (len(joints), 3), finite=False)
        if np.any(offsets[0] != 0):
            raise ValueError(f"{self.name}: the root's offset must be zero; its place is the motion's translation")
        given, missing = np.isfinite(ends).sum(axis=1), np.isnan(ends).sum(axis=1)
        if not np.isin(given, (0, 3)).all() or (given + missing < 3).any() or given[list(parents[1:])].any():
            raise ValueError(f"{self.name}: end_offsets are finite for leaves with a tip and NaN for all others")
        values = {"joints": joints, "parents": parents, "offsets": offsets, "end_offsets": ends}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.joints)

    @property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Indices of the children of each joint."""
        return tuple(tuple(c for c, p in enumerate(self.parents) if p == j) for j in range(len(self)))

    @property
    def rest(self) -> np.ndarray:
        """Positions of the joints in the rest pose (joint, 3) m, relative to the root."""
        positions = np.zeros((len(self), 3))
        for j, parent in enumerate(self.parents[1:], start=1):
            positions[j] = positions[parent] + self.offsets[j]
        return positions


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """How an armature moves.

    Attributes:
        armature: the bones.
        rotations: (frame, joint, 3, 3) parent_from_joint; the root's is world_from_root; identity in the rest pose.
        translation: (frame, 3) m, the root in the world.
        timestamps: (frame,) s, increasing.
        person_id: the identity in the Poses3D that it was fitted to.
    """

    armature: Armature
    rotations: np.ndarray
    translation: np.ndarray
    timestamps: np.ndarray
    person_id: int = 0

    def __post_init__(self) -> None:
        rotations = frozen_array("rotations", self.rotations, (None, len(self.armature), 3, 3))
        translation = frozen_array("translation", self.translation, (len(rotations), 3))
        times = frozen_array("timestamps", self.timestamps, (len(rotations),))
        if np.any(np.diff(times) <= 0):
            raise ValueError("timestamps must increase from frame to frame")
        if not _are_rotations(rotations):
            raise ValueError("rotations holds a matrix that is not a rotation")
        values = {"rotations": rotations, "translation": translation, "timestamps": times}
        for name, value in {**values, "person_id": int(self.person_id)}.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.rotations)

    @property
    def fps(self) -> float:
        """Frames per second: the inverse of the median interval; 0 for fewer than two frames."""
        return float(1 / np.median(np.diff(self.timestamps))) if len(self) > 1 else 0.0

    def world_frames(
        self,
    ) -> tuple[Float[np.ndarray, "frame joint 3 3"], Float[np.ndarray, "frame joint 3"]]:
        """Orientation (world_from_joint) and position (m, in the world) of every joint, by forward kinematics."""
        armature = self.armature
        return joint_frames(np.array(armature.parents), armature.offsets, self.rotations, self.translation)

    def positions(self) -> Float[np.ndarray, "frame joint 3"]:
        """Positions of the joints in the world (m)."""
        return self.world_frames()[1]

    def ends(self) -> Float[np.ndarray, "frame joint 3"]:
        """Positions of the tips of leaf bones in the world (m); NaN for joints without a tip."""
        R, x = self.world_frames()
        return x + np.einsum("fjab,jb->fja", R, self.armature.end_offsets)

    def save(self, path: str | Path) -> None:
        """Write as npz; the file appears whole or not at all."""
        armature = self.armature
        arrays = {
            "armature": np.array(armature.name, np.str_),
            "joints": np.array(armature.joints, np.str_),
            "parents": np.array(armature.parents, np.int64),
            "offsets": armature.offsets,
            "end_offsets": armature.end_offsets,
            "rotations": self.rotations,
            "translation": self.translation,
            "timestamps": self.timestamps,
            "person_id": np.int64(self.person_id),
        }
        save_npz(path, arrays)

    @classmethod
    def load(cls, path: str | Path) -> "Motion":
        """Read an npz of `save`.

        Raises:
            FormatError: missing, corrupt or not of this kind.
        """
        of_armature = ("armature", "joints", "parents", "offsets", "end_offsets")
        arrays = load_npz(path, (*of_armature, "rotations", "translation", "timestamps", "person_id"))
        try:
            name, joints, parents, offsets, ends = (arrays.pop(key) for key in of_armature)
            armature = Armature(str(name), tuple(joints.tolist()), tuple(parents.tolist()), offsets, ends)
            return cls(armature, person_id=int(arrays.pop("person_id")), **arrays)
        except (ValueError, TypeError) as error:
            raise FormatError(f"{path}: {one_line(error)}") from error


def _are_rotations(rotations: np.ndarray) -> bool:
    """In blocks, so that an hour of frames takes no second copy of itself."""
    for first in range(0, len(rotations), 4096):
        R = rotations[first : first + 4096]
        if np.abs(R @ np.swapaxes(R, -1, -2) - np.eye(3)).max(initial=0) > _ORTHONORMAL:
            return False
        if np.any(np.linalg.det(R) < 0):
            return False
    return True
