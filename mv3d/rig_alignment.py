"""A rig's world put on the floor, and its scale held against a tape: `mv3d rig align`."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calib.board_sources import sources_in
from calib.boards import each_board, load_board
from calib.resting_board import find_resting_board
from calib.world import WorldChange, lying_board, onto_points, under_feet
from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.errors import CalibrationError, ConfigError
from mv3d.files.calibration_uncertainty import write_rescaled
from mv3d.files.rigs import write_rig
from mv3d.files.scene_points import ScenePoint, load_scene
from mv3d.files.staging import written_together
from mv3d.files.writing import refuse_overwriting
from mv3d.geometry.triangulation import triangulate_robust

_SAME = np.eye(3), np.zeros(3)
# Joints that stand on the floor, and how high they are over it when they do (m): the ankle after Drillis and Contini
# (1966), 3.9 % of a stature of 1.75 m plus a sole; heels and toes as detectors mark them, on the shoe.
_FEET = {"LAnkle": 0.085, "RAnkle": 0.085, "LHeel": 0.03, "RHeel": 0.03, "LBigToe": 0.025, "RBigToe": 0.025}
_UPPER = ("Neck", "Nose", "MidHip")
# Corners of a resting board this far off (px), and scales this far from one (share), are pointed out.
_BOARD_OFF_PX, _SCALE_OFF = 3.0, 0.01
# Points that are marked by hand are off by about so much, px.
_MARKED_PX = 2.0
# What was known of the rig of before, kept like that rig where lengths were scaled.
_UNALIGNED_SD = "uncertainty.unaligned.npz"


@dataclass(frozen=True, slots=True)
class Measured:
    """A distance that was measured between two cameras or points of the scene, m."""

    first: str
    second: str
    metres: float


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A rig in its new world, the change that led there, and what there is to say about it."""

    rig: Rig
    change: WorldChange
    lines: tuple[str, ...]


def aligned(
    rig: Rig,
    *,
    board: tuple[str, Path, float] | None = None,
    scene: Path | None = None,
    person: Path | None = None,
    measured: Sequence[Measured] = (),
    rescale: bool = False,
) -> Iterator[Alignment]:
    """The scale first, where it was measured, then the world.

    Args:
        rig: the cameras.
        board: its description, pictures of it on the floor, and its thickness, m.
        scene: file of marked points.
        person: pose3d.npz.
        measured: distances.
        rescale: take the scale from the distances, or else from the points.
    """
    if measured:
        done = hold_against(rig, measured, scene, rescale=rescale)
        rig = done.rig
        yield done
    if board is not None:
        yield align_to_board(rig, *board)
    elif person is not None:
        poses = Poses3D.load(person)
        factor = done.change.scale if measured else 1.0
        yield align_to_person(rig, replace(poses, xyz=factor * poses.xyz))
    elif scene is not None and any(point.xyz is not None for point in load_scene(scene)):
        yield align_to_scene(rig, scene, rescale=rescale and not measured)


def save_aligned(rig: Rig, source: Path, out: Path | None, overwrite: bool, scale: float = 1.0) -> str:
    """Write the aligned rig; of a session's the one before is kept beside it, and its uncertainty is scaled with it.

    Args:
        rig: the cameras.
        source: the session, or the file that the rig was read from.
        out: another file to write.
        overwrite: replace the target.
        scale: by which lengths were multiplied.

    Returns:
        What was written, a line.

    Raises:
        SessionError: the target is there, or cannot be written.
        FormatError: the session's uncertainty cannot be read.
    """
    if out is None and not source.is_dir():
        raise ConfigError(f"{source}: name the rig to write with --out")
    root = source if source.is_dir() else source.parent
    target = out or Session(root).rig
    refuse_overwriting(target, overwrite)
    # A session's rig that is named as the target is that session's all the same.
    if out is not None and not (out.exists() and out.resolve() == Session(root).rig.resolve()):
        write_rig(rig, out)
        return f"{out}: {len(rig)} cameras"
    with written_together(root, stale=[f"calibration/{_UNALIGNED_SD}"]) as folder:
        Rig.load(target).save(folder / "cameras.unaligned.yaml")
        rig.save(Session(folder).rig)
        _scale_uncertainty(Session(root), Session(folder), scale)
    return f"{target}: {len(rig)} cameras; before: cameras.unaligned.yaml"


def _scale_uncertainty(session: Session, new: Session, scale: float) -> None:
    known = session.calibration_uncertainty
    if scale == 1.0 or not known.is_file():
        return
    write_rescaled(known, new.calibration_uncertainty, scale)
    shutil.copyfile(known, new.calibration_uncertainty.with_name(_UNALIGNED_SD))


def align_to_board(rig: Rig, board: str, folder: str | Path, thickness: float = 0.0) -> Alignment:
    """The floor is what a board lies on; its origin and first side are those of the world.

    Args:
        rig: the cameras.
        board: YAML file or name of a shipped board.
        folder: pictures of the board on the floor: <camera>.jpg, <camera>/ or <camera>.mp4; one camera is enough.
        thickness: of the board, m.

    Raises:
        Mv3dError: no board, or a picture that belongs to no camera.
    """
    folder, pattern = Path(folder), load_board(board)
    if len(each_board(pattern)) > 1:
        raise ConfigError(f"{board}: several boards; name the one that lies on the floor, by a file of its own")
    sources = sources_in(folder, single_images=True) if folder.is_dir() else []
    if not sources:
        raise CalibrationError(
            f"{folder}: no pictures of the board on the floor; <camera>.jpg, <camera>/ or <camera>.mp4"
        )
    strange = sorted({source.camera for source in sources} - set(rig.names))
    if strange:
        raise CalibrationError(
            f"{folder}: no camera {', '.join(strange)} in the rig; name pictures as one of {', '.join(rig.names)}"
        )
    found = find_resting_board(rig, pattern, sources)
    if found is None:
        raise CalibrationError(
            f"{folder}: no {pattern.describe()} in the pictures; show all of it, sharp and lit evenly"
        )
    lines = [f"floor: a board seen by {', '.join(found.seen_by)}, {found.rms_px:.2f} px off; z is up, x its first side"]
    off = [f"{name} ({px:.1f} px)" for name, px in found.spread_px.items() if px > _BOARD_OFF_PX]
    if off:
        lines.append(f"the board is not where {', '.join(off)} should see it: was it moved, or the camera?")
    change = lying_board(found.R, found.t, thickness)
    return Alignment(change.of_rig(rig), change, tuple(lines))


def align_to_scene(rig: Rig, scene: str | Path, *, rescale: bool = False) -> Alignment:
    """Points of the scene, marked in two cameras or more, come to lie where the file says.

    Args:
        rig: the cameras.
        scene: file of points, see docs/formats.md.
        rescale: take the scale from the points too.

    Raises:
        Mv3dError: the file cannot be used, or its points do not tell the world.
    """
    points = load_scene(scene, rig.names)
    xyz = locate(rig, points)
    listed = [(p, xyz[p.name]) for p in points if p.xyz is not None]
    try:
        fit = onto_points(np.array([x for _, x in listed]).reshape(-1, 3),
                          np.array([p.xyz for p, _ in listed]).reshape(-1, 3), rescale)  # fmt: skip
    except ValueError as error:
        raise CalibrationError(f"{scene}: {error}") from error
    worst = int(np.argmax(fit.distance))
    lines = [
        f"scene: {len(listed)} points, {1e3 * np.sqrt(np.mean(fit.distance**2)):.1f} mm off (rms);"
        f" the worst is {listed[worst][0].name}, {1e3 * fit.distance[worst]:.1f} mm",
        scale_line("the points' distances", fit.scale, rescale),
    ]
    return Alignment(fit.change.of_rig(rig), fit.change, tuple(lines))


def align_to_person(rig: Rig, poses: str | Path | Poses3D) -> Alignment:
    """The floor is what the performer of a recording stands on.

    Args:
        rig: the cameras that the poses were made with.
        poses: pose3d.npz or what it holds.

    Raises:
        Mv3dError: too few feet that stand still.
    """
    where = poses if not isinstance(poses, Poses3D) else "the poses"
    poses = poses if isinstance(poses, Poses3D) else Poses3D.load(poses)
    names = list(poses.skeleton.keypoints)
    feet, upper = [n for n in _FEET if n in names], [n for n in _UPPER if n in names]
    if not feet or not upper:
        raise CalibrationError(f"{where}: its skeleton has no {'neck' if feet else 'feet'} that is known by name")
    xyz = poses.xyz[:, 0]
    heights, ahead = np.array([_FEET[n] for n in feet]), rig[0].R[2]
    try:
        at_feet, at_upper = xyz[:, [names.index(n) for n in feet]], xyz[:, names.index(upper[0])]
        fit = under_feet(at_feet, at_upper, poses.timestamps, heights, ahead)
    except ValueError as error:
        raise CalibrationError(f"{where}: {error}; walk through the room and stand still now and then") from error
    over = ", ".join(f"{name} {1e3 * h:.0f}" for name, h in zip(feet, heights, strict=True))
    line = (
        f"floor: under {fit.standing} standing feet; tilt known to {np.rad2deg(fit.tilt_sd):.1f} degrees, height to"
        f" {1e3 * fit.height_sd:.0f} mm, if joints stand so many mm over it: {over}"
    )
    return Alignment(fit.change.of_rig(rig), fit.change, (line,))


def hold_against(
    rig: Rig, measured: Sequence[Measured], scene: str | Path | None = None, *, rescale: bool = False
) -> Alignment:
    """Distances of the rig against a tape.

    Args:
        rig: the cameras.
        measured: distances between cameras, or between points of the scene.
        scene: file with the points that are named.
        rescale: take the scale from the tape.

    Raises:
        Mv3dError: a name that is neither.
    """
    places = {camera.name: camera.center for camera in rig}
    if scene is not None:
        places |= locate(rig, load_scene(scene, rig.names))
    ratios, lines = [], []
    for m in measured:
        unknown = [name for name in (m.first, m.second) if name not in places]
        if unknown:
            raise ConfigError(
                f"--measured {m.first} {m.second}: no {', '.join(unknown)}; there are {', '.join(places)}"
            )
        found = float(np.linalg.norm(places[m.first] - places[m.second]))
        if not (m.metres > 0 and found > 0):
            raise ConfigError(f"--measured {m.first} {m.second} {m.metres:g}: a distance in metres is wanted")
        ratios.append(m.metres / found)
        by_tape = f"{m.metres:.4f} m by the tape ({found / m.metres - 1:+.2%})"
        lines.append(f"{m.first} to {m.second}: {found:.4f} m by the rig, {by_tape}")
    scale = float(np.mean(ratios))
    lines.append(scale_line("the tape", scale, rescale))
    change = WorldChange(*_SAME, scale if rescale else 1.0)
    return Alignment(change.of_rig(rig), change, tuple(lines))


def scale_line(what: str, scale: float, taken: bool) -> str:
    """What a measurement says of the rig's scale, and whether that was taken."""
    if taken:
        return f"scale: lengths were multiplied by {scale:.5f}, as {what} say"
    hint = "; check the size of the board's squares, or pass --rescale" if abs(scale - 1) > _SCALE_OFF else ""
    return f"scale: {what} say {scale - 1:+.2%}; the calibration's was kept{hint}"


def locate(rig: Rig, points: Sequence[ScenePoint]) -> dict[str, np.ndarray]:
    """Places of marked points in the world of the rig, m.

    Raises:
        CalibrationError: a point that fewer than two cameras show, or a camera that is not in the rig.
    """
    return {point.name: _locate(rig, point) for point in points}


def _locate(rig: Rig, point: ScenePoint) -> np.ndarray:
    unknown = [name for name in point.seen if name not in rig.names]
    if unknown or len(point.seen) < 2:
        what = f"no camera {', '.join(unknown)} in the rig" if unknown else "it is marked in fewer than two cameras"
        raise CalibrationError(f"point {point.name}: {what}; mark it in two or more of {', '.join(rig.names)}")
    cameras = [rig[name] for name in point.seen]
    rays = np.stack([c.rays(np.array(xy)) for c, xy in zip(cameras, point.seen.values(), strict=True)])
    if not np.isfinite(rays).all():
        raise CalibrationError(f"point {point.name}: it is marked where a lens shows nothing; check the pixels")
    by_point = np.stack(
        [c.lens.project_with_jacobian(ray @ c.R.T)[1] @ c.R for c, ray in zip(cameras, rays, strict=True)]
    )
    weight = np.full((1, len(cameras)), 1 / _MARKED_PX**2)
    centers = np.stack([camera.center for camera in cameras])
    scale = np.full_like(weight, 10 * _MARKED_PX)
    return triangulate_robust(centers, rays[None], by_point[None], weight, scale)[0][0]
