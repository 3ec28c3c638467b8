"""A network to train: what it starts from, which of its parts move, and its loss."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from safetensors.torch import save_file
from torch import Tensor, nn

from mv3d.errors import ConfigError, FormatError
from mv3d.files.writing import whole_file
from mv3d.pose2d.models import MODELS, Model, load_network
from mv3d.pose2d.networks.mobile_body_25 import MobileBody25
from mv3d.pose2d.networks.mobilenet_thin import MobilenetThin
from mv3d.pose2d.training.config import TrainingConfig
from mv3d.pose2d.weight_files import read_weights

# What a network of COCO_18 can give to one of BODY_25.
_BASE = "mobilenet_thin"
# He et al. 2015; the last layer of a branch starts near nothing, as its maps are nearly everywhere.
_LAST_LAYER_STD = 0.01


def start(model: Model, config: TrainingConfig) -> MobilenetThin:
    """The network with its first weights, in training mode, and with gradients for what is trained only.

    Raises:
        ConfigError: a network that cannot be trained here, or nothing of it would be.
        FormatError: the starting weights fit nothing.
    """
    network = model.untrained()
    if not isinstance(network, MobilenetThin):
        names = [name for name, other in MODELS.items() if can_be_trained(other)]
        raise ConfigError(f"{model.name} cannot be trained here; {' or '.join(names)} can")
    _initialise(network)
    given = _first_weights(model, config)
    own = network.state_dict()
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    if given and not fitting:
        raise FormatError(f"{config.weights or model.name}: no layer of {model.name} is in these weights")
    network.load_state_dict(fitting, strict=False)
    if isinstance(network, MobileBody25) and fitting and not any(n.startswith(network.new_parts) for n in fitting):
        network.begin_as_last_stage()
    trained = _trained_parameters(network, config.train)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in trained)
    return network


def can_be_trained(model: Model) -> bool:
    """Whether a model is of the family that can be trained."""
    return isinstance(model.build, type) and issubclass(model.build, MobilenetThin)


def _first_weights(model: Model, config: TrainingConfig) -> dict[str, Tensor]:
    if config.weights == "none":
        return {}
    if config.weights in MODELS:
        return dict(load_network(MODELS[config.weights]).state_dict())
    if config.weights:
        _, tensors = read_weights(Path(config.weights))
        return {name: torch.from_numpy(np.array(value, np.float32)) for name, value in tensors.items()}
    known = model if model.installed else MODELS[_BASE]
    return dict(load_network(known).state_dict())


def _initialise(network: nn.Module) -> None:
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if name.endswith(".out"):
                nn.init.normal_(module.weight, std=_LAST_LAYER_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _trained_parameters(network: MobilenetThin, train: str) -> set[str]:
    parts = {"all": ("",), "stages": network.after_trunk, "new": network.new_parts}[train]
    chosen = {name for name, _ in network.named_parameters() if name.startswith(parts)}
    if not chosen:
        raise ConfigError(f"nothing of this network is new; train: all or stages is wanted, not {train}")
    return chosen


def judged_fields(network: MobilenetThin, train: str) -> Float[Tensor, "fields 1 1"]:
    """1 for the channels whose loss counts: all, or those of what is trained where the trunk stays as it is."""
    own = torch.tensor(network.own_fields, dtype=torch.float32)[:, None, None]
    return torch.ones_like(own) if train == "all" else own


def learnt_joints(network: MobilenetThin, model: Model, train: str) -> Bool[np.ndarray, " joint"]:
    """The joints whose heatmaps are judged."""
    return judged_fields(network, train)[: len(model.skeleton), 0, 0].numpy() > 0


def losses_of_stages(
    network: MobilenetThin,
    features: Float[Tensor, "batch features h w"],
    targets: Float[Tensor, "batch fields h w"],
    weights: Float[Tensor, "batch fields h w"],
) -> list[Tensor]:
    """Squared error of each stage (Cao et al. 2017, equation 5): the sum over channels, the mean over cells."""
    cells = weights.shape[0] * weights.shape[2] * weights.shape[3]
    found = (torch.cat(fields, 1).float() for fields in network.fields_of_stages(features))
    return [(weights * (fields - targets) ** 2).sum() / cells for fields in found]


def save_weights(path: Path, model: Model, state: dict[str, Tensor], facts: dict[str, str]) -> None:
    """Weights as `--model FILE` and `mv3d models add` take them; SessionError if they cannot be written."""
    plain = {name: value.detach().cpu().float().contiguous().clone() for name, value in state.items()}
    with whole_file(path) as part:
        save_file(plain, part, metadata={"format": "pt", "network": model.name, **facts})
