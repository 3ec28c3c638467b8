"""Which networks there are, and how one is loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BODY_25, COCO_18, FACE_70, HAND_21, MPI_15
from mv3d.errors import ConfigError, FormatError
from mv3d.pose2d.networks.lightweight import LightweightNet
from mv3d.pose2d.networks.mobile_body_25 import LAYOUT, MobileBody25
from mv3d.pose2d.networks.mobilenet_thin import MobilenetThin
from mv3d.pose2d.networks.openpose import Body25Net, PartNet, TwoBranchNet
from mv3d.pose2d.weight_store import checked_path

# A pose network of float32 weights has at most 210 MB; a larger file is not one.
MAX_BYTES = 512 * 2**20
_STRIDE = 8
_MIDDLE = (3.5, 3.5)


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A weight file as its authors published it; the hashes and the address as far as they are known."""

    name: str
    sha256: str | None = None
    md5: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Model:
    """A kind of network.

    Attributes:
        name: what users call it.
        skeleton: the joints that it finds.
        build: makes the untrained module for a skeleton.
        cell_offset: (x, y) input px that cell (0, 0) of the maps stands for; cell k lies at `stride * k + cell_offset`.
        ships: whether weights come with the package, in mv3d/pose2d/weights.
        stride: input px per cell of the maps.
        joined_by: the same joints with the limbs whose fields the network has, where they are others than the
            skeleton's.
    """

    name: str
    skeleton: Skeleton
    build: Callable[[Skeleton], nn.Module]
    cell_offset: tuple[float, float] = _MIDDLE
    ships: bool = False
    stride: int = _STRIDE
    joined_by: Skeleton | None = None

    @property
    def layout(self) -> Skeleton:
        """The skeleton with the limbs and channels of the network's fields."""
        return self.joined_by or self.skeleton

    def untrained(self) -> nn.Module:
        """The network with random weights."""
        return self.build(self.layout)

    @cached_property
    def _facts(self) -> dict:
        return _facts_of_models()[self.name]

    @property
    def licence(self) -> str:
        """The terms of its weights."""
        return self._facts["licence"]

    @property
    def origin(self) -> str:
        """Whose network it is."""
        return self._facts["origin"]

    @property
    def by_hand(self) -> str:
        """How a user gets the weights."""
        return self._facts["by_hand"]

    @property
    def files(self) -> tuple[PublishedFile, ...]:
        """The published weight files."""
        return tuple(PublishedFile(**entry) for entry in self._facts["files"])

    @property
    def stored_as(self) -> str:
        """Under which name its weights are kept; another model's if they are that one's."""
        return self._facts.get("weights_of", self.name)

    @property
    def finds_people(self) -> bool:
        """Whether it finds whole people; hand and face networks look at one crop each."""
        return self.layout.paf_count > 0

    @property
    def installed(self) -> bool:
        """Whether there are weights to load."""
        return self.ships or checked_path(self.stored_as) is not None


def _facts_of_models() -> dict[str, dict]:
    text = (resources.files("mv3d.pose2d") / "models.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


# Cell k covers input px 8 k to 8 k + 7, yet the network learned to put its peaks a little below and to the right of
# 8 k + 3.5. Measured on 192 views of a real session (2,051 joints): each view turned by +-20 to 30 degrees, plain and
# mirrored, must agree with itself. Found (3.0, 2.45), standard error 0.08; mirroring alone gives x = 3.0 as well.
_MOBILENET_THIN_OFFSET = (3.0, 2.5)

# OpenPose's and Osokin's training put the peak of a joint at x on the cells 8 k + 3.5.
MODELS = {
    model.name: model
    for model in (
        Model("mobilenet_thin", COCO_18, MobilenetThin, _MOBILENET_THIN_OFFSET, ships=True),
        Model("mv3d-body25", BODY_25, MobileBody25, _MOBILENET_THIN_OFFSET, joined_by=LAYOUT),
        Model("body_25", BODY_25, Body25Net),
        Model("coco_18", COCO_18, TwoBranchNet),
        Model("mpi_15", MPI_15, TwoBranchNet),
        Model("mpi_15_fast", MPI_15, partial(TwoBranchNet, stages=4)),
        Model("lightweight", COCO_18, LightweightNet),
        Model("hand_21", HAND_21, PartNet),
        Model("face_70", FACE_70, PartNet),
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
        weights: a safetensors file; None takes the user's own of `mv3d models add`, or else those that ship with the
            package.

    Raises:
        ConfigError: no weights are installed.
        FormatError: the file is missing or holds other tensors than the network's.
    """
    path = weights or checked_path(model.stored_as) or _shipped(model)
    try:
        state = load(_bounded_bytes(path))
    except (OSError, SafetensorError) as error:
        raise FormatError(f"{path}: cannot be read as safetensors ({error}); pass weights of {model.name}") from error
    with torch.device("meta"):
        network = model.untrained()
    try:
        wanted = network.state_dict().keys() if model.stored_as != model.name else state.keys()
        own = {name: state[name].float() for name in wanted}
        network.load_state_dict(own, assign=True)
    except (RuntimeError, KeyError) as error:
        raise FormatError(f"{path}: not the weights of {model.name}; convert them again") from error
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _shipped(model: Model) -> Traversable:
    if not model.ships:
        raise ConfigError(f"{model.name} has no weights here: {model.by_hand}, then `mv3d models add FILE`")
    return resources.files("mv3d.pose2d") / "weights" / f"{model.name}.safetensors"


def _bounded_bytes(path: Path | Traversable) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise FormatError(f"{path}: larger than {MAX_BYTES >> 20} MB; pass the weights of a pose network")
    return data
