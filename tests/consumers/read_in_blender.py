"""Run by the Python that has bpy: opens a file and writes where every bone is, as JSON.

Places are those of the bones' heads in Blender's world (z up, metres), turns the rotation from the rest pose.
"""

import json
import sys
from pathlib import Path

import bpy

IMPORTERS = {
    ".glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    ".usda": lambda path: bpy.ops.wm.usd_import(filepath=path),
    ".fbx": lambda path: bpy.ops.import_scene.fbx(filepath=path, anim_offset=0.0),
    ".bvh": lambda path: bpy.ops.import_anim.bvh(filepath=path, global_scale=0.01, use_fps_scale=False, frame_start=0),
}


def read(path: str, fps: float, frames: int) -> list[dict]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = round(fps), round(fps) / fps
    IMPORTERS[Path(path).suffix](path)
    bodies = []
    for armature in (o for o in bpy.data.objects if o.type == "ARMATURE"):
        bones = armature.data.bones
        body = {"name": armature.name, "joints": [bone.name for bone in bones], "places": [], "turns": []}
        # The shape that the glTF importer gives bones is a mesh too, without a modifier.
        meshes = [o for o in bpy.data.objects if o.type == "MESH" and o.modifiers and o.modifiers[0].object == armature]
        body["vertices"] = [len(mesh.data.vertices) for mesh in meshes]
        for frame in range(frames):
            scene.frame_set(frame)
            world = armature.matrix_world
            pose = [world @ armature.pose.bones[bone.name].matrix for bone in bones]
            rest = [world @ bone.matrix_local for bone in bones]
            body["places"].append([list(matrix.translation) for matrix in pose])
            turns = [
                p.to_3x3().normalized() @ r.to_3x3().normalized().transposed() for p, r in zip(pose, rest, strict=True)
            ]
            body["turns"].append([[list(row) for row in turn] for turn in turns])
        bodies.append(body)
    return bodies


if __name__ == "__main__":
    source, target, fps, frames = sys.argv[1:]
    Path(target).write_text(json.dumps(read(source, float(fps), int(frames))))
