"""mobilenet_thin: MobileNet v1 features at stride 8, then six stages of heatmaps and part affinity fields.

The network of tf-pose-estimation (Ildoo Kim, Apache-2.0), after Cao et al. 2017 and Howard et al. 2017, with the batch
norms already folded into the convolutions, as in its frozen graph.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mv3d.data.skeleton import Skeleton

STRIDE = 8

# (output channels, stride) of the depthwise-separable layers 1 to 11.
_BACKBONE = ((48, 1), (96, 2), (96, 1), (192, 2), (192, 1), (384, 1), (384, 1), (384, 1), (384, 1), (384, 1), (384, 1))
_FIRST = 24
# Layers whose outputs make the features; the first of them is at stride 4 and is halved by a max pool.
_TAPS = (3, 7, 11)
_HIDDEN = 64
_FIRST_STAGE_WIDTH = 256
_STAGES = 6


class SeparableConv(nn.Module):
    """Depthwise 3x3, pointwise 1x1, ReLU. TensorFlow's SAME: at stride 2 an even size is padded after, not before."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.pads_after = stride == 2
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, 0 if self.pads_after else 1, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch outputs h2 w2"]:
        """Apply the layer."""
        if self.pads_after:
            x = functional.pad(x, (0, 1, 0, 1))
        return functional.relu_(self.pointwise(self.depthwise(x)))


class Branch(nn.Module):
    """One output of a stage: three separable 3x3 layers, a wide 1x1 layer, and 1x1 to the fields."""

    def __init__(self, inputs: int, hidden: int, width: int, outputs: int) -> None:
        super().__init__()
        sizes = (inputs, hidden, hidden, hidden)
        self.convs = nn.Sequential(*(SeparableConv(a, b) for a, b in pairwise(sizes)))
        self.wide = nn.Conv2d(hidden, width, 1)
        self.out = nn.Conv2d(width, outputs, 1)

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch outputs h w"]:
        """Apply the branch."""
        return self.out(functional.relu_(self.wide(self.convs(x))))


class Stage(nn.Module):
    """The PAF branch and the heatmap branch over the same input."""

    def __init__(self, inputs: int, width: int, pafs: int, heatmaps: int, hidden: int = _HIDDEN) -> None:
        super().__init__()
        self.pafs = Branch(inputs, hidden, width, pafs)
        self.heatmaps = Branch(inputs, hidden, width, heatmaps)

    def forward(
        self, x: Float[Tensor, "batch inputs h w"]
    ) -> tuple[Float[Tensor, "batch pafs h w"], Float[Tensor, "batch maps h w"]]:
        """PAFs and heatmaps."""
        return self.pafs(x), self.heatmaps(x)


class MobilenetThin(nn.Module):
    """Heatmaps and PAFs at stride 8 from raw BGR pixels."""

    stride = STRIDE
    after_trunk: tuple[str, ...] = ("stages.",)
    """Parameters (by how their names begin) that see `features` alone, and of these such as no other network has."""
    new_parts: tuple[str, ...] = ()

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        self.own_fields: tuple[bool, ...] = (True,) * (skeleton.heatmap_count + skeleton.paf_count)
        """Which heatmaps, then which PAFs, come from the parts after the trunk."""
        channels = [_FIRST, *(outputs for outputs, _ in _BACKBONE)]
        self.first = nn.Conv2d(3, _FIRST, 3, stride=2)
        self.backbone = nn.ModuleList(
            SeparableConv(inputs, outputs, stride)
            for inputs, (outputs, stride) in zip(channels, _BACKBONE, strict=False)
        )
        self.feature_count = sum(channels[tap] for tap in _TAPS)
        fields = skeleton.paf_count, skeleton.heatmap_count
        self.stages = nn.ModuleList(
            Stage(self.feature_count + (sum(fields) if i else 0), _HIDDEN if i else _FIRST_STAGE_WIDTH, *fields)
            for i in range(_STAGES)
        )

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch maps h w"], Float[Tensor, "batch pafs h w"]]:
        """Run the network.

        Args:
            images: BGR, 0 to 255, sides multiples of 8; fastest in torch.channels_last on a CPU.

        Returns:
            Heatmaps (background last) and PAFs of the last stage, an eighth of the input's size.

        Raises:
            ValueError: a side is not a multiple of 8.
        """
        if images.shape[2] % STRIDE or images.shape[3] % STRIDE:
            raise ValueError(f"network input {tuple(images.shape[2:])} is not a multiple of {STRIDE}")
        # On a CPU the fields of one image stay in its cache; those of a batch do not, and take 1.3 times as long.
        groups = images.split(1) if images.device.type == "cpu" else (images,)
        heatmaps, pafs = zip(*(self.fields_of_stages(self.features(group))[-1] for group in groups), strict=True)
        return torch.cat(heatmaps), torch.cat(pafs)

    def features(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch features h w"]:
        """What the stages see: the taps of the backbone side by side."""
        x = functional.relu_(self.first(functional.pad(images, (0, 1, 0, 1))))
        taps = []
        for number, layer in enumerate(self.backbone, start=1):
            x = layer(x)
            if number in _TAPS:
                taps.append(functional.max_pool2d(x, 2) if not taps else x)
        return torch.cat(taps, 1)

    def fields_of_stages(
        self, features: Float[Tensor, "batch features h w"]
    ) -> list[tuple[Float[Tensor, "batch maps h w"], Float[Tensor, "batch pafs h w"]]]:
        """Heatmaps and PAFs of every stage; the last are the network's answer."""
        pafs, heatmaps = self.stages[0](features)
        found = [(heatmaps, pafs)]
        for stage in self.stages[1:]:
            pafs, heatmaps = stage(torch.cat([pafs, heatmaps, features], 1))
            found.append((heatmaps, pafs))
        return found
