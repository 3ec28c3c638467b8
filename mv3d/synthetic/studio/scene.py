"""A scene: people who move, panels that are carried, a room and its light; and where everything is at an instant."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from mv3d.synthetic.studio.clips import Clip, skin_matrices
from mv3d.synthetic.studio.human import Human
from mv3d.synthetic.studio.rooms import Light, Room
from mv3d.synthetic.studio.skinning_kernels import skin, vertex_normals
from mv3d.synthetic.studio.wardrobe import DressedBody

PoseOf = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""World from panel at times (n,) s: rotations (n, 3, 3) and places (n, 3) m."""
# Keypoints may lie this much deeper than half a limb behind the first surface and still be seen, m.
_SKIN_DEEP = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """Somebody in the scene.

    Attributes:
        human: the rig.
        dressed: the body and what it wears.
        clip: the motion.
        start: s, time of the clip at the scene's time 0.
    """

    human: Human
    dressed: DressedBody
    clip: Clip
    start: float = 0.0

    def posed(self, t: float) -> "PosedActor":
        """The skin and the joints at the scene's time t (s)."""
        human, dressed = self.human, self.dressed
        R, place = self.clip.at(t + self.start)
        matrices = skin_matrices(human, dressed.body, R, place)
        vertices, normals = np.empty_like(dressed.vertices), np.empty_like(dressed.vertices)
        skin(dressed.vertices, human.skin_index, human.skin_weight, matrices, vertices)
        vertex_normals(vertices, human.triangles, normals)
        return PosedActor(vertices, normals, self._keypoints(matrices))

    def _keypoints(self, matrices: np.ndarray) -> np.ndarray:
        """Each keypoint is a mean of points that the skin or a bone carries."""
        human, body = self.human, self.dressed.body
        points = human.keypoint_index.ravel()
        rest = np.concatenate([body.vertices, body.heads, body.tails])[points]
        count, bones = human.vertex_count, len(human.bones)
        of_bone = points >= count
        index, weight = (
            human.skin_index[np.minimum(points, count - 1)],
            human.skin_weight[np.minimum(points, count - 1)],
        )
        index = np.where(of_bone[:, None], ((points - count) % bones)[:, None], index)
        weight = np.where(of_bone[:, None], [1.0, 0, 0, 0], weight)
        moved = np.empty_like(rest)
        skin(rest, index, weight, matrices, moved)
        return np.einsum("kw,kwc->kc", human.keypoint_weight, moved.reshape(*human.keypoint_index.shape, 3))

    def keypoint_depths(self) -> Float[np.ndarray, " keypoint"]:
        """How far behind the surface each keypoint may lie and still count as seen, m."""
        away = np.linalg.norm(self.dressed.body.keypoints[:, None] - self.dressed.vertices[None], axis=-1).min(1)
        return 1.6 * away + _SKIN_DEEP


@dataclass(frozen=True, slots=True, eq=False)
class PosedActor:
    """World positions (vertex, 3) m, unit normals (vertex, 3), keypoints (keypoint, 3) m."""

    vertices: np.ndarray
    normals: np.ndarray
    keypoints: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A flat picture that is carried through the scene.

    Attributes:
        picture: (rows, columns) or (rows, columns, 3) uint8, of the whole panel.
        size: (width, height) m.
        pose: world from panel over time; x to the right, y down from its upper left corner, z into the panel.
    """

    picture: np.ndarray
    size: tuple[float, float]
    pose: PoseOf


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """All that the cameras can see."""

    room: Room
    light: Light
    actors: tuple[Actor, ...] = ()
    panels: tuple[Panel, ...] = field(default=())
