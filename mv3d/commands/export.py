"""The command that writes a session's skeleton for other programs."""

from pathlib import Path
from typing import Literal

from mv3d.commands.arguments import Lines, Session


def export(
    session: Session,
    format: tuple[str, ...] = ("csv", "trc", "openpose"),
    out: Path | None = None,
    axes: Literal["auto", "world", "y_up", "z_up"] = "auto",
    units: Literal["auto", "m", "cm", "mm"] = "auto",
    fps: float | None = None,
    filter: Literal["butterworth", "one_euro", "hampel"] | None = None,
    cutoff_hz: float = 6.0,
    retarget: Literal["mixamo", "unreal", "rigify"] | None = None,
    rotation_order: Literal["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"] = "ZXY",
    check: bool = False,
    overwrite: bool = False,
) -> Lines:
    """Write a session's skeleton in formats of other programs.

    Args:
        session: the session folder.
        format: any of csv, csv_tidy, trc, c3d, json, npz, openpose, bvh, glb, usda, fbx, angles.
        out: folder for the files; export/ of the session by default.
        axes: world keeps the rig's axes, y_up and z_up turn what is up onto that axis; auto is what the readers of each
            format expect.
        units: unit of length; auto is what the readers of each format expect.
        fps: interpolate the frames at this rate; without it they stay as they are.
        filter: filter the points first, as laboratories report; the reconstruction is smooth already, so there is none
            by default.
        cutoff_hz: of butterworth (both passes together) and one_euro (at rest).
        retarget: joint names and rest pose of another rig, in BVH files.
        rotation_order: of the angles in BVH files, first turn first.
        check: read every file back, compare it with the skeleton and say how far it is off.
        overwrite: replace files that are already there.
    """
    from mv3d import pipeline
    from mv3d.export.options import ExportOptions
    from mv3d.motion.filters import FilterConfig

    checked: list[str] = []
    chosen = None if filter is None else FilterConfig(filter, cutoff_hz)
    options = ExportOptions(axes, units, fps, chosen, retarget, rotation_order)
    say = checked.append if check else None
    paths = pipeline.export_session(session, format, out, overwrite=overwrite, options=options, check=say)
    return checked or [str(path) for path in paths]
