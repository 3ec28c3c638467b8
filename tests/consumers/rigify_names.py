"""Runs inside Blender's Python: prints the names of the bones of Rigify's human metarig."""

import json

import bpy

bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.preferences.addon_enable(module="rigify")
bpy.ops.object.armature_human_metarig_add()
print(json.dumps({"names": [bone.name for bone in bpy.context.object.data.bones]}))
