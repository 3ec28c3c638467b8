"""Results that belong together: made in a hidden folder, and moved to their places when all of them are there."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mv3d.errors import Mv3dError, SessionError
from mv3d.files.writing import why_not_written

HIDDEN_PREFIX = ".unfinished-"
"""How the folder's name begins while results are made; one that is left over belongs to a process that was killed."""


@contextmanager
def written_together(root: str | Path, stale: Sequence[str] = ()) -> Iterator[Path]:
    """Give a hidden folder inside `root`, on the same disk; its files replace those of `root` if the block ends well.

    Whatever fails before the last file is made leaves `root` as it was.

    Args:
        root: where the results go; made if need be.
        stale: patterns (as of `Path.glob`, relative to `root`) of files that only belong to the results if the block
            made them anew: the files of a longer or an otherwise named run.

    Raises:
        SessionError: the files cannot be written; says why.
    """
    root = Path(root)
    folder = _hidden_folder(root)
    try:
        yield folder
        _move(folder, root, stale)
    except Mv3dError as error:
        raise type(error)(str(error).replace(str(folder), str(root))) from error
    except OSError as error:
        where = str(error.filename or root).replace(str(folder), str(root))
        raise SessionError(f"{where}: cannot be written, {why_not_written(error)}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _hidden_folder(root: Path) -> Path:
    try:
        root.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=HIDDEN_PREFIX, dir=root))
    except OSError as error:
        raise SessionError(f"{root}: cannot take results, {why_not_written(error)}") from error


def _move(folder: Path, root: Path, stale: Sequence[str]) -> None:
    targets = {path: root / path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    for target in targets.values():
        if target.is_dir():
            raise SessionError(f"{target}: a folder is where a file should go; move it away")
        target.parent.mkdir(parents=True, exist_ok=True)
    made = set(targets.values())
    old = {path for pattern in stale for path in root.glob(pattern) if path.is_file()} - made
    for path, target in targets.items():
        os.replace(path, target)
    for path in old:
        path.unlink()
