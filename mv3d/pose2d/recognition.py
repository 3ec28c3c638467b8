"""Whose weights a file holds: told by the names and shapes of its tensors, every one of them checked."""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from mv3d.errors import FormatError
from mv3d.pose2d.models import MODELS, Model, model_named
from mv3d.pose2d.weight_files import Tensors, read_weights

# PyTorch's default, which the published networks were trained with.
_BATCH_NORM_EPS = 1e-5


@dataclass(frozen=True, slots=True)
class _Fit:
    """How far a file fits a model: the tensors that do, and the first that does not."""

    model: Model
    state: Tensors
    problem: str | None


def model_called(name: str) -> tuple[Model, Path | None]:
    """The model that a user names: one of `mv3d models list`, or a safetensors file whose layers tell it.

    Returns:
        The model, and the file; None where a model was named.

    Raises:
        ConfigError: there is none of that name.
        FormatError: the file holds no known model's weights.
    """
    if not name.endswith(".safetensors"):
        return model_named(name), None
    _, tensors = read_weights(Path(name))
    return recognise(tensors, name)[0], Path(name)


def recognise(tensors: Tensors, where: str) -> tuple[Model, Tensors]:
    """The model that a file's tensors are of, and its state dict in float32.

    Args:
        tensors: by name, as the file has them.
        where: the file, for messages.

    Raises:
        FormatError: they are no known model's; names the nearest and what is wrong with it.
    """
    found = with_folded_batch_norms(tensors)
    fits = [_fit(model, found) for model in MODELS.values() if model.stored_as == model.name]
    whole = [fit for fit in fits if fit.problem is None]
    if not whole:
        nearest = max(fits, key=lambda fit: len(fit.state))
        if not nearest.state:
            raise FormatError(f"{where}: weights of no network that mv3d knows ({', '.join(MODELS)})")
        raise FormatError(f"{where}: nearest to {nearest.model.name}, but {nearest.problem}; fetch the file again")
    best = max(whole, key=lambda fit: len(fit.state))
    broken = next((name for name, value in best.state.items() if not np.isfinite(value).all()), None)
    if broken is not None:
        raise FormatError(f"{where}: {broken} holds values that are not finite; fetch the file again")
    return best.model, best.state


@cache
def _shapes(model_name: str) -> dict[str, tuple[int, ...]]:
    model = MODELS[model_name]
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in model.untrained().state_dict().items()}


def _fit(model: Model, tensors: Tensors) -> _Fit:
    """Match by the whole name, or by the layer's name alone, which is all that Caffe has."""
    by_layer = _by_layer(tensors)
    state: Tensors = {}
    problem = None
    for name, shape in _shapes(model.name).items():
        value = tensors.get(name, by_layer.get(_layer_name(name)))
        if value is None:
            problem = problem or f"{name} is missing"
        elif _without_ones(value.shape) != _without_ones(shape):
            problem = problem or f"{name} has the shape {tuple(value.shape)}, not {shape}"
        else:
            state[name] = np.ascontiguousarray(value, np.float32).reshape(shape)
    return _Fit(model, state, problem)


def _layer_name(name: str) -> str:
    """The last two parts of a name: layer and weight or bias."""
    return ".".join(name.split(".")[-2:])


def _by_layer(tensors: Tensors) -> Tensors:
    """Tensors by layer and weight or bias, where that tells one from another."""
    count = Counter(_layer_name(name) for name in tensors)
    return {_layer_name(name): value for name, value in tensors.items() if count[_layer_name(name)] == 1}


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Caffe writes a bias of n numbers as 1 x 1 x 1 x n in its older files."""
    return tuple(size for size in shape if size != 1)


def with_folded_batch_norms(tensors: Tensors) -> Tensors:
    """The same network without batch norms: each is folded into the convolution of the place before it.

    y = g (W x + b - m) / sqrt(v + eps) + h is a convolution with W g / sqrt(v + eps) and its own bias. Places are the
    numbers of a PyTorch Sequential: "model.3.1" follows "model.3.0".
    """
    out = dict(tensors)
    for name in tensors:
        norm, _, what = name.rpartition(".")
        parent, _, place = norm.rpartition(".")
        if what != "running_mean" or not place.isdigit():
            continue
        conv = f"{parent}.{int(place) - 1}"
        parts = [tensors.get(f"{norm}.{part}") for part in ("weight", "bias", "running_mean", "running_var")]
        kernel = tensors.get(f"{conv}.weight")
        if kernel is None or any(p is None or p.shape != kernel.shape[:1] for p in parts):
            continue
        gain, shift, mean, variance = (np.asarray(p, np.float64) for p in parts)
        scale = gain / np.sqrt(variance + _BATCH_NORM_EPS)
        bias = tensors.get(f"{conv}.bias", np.zeros(len(mean)))
        out[f"{conv}.weight"] = (kernel * scale[:, None, None, None]).astype(np.float32)
        out[f"{conv}.bias"] = ((bias - mean) * scale + shift).astype(np.float32)
        for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            out.pop(f"{norm}.{part}", None)
    return out
