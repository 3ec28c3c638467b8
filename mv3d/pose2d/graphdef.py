"""Reader of frozen TensorFlow GraphDef files: the nodes and the constant tensors, nothing else.

A GraphDef is a protobuf message. This module reads it by `mv3d.pose2d.wire`, so that neither TensorFlow nor a protobuf
runtime is needed, and it never follows nesting deeper than node > attribute > value > tensor > shape > dimension.
Fields: tensorflow/core/framework/{graph,node_def,attr_value,tensor,tensor_shape,types}.proto.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mv3d.pose2d.wire import fields, number_of, raw_bytes, read_message, refuse, text_of, varints

# Published pose networks take 8 to 210 MB; anything far beyond is not one.
_MAX_BYTES = 512 * 2**20
_MAX_NODES = 20_000
_MAX_DIMENSIONS = 8
# types.proto: the element types that frozen pose networks hold, and the field of TensorProto that lists short ones.
_DTYPES = {1: np.dtype("<f4"), 3: np.dtype("<i4")}
_FLOAT_LIST, _INT_LIST = 5, 7


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: its name, what it does ("Conv2D") and the names of the nodes that it reads."""

    name: str
    op: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """A frozen graph.

    Attributes:
        nodes: every node, constants included, in file order.
        tensors: the value of each Const node by its name; read-only float32 or int32 arrays.
    """

    nodes: tuple[Node, ...]
    tensors: dict[str, np.ndarray]


def read_graph(path: str | Path) -> Graph:
    """Read a frozen GraphDef (.pb).

    Raises:
        FormatError: missing, too large, or not a GraphDef of float32 and int32 constants.
    """
    return read_message(
        path, _graph, _MAX_BYTES,
        kind="a frozen TensorFlow graph", file="a frozen GraphDef .pb file", network="a frozen pose network",
    )  # fmt: skip


def _graph(data: memoryview) -> Graph:
    nodes: list[Node] = []
    tensors: dict[str, np.ndarray] = {}
    for number, _, value in fields(data):
        if number != 1:
            continue
        if len(nodes) == _MAX_NODES:
            refuse(f"more than {_MAX_NODES} nodes")
        node, attributes = _node(raw_bytes(value))
        nodes.append(node)
        if node.op == "Const":
            if node.name in tensors or "value" not in attributes:
                refuse(f"constant {node.name!r} appears twice or has no value")
            tensors[node.name] = _tensor_of_attribute(attributes["value"])
    if not nodes:
        refuse("no nodes")
    return Graph(tuple(nodes), tensors)


def _node(data: memoryview) -> tuple[Node, dict[str, memoryview]]:
    name = op = ""
    inputs: list[str] = []
    attributes: dict[str, memoryview] = {}
    for number, _, value in fields(data):
        if number == 1:
            name = text_of(value)
        elif number == 2:
            op = text_of(value)
        elif number == 3:
            inputs.append(text_of(value))
        elif number == 5:
            entry = {n: v for n, _, v in fields(raw_bytes(value))}
            attributes[text_of(entry.get(1, 0))] = raw_bytes(entry.get(2, memoryview(b"")))
    if not name or not op:
        refuse("a node without name or operation")
    return Node(name, op, tuple(inputs)), attributes


def _tensor_of_attribute(data: memoryview) -> np.ndarray:
    found = [value for number, _, value in fields(data) if number == 8]
    if len(found) != 1:
        refuse("a constant whose value is not one tensor")
    return _tensor(raw_bytes(found[0]))


def _tensor(data: memoryview) -> np.ndarray:
    dtype: np.dtype | None = None
    shape: tuple[int, ...] = ()
    content = memoryview(b"")
    listed: list[np.ndarray] = []
    for number, wire, value in fields(data):
        if number == 1:
            dtype = _DTYPES.get(number_of(value))
        elif number == 2:
            shape = _shape(raw_bytes(value))
        elif number == 4:
            content = raw_bytes(value)
        elif number in (_FLOAT_LIST, _INT_LIST):
            listed.append(_listed(number, wire, value))
    if dtype is None:
        refuse("a constant that is neither float32 nor int32")
    return _filled(dtype, shape, content, listed)


def _filled(dtype: np.dtype, shape: tuple[int, ...], content: memoryview, listed: list[np.ndarray]) -> np.ndarray:
    """The elements, raw or listed; a single listed one stands for all (TensorProto's rule) and takes no more memory."""
    count = int(np.prod(shape, dtype=np.int64))
    if len(content):
        if len(content) != count * dtype.itemsize:
            refuse("a tensor whose bytes do not fit its shape")
        return np.frombuffer(content, dtype).reshape(shape)
    values = np.concatenate(listed).astype(dtype) if listed else np.zeros(0, dtype)
    if len(values) == 1:
        return np.broadcast_to(values[0], shape)
    if len(values) != count:
        refuse("a tensor whose elements do not fit its shape")
    values.setflags(write=False)
    return values.reshape(shape)


def _listed(number: int, wire: int, value: int | memoryview) -> np.ndarray:
    if number == _FLOAT_LIST:
        raw = raw_bytes(value)
        if len(raw) % 4:
            refuse("a list of floats that is cut short")
        return np.frombuffer(raw, "<f4")
    numbers = [number_of(value)] if wire == 0 else varints(raw_bytes(value))
    wrapped = np.array(numbers, dtype=np.uint64).astype(np.int64)
    if len(wrapped) and (wrapped.min() < -(2**31) or wrapped.max() >= 2**31):
        refuse("an integer beyond 32 bits")
    return wrapped


def _shape(data: memoryview) -> tuple[int, ...]:
    shape: list[int] = []
    for number, _, value in fields(data):
        if number == 2:
            sizes = [number_of(v) for n, _, v in fields(raw_bytes(value)) if n == 1]
            shape.append(sizes[0] if sizes else 0)
    if len(shape) > _MAX_DIMENSIONS or np.prod([max(float(n), 1.0) for n in shape]) > _MAX_BYTES:
        refuse("a tensor that is too large")
    return tuple(shape)
