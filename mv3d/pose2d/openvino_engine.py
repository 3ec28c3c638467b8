"""A network run by OpenVINO on the CPU, in float32: the extra `openvino`."""

import warnings
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mv3d.errors import ConfigError
from mv3d.pose2d.models import Model, load_network

# The trace is made at this size and holds for every multiple of the stride.
_TRACED = (64, 96)


class OpenVinoEngine:
    """A network traced by PyTorch and compiled by OpenVINO; sizes of images may change from call to call."""

    def __init__(self, model: Model, weights: Path | None = None) -> None:
        """Load and compile the network.

        Raises:
            ConfigError: OpenVINO is not installed.
        """
        try:
            import openvino  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ConfigError("OpenVINO is not installed; pip install 'mv3d[openvino]'") from error
        network = load_network(model, weights)
        example = torch.zeros(1, 3, *_TRACED)
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the trace warns of the checks of sizes, which it leaves out
            traced = torch.jit.trace(network, example, check_trace=False)
        converted = openvino.convert_model(traced, input=[-1, 3, -1, -1], example_input=example)
        # Its default on processors that can is bfloat16, which loses joints.
        # As many threads as torch has been given: one setting for both, and for the benchmark.
        how = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
        self._compiled = openvino.Core().compile_model(converted, "CPU", how)
        self._model = model

    @property
    def device(self) -> torch.device:
        """Where the maps are: in the memory of the CPU."""
        return torch.device("cpu")

    def maps(
        self, images: UInt8[np.ndarray, "batch height width 3"]
    ) -> tuple[Float[Tensor, "batch maps h w"], Float[Tensor, "batch pafs h w"]]:
        """Heatmaps and PAFs, one image after the other: the fields of one image stay in the processor's cache."""
        found = [self._compiled(image.transpose(2, 0, 1)[None].astype(np.float32)) for image in images]
        heatmaps, pafs = (np.concatenate([np.asarray(out[i]) for out in found]) for i in (0, 1))
        return torch.from_numpy(heatmaps), torch.from_numpy(pafs)
