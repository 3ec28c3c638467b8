"""Numbers to text in bulk: tables of an hour hold tens of millions of cells."""

import numpy as np
from numba import njit

WORD = -1
_ZERO, _MINUS, _POINT = 48, 45, 46


@njit(cache=True)
def fill_rows(
    values, decimals, literals, literal_ends, words, word_ends, first_word, out, row_ends
):  # pragma: no cover
    """Write rows of cells as bytes; returns how many bytes were used.

    Args:
        values: (row, column) float64; NaN leaves a number's cell empty.
        decimals: (column,) digits after the point, or WORD for a column of indices into the words.
        literals: bytes before each column, then those after the last one, one after the other.
        literal_ends: (column + 1,) where each of them ends.
        words: bytes of all words, one after the other.
        word_ends: (word + 1,) where each ends, with 0 in front.
        first_word: (column,) which word index 0 of that column is.
        out: room for the text.
        row_ends: (row,) filled with where each row ends.
    """
    columns = len(decimals)
    at = 0
    for row in range(len(values)):
        begin = 0
        for column in range(columns + 1):
            end = literal_ends[column]
            for k in range(begin, end):
                out[at] = literals[k]
                at += 1
            begin = end
            if column == columns:
                break
            value = values[row, column]
            if decimals[column] == WORD:
                word = first_word[column] + int(value)
                for k in range(word_ends[word], word_ends[word + 1]):
                    out[at] = words[k]
                    at += 1
            elif not np.isnan(value):
                at = _write_number(out, at, value, decimals[column])
        row_ends[row] = at
    return at


@njit(cache=True)
def _write_number(out, at, value, decimals):  # pragma: no cover
    """Fixed point, rounded to nearest; a rounded zero has no sign."""
    scaled = np.int64(np.rint(abs(value) * 10.0**decimals))
    if value < 0 and scaled > 0:
        out[at] = _MINUS
        at += 1
    digits = 1
    rest = scaled // 10
    while rest > 0:
        digits += 1
        rest //= 10
    digits = max(digits, decimals + 1)
    width = digits + (1 if decimals > 0 else 0)
    place = at + width - 1
    for k in range(digits):
        if decimals > 0 and k == decimals:
            out[place] = _POINT
            place -= 1
        out[place] = _ZERO + scaled % 10
        scaled //= 10
        place -= 1
    return at + width
