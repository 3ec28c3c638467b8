"""Which networks there are, and how one is loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import COCO_18
from mv3d.errors import ConfigError, FormatError
from mv3d.pose2d.networks.mobilenet_thin import STRIDE, MobilenetThin

# A pose network of float32 weights has at most 210 MB; a larger file is not one.
_MAX_BYTES = 512 * 2**20


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of network.

    Attributes:
        name: what users call it.
        skeleton: the joints that it finds.
        build: makes the untrained module for a skeleton.
        weights: file name in mv3d/pose2d/weights.
        stride: input px per cell of the maps.
        cell_offset: (x, y) input px that cell (0, 0) of the maps stands for; cell k lies at `stride * k + cell_offset`.
    """

    name: str
    skeleton: Skeleton
    build: Callable[[Skeleton], nn.Module]
    weights: str
    stride: int
    cell_offset: tuple[float, float]


# Cell k covers input px 8 k to 8 k + 7, yet the network learned to put its peaks a little below and to the right of
# 8 k + 3.5. Measured on 192 views of a real session (2,051 joints): each view turned by +-20 to 30 degrees, plain and
# mirrored, must agree with itself. Found (3.0, 2.45), standard error 0.08; mirroring alone gives x = 3.0 as well.
_MOBILENET_THIN_OFFSET = (3.0, 2.5)

MODELS = {
    model.name: model
    for model in (
        Model(
            name="mobilenet_thin",
            skeleton=COCO_18,
            build=MobilenetThin,
            weights="mobilenet_thin.safetensors",
            stride=STRIDE,
            cell_offset=_MOBILENET_THIN_OFFSET,
        ),
    )
}


def model_named(name: str) -> Model:
    """Look a model up by name.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in MODELS:
        raise ConfigError(f"no 2D model {name!r}; there are {', '.join(MODELS)}")
    return MODELS[name]


def load_network(model: Model, weights: Path | None = None) -> nn.Module:
    """The network with its weights in float32, in evaluation mode, in channels_last.

    Args:
        model: which network.
        weights: a safetensors file; None takes the one that ships with the package.

    Raises:
        FormatError: the file is missing or holds other tensors than the network's.
    """
    path = weights or resources.files("mv3d.pose2d") / "weights" / model.weights
    try:
        state = load(_bounded_bytes(path))
    except (OSError, SafetensorError) as error:
        raise FormatError(f"{path}: cannot be read as safetensors ({error}); pass weights of {model.name}") from error
    network = model.build(model.skeleton)
    try:
        network.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    except RuntimeError as error:
        raise FormatError(f"{path}: not the weights of {model.name}; convert them again") from error
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _bounded_bytes(path: Path | Traversable) -> bytes:
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise FormatError(f"{path}: larger than {_MAX_BYTES >> 20} MB; pass the weights of a pose network")
    return data
