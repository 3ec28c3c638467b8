"""Reader of Caffe weight files (.caffemodel): the blobs of every layer by name, nothing else.

Fields of caffe.proto: NetParameter, LayerParameter (and V1LayerParameter of older files), BlobProto, BlobShape. Never
follows nesting deeper than net > layer > blob > shape.
"""

import math
from pathlib import Path

import numpy as np

from mv3d.pose2d.wire import fields, number_of, raw_bytes, read_message, refuse, text_of, varints

# The largest published pose network has 209 MB.
_MAX_BYTES = 512 * 2**20
_MAX_LAYERS = 2000
_MAX_BLOBS = 8
_MAX_DIMENSIONS = 8
# Numbers take at most 10 bytes each, and the fields around them a few.
_MAX_SHAPE_BYTES = 200
# Of a net's layers: field of the message, then the fields of name and blobs in it; newest form first.
_LAYER_FORMS = {100: (1, 7), 2: (4, 6)}
# Sizes of a blob before it had a shape.
_OLD_SIZES = (1, 2, 3, 4)
_DATA, _SHAPE = 5, 7

Blobs = dict[str, tuple[np.ndarray, ...]]
"""The float32 blobs of each layer that has any: kernel and bias of a convolution, slopes of a PReLU."""


def read_caffemodel(path: str | Path) -> Blobs:
    """Read the blobs of a .caffemodel.

    Raises:
        FormatError: missing, too large, or not a Caffe net with weights.
    """
    return read_message(
        path, _net, _MAX_BYTES,
        kind="a Caffe weight file", file="a .caffemodel file", network="the weights of a pose network",
    )  # fmt: skip


def _net(data: memoryview) -> Blobs:
    layers: Blobs = {}
    count = 0
    for number, _, value in fields(data):
        if number not in _LAYER_FORMS:
            continue
        count += 1
        if count > _MAX_LAYERS:
            refuse(f"more than {_MAX_LAYERS} layers")
        name, blobs = _layer(raw_bytes(value), *_LAYER_FORMS[number])
        if blobs:
            if not name or name in layers:
                refuse(f"two layers of weights named {name!r}, or one without a name")
            layers[name] = blobs
    if not layers:
        refuse("no layer with weights")
    return layers


def _layer(data: memoryview, name_field: int, blob_field: int) -> tuple[str, tuple[np.ndarray, ...]]:
    name, blobs = "", []
    for number, _, value in fields(data):
        if number == name_field:
            name = text_of(value)
        elif number == blob_field:
            if len(blobs) == _MAX_BLOBS:
                refuse(f"a layer of more than {_MAX_BLOBS} blobs")
            blobs.append(_blob(raw_bytes(value)))
    return name, tuple(blobs)


def _blob(data: memoryview) -> np.ndarray:
    shape: tuple[int, ...] | None = None
    old = dict.fromkeys(_OLD_SIZES, 1)
    values: list[np.ndarray] = []
    for number, _, value in fields(data):
        if number == _SHAPE:
            shape = _shape(raw_bytes(value))
        elif number in old:
            old[number] = number_of(value)
        elif number == _DATA:
            content = raw_bytes(value)
            if len(content) % 4:
                refuse("a blob that is cut short")
            values.append(np.frombuffer(content, "<f4"))
    shape = tuple(old.values()) if shape is None else shape
    data_of_blob = values[0] if len(values) == 1 else np.concatenate(values or [np.zeros(0, np.float32)])
    if math.prod(shape) != len(data_of_blob):
        refuse("a blob whose values do not fit its shape")
    return data_of_blob.reshape(shape)


def _shape(data: memoryview) -> tuple[int, ...]:
    sizes: list[int] = []
    if len(data) > _MAX_SHAPE_BYTES:
        refuse("a shape that is too long")
    for number, wire, value in fields(data):
        if number == 1:
            sizes += [number_of(value)] if wire == 0 else varints(raw_bytes(value))
        if len(sizes) > _MAX_DIMENSIONS:
            refuse(f"a blob of more than {_MAX_DIMENSIONS} dimensions")
    if math.prod(max(size, 1) for size in sizes) > _MAX_BYTES:
        refuse("a blob that is too large")
    return tuple(sizes)
