"""The wire format of protobuf messages, read by hand: bounded, without recursion, nothing allocated by a file's word.

Wire format: https://protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator
from typing import NoReturn

_MAX_FIELDS = 100_000
_MAX_NAME = 1024

Field = tuple[int, int, int | memoryview]
"""Field number, wire type and value: a number, or the bytes of anything else."""


class WireError(Exception):
    """Bytes that are not the message they should be."""


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
