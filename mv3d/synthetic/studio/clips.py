"""How a body moves over time: world orientations of its bones and the place of its hips, at any instant."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.synthetic.studio.human import Human, RestBody


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A sampled motion; between samples it is interpolated, and that interpolation is the truth.

    Attributes:
        rate: samples per second; the first is at 0 s.
        turns: (sample, bone, 4) quaternions (w, x, y, z), world_from_rest; neighbours lie on one side.
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
        q = q / np.linalg.norm(q, axis=-1, keepdims=True)
        return matrices_of(q), (1 - share) * self.place[first] + share * self.place[second]


def make_clip(rate: float, R: Float[np.ndarray, "sample bone 3 3"], place: Float[np.ndarray, "sample 3"]) -> Clip:
    """A clip from rotation matrices."""
    q = quaternions_of(R)
    for i in range(1, len(q)):
        flip = (q[i] * q[i - 1]).sum(-1) < 0
        q[i, flip] *= -1
    return Clip(rate, q, place)


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


def quaternions_of(R: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 4"]:
    """Unit quaternions (w, x, y, z) of rotation matrices, by the largest of the four components (Shepperd)."""
    r = R.reshape(-1, 3, 3)
    trace = np.trace(r, axis1=1, axis2=2)
    squares = np.stack([trace, r[:, 0, 0], r[:, 1, 1], r[:, 2, 2]], axis=-1)
    case = np.argmax(squares, axis=1)
    q = np.empty((len(r), 4))
    w = case == 0
    q[w] = np.stack([1 + trace[w], r[w, 2, 1] - r[w, 1, 2], r[w, 0, 2] - r[w, 2, 0], r[w, 1, 0] - r[w, 0, 1]], axis=-1)
    for i in range(3):
        j, k, own = (i + 1) % 3, (i + 2) % 3, case == i + 1
        q[own, 0] = r[own, k, j] - r[own, j, k]
        q[own, 1 + i] = 1 + r[own, i, i] - r[own, j, j] - r[own, k, k]
        q[own, 1 + j] = r[own, j, i] + r[own, i, j]
        q[own, 1 + k] = r[own, k, i] + r[own, i, k]
    return (q / np.linalg.norm(q, axis=-1, keepdims=True)).reshape(*R.shape[:-2], 4)


def matrices_of(q: Float[np.ndarray, "*batch 4"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Rotation matrices of unit quaternions (w, x, y, z)."""
    w, x, y, z = np.moveaxis(q, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
