"""The 3D scene rendered to pictures, without a display; Open3D draws, the text is written on top."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.viz.camera_images import LONGEST_PX
from mv3d.viz.colors import PAPER, Rgb, mixed
from mv3d.viz.content import Content, content
from mv3d.viz.display import Display
from mv3d.viz.frame_meshes import GHOST_RGB
from mv3d.viz.ideal_view import ideal_view
from mv3d.viz.renderer import SUPERSAMPLING, Open3dScene, captured, hidden_window, look_from
from mv3d.viz.scene import SceneGeometry, scene_geometry
from mv3d.viz.text import Box, draw_label, label_box, place_labels, shortened
from mv3d.viz.viewpoint import Viewpoint, default_viewpoint

_INK: Rgb = (45, 48, 56)
_FAINT: Rgb = (105, 110, 120)
_PLATE: Rgb = (250, 250, 252)


def render_scene(
    rig: Rig, poses3d: Poses3D, size: tuple[int, int] = (1280, 720), orbit_deg_per_second: float = 0.0
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Draw each frame of the skeletons among the cameras; needs no display.

    Args:
        rig: the cameras.
        poses3d: the people.
        size: (width, height) px of the pictures.
        orbit_deg_per_second: how fast the eye walks around the person.

    Yields:
        BGR pictures, one a frame.

    Raises:
        SceneError: Open3D or the graphics libraries it needs are missing.
    """
    return render(content(rig, poses3d), Display(), size, orbit_deg_per_second=orbit_deg_per_second)


def render(
    shown: Content,
    display: Display,
    size: tuple[int, int] = (1280, 720),
    frames: Sequence[int] | None = None,
    orbit_deg_per_second: float = 0.0,
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Draw frames of everything that is displayed; needs no display.

    Args:
        shown: what there is to show.
        display: what of it, and through whose eye.
        size: (width, height) px of the pictures.
        frames: which, in any order; all of them if None.
        orbit_deg_per_second: how fast the free eye walks around the person.

    Yields:
        BGR pictures, one a frame.

    Raises:
        SceneError: Open3D or the graphics libraries it needs are missing.
    """
    poses3d = shown.poses3d
    frames = range(len(poses3d)) if frames is None else frames
    if not len(frames):
        return
    scene = scene_geometry(shown.rig, poses3d)
    start = viewpoint_of(shown, scene, display, size)
    with hidden_window(size) as window:
        meshes = Open3dScene(window, shown, scene)
        for frame in frames:
            meshes.show(frame, display)
            elapsed = float(poses3d.timestamps[frame] - poses3d.timestamps[0])
            view = start.turned(np.deg2rad(orbit_deg_per_second * elapsed)) if display.camera is None else start
            look_from(window, view, SUPERSAMPLING)
            image = captured(window, size)
            annotate(image, scene, view, frame_line(poses3d, frame), display, legend(shown, display))
            yield image


def viewpoint_of(shown: Content, scene: SceneGeometry, display: Display, size: tuple[int, int]) -> Viewpoint:
    """The eye: in the place of a camera, or free."""
    if display.camera is None:
        return default_viewpoint(scene, size)
    if shown.images is not None:
        return shown.images.view(display.camera).viewpoint(size)
    return ideal_view(shown.rig[display.camera], LONGEST_PX).viewpoint(size)


def legend(shown: Content, display: Display) -> list[tuple[str, Rgb]]:
    """What the colours mean, as far as they are in the picture."""
    found = [("person's left", PAPER.left), ("person's right", PAPER.right), ("pale: filled", _FAINT)]
    if shown.ghost is not None and display.ghost:
        found.append(("grey: the other run", mixed(GHOST_RGB, _INK, 0.4)))
    if display.ellipsoids:
        factor = "" if display.ellipsoids == 1 else f", x{display.ellipsoids:g}"
        found.append((f"rings: 95 % uncertainty{factor}", _FAINT))
    if display.trails:
        found.append((f"trails: the last {display.trail_s:g} s", _FAINT))
    return found


def frame_line(poses3d: Poses3D, frame: int) -> str:
    """Frame number and time."""
    return f"frame {frame} of {len(poses3d)}, {poses3d.timestamps[frame]:.3f} s"


def annotate(
    image: UInt8[np.ndarray, "height width 3"],
    scene: SceneGeometry,
    view: Viewpoint,
    title: str,
    display: Display,
    legend: list[tuple[str, Rgb]],
) -> None:
    """Write title, legend and the cameras' names onto a picture of the scene, in place."""
    title = f"{title}   through {display.camera}" if display.camera is not None else title
    capital = max(image.shape[0] / 60, 7.0)
    margin = round(1.2 * capital)
    bars = [draw_label(image, title, (margin, margin), capital, _INK, _PLATE)]
    if scene.note and display.floor:
        below = bars[0].top + bars[0].height + round(0.4 * capital)
        bars.append(draw_label(image, scene.note, (margin, below), 0.8 * capital, _FAINT, _PLATE))
    _draw_legend(image, legend, margin, 0.8 * capital)
    if display.cameras and display.camera is None:
        _draw_names(image, scene, view, 0.9 * capital, bars)


def _draw_names(image: np.ndarray, scene: SceneGeometry, view: Viewpoint, capital: float, taken: list[Box]) -> None:
    """Write the name of each camera that is in the picture above it, clear of other text."""
    xy = view.project(scene.camera_xyz)
    shown = [k for k in range(len(xy)) if _is_near(xy[k], view.size)]
    names, wanted = [shortened(scene.camera_names[k]) for k in shown], []
    for name, k in zip(names, shown, strict=True):
        box = label_box(name, (0, 0), capital)
        left, top = round(float(xy[k, 0]) - box.width / 2), round(float(xy[k, 1])) - box.height
        wanted.append(label_box(name, (left, top), capital))
    for name, box in zip(names, place_labels(wanted, taken, view.size), strict=True):
        draw_label(image, name, (box.left, box.top), capital, _INK, _PLATE)


def _draw_legend(image: np.ndarray, legend: list[tuple[str, Rgb]], margin: int, capital: float) -> None:
    x, y = margin, image.shape[0] - margin - round(2 * capital)
    for text, rgb in legend:
        box = draw_label(image, text, (x, y), capital, rgb, _PLATE)
        x += box.width + round(0.6 * capital)


def _is_near(xy: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether a point is in the picture or so little outside that a part of the camera shows."""
    margin = 0.05 * np.array(size)
    return bool(np.isfinite(xy).all() and (xy >= -margin).all() and (xy < np.array(size) + margin).all())
