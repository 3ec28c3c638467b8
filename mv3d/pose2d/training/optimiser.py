"""AdamW with warm-up and cosine, and the running mean of the weights."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from mv3d.pose2d.training.config import Optimisation

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def make_optimiser(network: nn.Module, config: Optimisation) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019) over what is trained; biases do not decay."""
    trained = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate)


def learning_rate(step: int, config: Optimisation) -> float:
    """Rises evenly to its highest at `warm_up` and falls as half a cosine to 0 at `steps`."""
    if step < config.warm_up:
        return config.learning_rate * (step + 1) / config.warm_up
    share = (step - config.warm_up) / max(1, config.steps - config.warm_up)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


class RunningMean:
    """The exponential mean of the trained weights; young means forget faster, so that the start does not linger."""

    def __init__(self, network: nn.Module, keep: float) -> None:
        self._keep = keep
        self.state = {name: p.detach().clone() for name, p in network.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after a step."""
        keep = min(self._keep, (1 + step) / (10 + step))
        for name, parameter in network.named_parameters():
            if name in self.state:
                self.state[name].lerp_(parameter.detach(), 1 - keep)

    def whole_state(self, network: nn.Module) -> dict[str, Tensor]:
        """The network's state with the means in place of the trained weights."""
        return {**network.state_dict(), **self.state}


def clip(parameters: Iterable[nn.Parameter], largest: float) -> None:
    """Shorten the gradient to a norm."""
    nn.utils.clip_grad_norm_([p for p in parameters if p.grad is not None], largest)


def mixed(precision: str, device: torch.device) -> torch.autocast:
    """The context in which a network computes: in fp32, or mixed with bf16 or fp16."""
    dtype = _DTYPES[precision]
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)
