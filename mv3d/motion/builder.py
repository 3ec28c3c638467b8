"""Puts a Body together joint by joint."""

import numpy as np
from jaxtyping import Float

from mv3d.data.motion import Armature
from mv3d.data.skeleton import Skeleton
from mv3d.motion.model import Body, Bone, Freedom, Site

_NAN = np.full(3, np.nan)


class Builder:
    """Joints, bones and sites so far, and the points that they are measured on.

    Attributes:
        skeleton: names of the keypoints.
        xyz: (frame, keypoint, 3) m; NaN where missing.
    """

    def __init__(self, skeleton: Skeleton, xyz: Float[np.ndarray, "frame keypoint 3"], root: str) -> None:
        self.skeleton, self.xyz = skeleton, xyz
        self._measured = np.any(np.isfinite(xyz).all(axis=-1), axis=0)
        self._joints, self._parents = [root], [-1]
        self._offsets, self._ends, self._freedom = [np.zeros(3)], [_NAN], [Freedom()]
        self._sites: list[Site] = []
        self._bones: list[Bone] = []

    def has(self, *names: str) -> bool:
        """Whether all these keypoints are there and measured at least once."""
        keypoints = self.skeleton.keypoints
        return all(name in keypoints and self._measured[keypoints.index(name)] for name in names)

    def points(self, name: str) -> Float[np.ndarray, "frame 3"]:
        """A keypoint's positions (m)."""
        return self.xyz[:, self.skeleton.index(name)]

    def joint(self, name: str, parent: str, freedom: Freedom | None = None, offset: np.ndarray | None = None) -> None:
        """Add a joint; its offset (m) is what is given here plus what bones add."""
        self._joints.append(name)
        self._parents.append(self._joints.index(parent))
        self._offsets.append(np.zeros(3) if offset is None else np.asarray(offset, float))
        self._ends.append(_NAN)
        self._freedom.append(freedom or Freedom())

    def bone(self, name: str, length: float, shares: dict[str, np.ndarray]) -> None:
        """Declare a length (m) of which the offsets of these joints hold multiples, which are added to them."""
        by_index = {self._joints.index(joint): np.asarray(share, float) for joint, share in shares.items()}
        for j, share in by_index.items():
            self._offsets[j] = self._offsets[j] + length * share
        self._bones.append(Bone(name, length, by_index))

    def limb(self, name: str, parent: str, direction: np.ndarray, length: float, freedom: Freedom | None) -> None:
        """A joint at the end of a bone of its own, which is on the keypoint of its name."""
        self.joint(name, parent, freedom)
        self.bone(name, length, {name: direction})
        self.site(name, name)

    def site(self, keypoint: str, joint: str, offset: np.ndarray | None = None) -> None:
        """Put a keypoint on a joint, or at an offset (m) from it that the fit may improve."""
        place = (0.0, 0.0, 0.0) if offset is None else tuple(float(v) for v in offset)
        self._sites.append(
            Site(self.skeleton.index(keypoint), self._joints.index(joint), place, offset is not None)  # type: ignore[arg-type]
        )

    def tip(self, joint: str, offset: np.ndarray) -> None:
        """The tip (m) of a leaf's bone."""
        self._ends[self._joints.index(joint)] = np.asarray(offset, float)

    def length(self, a: str, b: str) -> float:
        """Median distance of two keypoints (m); NaN if they were never measured together."""
        return median_length(self.points(a) - self.points(b))

    def body(self) -> Body:
        """What was built."""
        armature = Armature(
            self.skeleton.name,
            tuple(self._joints),
            tuple(self._parents),
            np.stack(self._offsets),
            np.stack(self._ends),
        )
        return Body(armature, tuple(self._freedom), tuple(self._sites), tuple(self._bones))


def median_length(vectors: Float[np.ndarray, "frame 3"]) -> float:
    """Median length (m) of the vectors that are there; NaN if none is."""
    lengths = np.linalg.norm(vectors, axis=-1)
    lengths = lengths[np.isfinite(lengths)]
    return float(np.median(lengths)) if len(lengths) else np.nan


def frames_of(
    forward: Float[np.ndarray, "frame 3"], up: Float[np.ndarray, "frame 3"]
) -> Float[np.ndarray, "frame 3 3"]:
    """Rotations world_from_body whose x axis is `forward` and whose z axis is nearest to `up`; NaN where undefined."""
    with np.errstate(invalid="ignore", divide="ignore"):
        x = forward / np.linalg.norm(forward, axis=-1, keepdims=True)
        z = up - (up * x).sum(-1, keepdims=True) * x
        z = z / np.linalg.norm(z, axis=-1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], axis=-1)


def median_in(R: Float[np.ndarray, "frame 3 3"], vectors: Float[np.ndarray, "frame 3"]) -> Float[np.ndarray, "3"]:
    """Median (m) of world vectors as seen in moving frames; NaN if there is no frame with both."""
    local = np.einsum("fba,fb->fa", R, vectors)
    local = local[np.isfinite(local).all(-1)]
    return np.median(local, axis=0) if len(local) else _NAN.copy()
