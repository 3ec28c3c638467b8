"""JSON of strangers: limited in size, and every way of being broken is one line with the file's name."""

import json
from pathlib import Path
from typing import Any

from mv3d.errors import FormatError


def read_json(path: Path, max_bytes: int, what: str) -> Any:
    """The document in a file.

    Args:
        path: the file.
        max_bytes: a larger file is refused before it is parsed.
        what: what the file should hold, for messages, e.g. "the keypoints of a frame".

    Raises:
        FormatError: missing, too large, empty, cut short, not text, or nested too deep.
    """
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise FormatError(f"{path}: {size} bytes are too many for {what}; is it the right file?")
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise FormatError(f"{path}: empty or corrupt JSON ({problem}); write it again with its program") from error


def json_begins_with(path: Path, length: int = 4096) -> str:
    """The first characters of a file, to tell its format by; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(length).decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")
    except OSError:
        return ""
