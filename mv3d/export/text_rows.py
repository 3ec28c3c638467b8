"""Tables as text, a block of rows at a time: what a row looks like, and the bytes of many of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mv3d.errors import FormatError
from mv3d.export.text_kernels import WORD, fill_rows
from mv3d.files.writing import whole_file

# Rows of a block: some megabytes of text, whatever the length of the recording.
BLOCK_ROWS = 2048
# Sign, point and the digits of the largest number below.
_NUMBER_WIDTH = 22
# Fixed-point digits have to fit a 64-bit integer.
_LARGEST = 9e18


@dataclass(frozen=True, slots=True)
class Number:
    """A column of numbers with so many decimals; NaN is an empty cell."""

    decimals: int


@dataclass(frozen=True, slots=True)
class Word:
    """A column whose values are indices into a few texts."""

    choices: tuple[str, ...]


class RowFormat:
    """Cells and the literal text around them, as one row looks."""

    def __init__(self, parts: Sequence[str | Number | Word]) -> None:
        literals, ends, decimals, words, firsts, pending = [], [], [], [], [], b""
        for part in parts:
            if isinstance(part, str):
                pending += part.encode()
                continue
            literals.append(pending)
            pending = b""
            decimals.append(part.decimals if isinstance(part, Number) else WORD)
            firsts.append(len(words))
            words += [choice.encode() for choice in part.choices] if isinstance(part, Word) else []
        literals.append(pending)
        ends = np.cumsum([len(text) for text in literals])
        self.columns = len(decimals)
        self._decimals = np.array(decimals, np.int64)
        self._literals, self._literal_ends = _as_bytes(literals), ends
        self._words = _as_bytes(words)
        self._word_ends = np.cumsum([0, *(len(word) for word in words)])
        self._first_word = np.array(firsts, np.int64)
        widest = max((len(word) for word in words), default=0)
        self._width = int(ends[-1]) + self.columns * max(_NUMBER_WIDTH, widest)

    def encode(self, values: Float[np.ndarray, "row column"]) -> tuple[bytes, np.ndarray]:
        """The text of the rows, and where each ends in it.

        Raises:
            FormatError: a number with more digits than any length or angle has.
        """
        size = np.abs(values) * 10.0 ** np.maximum(self._decimals, 0)
        if np.any(size >= _LARGEST):
            raise FormatError(f"a coordinate is {np.nanmax(np.abs(values)):.3g}: no length of this world; look for it")
        out, ends = np.empty(len(values) * self._width, np.uint8), np.empty(len(values), np.int64)
        args = self._literals, self._literal_ends, self._words, self._word_ends, self._first_word
        used = fill_rows(np.ascontiguousarray(values, np.float64), self._decimals, *args, out, ends)
        return out[:used].tobytes(), ends


def blocks(length: int) -> Iterator[slice]:
    """Slices that cover `length` frames, BLOCK_ROWS at a time."""
    for start in range(0, length, BLOCK_ROWS):
        yield slice(start, min(start + BLOCK_ROWS, length))


def write_rows(
    path: str | Path, header: str, row: RowFormat, values: Callable[[slice], np.ndarray], length: int, footer: str = ""
) -> None:
    """Write a text file whole or not at all, making the values (row, column) of a block of frames at a time.

    Raises:
        FormatError: a number that cannot be a length.
        SessionError: the file cannot be written.
    """
    with whole_file(path) as part, part.open("wb") as file:
        file.write(header.encode())
        for block in blocks(length):
            file.write(row.encode(values(block))[0])
        file.write(footer.encode())


def _as_bytes(texts: Sequence[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(texts), np.uint8)
