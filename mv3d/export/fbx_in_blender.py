"""Run by Blender, not by mv3d: GLB in, FBX out. Arguments after "--": source, target, frames per second, frames."""

import sys

import bpy  # pyright: ignore[reportMissingImports]


def main(source: str, target: str, fps: float, frames: int) -> None:
    """Convert one file; one frame of Blender is one frame of the motion."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = max(1, round(fps))
    scene.render.fps_base = scene.render.fps / fps
    bpy.ops.import_scene.gltf(filepath=source)
    # The importer's own shape for bones is no part of the scene.
    for thing in [o for o in bpy.data.objects if o.type == "MESH" and not o.vertex_groups]:
        bpy.data.objects.remove(thing)
    scene.frame_start, scene.frame_end = 0, frames - 1
    bpy.ops.export_scene.fbx(
        filepath=target,
        object_types={"ARMATURE", "MESH"},
        add_leaf_bones=False,
        bake_anim=True,
        bake_anim_use_all_actions=False,
        bake_anim_use_nla_strips=False,
        bake_anim_simplify_factor=0.0,
    )


if __name__ == "__main__":
    given = sys.argv[sys.argv.index("--") + 1 :]
    main(given[0], given[1], float(given[2]), int(given[3]))
