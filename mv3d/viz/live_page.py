"""A live run in the browser: people, cameras and floor, thumbnails with overlays, lines of text."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.viz.lines import joined
from mv3d.viz.live_view import ENOUGH_JOINTS, LiveContent, thumbnails
from mv3d.viz.people import skeleton_geometry
from mv3d.viz.scene import scene_geometry
from mv3d.viz.viewpoint import default_viewpoint
from mv3d.viz.web_shapes import Segments, Skeletons, put_eye

_SIZE = (1280, 720)
# Thumbnails stand in rows of two in the panel, which shows them about half as wide.
_ROW, _ROW_PX = 2, 640
# People that there is room for at first; it doubles as they come.
_ROOM = 4


class LivePage:
    """The page of a viser server; everybody who looks sees the same."""

    def __init__(self, server: Any, rig: Rig, nobody: Poses3D) -> None:
        """Show the cameras and the floor.

        Args:
            server: a viser.ViserServer.
            rig: the cameras.
            nobody: a frame without anybody.
        """
        self._server, self._rig, self._skeleton = server, rig, nobody.skeleton
        self._scene, self._placed = scene_geometry(rig, nobody), False
        self._fixed, self._room = Segments(server.scene, "/fixed", 0.006), _ROOM
        self._people = self._make_room()
        self._text = server.gui.add_markdown("")
        self._rows: list[Any] = []
        self._show_fixed()
        for name, xyz in zip(self._scene.camera_names, self._scene.camera_xyz, strict=True):
            server.scene.add_label(f"/names/{name}", name, position=tuple(xyz))
        server.on_client_connect(lambda client: put_eye(client, default_viewpoint(self._scene, _SIZE)))

    def show(self, shown: LiveContent) -> None:
        """Show a frame set."""
        poses3d = shown.poses3d
        with self._server.atomic():
            if not self._placed and np.isfinite(poses3d.xyz[..., 0]).sum() >= ENOUGH_JOINTS:
                self._place(poses3d)
            if poses3d.xyz.shape[1] > self._room:
                self._room = 2 * poses3d.xyz.shape[1]
                self._people = self._make_room()
            self._people.show(skeleton_geometry(poses3d, 0))
            self._text.content = "\n\n".join([*shown.lines, *(f"**{line}**" for line in shown.trouble)])
            self._show_thumbnails(shown)

    def _make_room(self) -> Skeletons:
        joints, bones = len(self._skeleton), len(self._skeleton.bones)
        return Skeletons(self._server.scene, "/people", self._room * joints, self._room * bones)

    def _place(self, poses3d: Poses3D) -> None:
        """The floor and everybody's eye around the first people."""
        self._scene, self._placed = scene_geometry(self._rig, poses3d), True
        self._show_fixed()
        for client in self._server.get_clients().values():
            put_eye(client, default_viewpoint(self._scene, _SIZE))

    def _show_fixed(self) -> None:
        self._server.scene.set_up_direction(tuple(self._scene.up))
        self._fixed.show(joined([self._scene.grid, self._scene.frusta, self._scene.axes]))

    def _show_thumbnails(self, shown: LiveContent) -> None:
        for row, first in enumerate(range(0, len(self._rig), _ROW)):
            names = self._rig.names[first : first + _ROW]
            own = replace(shown, images=shown.images[first : first + _ROW])
            # As high as the width makes them.
            strip = thumbnails(self._rig.subset(names), own, (_ROW_PX, 100 * _ROW_PX))
            picture = cv2.cvtColor(strip, cv2.COLOR_BGR2RGB)
            if row < len(self._rows):
                self._rows[row].image = picture
            else:
                self._rows.append(self._server.gui.add_image(picture, format="jpeg"))
