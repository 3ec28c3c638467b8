"""A run on disk, from which it goes on as if it had not stopped."""

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mv3d.errors import FormatError
from mv3d.files.writing import whole_file
from mv3d.pose2d.training.optimiser import RunningMean


def save_checkpoint(
    path: Path, step: int, network: nn.Module, optimiser: torch.optim.Optimizer, mean: RunningMean, scaler: Any
) -> None:
    """Everything that later steps depend on; pictures follow from the step's number alone."""
    state = {
        "step": step,
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "mean": mean.state,
        "scaler": scaler.state_dict(),
    }
    with whole_file(path) as part:
        torch.save(state, part)


def load_checkpoint(
    path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, mean: RunningMean, scaler: Any
) -> int:
    """Fill everything from a checkpoint; returns the step to go on with.

    Raises:
        FormatError: damaged, or of another run.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        scaler.load_state_dict(state["scaler"])
        for name, value in mean.state.items():
            value.copy_(state["mean"][name])
        return int(state["step"])
    except (OSError, KeyError, ValueError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:200]
        raise FormatError(
            f"{path}: not a checkpoint of this run ({reason}); delete it or choose another --out"
        ) from error
