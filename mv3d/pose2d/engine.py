"""A network ready to run: on which device, in which precision, by which backend."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from mv3d.errors import ConfigError
from mv3d.pose2d.config import EngineConfig
from mv3d.pose2d.device import choose_device
from mv3d.pose2d.models import Model, load_network

_log = logging.getLogger(__name__)
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
    return TorchEngine(load_network(model, weights), choose_device(device), config)


class TorchEngine:
    """A network run by PyTorch, in channels_last. It sets no threads: callers do."""

    def __init__(self, network: nn.Module, device: torch.device, config: EngineConfig) -> None:
        """Make a network ready.

        Raises:
            ConfigError: CUDA graphs are wanted of another device.
        """
        if config.compile == "graphs" and device.type != "cuda":
            raise ConfigError(f"compile: graphs records CUDA graphs, and the device is {device}; use fuse or off")
        self._device = device
        self._dtype = _DTYPES[config.precision]
        self._network = network.to(device=device, dtype=self._dtype)
        self._run: Callable[[Tensor], tuple[Tensor, Tensor]] = self._network
        self._compiled = config.compile != "off"
        if self._compiled:
            self._run = torch.compile(self._network, mode=_COMPILE_MODES[config.compile])  # type: ignore[assignment]

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
            x = x.pin_memory()
        # The numbers 0 to 255 are exact in every precision, and a quarter of the bytes are sent.
        x = x.to(self._device, non_blocking=True).permute(0, 3, 1, 2).to(self._dtype)
        heatmaps, pafs = self._compiled_maps(x) if self._compiled else self._run(x)
        return heatmaps.float(), pafs.float()

    def _compiled_maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The maps in memory of their own: a CUDA graph writes its next answer over the last."""
        try:
            heatmaps, pafs = self._run(x)
            return heatmaps.clone(), pafs.clone()
        except RuntimeError as error:
            from torch._dynamo.exc import TorchDynamoException  # takes a second to import

            if not isinstance(error, TorchDynamoException):
                raise
            # The first line names the backend, the second what it said.
            reason = " ".join(str(error).splitlines()[:2])
            _log.warning("torch.compile does not work here (%s); the network runs without it", reason)
        self._run, self._compiled = self._network, False
        return self._run(x)
