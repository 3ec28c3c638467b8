"""The user's weights: one safetensors file a model in the user's cache, with its hash beside it."""

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from mv3d.errors import FormatError
from mv3d.files.cache import cache_folder
from mv3d.files.json_text import read_json
from mv3d.files.writing import whole_file, write_text

_MAX_RECORD_BYTES = 10_000


def stored_path(name: str) -> Path:
    """Where the weights of a model are kept."""
    return cache_folder() / "models" / f"{name}.safetensors"


def _record_path(name: str) -> Path:
    return stored_path(name).with_suffix(".json")


def store(name: str, state: dict[str, np.ndarray], facts: dict[str, str]) -> tuple[Path, str]:
    """Keep the weights of a model, in place of earlier ones.

    Args:
        name: the model.
        state: its state dict, float32.
        facts: where they came from: texts, kept in the file and beside it.

    Returns:
        The file and its sha256.

    Raises:
        SessionError: the cache cannot be written.
    """
    path = stored_path(name)
    content = save(state, metadata={"format": "pt", "network": name, **facts})
    digest = hashlib.sha256(content).hexdigest()
    with whole_file(path) as part:
        part.write_bytes(content)
    write_text(_record_path(name), json.dumps({**facts, "sha256": digest}, indent=1) + "\n")
    return path, digest


def checked_path(name: str) -> Path | None:
    """The weights that the user has added, whole as they were stored; None if there are none.

    Raises:
        FormatError: they are not what was stored.
    """
    path = stored_path(name)
    if not path.is_file():
        return None
    record = read_json(_record_path(name), _MAX_RECORD_BYTES, "the record of stored weights")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not isinstance(record, dict) or record.get("sha256") != digest:
        raise FormatError(f"{path}: not as it was stored (its sha256 is another); `mv3d models add` it again")
    return path
