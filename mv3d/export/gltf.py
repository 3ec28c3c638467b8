"""glTF 2.0 as one binary file (GLB): a skinned body on a skeleton, and its animation; all people in one scene.

Metres and y up, as the format prescribes; at rest a body faces +z. Joints are nodes by their names, the animation gives
the root's place and every joint's rotation at each frame's time, to be interpolated linearly (rotations: slerp). Times
begin at 0. The bytes are written as they are made: a joint at a time.
"""

import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import mv3d
from mv3d.data.motion import Motion
from mv3d.errors import FormatError
from mv3d.export.body_mesh import body_mesh
from mv3d.export.gltf_buffer import GltfBuffer
from mv3d.export.options import Placement, place
from mv3d.export.placed_motion import PlacedMotion
from mv3d.export.timing import nominal_rate
from mv3d.files.writing import whole_file

_MAGIC, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
# The file's length is a 32-bit word.
_LARGEST = 2**32 - 1
# Colours of people: muted, apart from each other, plain in sunlight and on grey.
COLOURS = ((0.55, 0.66, 0.80), (0.84, 0.62, 0.44), (0.56, 0.74, 0.56), (0.78, 0.58, 0.72))


def write_glb(motions: Sequence[Motion], path: str | Path, placement: Placement | None = None) -> None:
    """Write the motions of all people as one scene.

    Args:
        motions: one for each person.
        path: the file to make.
        placement: y up and metres; by default with the world's z up.

    Raises:
        FormatError: no frames, or more than a GLB file holds.
        SessionError: the file cannot be written.
        ValueError: another axis or unit than the format's.
    """
    placement = placement or place("y_up", "m")
    if placement.axes != "y_up" or placement.units != "m":
        raise ValueError("glTF has y up and metres")
    if not motions or any(not len(motion) for motion in motions):
        raise FormatError(f"{path}: there is no motion to write, or one without frames")
    buffer = GltfBuffer()
    document = _document([PlacedMotion(motion, placement) for motion in motions], buffer)
    document |= buffer.description()
    text = json.dumps(document, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + buffer.length
    if total > _LARGEST:
        raise FormatError(f"{path}: {total / 1e9:.1f} GB are more than a GLB file holds; choose a lower --fps")
    with whole_file(path) as part, part.open("wb") as file:
        file.write(struct.pack("<III", _MAGIC, 2, total))
        file.write(struct.pack("<II", len(text), _JSON) + text)
        file.write(struct.pack("<II", buffer.length, _BIN))
        for chunk in buffer.chunks():
            file.write(chunk)


def _document(people: list[PlacedMotion], buffer: GltfBuffer) -> dict:
    """The scene; its numbers go to the buffer."""
    nodes: list[dict] = []
    skins, meshes, channels, samplers, roots = [], [], [], [], []
    for person, placed in enumerate(people):
        # A node above the root, so that importers take each person for a skeleton of its own.
        nodes.append({"name": f"Person{placed.motion.person_id}", "children": [len(nodes) + 1]})
        first = len(nodes)
        nodes += _joint_nodes(placed, first)
        joints = list(range(first, len(nodes)))
        skins.append(_skin(placed, joints, buffer))
        meshes.append(_mesh(placed, person, buffer))
        nodes.append({"name": f"Body{person}", "mesh": person, "skin": person})
        roots += [len(nodes) - 1, first - 1]
        for node, path, sampler in _samplers(placed, first, buffer):
            channels.append({"sampler": len(samplers), "target": {"node": node, "path": path}})
            samplers.append(sampler)
    return {
        "asset": {"version": "2.0", "generator": f"mv3d {mv3d.__version__}", "extras": _stated(people)},
        "scene": 0,
        "scenes": [{"name": "mv3d", "nodes": roots}],
        "nodes": nodes,
        "meshes": meshes,
        "skins": skins,
        "materials": [_material(person) for person in range(len(people))],
        "animations": [{"name": "motion", "channels": channels, "samplers": samplers}],
    }


def _stated(people: list[PlacedMotion]) -> dict:
    times = people[0].motion.timestamps
    return {
        "frame": people[0].placement.description,
        "fps": round(nominal_rate(times), 6),
        "frames": len(times),
        "start_time": float(times[0]),
        "person_id": [placed.motion.person_id for placed in people],
    }


def _joint_nodes(placed: PlacedMotion, first: int) -> Iterator[dict]:
    armature = placed.motion.armature
    for joint, name in enumerate(armature.joints):
        node = {"name": name, "translation": placed.offsets[joint].tolist()}
        children = armature.children[joint]
        yield node | ({"children": [first + child for child in children]} if children else {})


def _skin(placed: PlacedMotion, joints: list[int], buffer: GltfBuffer) -> dict:
    # All frames are parallel to the world at rest, so that a bind matrix only moves the joint to the origin.
    matrices = np.tile(np.eye(4), (len(joints), 1, 1))
    matrices[:, :3, 3] = -placed.rest
    inverse = buffer.add(np.swapaxes(matrices, 1, 2).reshape(-1, 16), "MAT4")
    return {
        "name": placed.motion.armature.name,
        "joints": joints,
        "skeleton": joints[0],
        "inverseBindMatrices": inverse,
    }


def _mesh(placed: PlacedMotion, person: int, buffer: GltfBuffer) -> dict:
    body = body_mesh(placed.motion.armature)
    turn = placed.rest_turn.T
    attributes = {
        "POSITION": buffer.add(body.vertices @ turn, "VEC3", target="vertex", bounds=True),
        "NORMAL": buffer.add(body.normals @ turn, "VEC3", target="vertex"),
        "JOINTS_0": buffer.add(body.joints.astype(np.uint16), "VEC4", target="vertex"),
        "WEIGHTS_0": buffer.add(body.weights, "VEC4", target="vertex"),
    }
    indices = buffer.add(body.triangles.astype(np.uint32).reshape(-1, 1), "SCALAR", target="index")
    return {
        "name": f"Body{person}",
        "primitives": [{"attributes": attributes, "indices": indices, "material": person, "mode": 4}],
    }


def _material(person: int) -> dict:
    colour = [*COLOURS[person % len(COLOURS)], 1.0]
    return {
        "name": f"Body{person}",
        "pbrMetallicRoughness": {"baseColorFactor": colour, "metallicFactor": 0.0, "roughnessFactor": 0.75},
    }


def _samplers(placed: PlacedMotion, first: int, buffer: GltfBuffer) -> Iterator[tuple[int, str, dict]]:
    """Node, what is animated, and the sampler."""
    times = placed.motion.timestamps - placed.motion.timestamps[0]
    at = buffer.add(times[:, None], "SCALAR", bounds=True)
    place_of_root = buffer.add(placed.translation, "VEC3")
    yield first, "translation", {"input": at, "output": place_of_root, "interpolation": "LINEAR"}
    for joint in range(len(placed.motion.armature)):
        turns = buffer.add_later(lambda joint=joint: placed.joint_quaternions(joint), len(placed.motion), "VEC4")
        yield first + joint, "rotation", {"input": at, "output": turns, "interpolation": "LINEAR"}
