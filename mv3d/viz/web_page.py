"""The page of the browser viewer: the scene of the window, with a slider, boxes and buttons for its keys.

There is one state for everybody who looks: what one visitor stops, stops for all.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mv3d.viz.content import Content
from mv3d.viz.display import Display
from mv3d.viz.frame_meshes import fixed_lines, frame_shapes, planes
from mv3d.viz.playback import Playback, advanced, at_frame, frame_of, pressed
from mv3d.viz.scene import scene_geometry
from mv3d.viz.viewer import legend, viewpoint_of
from mv3d.viz.viewpoint import Viewpoint, default_viewpoint
from mv3d.viz.web_shapes import Pictures, Segments, Skeletons, put_eye

_SIZE = (1280, 720)
_SPEEDS = {"x1/4": 0.25, "x1/2": 0.5, "x1": 1.0, "x2": 2.0, "x4": 4.0}
_UNCERTAINTY = {"off": 0.0, "x1": 1.0, "x5": 5.0}
_FREE = "free"


class WebPage:
    """The scene and the controls on a viser server: what is shown is in `state`."""

    def __init__(self, server: Any, content: Content, display: Display) -> None:
        """Build the page and show the first frame.

        Args:
            server: a viser.ViserServer.
            content: what there is to show.
            display: the layers at the start.
        """
        self.state = Playback(display)
        self._server, self._content = server, content
        self._times = content.poses3d.timestamps
        self._scene = scene_geometry(content.rig, content.poses3d)
        self._shown: tuple[int, Display] | None = None
        self._clock = time.monotonic()
        self._build_scene()
        self._build_controls(server.gui)
        server.on_client_connect(lambda client: self._look(client))
        self._show()

    def tick(self) -> None:
        """Show the frame of this moment."""
        now = time.monotonic()
        self.state = advanced(self.state, now - self._clock, self._times)
        self._clock = now
        self._show()

    def _build_scene(self) -> None:
        api, poses3d, ghost = self._server.scene, self._content.poses3d, self._content.ghost
        api.set_up_direction(tuple(self._scene.up))
        self._fixed = Segments(api, "/fixed", 0.006)
        self._people = Skeletons(api, "/people", *_most(poses3d))
        self._ghost = Skeletons(api, "/ghost", *_most(ghost)) if ghost is not None else None
        self._trails, self._ellipsoids = Segments(api, "/trails", 0.02), Segments(api, "/ellipsoids", 0.004)
        self._pictures = Pictures(api)
        at = zip(self._scene.camera_names, self._scene.camera_xyz, strict=True)
        self._names = [api.add_label(f"/names/{name}", name, position=tuple(xyz)) for name, xyz in at]

    def _build_controls(self, gui: Any) -> None:
        """Controls; those whose value the page itself changes are kept."""
        self._playing = gui.add_checkbox("playing", True)
        self._slider = gui.add_slider("frame", 0, max(len(self._times) - 1, 1), 1, 0)
        self._on(self._playing, lambda value: replace(self.state, is_playing=value))
        self._on(self._slider, lambda value: at_frame(self.state, int(value), self._times))
        steps = gui.add_button_group("step", ("-1 s", "-1", "+1", "+1 s"))
        keys = {"-1 s": "down", "-1": "left", "+1": "right", "+1 s": "up"}
        steps.on_click(lambda _: self._set(pressed(self.state, keys[steps.value], self._times)))
        speed = gui.add_dropdown("speed", tuple(_SPEEDS), initial_value="x1")
        self._on(speed, lambda value: replace(self.state, speed=_SPEEDS[value]))
        display, names = self.state.display, self._content.rig.names
        eye = gui.add_dropdown("eye", (_FREE, *names), initial_value=display.camera or _FREE)
        self._on(eye, lambda value: self._with(camera=None if value == _FREE else value))
        start = next((name for name, scale in _UNCERTAINTY.items() if scale == display.ellipsoids), "x1")
        rings = gui.add_dropdown("uncertainty", tuple(_UNCERTAINTY), initial_value=start)
        self._on(rings, lambda value: self._with(ellipsoids=_UNCERTAINTY[value]))
        for layer in self._layers():
            box = gui.add_checkbox(layer.replace("detections", "2D on images"), bool(getattr(display, layer)))
            self._on(box, lambda value, layer=layer: self._with(**{layer: value}))
        self._text = gui.add_markdown("")

    def _layers(self) -> tuple[str, ...]:
        """Layers that this session has."""
        pictured = ("images", "detections") if self._content.images is not None else ()
        other = ("ghost",) if self._content.ghost is not None else ()
        return (*pictured, "trails", *other, "floor", "cameras")

    def _on(self, control: Any, changed: Callable[[Any], Playback]) -> None:
        """Let a control change the state; not where the page itself has moved it, which no client has done."""
        control.on_update(lambda event: None if event.client is None else self._set(changed(control.value)))

    def _with(self, **layers: Any) -> Playback:
        return replace(self.state, display=replace(self.state.display, **layers))

    def _set(self, state: Playback) -> None:
        has_moved = state.display.camera != self.state.display.camera
        self.state = state
        self._clock = time.monotonic()
        for client in self._server.get_clients().values() if has_moved else ():
            self._look(client)

    def _look(self, client: Any) -> None:
        """Put a visitor's eye where it belongs."""
        put_eye(client, self._viewpoint())

    def _viewpoint(self) -> Viewpoint:
        if self.state.display.camera is None:
            return default_viewpoint(self._scene, _SIZE)
        return viewpoint_of(self._content, self._scene, self.state.display, _SIZE)

    def _show(self) -> None:
        state = self.state
        frame, display = frame_of(state, self._times), state.display
        if self._shown == (frame, display):
            return
        before = self._shown[1] if self._shown is not None else None
        shapes = frame_shapes(self._content, self._scene, frame, display)
        pictures = planes(self._content, self._scene, frame, display)
        with self._server.atomic():
            self._people.show(shapes.people)
            if self._ghost is not None:
                self._ghost.show(shapes.ghost)
            self._trails.show(shapes.trails)
            self._ellipsoids.show(shapes.ellipsoids)
            self._pictures.show(pictures, moved=display != before)
            if display != before:
                self._show_fixed(display)
        self._shown = (frame, display)
        self._playing.value, self._slider.value = state.is_playing, frame
        notes = " · ".join(text for text, _ in legend(self._content, display))
        self._text.content = f"{self._times[frame]:.3f} s of {self._times[-1]:.3f} s\n\n{notes}"

    def _show_fixed(self, display: Display) -> None:
        self._fixed.show(fixed_lines(self._content, self._scene, display))
        for name in self._names:
            name.visible = display.cameras and display.camera is None


def _most(poses3d: Any) -> tuple[int, int]:
    """How many joints and bones a frame has at most."""
    people = poses3d.xyz.shape[1]
    return people * len(poses3d.skeleton), people * len(poses3d.skeleton.bones)
