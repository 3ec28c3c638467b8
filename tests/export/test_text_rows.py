"""Rows of text against Python's own formatting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mv3d.errors import FormatError
from mv3d.export import text_rows
from mv3d.export.text_rows import Number, RowFormat, Word, write_rows


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.integers(0, 6))
def test_numbers_as_python_prints_them(values, decimals):
    text, ends = RowFormat([Number(decimals), "\n"]).encode(np.array(values)[:, None])
    lines = text.decode().split("\n")[:-1]
    # Within one of the last digit, where a tie is rounded the other way, and without a minus before zero.
    for line, value in zip(lines, values, strict=True):
        assert len(line.partition(".")[2]) == decimals
        assert float(line) == pytest.approx(value, abs=0.5000001 * 10.0**-decimals)
        assert not line.startswith("-0") or float(line) != 0
    assert [text[a:b].count(b"\n") for a, b in zip([0, *ends[:-1]], ends, strict=True)] == [1] * len(values)


def test_words_gaps_and_literals():
    row = RowFormat(["<", Word(("no", "ja")), "|", Number(1), "ä", Word(("x",)), ">"])
    assert row.encode(np.array([[1, np.nan, 0], [0, -0.04, 0]]))[0].decode() == "<ja|äx><no|0.0äx>"
    assert RowFormat([Number(0)]).encode(np.zeros((0, 1)))[0] == b""


def test_blocks_join_without_a_seam(tmp_path, monkeypatch):
    monkeypatch.setattr(text_rows, "BLOCK_ROWS", 3)
    values = np.arange(10.0)[:, None]
    write_rows(tmp_path / "a.txt", "head\n", RowFormat([Number(0), ","]), lambda block: values[block], 10, "end")
    assert (tmp_path / "a.txt").read_text() == "head\n0,1,2,3,4,5,6,7,8,9,end"


@pytest.mark.parametrize("value", [np.inf, -1e15])
def test_a_number_that_is_no_length(tmp_path, value):
    with pytest.raises(FormatError, match="no length of this world"):
        write_rows(tmp_path / "a.txt", "", RowFormat([Number(6)]), lambda _: np.array([[value]]), 1)
    assert list(tmp_path.iterdir()) == []
