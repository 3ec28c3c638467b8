"""What commands have in common: how a session is named, and what a command returns."""

from pathlib import Path

import tyro

from mv3d.errors import SessionError

Session = tyro.conf.Positional[Path]
Lines = list[str]


def check_free(path: Path, overwrite: bool) -> None:
    """Refuse to replace a file or folder, even an empty one, unless that was asked for.

    Raises:
        SessionError: something is there.
    """
    if path.exists() and not overwrite:
        raise SessionError(f"{path}: already there; pass --overwrite to replace it")
