"""Lightweight OpenPose (Osokin 2018): MobileNet v1 features at stride 8, dilated, one refinement stage; COCO_18.

Written from the paper and from the names and sizes in its published state dict (Apache-2.0), which this module's state
dict shares. Batch norms are folded into the convolutions before them when weights are read, so all that is left of a
layer is its convolution, at the place that it had in the published file.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mv3d.data.skeleton import Skeleton

STRIDE = 8
_WIDTH = 128
_FIRST = 32
_WIDE_HEAD = 512
# (output channels, stride, dilation) of the separable layers.
_BACKBONE = (
    *((64, 1, 1), (128, 2, 1), (128, 1, 1), (256, 2, 1), (256, 1, 1), (512, 1, 1)),
    *((512, 1, 2), (512, 1, 1), (512, 1, 1), (512, 1, 1), (512, 1, 1)),
)

_Heatmaps, _Pafs = Float[Tensor, "batch maps h w"], Float[Tensor, "batch pafs h w"]


class _Conv(nn.ModuleDict):
    """A convolution at place 0, and ReLU unless it is the last of a head."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1, *, relu: bool = True
    ) -> None:
        padding = kernel // 2 * dilation
        super().__init__({"0": nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation)})
        self.relu = relu

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch outputs h2 w2"]:
        """Apply the layer."""
        x = self["0"](x)
        return functional.relu_(x) if self.relu else x


class _Separable(nn.ModuleDict):
    """Depthwise 3x3 and pointwise 1x1, each with an activation: ReLU, or ELU and no biases in the context layers.

    Where there were batch norms, at 1 and 4 of the published file, the 1x1 convolution is at 3.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1, *, elu: bool = False) -> None:
        depthwise = nn.Conv2d(inputs, inputs, 3, stride, dilation, dilation, groups=inputs, bias=not elu)
        super().__init__({"0": depthwise, "2" if elu else "3": nn.Conv2d(inputs, outputs, 1, bias=not elu)})
        self.activation = functional.elu_ if elu else functional.relu_

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch outputs h2 w2"]:
        """Apply the layer."""
        for conv in self.values():
            x = self.activation(conv(x))
        return x


class _Context(nn.Module):
    """Features of 128 channels: a 1x1 layer, separable layers beside it, and a 3x3 layer over the sum."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.align = _Conv(inputs, _WIDTH, 1)
        self.trunk = nn.Sequential(*(_Separable(_WIDTH, _WIDTH, elu=True) for _ in range(3)))
        self.conv = _Conv(_WIDTH, _WIDTH)

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch outputs h w"]:
        """Apply the layers."""
        x = self.align(x)
        return self.conv(x + self.trunk(x))


class _Refinement(nn.Module):
    """A 1x1 layer, and two 3x3 layers whose output is added to it, the second dilated."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.initial = _Conv(inputs, _WIDTH, 1)
        self.trunk = nn.Sequential(_Conv(_WIDTH, _WIDTH), _Conv(_WIDTH, _WIDTH, dilation=2))

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch outputs h w"]:
        """Apply the block."""
        x = self.initial(x)
        return x + self.trunk(x)


class _Stage(nn.Module):
    """Blocks, then two 1x1 layers to heatmaps and two to PAFs."""

    def __init__(self, blocks: Iterable[nn.Module], width: int, skeleton: Skeleton) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*blocks)
        maps, pafs = skeleton.heatmap_count, skeleton.paf_count
        self.heatmaps = nn.Sequential(_Conv(_WIDTH, width, 1), _Conv(width, maps, 1, relu=False))
        self.pafs = nn.Sequential(_Conv(_WIDTH, width, 1), _Conv(width, pafs, 1, relu=False))

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> tuple[_Heatmaps, _Pafs]:
        """Heatmaps and PAFs."""
        x = self.trunk(x)
        return self.heatmaps(x), self.pafs(x)


class LightweightNet(nn.Module):
    """Heatmaps and PAFs at stride 8 from BGR pixels of 0 to 255."""

    stride = STRIDE

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        inputs = [_FIRST, *(outputs for outputs, _, _ in _BACKBONE)]
        separable = (_Separable(i, *row) for i, row in zip(inputs, _BACKBONE, strict=False))
        self.model = nn.Sequential(_Conv(3, _FIRST, stride=2), *separable)
        self.cpm = _Context(inputs[-1])
        fields = skeleton.heatmap_count + skeleton.paf_count
        self.initial_stage = _Stage((_Conv(_WIDTH, _WIDTH) for _ in range(3)), _WIDE_HEAD, skeleton)
        blocks = (_Refinement(_WIDTH if i else _WIDTH + fields) for i in range(5))
        self.refinement_stages = nn.ModuleList([_Stage(blocks, _WIDTH, skeleton)])

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> tuple[_Heatmaps, _Pafs]:
        """Heatmaps (background last) and PAFs of the refinement stage, an eighth of the input's size.

        Raises:
            ValueError: a side is not a multiple of 8.
        """
        if images.shape[2] % STRIDE or images.shape[3] % STRIDE:
            raise ValueError(f"network input {tuple(images.shape[2:])} is not a multiple of {STRIDE}")
        features = self.cpm(self.model(images / 256 - 0.5))
        heatmaps, pafs = self.initial_stage(features)
        for stage in self.refinement_stages:
            heatmaps, pafs = stage(torch.cat([features, heatmaps, pafs], 1))
        return heatmaps, pafs
