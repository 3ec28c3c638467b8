"""A network ready to run: on which device, in which precision, by which backend."""

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mv3d.errors import ConfigError
from mv3d.pose2d.config import EngineConfig
from mv3d.pose2d.device import choose_device
from mv3d.pose2d.models import Model, load_network

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
# "reduce-overhead" records CUDA graphs, one a shape; "default" only fuses.
_COMPILE_MODES = {"fuse": "default", "graphs": "reduce-overhead"}


@runtime_checkable
class Engine(Protocol):
    """Images in, maps out."""

    @property
    def device(self) -> torch.device:
        """Where the maps are."""
        ...

    def maps(
        self, images: UInt8[np.ndarray, "batch height width 3"]
    ) -> tuple[Float[Tensor, "batch maps h w"], Float[Tensor, "batch pafs h w"]]:
        """Heatmaps (background last) and PAFs of a batch of BGR images, in float32."""
        ...


def make_engine(model: Model, device: str, config: EngineConfig, weights: Path | None = None) -> Engine:
    """Load a network and make it ready.

    Args:
        model: which network.
        device: "auto" or a torch device.
        config: how it is run.
        weights: a safetensors file in place of the installed one.

    Raises:
        ConfigError: no such device, no weights, or settings that do not go together.
        FormatError: the weights do not fit.
    """
    if config.backend == "openvino":
        from mv3d.pose2d.openvino_engine import OpenVinoEngine

        if config.precision != "fp32" or config.compile != "off":
            raise ConfigError("the openvino backend runs in fp32 and compiles by itself; leave precision and compile")
        return OpenVinoEngine(model, weights)
    return TorchEngine(model, choose_device(device), config, weights)


class TorchEngine:
    """A network run by PyTorch, in channels_last. It sets no threads: callers do."""

    def __init__(self, model: Model, device: torch.device, config: EngineConfig, weights: Path | None = None) -> None:
        """Load the network; see `make_engine`."""
        if config.compile == "graphs" and device.type != "cuda":
            raise ConfigError(f"compile: graphs records CUDA graphs, and the device is {device}; use fuse or off")
        self._device = device
        self._dtype = _DTYPES[config.precision]
        network = load_network(model, weights).to(device=device, dtype=self._dtype)
        compiled = config.compile != "off"
        self._network = torch.compile(network, mode=_COMPILE_MODES[config.compile]) if compiled else network

    @property
    def device(self) -> torch.device:
        """Where the maps are."""
        return self._device

    @torch.inference_mode()
    def maps(
        self, images: UInt8[np.ndarray, "batch height width 3"]
    ) -> tuple[Float[Tensor, "batch maps h w"], Float[Tensor, "batch pafs h w"]]:
        """Heatmaps and PAFs. Images are channels-last in memory already, as the network likes them."""
        x = torch.from_numpy(images)
        if self._device.type == "cuda":
            x = x.pin_memory().to(self._device, non_blocking=True)
        # The numbers 0 to 255 are exact in every precision.
        heatmaps, pafs = self._network(x.permute(0, 3, 1, 2).to(self._dtype))
        return heatmaps.float(), pafs.float()
