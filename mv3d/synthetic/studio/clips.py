"""How a body moves over time: world orientations of its bones and the place of its hips, at any instant."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.geometry.quaternions import rotation_of_quaternion, steady_quaternions
from mv3d.synthetic.studio.human import Human, RestBody


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A sampled motion; between samples it is interpolated, and that interpolation is the truth.

    Attributes:
        rate: samples per second; the first is at 0 s.
        turns: (sample, bone, 4) quaternions (x, y, z, w), world_from_rest; neighbours lie on one side.
        place: (sample, 3) m, head of the pelvis bone in the world.
    """

    rate: float
    turns: np.ndarray
    place: np.ndarray

    @property
    def seconds(self) -> float:
        """Time of the last sample."""
        return (len(self.place) - 1) / self.rate

    def at(self, t: float) -> tuple[Float[np.ndarray, "bone 3 3"], Float[np.ndarray, "3"]]:
        """Orientations and place at an instant; before the start and after the end the pose stays."""
        index = float(np.clip(t * self.rate, 0, len(self.place) - 1))
        first = min(int(index), max(len(self.place) - 2, 0))
        share, second = index - first, min(first + 1, len(self.place) - 1)
        q = (1 - share) * self.turns[first] + share * self.turns[second]
        return rotation_of_quaternion(q), (1 - share) * self.place[first] + share * self.place[second]


def make_clip(rate: float, R: Float[np.ndarray, "sample bone 3 3"], place: Float[np.ndarray, "sample 3"]) -> Clip:
    """A clip from rotation matrices."""
    return Clip(rate, np.stack([steady_quaternions(R[:, bone]) for bone in range(R.shape[1])], axis=1), place)


def bone_places(
    human: Human, body: RestBody, R: Float[np.ndarray, "*batch bone 3 3"], place: Float[np.ndarray, "*batch 3"]
) -> Float[np.ndarray, "*batch bone 3"]:
    """Heads of the bones in the world, m: each hangs on its parent; the pelvis bone is at `place`."""
    heads = np.zeros(R.shape[:-1])
    pelvis = human.bones.index("pelvis")
    heads[..., pelvis, :] = place
    for bone, parent in enumerate(human.parents):
        if bone != pelvis and parent >= 0:
            offset = body.heads[bone] - body.heads[parent]
            heads[..., bone, :] = heads[..., parent, :] + R[..., parent, :, :] @ offset
    return heads


def skin_matrices(
    human: Human, body: RestBody, R: Float[np.ndarray, "bone 3 3"], place: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "bone 3 4"]:
    """World from rest for points that a bone carries: x = M[:, :3] @ x_rest + M[:, 3]."""
    heads = bone_places(human, body, R, place)
    shift = heads - np.einsum("bij,bj->bi", R, body.heads)
    return np.concatenate([R, shift[..., None]], axis=-1)
