"""What a kinematic skeleton is made of: joints with their freedom and limits, and where keypoints sit on them."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int

from mv3d.data.motion import Armature

_MIRROR = np.array([-1.0, 1.0, -1.0])


@dataclass(frozen=True, slots=True, eq=False)
class Freedom:
    """How a joint may turn: R(q) = exp(q_1 a_1 + ...) base rot(a, q) ..., see `pose_kernels`.

    Attributes:
        names: of the angles, e.g. ("flexion", "abduction").
        axes: (angle, 3) unit vectors; for those of the exponential part in the parent's frame, for the others in the
            frame that the turns before have made.
        lower: (angle,) rad.
        upper: (angle,) rad.
        exponential: how many of the first angles go through the exponential map.
        base: (3, 3) rotation after that part.
        reach: rad, largest angle of the exponential part.
        posture: (angle,) rad, how far from neutral the angles usually are; one value stands for all. It is wide but for
            joints that only show together.
    """

    names: tuple[str, ...] = ()
    axes: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    lower: np.ndarray = field(default_factory=lambda: np.zeros(0))
    upper: np.ndarray = field(default_factory=lambda: np.zeros(0))
    exponential: int = 0
    base: np.ndarray = field(default_factory=lambda: np.eye(3))
    reach: float = np.pi
    posture: float | tuple[float, ...] = 10.0

    def mirrored(self) -> "Freedom":
        """The same joint of the other side of the body (y to -y); the angles keep their meaning and limits."""
        flip = np.diag([1.0, -1.0, 1.0])
        return replace(self, axes=self.axes * _MIRROR, base=flip @ self.base @ flip)

    def turned(self, C: Float[np.ndarray, "3 3"]) -> "Freedom":
        """The same joint in a rest pose that is turned as a whole."""
        return replace(self, axes=self.axes @ C.T, base=C @ self.base @ C.T)

    @property
    def posture_precision(self) -> Float[np.ndarray, " angle"]:
        """Of the pull towards neutral, 1/rad2."""
        return np.broadcast_to(np.asarray(self.posture, float) ** -2, len(self.names))

    @property
    def neutral(self) -> Float[np.ndarray, " angle"]:
        """Zero where the limits allow it."""
        return np.clip(0.0, self.lower, self.upper)


@dataclass(frozen=True, slots=True)
class Site:
    """A keypoint's place on the skeleton.

    Attributes:
        keypoint: index in the Skeleton.
        joint: index in the armature.
        offset: m, in the joint's frame; zeros where the keypoint is the joint.
        free: whether the offset is a guess that the fit may improve.
    """

    keypoint: int
    joint: int
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    free: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Bone:
    """A length that moves joints: joint j's offset is `length` times `shares[j]`.

    Attributes:
        name: the joint at its end.
        length: m.
        shares: joint index -> (3,) vector.
    """

    name: str
    length: float
    shares: dict[int, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A kinematic skeleton for a set of keypoints.

    Attributes:
        armature: joints and offsets.
        freedom: of each joint; the root's is not read, it turns freely.
        sites: keypoints on it.
        bones: the lengths that its offsets consist of.
        shares: joint -> a joint before it that takes an equal part of a turn, where nothing tells them apart.
    """

    armature: Armature
    freedom: tuple[Freedom, ...]
    sites: tuple[Site, ...]
    bones: tuple[Bone, ...]
    shares: dict[str, str] = field(default_factory=dict)

    def turned(self, C: Float[np.ndarray, "3 3"]) -> "Body":
        """The same body in a rest pose that is turned as a whole."""
        a = self.armature
        sites = tuple(replace(s, offset=tuple((C @ np.array(s.offset)).tolist())) for s in self.sites)
        bones = tuple(replace(b, shares={j: C @ share for j, share in b.shares.items()}) for b in self.bones)
        armature = Armature(a.name, a.joints, a.parents, a.offsets @ C.T, a.end_offsets @ C.T)
        return Body(armature, tuple(f.turned(C) for f in self.freedom), sites, bones, self.shares)

    @property
    def angle_names(self) -> tuple[tuple[str, str], ...]:
        """Joint and name of every angle, in the order of the solver."""
        return tuple(
            (joint, name)
            for joint, freedom in zip(self.armature.joints, self.freedom, strict=True)
            for name in freedom.names
        )

    @property
    def limits(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lower and upper bound of every angle (rad), and the reach of every joint."""
        lower = np.concatenate([f.lower for f in self.freedom])
        upper = np.concatenate([f.upper for f in self.freedom])
        return lower, upper, np.array([f.reach for f in self.freedom])

    @property
    def shared_angles(self) -> Int[np.ndarray, "pair 2"]:
        """Pairs of angles of the same name of joints that share a turn."""
        index = {name: i for i, name in enumerate(self.angle_names)}
        pairs = [
            (index[joint, name], i)
            for (other, name), i in index.items()
            for joint in (self.shares.get(other),)
            if joint is not None and (joint, name) in index
        ]
        return np.array(pairs, np.int64).reshape(-1, 2)

    def chain(self) -> tuple:
        """The arrays of the kernels, see `pose_kernels`."""
        counts = [len(f.names) for f in self.freedom]
        first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        owner = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
        paths = [self._path(site.joint, first) for site in self.sites]
        path = np.zeros((len(paths), max(map(len, paths), default=0) or 1), np.int64)
        for s, angles in enumerate(paths):
            path[s, : len(angles)] = angles
        return (
            np.array(self.armature.parents, np.int64),
            np.array(self.armature.offsets),
            first,
            np.array([f.exponential for f in self.freedom], np.int64),
            np.stack([f.base for f in self.freedom]),
            np.concatenate([f.axes for f in self.freedom]).reshape(-1, 3),
            np.array([site.joint for site in self.sites], np.int64),
            np.array([site.offset for site in self.sites], float).reshape(-1, 3),
            path,
            np.array([len(angles) for angles in paths], np.int64),
            owner,
        )

    def _path(self, joint: int, first: np.ndarray) -> list[int]:
        """Angles between the root and the joint, its own included."""
        out: list[int] = []
        while joint > 0:
            out = [*range(first[joint], first[joint + 1]), *out]
            joint = self.armature.parents[joint]
        return out
