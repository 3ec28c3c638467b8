"""Runs inside Blender's Python: imports a BVH file with Blender's importer and prints where every joint is.

Prints JSON: fps, names, head and tail (frame, joint, 3) m in Blender's z-up world, turn (frame, joint, 3, 3) from rest.
"""

import json
import sys

import bpy

path = sys.argv[1]
bpy.ops.wm.read_factory_settings(use_empty=True)
# axis_forward and axis_up are the importer's defaults: y up becomes z up.
bpy.ops.import_anim.bvh(
    filepath=path, global_scale=0.01, axis_forward="-Z", axis_up="Y", update_scene_fps=True, update_scene_duration=True
)
armature = bpy.context.object
scene = bpy.context.scene
result = {
    "fps": scene.render.fps / scene.render.fps_base,
    "names": [bone.name for bone in armature.pose.bones],
    "head": [],
    "tail": [],
    "turn": [],
}
first, last = (int(value) for value in armature.animation_data.action.frame_range)
for frame in range(first, last + 1):
    scene.frame_set(frame)
    world = armature.matrix_world
    bones = armature.pose.bones
    result["head"].append([list(world @ bone.head) for bone in bones])
    result["tail"].append([list(world @ bone.tail) for bone in bones])
    turns = [(world @ bone.matrix @ bone.bone.matrix_local.inverted()).to_3x3() for bone in bones]
    result["turn"].append([[list(row) for row in turn] for turn in turns])
print(json.dumps(result))
