"""The networks of OpenPose from their layer tables: COCO_18, MPI_15, BODY_25, and the hand and face networks.

Written from the papers (Cao et al. 2017 and 2019, Wei et al. 2016, Simon et al. 2017) and the published layer names
and sizes. Layers carry the names of the Caffe files, so a weight file and a state dict match name by name. All take BGR
pixels of 0 to 255 and give maps at an eighth of the size whose cell k lies at 8 k + 3.5.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mv3d.data.skeleton import Skeleton
from mv3d.pose2d.networks.layers import Chain, DenseBlock, Layer

STRIDE = 8
_FEATURES = 128
# Widths of the dense stages: of the three layers of a block, and of the 1x1 layer before the last.
_NARROW, _WIDE = (96, 256), (128, 512)

_Heatmaps, _Pafs = Float[Tensor, "batch maps h w"], Float[Tensor, "batch pafs h w"]


def _vgg(deep: tuple[Layer, ...]) -> Chain:
    """VGG-19 up to its third pooling, then the network's own layers."""
    shallow = (
        *(Layer("conv1_1", 64), Layer("conv1_2", 64)),
        *(Layer("conv2_1", 128, pool=True), Layer("conv2_2", 128)),
        *(Layer("conv3_1", 256, pool=True), Layer("conv3_2", 256), Layer("conv3_3", 256), Layer("conv3_4", 256)),
        Layer("conv4_1", 512, pool=True),
    )
    return Chain(3, (*shallow, *deep))


def _first_stage(inputs: int, outputs: int, branch: str) -> Chain:
    convs = tuple(Layer(f"conv5_{i}_CPM_{branch}", 128) for i in (1, 2, 3))
    ends = Layer(f"conv5_4_CPM_{branch}", 512, 1), Layer(f"conv5_5_CPM_{branch}", outputs, 1, None)
    return Chain(inputs, (*convs, *ends))


def _later_stage(inputs: int, outputs: int, ending: str) -> Chain:
    convs = tuple(Layer(f"Mconv{i}_{ending}", 128, 7) for i in range(1, 6))
    return Chain(inputs, (*convs, Layer(f"Mconv6_{ending}", 128, 1), Layer(f"Mconv7_{ending}", outputs, 1, None)))


def _normalised(images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 height width"]:
    if images.shape[2] % STRIDE or images.shape[3] % STRIDE:
        raise ValueError(f"network input {tuple(images.shape[2:])} is not a multiple of {STRIDE}")
    return images / 256 - 0.5


class TwoBranchNet(nn.Module):
    """Heatmaps and PAFs from stages of two branches each: COCO_18 and MPI_15 (Cao et al. 2017)."""

    stride = STRIDE

    def __init__(self, skeleton: Skeleton, stages: int = 6) -> None:
        super().__init__()
        self.trunk = _vgg((Layer("conv4_2", 512), Layer("conv4_3_CPM", 256), Layer("conv4_4_CPM", _FEATURES)))
        outputs = {"L1": skeleton.paf_count, "L2": skeleton.heatmap_count}
        later = _FEATURES + sum(outputs.values())
        self.stages = nn.ModuleList(
            nn.ModuleDict(
                {
                    branch: _later_stage(later, count, f"stage{stage}_{branch}")
                    if stage > 1
                    else _first_stage(_FEATURES, count, branch)
                    for branch, count in outputs.items()
                }
            )
            for stage in range(1, stages + 1)
        )

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> tuple[_Heatmaps, _Pafs]:
        """Heatmaps (background last) and PAFs of the last stage, an eighth of the input's size.

        Raises:
            ValueError: a side is not a multiple of 8.
        """
        features = self.trunk(_normalised(images))
        fields = [branch(features) for branch in self.stages[0].values()]  # type: ignore[operator]
        for stage in self.stages[1:]:
            x = torch.cat([*fields, features], 1)
            fields = [branch(x) for branch in stage.values()]  # type: ignore[operator]
        pafs, heatmaps = fields
        return heatmaps, pafs


class _DenseStage(nn.Sequential):
    """Five dense blocks and two 1x1 layers, with PReLU: a stage of BODY_25."""

    def __init__(self, inputs: int, widths: tuple[int, int], outputs: int, ending: str) -> None:
        width, middle = widths
        blocks = []
        for i in range(1, 6):
            layers = [Layer(f"Mconv{i}_{ending}_{j}", width, 3, f"Mprelu{i}_{ending}_{j}") for j in range(3)]
            blocks.append(DenseBlock(inputs, layers))
            inputs = blocks[-1].outputs
        ends = Layer(f"Mconv6_{ending}", middle, 1, f"Mprelu6_{ending}"), Layer(f"Mconv7_{ending}", outputs, 1, None)
        super().__init__(*blocks, Chain(inputs, ends))


class Body25Net(nn.Module):
    """Four stages of PAFs, then two of heatmaps, of dense blocks with PReLU (Cao et al. 2019)."""

    stride = STRIDE

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        deep = (("4_2", 512), ("4_3_CPM", 256), ("4_4_CPM", _FEATURES))
        self.trunk = _vgg(tuple(Layer(f"conv{at}", outputs, 3, f"prelu{at}") for at, outputs in deep))
        pafs, maps = skeleton.paf_count, skeleton.heatmap_count
        self.paf_stages = nn.ModuleList(
            _DenseStage(_FEATURES + (pafs if i else 0), _WIDE if i else _NARROW, pafs, f"stage{i}_L2") for i in range(4)
        )
        self.map_stages = nn.ModuleList(
            _DenseStage(_FEATURES + pafs + (maps if i else 0), _WIDE if i else _NARROW, maps, f"stage{i}_L1")
            for i in range(2)
        )

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> tuple[_Heatmaps, _Pafs]:
        """Heatmaps (background last) and PAFs, an eighth of the input's size.

        Raises:
            ValueError: a side is not a multiple of 8.
        """
        features = self.trunk(_normalised(images))
        pafs = self.paf_stages[0](features)
        for stage in self.paf_stages[1:]:
            pafs = stage(torch.cat([features, pafs], 1))
        heatmaps = self.map_stages[0](torch.cat([features, pafs], 1))
        return self.map_stages[1](torch.cat([features, heatmaps, pafs], 1)), pafs


class PartNet(nn.Module):
    """Heatmaps of one hand or face in a square crop: a convolutional pose machine of six stages (Wei et al. 2016)."""

    stride = STRIDE

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        deep = (*(Layer(f"conv4_{i}", 512) for i in (2, 3, 4)), Layer("conv5_1", 512), Layer("conv5_2", 512))
        self.trunk = _vgg((*deep, Layer("conv5_3_CPM", _FEATURES)))
        maps = skeleton.heatmap_count
        first = Chain(_FEATURES, (Layer("conv6_1_CPM", 512, 1), Layer("conv6_2_CPM", maps, 1, None)))
        later = (_later_stage(maps + _FEATURES, maps, f"stage{i}") for i in range(2, 7))
        self.stages = nn.ModuleList([first, *later])

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> tuple[_Heatmaps, _Pafs]:
        """Heatmaps (background last) of the last stage, an eighth of the input's size; there are no PAFs.

        Raises:
            ValueError: a side is not a multiple of 8.
        """
        features = self.trunk(_normalised(images))
        heatmaps = self.stages[0](features)
        for stage in self.stages[1:]:
            heatmaps = stage(torch.cat([heatmaps, features], 1))
        return heatmaps, heatmaps[:, :0]
