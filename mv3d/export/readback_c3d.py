"""A reader of C3D by its guide, not by the writer: groups and parameters are found by their offsets and names."""

import struct

import numpy as np

from mv3d.errors import FormatError
from mv3d.export.c3d import point_labels
from mv3d.export.formats import Job
from mv3d.export.readback import PointsRead

_BLOCK = 512
_TYPES = {-1: "S1", 1: "i1", 2: "<i2", 4: "<f4"}


def read_c3d(job: Job) -> PointsRead:
    """Points of a C3D file with Intel floats."""
    data = np.memmap(job.path, np.uint8, "r")
    first_block, key, count, _, first, last = struct.unpack("<BBHHHH", data[:10].tobytes())
    if key != 80:
        raise FormatError(f"{job.path}: not a C3D file; export it again")
    parameters = _parameters(data, (first_block - 1) * _BLOCK)
    labels = _labels(parameters)
    if labels != point_labels(job.poses) or parameters["POINT:USED"] != count or parameters["POINT:SCALE"] >= 0:
        raise FormatError(f"{job.path}: its labels are not those of the skeleton; export it again")
    if _text(parameters["POINT:UNITS"]) != job.placement.units:
        raise FormatError(f"{job.path}: says unit {_text(parameters['POINT:UNITS'])}; export it again")
    frames = (
        int(parameters["POINT:LONG_FRAMES"])
        if last == 65535 and "POINT:LONG_FRAMES" in parameters
        else last - first + 1
    )
    start = (int(parameters["POINT:DATA_START"]) - 1) * _BLOCK
    values = data[start : start + frames * count * 16].view("<f4").reshape(frames, count, 4)
    points = np.where(values[..., 3:] < 0, np.nan, values[..., :3]).astype(float)
    people = job.poses.xyz.shape[1]
    times = np.arange(frames) / float(parameters["POINT:RATE"])
    return PointsRead(points.reshape(frames, people, -1, 3), tuple(range(people)), times, constant_rate=True)


def _labels(parameters: dict[str, np.ndarray]) -> list[str]:
    lists = [key for key in ("POINT:LABELS", *(f"POINT:LABELS{i}" for i in range(2, 200))) if key in parameters]
    return [_text(row) for key in lists for row in parameters[key]]


def _text(characters: np.ndarray) -> str:
    return characters.tobytes().decode().rstrip()


def _parameters(data: np.ndarray, at: int) -> dict[str, np.ndarray]:
    """Values by "GROUP:NAME", texts as arrays of characters, in C order."""
    groups, found = {}, {}
    at += 4
    while data[at]:
        length, number = int(data[at].view(np.int8)), int(data[at + 1].view(np.int8))
        name = data[at + 2 : at + 2 + length].tobytes().decode()
        at += 2 + length
        step = int(data[at : at + 2].view("<i2")[0])
        if number < 0:
            groups[-number] = name
        else:
            found[number, name] = _value(data, at + 2)
        at += step
        if step == 0:
            break
    return {f"{groups[number]}:{name}": value for (number, name), value in found.items()}


def _value(data: np.ndarray, at: int) -> np.ndarray:
    kind, dimensions = int(data[at].view(np.int8)), int(data[at + 1])
    shape = tuple(int(d) for d in data[at + 2 : at + 2 + dimensions])[::-1]
    size = int(np.prod(shape, dtype=int)) * abs(kind)
    raw = data[at + 2 + dimensions : at + 2 + dimensions + size].tobytes()
    return np.frombuffer(raw, _TYPES[kind]).reshape(shape)
