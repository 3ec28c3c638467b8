"""A reader of GLB animations by the glTF 2.0 specification: chunks, accessors, skins, samplers."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from mv3d.errors import FormatError
from mv3d.export.readback_motion import MotionRead

_COMPONENTS = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def read_glb_motions(path: Path) -> list[MotionRead]:
    """The animation of every skin, in the order of the skins.

    Raises:
        FormatError: not a GLB file, or its animation is none of skeletons that turn.
    """
    data = np.memmap(path, np.uint8, "r")
    magic, version, total, length, kind = struct.unpack("<IIIII", data[:20].tobytes())
    if (magic, version, total, kind) != (0x46546C67, 2, len(data), 0x4E4F534A):
        raise FormatError(f"{path}: not a whole GLB file; export it again")
    document = json.loads(data[20 : 20 + length].tobytes())
    size, kind = struct.unpack("<II", data[20 + length : 28 + length].tobytes())
    binary = data[28 + length : 28 + length + size]
    if kind != 0x004E4942 or size != document["buffers"][0]["byteLength"]:
        raise FormatError(f"{path}: its binary chunk is not what it says; export it again")
    return [_skin(document, binary, skin) for skin in document["skins"]]


def _skin(document: dict[str, Any], binary: np.ndarray, skin: dict[str, Any]) -> MotionRead:
    nodes, joints = document["nodes"], skin["joints"]
    index = {node: joint for joint, node in enumerate(joints)}
    parents = [-1] * len(joints)
    for node in joints:
        for child in nodes[node].get("children", ()):
            parents[index[child]] = index[node]
    tracks = _tracks(document, binary, index)
    _bound(document, binary, skin, parents)
    times, translation = tracks[index[skin["skeleton"]], "translation"]
    quaternions = np.stack([tracks[joint, "rotation"][1] for joint in range(len(joints))], axis=1)
    offsets = np.array([nodes[node].get("translation", (0, 0, 0)) for node in joints], float)
    names = tuple(nodes[node]["name"] for node in joints)
    return MotionRead(names, tuple(parents), offsets, quaternions, translation, times[:, 0].astype(float))


def _tracks(document: dict, binary: np.ndarray, index: dict[int, int]) -> dict[tuple[int, str], tuple]:
    """Times and values by joint and what is animated."""
    found = {}
    for animation in document["animations"]:
        for channel in animation["channels"]:
            target, sampler = channel["target"], animation["samplers"][channel["sampler"]]
            if target["node"] in index:
                ends = (_values(document, binary, sampler[end]) for end in ("input", "output"))
                found[index[target["node"]], target["path"]] = tuple(ends)
    return found


def _bound(document: dict, binary: np.ndarray, skin: dict, parents: list[int]) -> None:
    """The bind matrices must undo the places of the joints at rest, or the body is torn."""
    inverse = _values(document, binary, skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
    rest = np.zeros((len(parents), 3))
    for joint, parent in enumerate(parents):
        offset = np.array(document["nodes"][skin["joints"][joint]].get("translation", (0, 0, 0)))
        rest[joint] = offset + (rest[parent] if parent >= 0 else 0)
    apart = inverse[:, :3, 3] + rest - rest[0]
    if np.abs(apart).max() > 1e-5 or np.abs(inverse[:, :3, :3] - np.eye(3)).max() > 1e-6:
        raise FormatError("the bind pose of the GLB file is not its rest pose; export it again")


def _values(document: dict, binary: np.ndarray, accessor: int) -> np.ndarray:
    entry = document["accessors"][accessor]
    view = document["bufferViews"][entry["bufferView"]]
    kind, width = np.dtype(_COMPONENTS[entry["componentType"]]), _WIDTHS[entry["type"]]
    start = view["byteOffset"] + entry.get("byteOffset", 0)
    return binary[start : start + entry["count"] * width * kind.itemsize].view(kind).reshape(-1, width)
