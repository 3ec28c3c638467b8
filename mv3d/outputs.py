"""The files that a run leaves in its session: which there are, whether there is room for them, and the plain ones."""

import glob
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

import mv3d
from mv3d.config import Config, differences
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.session import Session
from mv3d.export.fbx import blender_program
from mv3d.export.registry import export_paths
from mv3d.files.recording import Recording
from mv3d.files.writing import check_output_folder, refuse_overwriting, write_text


def session_name(session: Session) -> str:
    """What a session's exports and report are called: its folder's name."""
    return session.root.resolve().name


def save_poses(session: Session, poses2d: Mapping[str, Poses2D], poses3d: Poses3D) -> dict[str, Path]:
    """Write pose2d/ and pose3d.npz; returns what was written by what it is."""
    for name, poses in poses2d.items():
        poses.save(session.pose2d / f"{name}.npz")
    poses3d.save(session.pose3d)
    return {"pose2d": session.pose2d, "pose3d": session.pose3d}


def stale_files(session: Session, name: str | None = None) -> tuple[str, ...]:
    """Patterns of files of an earlier run that a new one may not make again: more cameras, more frames."""
    name = glob.escape(name or session_name(session))
    return "pose2d/*.npz", "cameras.refined.yaml", f"export/openpose/*/{name}_{'[0-9]' * 12}_keypoints.json"


def check_outputs(session: Session, config: Config, overwrite: bool) -> None:
    """Refuse to replace earlier results, and look for room, before the long work."""
    output = config.output
    paths = [session.pose3d, session.pose2d, *export_paths(session.export, output.formats, session_name(session))]
    wanted = (
        (output.overlay, session.overlay_video),
        (output.scene, session.scene_video),
        (output.report, session.report),
    )
    for path in [*paths, *(path for is_wanted, path in wanted if is_wanted)]:
        refuse_overwriting(path, overwrite)
    if "fbx" in output.formats:
        blender_program()
    check_output_folder(session.root)


def write_session_file(
    recording: Recording, config: Config, made_by: str, recorded: Mapping[str, Any] | None = None
) -> None:
    """session.yaml: what was run, when, with which settings, on which videos; and how those were `recorded`."""
    document = {
        "made_by": made_by,
        "mv3d": mv3d.__version__,
        "run_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": differences(config),
        "cameras": [
            {
                "name": c.name,
                "source": v.path.name,
                "size": list(v.size),
                "fps": round(v.fps, 6),
                "frames": v.frame_count,
            }
            for c, v in zip(recording.rig, recording.videos, strict=True)
        ],
    }
    if recorded:
        document["recording"] = dict(recorded)
    write_text(recording.session.root / "session.yaml", yaml.safe_dump(document, sort_keys=False))
