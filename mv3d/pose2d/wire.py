"""The wire format of protobuf messages, read by hand: bounded, without recursion, nothing allocated by a file's word.

Wire format: https://protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

from mv3d.errors import FormatError

_MAX_FIELDS = 100_000
_MAX_NAME = 1024

Message = TypeVar("Message")
Field = tuple[int, int, int | memoryview]
"""Field number, wire type and value: a number, or the bytes of anything else."""


class WireError(Exception):
    """Bytes that are not the message they should be."""


def read_message(
    path: str | Path, parse: Callable[[memoryview], Message], most_bytes: int, kind: str, file: str, network: str
) -> Message:
    """Read a file that holds one message.

    Args:
        path: the file.
        parse: makes something of its bytes; raises WireError where they are not what they should be.
        most_bytes: larger files are not read.
        kind: what the file is to be, for the messages: "not {kind}".
        file: what to pass in the place of one that cannot be read.
        network: what to pass in the place of one that is too large.

    Raises:
        FormatError: missing, too large, or not such a message.
    """
    path = Path(path)
    try:
        if path.stat().st_size > most_bytes:
            raise FormatError(f"{path}: larger than {most_bytes >> 20} MB; pass {network}")
        data = memoryview(path.read_bytes())
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); pass {file}") from error
    try:
        return parse(data)
    except WireError as error:
        raise FormatError(f"{path}: not {kind} ({error}); fetch the file again") from error


def fields(data: memoryview) -> Iterator[Field]:
    """Field number, wire type and value of a message; lengths are checked before anything is sliced."""
    at = count = 0
    while at < len(data):
        count += 1
        if count > _MAX_FIELDS:
            refuse(f"a message of more than {_MAX_FIELDS} fields")
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0 or wire not in (0, 1, 2, 5):
            refuse(f"field {number} of wire type {wire}")
        if wire == 0:
            value, at = varint(data, at)
            yield number, wire, value
            continue
        if wire == 2:
            length, at = varint(data, at)
        else:
            length = 8 if wire == 1 else 4
        if length > len(data) - at:
            refuse("a field longer than the file")
        yield number, wire, data[at : at + length]
        at += length


def varints(data: memoryview) -> list[int]:
    """Numbers packed one after another."""
    values: list[int] = []
    at = 0
    while at < len(data):
        value, at = varint(data, at)
        values.append(value)
    return values


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number of at most 64 bits in groups of 7, lowest first, and where it ends."""
    value = shift = 0
    byte = 0x80
    while byte >= 0x80:
        if at >= len(data):
            refuse("a number that is cut short")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if value >= 2**64 or shift > 70:
            refuse("a number longer than 64 bits")
    return value, at


def raw_bytes(value: int | memoryview) -> memoryview:
    """A value that must be bytes."""
    if isinstance(value, int):
        refuse("a number where bytes belong")
    return value


def number_of(value: int | memoryview) -> int:
    """A value that must be a number."""
    if not isinstance(value, int):
        refuse("bytes where a number belongs")
    return value


def text_of(value: int | memoryview) -> str:
    """A value that must be a short text."""
    raw = raw_bytes(value)
    if len(raw) > _MAX_NAME:
        refuse("a name that is too long")
    try:
        return bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        refuse("a name that is not text")


def refuse(what: str) -> NoReturn:
    """Give up on the message; say what is wrong with it."""
    raise WireError(what)
