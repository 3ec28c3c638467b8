"""A rig from lenses that are known and points of the scene whose places are: `mv3d rig place`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calib.scene_poses import ScenePose, pose_from_scene
from mv3d.data.camera import Camera
from mv3d.data.intrinsics import Intrinsics, load_intrinsics
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError
from mv3d.files.rig_guess import guess_format
from mv3d.files.rigs import READ_FORMATS, read_rig
from mv3d.files.scene_points import ScenePoint, load_scene

# Points that are marked by hand are off by about so much, px.
_MARKED_PX = 2.0
# Marks farther off are pointed out; positions known worse (m) too.
_OFF_PX, _LOOSE_M = 8.0, 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Placing:
    """A rig in the world of its points, and what there is to say about it."""

    rig: Rig
    lines: tuple[str, ...]


def known_lenses(path: str | Path) -> tuple[Intrinsics, ...]:
    """Lenses of a lenses.yaml, or of a rig in any format, whose poses are left aside."""
    path = Path(path)
    if guess_format(path, READ_FORMATS) == "mv3d":
        return load_intrinsics(path)
    return tuple(Intrinsics(camera.name, camera.size, camera.lens) for camera in read_rig(path))


def place_cameras(lenses: tuple[Intrinsics, ...], scene: str | Path) -> Placing:
    """Find where every camera stands, each from its own marks.

    Args:
        lenses: of the cameras.
        scene: file of points with their places, see docs/formats.md.

    Raises:
        CalibrationError: the file cannot be used, or a camera's marks do not tell its place; names it.
    """
    points = load_scene(scene, [lens.name for lens in lenses])
    strange = sorted({name for point in points for name in point.seen} - {lens.name for lens in lenses})
    if strange:
        known = ", ".join(lens.name for lens in lenses)
        raise CalibrationError(f"{scene}: no lens of camera {', '.join(strange)} is known; there are {known}")
    cameras, lines = [], []
    for lens in lenses:
        marked = [point for point in points if point.xyz is not None and lens.name in point.seen]
        pose = _pose(lens, marked, scene)
        cameras.append(Camera(lens.name, lens.size, lens.lens, pose.R, pose.t))
        lines.append(_line(lens.name, marked, pose))
    return Placing(Rig(tuple(cameras)), tuple(lines))


def _pose(camera: Intrinsics, marked: list[ScenePoint], scene: str | Path) -> ScenePose:
    places = np.array([point.xyz for point in marked], float).reshape(-1, 3)
    pixels = np.array([point.seen[camera.name] for point in marked], float).reshape(-1, 2)
    try:
        return pose_from_scene(camera.lens, places, pixels, _MARKED_PX)
    except ValueError as error:
        raise CalibrationError(f"{scene}: camera {camera.name}: {error}") from error


def _line(name: str, marked: list[ScenePoint], pose: ScenePose) -> str:
    text = (
        f"{name}: {len(marked)} points, {np.median(pose.error_px):.1f} px off (median), position known to"
        f" {1e3 * pose.center_sd:.0f} mm, direction to {np.rad2deg(pose.turn_sd):.2f} degrees"
    )
    off = [f"{marked[i].name} ({pose.error_px[i]:.0f} px)" for i in np.flatnonzero(pose.error_px > _OFF_PX)]
    text += f"; marked wrong, or not where the list says: {', '.join(off)}" if off else ""
    return text + ("; mark more points, far apart" if pose.center_sd > _LOOSE_M else "")
