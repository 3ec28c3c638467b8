"""The skinned mesh of a UsdSkel character and its material, as text."""

import numpy as np

from mv3d.export.body_mesh import INFLUENCES, body_mesh
from mv3d.export.gltf import COLOURS
from mv3d.export.placed_motion import PlacedMotion


def body_text(placed: PlacedMotion, root: str, person: int) -> str:
    """Prims below the SkelRoot at path `root`."""
    body, turn = body_mesh(placed.motion.armature), placed.rest_turn.T
    points = body.vertices @ turn * placed.placement.scale
    colour = ", ".join(map(str, COLOURS[person % len(COLOURS)]))
    binding = f'elementSize = {INFLUENCES}\n                interpolation = "vertex"'
    return f"""
        def Mesh "Body" (
            prepend apiSchemas = ["SkelBindingAPI", "MaterialBindingAPI"]
        )
        {{
            float3[] extent = [({_row(points.min(0))}), ({_row(points.max(0))})]
            int[] faceVertexCounts = [{", ".join(["3"] * len(body.triangles))}]
            int[] faceVertexIndices = [{", ".join(map(str, body.triangles.ravel().tolist()))}]
            rel material:binding = <{root}/Body/Material>
            normal3f[] normals = [{_vectors(body.normals @ turn)}] (
                interpolation = "vertex"
            )
            uniform token orientation = "rightHanded"
            point3f[] points = [{_vectors(points)}]
            color3f[] primvars:displayColor = [({colour})]
            matrix4d primvars:skel:geomBindTransform = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))
            int[] primvars:skel:jointIndices = [{", ".join(map(str, body.joints.ravel().tolist()))}] (
                {binding}
            )
            float[] primvars:skel:jointWeights = [{_row(body.weights.ravel())}] (
                {binding}
            )
            rel skel:skeleton = <{root}/Skeleton>
            uniform token subdivisionScheme = "none"

            def Material "Material"
            {{
                token outputs:surface.connect = <{root}/Body/Material/Surface.outputs:surface>

                def Shader "Surface"
                {{
                    uniform token info:id = "UsdPreviewSurface"
                    color3f inputs:diffuseColor = ({colour})
                    float inputs:metallic = 0
                    float inputs:roughness = 0.75
                    token outputs:surface
                }}
            }}
        }}
"""


def _vectors(rows: np.ndarray) -> str:
    return ", ".join(f"({_row(row)})" for row in rows)


def _row(values: np.ndarray) -> str:
    return ", ".join(f"{value + 0.0:.6g}" for value in values)
