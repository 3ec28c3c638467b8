"""From a weight file that a user brings, or that is fetched from where it was published, to the user's store."""

import hashlib
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mv3d.errors import ConfigError, FormatError
from mv3d.pose2d.models import MAX_BYTES, Model
from mv3d.pose2d.recognition import recognise
from mv3d.pose2d.weight_files import read_weights
from mv3d.pose2d.weight_store import store

_TIMEOUT_S = 60
_CHUNK = 1 << 20

Fetch = Callable[[str, Path], None]
"""Puts what is at an address into a file; OSError if it cannot."""


@dataclass(frozen=True, slots=True)
class AddedWeights:
    """Weights that were added.

    Attributes:
        model: whose they are.
        kind: of the file they came from: Caffe, PyTorch, TensorFlow or safetensors.
        path: where they are kept now.
        sha256: of the kept file.
        published: whether the file is one that is known by its hash; None where none is known to compare with.
    """

    model: Model
    kind: str
    path: Path
    sha256: str
    published: bool | None


def add_weights(path: Path) -> AddedWeights:
    """Recognise the model of a weight file, check every tensor and keep it.

    Raises:
        FormatError: no weight file, or of no known model.
        SessionError: the cache cannot be written.
    """
    kind, tensors = read_weights(path)
    model, state = recognise(tensors, str(path))
    sha256 = _hash(path, "sha256")
    facts = {"source": path.name, "source_sha256": sha256, "licence": model.licence, "origin": model.origin}
    kept, digest = store(model.stored_as, state, facts)
    return AddedWeights(model, kind, kept, digest, _is_published(path, model))


def fetch_weights(model: Model, fetch: Fetch | None = None) -> AddedWeights:
    """Fetch a model's published file, compare its hash, and add it.

    Args:
        model: whose weights.
        fetch: gets an address; over the network by default.

    Raises:
        ConfigError: there is no address, or nothing came; says how to get the file by hand.
        FormatError: what came is not the published file.
    """
    published = next((file for file in model.files if file.url is not None), None)
    if published is None or published.url is None:
        raise ConfigError(f"{model.name} cannot be fetched: {model.by_hand}, then `mv3d models add FILE`")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / published.name
        try:
            (fetch or fetch_over_network)(published.url, path)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(
                f"{published.url}: cannot be fetched ({reason}). By hand: {model.by_hand}, then `mv3d models add FILE`"
            ) from error
        if _is_published(path, model) is False:
            raise FormatError(f"{published.url}: what came is not the published file. By hand: {model.by_hand}")
        return add_weights(path)


def fetch_over_network(url: str, path: Path) -> None:
    """Download a file of bounded size.

    Raises:
        OSError: no answer, or more than a weight file can have.
    """
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer, path.open("wb") as file:
        size = 0
        while chunk := answer.read(_CHUNK):
            size += len(chunk)
            if size > MAX_BYTES:
                raise OSError(f"it is larger than {MAX_BYTES >> 20} MB")
            file.write(chunk)


def _is_published(path: Path, model: Model) -> bool | None:
    known = [(kind, value) for file in model.files for kind in ("sha256", "md5") if (value := getattr(file, kind))]
    return any(_hash(path, kind) == value for kind, value in known) if known else None


def _hash(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
