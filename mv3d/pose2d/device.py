"""Where the network runs."""

import torch

from mv3d.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """The torch device of a name; "auto" takes a CUDA GPU if there is one.

    Raises:
        ConfigError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"device {name!r} cannot be used here; auto, cpu or, with a GPU, cuda is wanted") from error
    return device
