"""mv3d-body25: mobilenet_thin with a head of its own for the mid-hip and the feet.

All that mobilenet_thin knows stays as it is: its backbone, its six stages, and their answers for the 18 joints and 19
limbs of COCO_18. Two further stages see its features and its answers and add what BODY_25 has more: seven joints and
nine limbs. So the shared joints are found as well as before, and only the new stages need to be trained.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BODY_25, COCO_18
from mv3d.pose2d.networks.mobilenet_thin import Branch, MobilenetThin, SeparableConv, Stage

_HIDDEN = 128
_HEAD_STAGES = 2
_NEW_JOINTS = tuple(name for name in BODY_25.keypoints if name not in COCO_18.keypoints)
_SHARED = tuple(BODY_25.index(name) for name in COCO_18.keypoints)


def _layout() -> Skeleton:
    """COCO_18's limbs with their channels, then those of BODY_25 that touch a new joint."""
    kept = tuple((_SHARED[a], _SHARED[b]) for a, b in COCO_18.limbs)
    new = {BODY_25.index(name) for name in _NEW_JOINTS}
    added = tuple(limb for limb in BODY_25.limbs if new & set(limb))
    first = COCO_18.paf_count
    channels = tuple((first + 2 * i, first + 2 * i + 1) for i in range(len(added)))
    return Skeleton(
        "BODY_25",
        BODY_25.keypoints,
        kept + added,
        COCO_18.paf_channels + channels,
        redundant_limbs=COCO_18.redundant_limbs,
        groups=BODY_25.groups,
    )


LAYOUT = _layout()
"""The joints of BODY_25, joined by the limbs whose fields this network has: those from the neck to the hips as well."""


NEW_FIELDS = tuple(name in _NEW_JOINTS for name in (*BODY_25.keypoints, "")) + tuple(
    channel >= COCO_18.paf_count for channel in range(LAYOUT.paf_count)
)
"""Which heatmaps, then which PAFs, come from the head and not from mobilenet_thin."""


class MobileBody25(MobilenetThin):
    """Heatmaps and PAFs at stride 8 from raw BGR pixels, in the order of `LAYOUT`."""

    after_trunk = new_parts = ("head.",)

    def __init__(self, skeleton: Skeleton = LAYOUT) -> None:
        if skeleton != LAYOUT:
            raise ValueError(f"mv3d-body25 finds {LAYOUT.name} by limbs of its own, not {skeleton.name}")
        super().__init__(COCO_18)
        self.own_fields = NEW_FIELDS
        self.base_count = self.feature_count + COCO_18.paf_count + COCO_18.heatmap_count
        new = LAYOUT.paf_count - COCO_18.paf_count, LAYOUT.heatmap_count - COCO_18.heatmap_count
        self._new_count = sum(new)
        self.head = nn.ModuleList(
            Stage(self.base_count + (sum(new) if i else 0), _HIDDEN, *new, hidden=_HIDDEN) for i in range(_HEAD_STAGES)
        )

    @torch.no_grad()
    def begin_as_last_stage(self) -> None:
        """Let half of the head's channels be those of mobilenet_thin's last stage, which knows legs already."""
        taught = self.stages[-1]
        assert isinstance(taught, Stage)
        for number, own in enumerate(self.head):
            assert isinstance(own, Stage)
            # A later stage of the head sees the new fields first, then what mobilenet_thin's stages see.
            first = 0 if number == 0 else self._new_count
            for mine, theirs in ((own.pafs, taught.pafs), (own.heatmaps, taught.heatmaps)):
                _begin_branch_as(mine, theirs, slice(first, first + self.base_count))

    def features(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch features h w"]:
        """What the head sees: mobilenet_thin's PAFs, heatmaps and features."""
        features = super().features(images)
        heatmaps, pafs = super().fields_of_stages(features)[-1]
        return torch.cat([pafs, heatmaps, features], 1)

    def fields_of_stages(
        self, features: Float[Tensor, "batch features h w"]
    ) -> list[tuple[Float[Tensor, "batch maps h w"], Float[Tensor, "batch pafs h w"]]]:
        """Heatmaps (background last) and PAFs of each stage of the head; the last are the network's answer."""
        pafs, heatmaps = features[:, : COCO_18.paf_count], features[:, COCO_18.paf_count :][:, : COCO_18.heatmap_count]
        found, x = [], features
        for stage in self.head:
            new_pafs, new_heatmaps = stage(x)
            found.append((_in_order(heatmaps, new_heatmaps), torch.cat([pafs, new_pafs], 1)))
            x = torch.cat([new_pafs, new_heatmaps, features], 1)
        return found


def _begin_branch_as(own: Branch, taught: Branch, known: slice) -> None:
    """The first channels of a branch become another's, whose inputs are at `known`."""
    for layer, (mine, theirs) in enumerate(zip(own.convs, taught.convs, strict=True)):
        assert isinstance(mine, SeparableConv)
        assert isinstance(theirs, SeparableConv)
        at = known if layer == 0 else slice(0, theirs.depthwise.in_channels)
        mine.depthwise.weight[at] = theirs.depthwise.weight
        _take_over(mine.pointwise, theirs.pointwise, at)
    _take_over(own.wide, taught.wide, slice(0, taught.wide.in_channels))


def _take_over(own: nn.Conv2d, taught: nn.Conv2d, at: slice) -> None:
    """The first outputs of a 1x1 layer become another's, read from the inputs `at` alone."""
    count = taught.out_channels
    own.weight[:count] = 0.0
    own.weight[:count, at] = taught.weight
    assert own.bias is not None
    assert taught.bias is not None
    own.bias[:count] = taught.bias


def _in_order(
    shared: Float[Tensor, "batch shared h w"], new: Float[Tensor, "batch new h w"]
) -> Float[Tensor, "batch maps h w"]:
    """The maps of COCO_18 and those of the new joints as BODY_25 has them, the background last."""
    places = {name: shared[:, i : i + 1] for i, name in enumerate(COCO_18.keypoints)}
    places |= {name: new[:, i : i + 1] for i, name in enumerate(_NEW_JOINTS)}
    return torch.cat([*(places[name] for name in BODY_25.keypoints), shared[:, len(COCO_18) :]], 1)
