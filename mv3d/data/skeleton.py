"""Skeleton: which joints a network or a file names, how limbs join them, and what mirrors what."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

_OPENPOSE = re.compile(r"[LR][A-Z](?![A-Z])")
_WORDS = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"), ("l", "r"), ("L", "R"))
_OTHER = {a: b for left, right in _WORDS for a, b in ((left, right), (right, left))}
# A word begins after a separator or with a capital (hipLeft) and ends before one; inside others (bright) it is none.
_SIDE_WORD = re.compile(
    r"(?<![A-Za-z])(left|right|LEFT|RIGHT|[lrLR])(?![A-Za-z])"
    r"|(?<![A-Z])(Left|Right)(?![a-z])|(?<![A-Za-z])(left|right)(?=[A-Z])"
)


@dataclass(frozen=True)
class Skeleton:
    """A named set of keypoints and the limbs between them.

    Attributes:
        name: e.g. "BODY_25".
        keypoints: joint names in channel order, OpenPose's names.
        limbs: index pairs (from, to), in the order in which the network's PAF channels are listed.
        paf_channels: for each limb the (x, y) channels of its part affinity field, counted from the first PAF channel;
            empty for skeletons that are found without PAFs.
        has_background: whether the heatmaps end with a background channel.
        redundant_limbs: limb indices that only help to join people (shoulder to ear), not drawn as bones.
        groups: named ranges of keypoints, e.g. {"body": (0, ..., 24)}.
        mirror_pairs: index pairs (left, right) of joints that mirror each other; None to tell them by their names.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    paf_channels: tuple[tuple[int, int], ...] = ()
    has_background: bool = True
    redundant_limbs: frozenset[int] = frozenset()
    groups: tuple[tuple[str, tuple[int, ...]], ...] = ()
    mirror_pairs: tuple[tuple[int, int], ...] | None = None

    def __post_init__(self) -> None:
        n = len(self.keypoints)
        if len(set(self.keypoints)) != n:
            raise ValueError(f"{self.name}: keypoint names repeat")
        if any(not (0 <= a < n and 0 <= b < n and a != b) for a, b in self.limbs):
            raise ValueError(f"{self.name}: a limb names a joint that is not there")
        paired = [joint for pair in self.mirror_pairs or () for joint in pair]
        if len(set(paired)) != len(paired) or any(not 0 <= joint < n for joint in paired):
            raise ValueError(f"{self.name}: a mirror pair names a joint twice, or one that is not there")
        if self.paf_channels and len(self.paf_channels) != len(self.limbs):
            raise ValueError(f"{self.name}: {len(self.limbs)} limbs but {len(self.paf_channels)} PAF channel pairs")

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def heatmap_count(self) -> int:
        """Heatmap channels of a network for this skeleton, background included."""
        return len(self.keypoints) + int(self.has_background)

    @property
    def paf_count(self) -> int:
        """PAF channels of a network for this skeleton."""
        return 2 * len(self.paf_channels)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """Limbs without the redundant ones: what is drawn and measured."""
        return tuple(limb for i, limb in enumerate(self.limbs) if i not in self.redundant_limbs)

    @cached_property
    def mirror(self) -> np.ndarray:
        """Index of each joint's left/right counterpart (joint,); itself for joints on the midline."""
        index = {name: i for i, name in enumerate(self.keypoints)}
        if self.mirror_pairs is None:
            return np.array([index.get(mirrored_name(name), i) for i, name in enumerate(self.keypoints)])
        other = np.arange(len(self))
        for left, right in self.mirror_pairs:
            other[[left, right]] = right, left
        return other

    def index(self, keypoint: str) -> int:
        """Index of a joint by name; KeyError if this skeleton lacks it."""
        try:
            return self.keypoints.index(keypoint)
        except ValueError:
            raise KeyError(f"{self.name} has no joint {keypoint!r}") from None

    def indices(self, keypoints: tuple[str, ...]) -> tuple[int, ...]:
        """Indices of those of `keypoints` that this skeleton has, in the order asked."""
        return tuple(self.keypoints.index(k) for k in keypoints if k in self.keypoints)


def name_side(keypoint: str) -> str:
    """The side that a joint's name tells: "L", "R", or "" for the midline.

    OpenPose's RKnee and LHand_Wrist; elsewhere the words left and right (left_paw, hipRight), or a lone letter between
    separators (paw_L, r.hock).
    """
    if _OPENPOSE.match(keypoint):
        return keypoint[0]
    found = {match[0][0].upper() for match in _SIDE_WORD.finditer(keypoint)}
    return found.pop() if len(found) == 1 else ""


def mirrored_name(keypoint: str) -> str:
    """The name of the same joint on the other side; the name itself on the midline."""
    if not name_side(keypoint):
        return keypoint
    if _OPENPOSE.match(keypoint):
        return _OTHER[keypoint[0]] + keypoint[1:]
    return _SIDE_WORD.sub(lambda match: _OTHER[match[0]], keypoint)
