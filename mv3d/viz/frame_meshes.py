"""All that is drawn of one frame, as meshes and pictures: what the window, the videos and the stills have in common."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from mv3d.viz.content import Content
from mv3d.viz.display import Display
from mv3d.viz.ellipsoids import ellipsoids
from mv3d.viz.grid import drawn_tile
from mv3d.viz.lines import Lines, joined, lines
from mv3d.viz.mesh import Mesh, merged, shadow
from mv3d.viz.moments import ABSENT
from mv3d.viz.people import SkeletonGeometry, skeleton_geometry
from mv3d.viz.scene import SceneGeometry, camera_frusta
from mv3d.viz.trails import trails

GHOST_RGB = (164, 160, 178)
_SHADOW_RGB = (0.80, 0.81, 0.83)
# Limbs are so thin while ellipsoids are shown, which would else be inside of them; the ghost is thinner than the body.
_THIN, _GHOST_THICKNESS = 0.3, 0.7
# Pyramids with pictures are larger, so that one sees what is in them, and their edges thinner.
_PICTURE_SCALE, _PICTURE_EDGE = 2.0, 0.5
# Behind everybody: so far beyond the person's box the picture stands when one looks through a camera.
_BEHIND_M = 1.0
_NO_IMAGE = 90  # grey of a camera that has no image at an instant


@dataclass(frozen=True, slots=True, eq=False)
class FrameShapes:
    """What moves, before it is made into meshes: everyone, the other run, and lines."""

    people: SkeletonGeometry
    ghost: SkeletonGeometry | None
    trails: Lines
    ellipsoids: Lines


@dataclass(frozen=True, slots=True, eq=False)
class FrameMeshes:
    """What moves: `body` is shaded, `marks` (trails, ellipsoids) and `shadow` are not."""

    body: Mesh
    marks: Mesh
    shadow: Mesh


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A flat picture in the world: corners (4, 3) m from the top left one clockwise, and an RGB image."""

    corners: np.ndarray
    rgb: np.ndarray


def frame_shapes(content: Content, scene: SceneGeometry, frame: int, display: Display) -> FrameShapes:
    """People, ghost, trails and ellipsoids of one frame."""
    poses3d, thickness = content.poses3d, _THIN if display.ellipsoids else 1.0
    ghost = None
    if content.ghost is not None and display.ghost and content.ghost_frames[frame] != ABSENT:
        at, thin = int(content.ghost_frames[frame]), _GHOST_THICKNESS * thickness
        ghost = skeleton_geometry(content.ghost, at, content.ghost_trunks, thin, GHOST_RGB)
    return FrameShapes(
        skeleton_geometry(poses3d, frame, scene.trunks, thickness),
        ghost,
        trails(poses3d, frame, display.trail_s, scene.trunks) if display.trails else lines([]),
        ellipsoids(poses3d, frame, display.ellipsoids) if display.ellipsoids else lines([]),
    )


def frame_meshes(content: Content, scene: SceneGeometry, frame: int, display: Display) -> FrameMeshes:
    """The same as meshes, with the people's shadow on the floor."""
    shapes = frame_shapes(content, scene, frame, display)
    people = shapes.people.mesh()
    has_shadow = display.floor and display.camera is None
    return FrameMeshes(
        merged([people, *([shapes.ghost.mesh()] if shapes.ghost is not None else [])]),
        merged([shapes.trails.mesh(), shapes.ellipsoids.mesh(3)]),
        shadow(people, scene.floor_height, scene.up, _SHADOW_RGB) if has_shadow else merged([]),
    )


def fixed_lines(content: Content, scene: SceneGeometry, display: Display) -> Lines:
    """Floor, axes and cameras, as far as they are shown."""
    parts = [scene.grid, scene.axes] if display.floor else []
    if display.cameras and display.camera is None:
        shows_pictures = bool(shown_pictures(content, display))
        size = _PICTURE_SCALE * scene.frustum_size
        parts.append(camera_frusta(content.rig, size, _PICTURE_EDGE) if shows_pictures else scene.frusta)
    return joined(parts)


def shown_pictures(content: Content, display: Display) -> tuple[str, ...]:
    """Cameras whose pictures are in the scene: all of them, or the one that is looked through."""
    if content.images is None or not (display.images or display.camera is not None):
        return ()
    if display.camera is not None:
        return (display.camera,) if display.camera in content.images.names else ()
    return content.images.names if display.cameras else ()


def planes(content: Content, scene: SceneGeometry, frame: int, display: Display) -> dict[str, Plane]:
    """Pictures on the image planes, straightened, with 2D and projected skeletons if asked; by camera."""
    names = shown_pictures(content, display)
    if content.images is None or not names:
        return {}
    with ThreadPoolExecutor(len(names)) as pool:
        pictures = pool.map(lambda name: _picture(content, name, frame, display), names)
    found = {}
    for name, rgb in zip(names, pictures, strict=True):
        view = content.images.view(name)
        depth = _PICTURE_SCALE * scene.frustum_size if display.camera is None else _far(view.camera.center, scene)
        found[name] = Plane(view.corners(depth), rgb)
    return found


def _picture(content: Content, name: str, frame: int, display: Display) -> np.ndarray:
    """RGB of a camera, straightened, with what was detected, and the skeleton unless it stands before the picture."""
    assert content.images is not None
    image, view = content.images.image(name, frame), content.images.view(name)
    if image is None:
        return np.full((view.size[1], view.size[0], 3), _NO_IMAGE, np.uint8)
    size = view.camera.size
    poses2d, poses3d = content.poses2d.get(name), content.poses3d if display.camera is None else None
    if display.detections and (poses2d is not None or poses3d is not None):
        image = drawn_tile(image, size, content.rig[name], frame, poses2d, poses3d)
    elif (image.shape[1], image.shape[0]) != size:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(view.picture(image), cv2.COLOR_BGR2RGB)


def _far(eye: np.ndarray, scene: SceneGeometry) -> float:
    """A depth behind the whole movement and the floor around it, m."""
    low, high = scene.extent
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    ends = np.concatenate([corners, scene.grid.segments.reshape(-1, 3)])
    return float(np.linalg.norm(ends - eye, axis=1).max()) + _BEHIND_M
