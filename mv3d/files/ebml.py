"""The elements that Matroska files are made of (EBML, RFC 8794; Matroska, RFC 9559): identifier, size, payload."""

import struct

_MAX_SIZE_BYTES = 8
# A size of all ones: as long as the file goes on. Eight bytes, so that the true size fits in its place later.
UNKNOWN_SIZE = b"\x01" + b"\xff" * 7


def element(identifier: int, payload: bytes) -> bytes:
    """An element with its payload."""
    return element_head(identifier, len(payload)) + payload


def element_head(identifier: int, size: int) -> bytes:
    """Identifier and size of an element whose payload is written after it."""
    return identifier_bytes(identifier) + size_bytes(size)


def identifier_bytes(identifier: int) -> bytes:
    """An identifier, which carries its own length mark."""
    return identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")


def size_bytes(size: int, length: int | None = None) -> bytes:
    """A size as a number of variable length, in the fewest bytes or in `length`."""
    length = length or next(n for n in range(1, _MAX_SIZE_BYTES + 1) if size < (1 << 7 * n) - 1)
    return (size | 1 << 7 * length).to_bytes(length, "big")


def unsigned(identifier: int, value: int) -> bytes:
    """An element that holds an unsigned number."""
    return element(identifier, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def text(identifier: int, value: str) -> bytes:
    """An element that holds text."""
    return element(identifier, value.encode())


def real(identifier: int, value: float) -> bytes:
    """An element that holds a number of double precision."""
    return element(identifier, struct.pack(">d", value))


def void(total: int) -> bytes:
    """An element of `total` bytes (two or more) that readers pass over; room for something later."""
    length = 1 if total - 2 < 127 else _MAX_SIZE_BYTES
    payload = total - 1 - length
    return b"\xec" + size_bytes(payload, length) + bytes(payload)


def read_head(data: bytes, at: int = 0) -> tuple[int, int | None, int] | None:
    """Identifier, size (None if unknown) and length of the head of the element at `at`.

    Returns:
        None if the bytes do not hold a whole head, or hold no element.
    """
    if at >= len(data) or not data[at]:
        return None
    id_length = 9 - data[at].bit_length()
    size_at = at + id_length
    if id_length > 4 or size_at >= len(data) or not data[size_at]:
        return None
    size_length = 9 - data[size_at].bit_length()
    if size_at + size_length > len(data):
        return None
    identifier = int.from_bytes(data[at:size_at], "big")
    ones = (1 << 7 * size_length) - 1
    size = int.from_bytes(data[size_at : size_at + size_length], "big") & ones
    return identifier, None if size == ones else size, id_length + size_length
