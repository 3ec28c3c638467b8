"""Spheres, capsules, lines and pictures of the scene as viser keeps them: made once, moved from frame to frame."""

from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from mv3d.viz.frame_meshes import Plane
from mv3d.viz.lines import Lines
from mv3d.viz.mesh import Mesh, spheres, tubes
from mv3d.viz.people import SkeletonGeometry
from mv3d.viz.viewpoint import Viewpoint

_UNIT = np.array([[0.0, 0.0, 0.0]])
# Spare instances are this small: viser's buffers keep their size, and a joint may be missing in a frame.
_HIDDEN = 1e-6
_JPEG_QUALITY = 80


class Skeletons:
    """Everyone as spheres and cylinders, instances of two meshes."""

    def __init__(self, scene: Any, name: str, joints: int, bones: int) -> None:
        """Nothing is shown before `show`.

        Args:
            scene: a viser scene.
            name: of the node.
            joints: at most.
            bones: at most.
        """
        one = np.ones(1)
        self._joints = _instances(scene, f"{name}/joints", spheres(_UNIT, one, _UNIT), max(joints, 1))
        axis = np.array([[[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
        self._bones = _instances(scene, f"{name}/bones", tubes(axis, one, _UNIT), max(bones, 1))

    def show(self, skeletons: SkeletonGeometry | None) -> None:
        """Show the people of a frame; None for nobody."""
        for handle in (self._joints, self._bones):
            handle.visible = skeletons is not None
        if skeletons is None:
            return
        radius = skeletons.joint_radius
        turns = np.tile([1.0, 0.0, 0.0, 0.0], (len(radius), 1))
        _move(self._joints, skeletons.joint_xyz, turns, np.repeat(radius[:, None], 3, 1), skeletons.joint_rgb)
        bones = skeletons.bones
        along = bones.segments[:, 1] - bones.segments[:, 0]
        length = np.linalg.norm(along, axis=1)
        scale = np.stack([bones.radius, bones.radius, length], axis=1)
        _move(self._bones, bones.segments[:, 0], turns_from_z(along), scale, bones.rgb)


class Segments:
    """Lines of one thickness."""

    def __init__(self, scene: Any, name: str, thickness: float) -> None:
        """Nothing is shown before `show`; `thickness` in m."""
        self._scene, self._name, self._thickness = scene, name, thickness
        self._handle: Any = None

    def show(self, lines: Lines) -> None:
        """Show lines; none at all for empty ones."""
        if not len(lines):
            if self._handle is not None:
                self._handle.visible = False
            return
        points, rgb = lines.segments.astype(np.float32), as_bytes(np.repeat(lines.rgb[:, None], 2, 1))
        if self._handle is None:
            self._handle = self._scene.add_line_segments(self._name, points, rgb, thickness=self._thickness)
        else:
            self._handle.points, self._handle.colors, self._handle.visible = points, rgb, True


class Pictures:
    """Flat pictures by name; those that are no longer shown are taken away."""

    def __init__(self, scene: Any) -> None:
        """Nothing is shown before `show`."""
        self._scene = scene
        self._handles: dict[str, Any] = {}

    def show(self, planes: dict[str, Plane], *, moved: bool) -> None:
        """Show pictures; `moved` if they may stand elsewhere than before."""
        for name in set(self._handles) if moved else set(self._handles) - set(planes):
            self._handles.pop(name).remove()
        for name, plane in planes.items():
            if name in self._handles:
                self._handles[name].image = plane.rgb
            else:
                self._handles[name] = self._added(name, plane)

    def _added(self, name: str, plane: Plane) -> Any:
        across, down = plane.corners[1] - plane.corners[0], plane.corners[3] - plane.corners[0]
        width, height = np.linalg.norm(across), np.linalg.norm(down)
        R = np.stack([across / width, down / height, np.cross(across / width, down / height)], axis=1)
        return self._scene.add_image(
            f"/pictures/{name}",
            plane.rgb,
            float(width),
            float(height),
            format="jpeg",
            jpeg_quality=_JPEG_QUALITY,
            wxyz=wxyz_of(R),
            position=tuple(plane.corners.mean(0)),
            cast_shadow=False,
            receive_shadow=False,
        )


def put_eye(client: Any, view: Viewpoint) -> None:
    """Let a visitor look from there."""
    R = view.eye_from_world[:3, :3]
    with client.atomic():
        client.camera.up_direction = tuple(view.up)
        client.camera.position, client.camera.wxyz = tuple(view.eye), wxyz_of(R.T)
        client.camera.look_at = tuple(view.eye + np.linalg.norm(view.target - view.eye) * R[2])
        client.camera.fov = 2 * float(np.arctan(view.tangent))


def wxyz_of(R: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "4"]:
    """Unit quaternion of a rotation matrix, as viser takes it; by the eigenvector of Bar-Itzhack (2000).

    It is stable for every rotation, half turns included.
    """
    (a, b, c), (d, e, f), (g, h, i) = R
    K = np.array(
        [
            [a + e + i, h - f, c - g, d - b],
            [h - f, a - e - i, b + d, c + g],
            [c - g, b + d, e - a - i, f + h],
            [d - b, c + g, f + h, i - a - e],
        ]
    )
    wxyz = np.linalg.eigh(K)[1][:, -1]
    return wxyz if wxyz[0] >= 0 else -wxyz


def turns_from_z(direction: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 4"]:
    """Unit quaternions (w, x, y, z) that turn +z into each direction the shortest way; none for one of no length."""
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    unit = np.where(length > 0, direction / np.where(length > 0, length, 1.0), [0.0, 0.0, 1.0])
    turns = np.stack([1 + unit[:, 2], -unit[:, 1], unit[:, 0], np.zeros(len(unit))], axis=1)
    # Straight down there is no shortest way: half a turn about x.
    turns[unit[:, 2] < -1 + 1e-9] = [0.0, 1.0, 0.0, 0.0]
    return turns / np.linalg.norm(turns, axis=1, keepdims=True)


def as_bytes(rgb: Float[np.ndarray, "*batch 3"]) -> UInt8[np.ndarray, "*batch 3"]:
    """Colours in [0, 1] as bytes."""
    return np.clip(np.rint(255 * rgb), 0, 255).astype(np.uint8)


def _instances(scene: Any, name: str, mesh: Mesh, count: int) -> Any:
    return scene.add_batched_meshes_simple(
        name,
        mesh.vertices.astype(np.float32),
        mesh.triangles.astype(np.uint32),
        np.tile([1.0, 0.0, 0.0, 0.0], (count, 1)),
        np.zeros((count, 3)),
        batched_scales=np.full((count, 3), _HIDDEN),
        batched_colors=np.zeros((count, 3), np.uint8),
        lod="off",
        side="double",
    )


def _move(handle: Any, xyz: np.ndarray, wxyz: np.ndarray, scale: np.ndarray, rgb: np.ndarray) -> None:
    """Put the instances of a mesh somewhere; those that are left over are hidden."""
    spare = len(handle.batched_positions) - len(xyz)
    handle.batched_positions = np.concatenate([xyz, np.zeros((spare, 3))]).astype(np.float32)
    handle.batched_wxyzs = np.concatenate([wxyz, np.tile([1.0, 0, 0, 0], (spare, 1))]).astype(np.float32)
    handle.batched_scales = np.concatenate([scale, np.full((spare, 3), _HIDDEN)]).astype(np.float32)
    handle.batched_colors = np.concatenate([as_bytes(rgb), np.zeros((spare, 3), np.uint8)])
