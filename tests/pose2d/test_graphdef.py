from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mv3d.errors import FormatError
from mv3d.pose2d.graphdef import Graph, read_graph


def _varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _shape(sizes) -> bytes:
    return b"".join(_field(2, _field(1, n)) for n in sizes)


def _const(name: str, tensor: bytes) -> bytes:
    attribute = _field(1, b"value") + _field(2, _field(8, tensor))
    return _field(1, _field(1, name.encode()) + _field(2, b"Const") + _field(5, attribute))


def _raw(values: np.ndarray, dtype: int = 1) -> bytes:
    return _field(1, dtype) + _field(2, _shape(values.shape)) + _field(4, values.tobytes())


_WEIGHTS = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
_GRAPH = (
    _const("weights", _raw(_WEIGHTS))
    + _const("axis", _field(1, 3) + _field(2, b"") + _field(7, _varint(3)))
    + _field(1, _field(1, b"conv") + _field(2, b"Conv2D") + _field(3, b"image") + _field(3, b"weights"))
    + _field(2, b"")
)


def _read(tmp_path, data: bytes) -> Graph:
    path = tmp_path / "graph.pb"
    path.write_bytes(data)
    return read_graph(path)


def test_nodes_and_tensors(tmp_path):
    graph = _read(tmp_path, _GRAPH)
    assert [(n.name, n.op, n.inputs) for n in graph.nodes] == [
        ("weights", "Const", ()),
        ("axis", "Const", ()),
        ("conv", "Conv2D", ("image", "weights")),
    ]
    np.testing.assert_array_equal(graph.tensors["weights"], _WEIGHTS)
    assert graph.tensors["axis"].shape == ()
    assert graph.tensors["axis"] == 3


def test_one_listed_element_fills_the_tensor_without_memory(tmp_path):
    listed = _field(1, 1) + _field(2, _shape((1000, 1000))) + _field(5, np.float32(0.5).tobytes())
    tensor = _read(tmp_path, _const("fill", listed)).tensors["fill"]
    assert tensor.shape == (1000, 1000)
    assert tensor.strides == (0, 0)
    assert tensor[3, 4] == 0.5


def test_negative_listed_integers(tmp_path):
    minus_two = _field(1, 3) + _field(2, _shape((2,))) + _field(7, _varint(2**64 - 2) + _varint(7))
    np.testing.assert_array_equal(_read(tmp_path, _const("n", minus_two)).tensors["n"], [-2, 7])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no nodes"),
        (b"not a graph at all", "wire type"),
        (_GRAPH[:-20], "longer than the file"),
        (_field(1, 7), "a number where bytes belong"),
        (_const("w", _field(1, 1) + _field(2, _shape((7,))) + _field(4, b"1234")), "do not fit its shape"),
        (_const("w", _field(1, 1) + _field(2, _shape((2**62, 2**62, 0)))), "too large"),
        (_const("w", _field(1, 1) + _field(2, _shape((2**64 - 1,)))), "too large"),
        (_const("w", _field(1, 1) + _field(2, _shape((1,) * 9))), "too large"),
        (_const("w", _raw(_WEIGHTS, dtype=7)), "neither float32 nor int32"),
        (_const("w", _raw(_WEIGHTS)) * 2, "twice"),
        (_field(1, _field(1, b"a" * 2000) + _field(2, b"Relu")), "too long"),
        (_field(1, _field(1, b"\xff\xfe") + _field(2, b"Relu")), "not text"),
        (b"\x0a" + b"\x80" * 12, "longer than 64 bits"),
    ],
)
def test_odd_files_are_refused_in_one_line(tmp_path, data, reason):
    with pytest.raises(FormatError, match=reason) as caught:
        _read(tmp_path, data)
    assert "\n" not in str(caught.value)
    assert "graph.pb" in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(FormatError, match=r"none\.pb"):
        read_graph(tmp_path / "none.pb")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(_GRAPH) - 1), st.integers(0, 255), st.integers(0, len(_GRAPH)))
def test_a_changed_or_cut_file_never_fails_otherwise(tmp_path_factory, at, byte, length):
    data = bytearray(_GRAPH)
    data[at] = byte
    with suppress(FormatError):
        _read(tmp_path_factory.getbasetemp(), bytes(data[:length]))
