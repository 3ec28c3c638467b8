"""Chains of convolutions that are tables: each layer has the name that the published weight files give it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution with zero padding to the same size.

    Attributes:
        name: the layer's name in weight files.
        outputs: channels.
        kernel: side of the kernel.
        activation: ReLU, none, or the name of a layer of PReLU slopes, one a channel.
        pool: halve the input by a 2x2 maximum first.
    """

    name: str
    outputs: int
    kernel: Literal[1, 3, 7] = 3
    activation: str | None = "relu"
    pool: bool = False


class Chain(nn.ModuleDict):
    """Layers one after another; the keys of its state dict are those of the layers."""

    def __init__(self, inputs: int, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.layers_in_order = tuple(layers)
        for layer in layers:
            self[layer.name] = nn.Conv2d(inputs, layer.outputs, layer.kernel, padding=layer.kernel // 2)
            if layer.activation not in ("relu", None):
                self[layer.activation] = nn.PReLU(layer.outputs)
            inputs = layer.outputs

    @property
    def outputs(self) -> int:
        """Channels of the last layer."""
        return self.layers_in_order[-1].outputs

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch outputs h2 w2"]:
        """Apply the layers."""
        for layer in self.layers_in_order:
            if layer.pool:
                x = functional.max_pool2d(x, 2)
            x = self[layer.name](x)
            if layer.activation == "relu":
                x = functional.relu_(x)
            elif layer.activation is not None:
                x = self[layer.activation](x)
        return x


class DenseBlock(nn.Module):
    """Layers in series whose outputs are all passed on, side by side (Cao et al. 2019, figure 3)."""

    def __init__(self, inputs: int, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.parts = nn.ModuleList()
        for layer in layers:
            self.parts.append(Chain(inputs, [layer]))
            inputs = layer.outputs
        self.outputs = sum(layer.outputs for layer in layers)

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch outputs h w"]:
        """Apply the block."""
        outputs = []
        for part in self.parts:
            x = part(x)
            outputs.append(x)
        return torch.cat(outputs, 1)
