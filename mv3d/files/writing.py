"""Files that appear whole or not at all, and folders that can take them."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mv3d.errors import SessionError

_ADVICE = {
    errno.ENOSPC: "the disk is full: make room, or choose another folder",
    errno.EDQUOT: "the quota is used up: make room, or choose another folder",
    errno.EROFS: "the disk is read-only: choose another folder",
    errno.EACCES: "no permission: choose another folder, or change its permissions",
    errno.EPERM: "no permission: choose another folder, or change its permissions",
    errno.EEXIST: "a file of that name is in the way: move it, or choose another folder",
    errno.ENOTDIR: "a file is where a folder should be: move it, or choose another folder",
}
# Room for the results of a short session: keypoints, tables and two small videos. It tells a full disk at the start.
_LEAST_FREE_BYTES = 20_000_000


def why_not_written(error: OSError) -> str:
    """What to do about a failed write, in a few words."""
    reason = error.strerror or str(error)
    return _ADVICE.get(error.errno or 0, f"{reason}: check the folder")


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` if the block ends well, remove it if not.

    Raises:
        SessionError: the file cannot be written; says why.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise SessionError(f"{path}: cannot be written, {why_not_written(error)}") from error
    finally:
        with suppress(OSError):  # it was renamed, or never made
            part.unlink()


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all; SessionError if it cannot be written."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def check_output_folder(folder: str | Path, needed_bytes: int = _LEAST_FREE_BYTES) -> None:
    """Make the folder if need be, and check that it takes files, before long work starts.

    Args:
        folder: where results will go.
        needed_bytes: free space wanted.

    Raises:
        SessionError: it cannot be made or written, or its disk is too full.
    """
    folder = Path(folder)
    probe = folder / f".mv3d-write-test-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise SessionError(f"{folder}: cannot take results, {why_not_written(error)}") from error
    finally:
        with suppress(OSError):  # it may never have been made
            probe.unlink()
    if free < needed_bytes:
        raise SessionError(
            f"{folder}: its disk has {free / 1e6:.0f} MB free, {needed_bytes / 1e6:.0f} MB are needed; make room"
        )


def refuse_overwriting(path: str | Path, overwrite: bool) -> None:
    """Stop before results of earlier work are replaced, unless that was asked for.

    Args:
        path: a file, or a folder, which may exist if it is empty.
        overwrite: whether it was asked for.

    Raises:
        SessionError: something is there.
    """
    path = Path(path)
    occupied = any(path.iterdir()) if path.is_dir() else path.exists()
    if occupied and not overwrite:
        raise SessionError(f"{path}: already there; pass --overwrite to make it anew")
