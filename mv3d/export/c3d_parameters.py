"""The blocks in front of the data of a C3D file: the header and the groups of parameters."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

BLOCK = 512
# What the header's word counts.
HEADER_FRAMES = 65535
_INTEL = 84
# Block 1 is the header, the parameters begin in block 2.
_FIRST_PARAMETER_BLOCK = 2
_HEADER_KEY, _PARAMETER_KEY = 80, 80
# Four-letter labels of events are supported: what every modern writer says.
_EVENTS_KEY = 12345


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named value: a text, a list of texts, or a number or a vector of int16 or float32."""

    name: str
    value: str | Sequence[str] | np.ndarray | np.generic

    def encode(self, group: int) -> bytes:
        """The parameter's record; its offset to the next one counts from the offset itself."""
        kind, dimensions, data = self._data()
        body = struct.pack("<bB", kind, len(dimensions)) + bytes(dimensions) + data + b"\0"
        name = self.name.encode()
        return struct.pack("<bb", len(name), group) + name + struct.pack("<h", 2 + len(body)) + body

    def _data(self) -> tuple[int, list[int], bytes]:
        if isinstance(self.value, str):
            text = self.value.encode()[:255]
            return -1, [len(text)], text
        if isinstance(self.value, np.ndarray | np.generic):
            kind = 4 if self.value.dtype == np.float32 else 2
            little = np.asarray(self.value).astype("<f4" if kind == 4 else "<i2")
            return kind, list(little.shape), little.tobytes()
        texts = [text.encode() for text in self.value]
        width = max([1, *map(len, texts)])
        return -1, [width, len(texts)], b"".join(text.ljust(width) for text in texts)


def parameter_section(groups: Mapping[str, Sequence[Parameter]]) -> tuple[bytes, int]:
    """The parameter blocks, and the number (from 1) of the block where the data begin, as POINT:DATA_START says too."""
    size = len(_records(groups))
    count = -(-(4 + size) // BLOCK)
    data_block = _FIRST_PARAMETER_BLOCK + count
    at = next(i for i, parameter in enumerate(groups["POINT"]) if parameter.name == "DATA_START")
    point = [*groups["POINT"]]
    point[at] = Parameter("DATA_START", np.int16(data_block))
    head = struct.pack("<BBBB", 1, _PARAMETER_KEY, min(count, 255), _INTEL)
    return (head + _records({**groups, "POINT": point})).ljust(count * BLOCK, b"\0"), data_block


def header_block(points: int, frames: int, rate: float, scale: float, data_block: int) -> bytes:
    """The first block; a negative scale says that the data are floating-point."""
    last = min(frames, HEADER_FRAMES)
    keys = struct.pack("<BB", _FIRST_PARAMETER_BLOCK, _HEADER_KEY)
    # No analog values, in one sample a frame: readers compare that with the rates of ANALOG and POINT.
    words = struct.pack("<HHHHHfHHf", points, 0, 1, last, 0, scale, data_block, 1, rate)
    block = bytearray((keys + words).ljust(BLOCK, b"\0"))
    struct.pack_into("<H", block, 149 * 2, _EVENTS_KEY)
    return bytes(block)


def _records(groups: Mapping[str, Sequence[Parameter]]) -> bytes:
    """All groups, each followed by its parameters, and the empty record at the end."""
    out = b""
    for number, (name, parameters) in enumerate(groups.items(), start=1):
        encoded = name.encode()
        out += struct.pack("<bb", len(encoded), -number) + encoded + struct.pack("<hb", 3, 0)
        out += b"".join(parameter.encode(number) for parameter in parameters)
    return out + b"\0\0"
