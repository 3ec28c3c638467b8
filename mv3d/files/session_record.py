"""The part of session.yaml that is about a recording, and the lock that keeps two recorders out of one session."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from mv3d.errors import FormatError, SessionError
from mv3d.files.writing import why_not_written, write_text

_LOCK = ".recording.lock"
_RESERVE = ".recording.reserve"
# Room for index, frame times and session.yaml on a disk that frames have filled.
_RESERVE_BYTES = 2_000_000
_LARGEST_FILE = 5_000_000


def read_session_file(root: Path) -> dict[str, Any]:
    """session.yaml of a session; empty if there is none.

    Raises:
        FormatError: it is no YAML of keys and values.
    """
    path = root / "session.yaml"
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise FormatError(f"{path}: too large for a session.yaml; remove it")
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FormatError(f"{path}: cannot be read ({' '.join(str(error).split())}); remove or mend it") from error
    if not isinstance(document, dict):
        raise FormatError(f"{path}: holds no keys and values; remove or mend it")
    return document


def session_record(root: Path) -> dict[str, Any]:
    """What session.yaml says of the recording; empty if nothing, or nothing that can be read."""
    try:
        record = read_session_file(root).get("recording")
    except FormatError:
        return {}
    return record if isinstance(record, dict) else {}


def made_without_faces(root: Path) -> bool:
    """Whether session.yaml says that the pictures of the last run were made with blurred faces."""
    try:
        settings = read_session_file(root).get("settings")
    except FormatError:
        return False
    output = settings.get("output") if isinstance(settings, dict) else None
    return isinstance(output, dict) and output.get("blur_faces") is True


def write_session_record(root: Path, record: dict[str, Any]) -> None:
    """Put what is known of a recording into session.yaml, under `recording`; other keys stay.

    Raises:
        SessionError: it cannot be written.
    """
    document = {**read_session_file(root), "recording": record}
    write_text(root / "session.yaml", yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


@contextmanager
def recording_into(root: Path) -> Iterator[None]:
    """Hold a session for one recorder; the system lets go of it when the process is killed.

    Raises:
        SessionError: another recorder holds it, or the folder cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(root / _LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise SessionError(f"{root}: cannot take a recording, {why_not_written(error)}") from error
    try:
        if not _locked(descriptor):
            raise SessionError(f"{root}: in use, another `mv3d record` is writing into it; take another session folder")
        yield
        with suppress(OSError):
            (root / _LOCK).unlink()
    finally:
        os.close(descriptor)


def is_being_recorded(root: Path) -> bool:
    """Whether a recorder holds the session now."""
    try:
        descriptor = os.open(root / _LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _locked(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def take_reserve(root: Path) -> None:
    """Fill a file that is given back before the recording is finished.

    Raises:
        SessionError: there is no room even for that.
    """
    try:
        (root / _RESERVE).write_bytes(bytes(_RESERVE_BYTES))
    except OSError as error:
        give_reserve_back(root)
        raise SessionError(f"{root}: cannot take a recording, {why_not_written(error)}") from error


def give_reserve_back(root: Path) -> None:
    """Make room for the end of the recording."""
    with suppress(OSError):
        (root / _RESERVE).unlink()
