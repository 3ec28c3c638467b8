"""What `mv3d demo` does: the main job on a recording that anybody can have, or on one whose truth is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from mv3d.config import Config, OutputConfig
from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.data.skeletons import BODY_25
from mv3d.demo import fetch_demo, make_demo_session
from mv3d.demo_calibration import calibrate_real, calibrate_synthetic
from mv3d.errors import SessionError
from mv3d.export.registry import export_poses
from mv3d.files.progress import Progress, silent
from mv3d.files.rigs import read_rig
from mv3d.files.sessions import find_sources, match_names
from mv3d.files.staging import HIDDEN_PREFIX, written_together
from mv3d.files.writing import check_output_folder, write_text
from mv3d.outputs import save_poses, stale_files
from mv3d.pictures import draw_scene, report, write_verdict
from mv3d.pipeline import reconstruct_poses2d, run
from mv3d.result import Result
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import standing_person, walking_person
from mv3d.synthetic.rigs import camera_ring

_MADE_BY = "mv3d demo"
MADE_BY_SYNTHETIC = "mv3d demo --synthetic"
"""What session.yaml says of the synthetic demos' folders."""
_SHOWN_FORMATS = ("csv", "trc", "c3d", "bvh", "glb", "openpose")
# A mild barrel distortion, as webcams and action cameras in their linear mode have.
_DISTORTION = np.array([-0.12, 0.05, 3e-4, -3e-4])
# 95 % point of the chi-square distribution with three degrees of freedom.
_CHI2_3_95 = 7.815


def prepare_real(out: Path, cache: Path | None) -> Path:
    """Fetch the real recording and lay it out as a session with its rig; returns the session folder."""
    refuse_foreign(out, _MADE_BY)
    check_output_folder(out)
    session = make_demo_session(fetch_demo(cache), out)
    if not session.rig.exists():
        rig = read_rig(session.root / "calibration" / "Calib.qca.txt")
        matched = match_names(rig.names, tuple(find_sources(session.videos)))
        _renamed(rig, matched).save(session.rig)
    return session.root


def run_real(root: Path, config: Config, progress: Progress = silent) -> tuple[Result, list[str]]:
    """Lenses from the demo's checkerboards, then the main job on its session; also returns lines on the lenses."""
    lenses = calibrate_real(root, progress)
    return run(root, shown(config), overwrite=True, progress=progress, made_by=_MADE_BY), lenses


def shown(config: Config) -> Config:
    """The settings with exports in many formats, to show what there is, unless they were told otherwise."""
    if config.output.formats != OutputConfig().formats:
        return config
    return replace(config, output=replace(config.output, formats=_SHOWN_FORMATS))


def run_synthetic(
    out: Path, config: Config, frames: int = 300, progress: Progress = silent
) -> tuple[Result, list[str]]:
    """A walking performer and a bystander as keypoints of four cameras; also returns lines on the errors.

    The keypoints are those of the true cameras; they are reconstructed with cameras that were calibrated from corners
    of a synthetic board.
    """
    refuse_foreign(out, MADE_BY_SYNTHETIC)
    check_output_folder(out)
    session = Session(out)
    true_rig = camera_ring(4, distortion=_DISTORTION, seed=0)
    truth, timestamps = walking_person(frames, seed=0)
    with written_together(out, stale_files(session, "synthetic")) as folder:
        rig, calibration = calibrate_synthetic(true_rig, folder / "calibration" / "report.html")
        poses2d = observe(
            true_rig,
            truth,
            timestamps,
            BODY_25,
            bystander=standing_person((1.6, 1.2), 0.5, frames, seed=1),
            bystander_views=("cam01", "cam02"),
            seed=0,
        )
        result = reconstruct_poses2d(rig, poses2d, config)
        errors = [*calibration, *error_lines(result.poses3d, truth)]
        result = _write_synthetic(Session(folder), result, errors, config, progress)
        made = {"made_by": MADE_BY_SYNTHETIC, "seed": 0, "frames": frames}
        write_text(folder / "session.yaml", yaml.safe_dump(made))
    outputs = {what: out / path.relative_to(folder) for what, path in result.outputs.items()}
    return replace(result, outputs=outputs), ["", *errors]


def _write_synthetic(session: Session, result: Result, errors: list[str], config: Config, progress: Progress) -> Result:
    rig, poses3d = result.rig, result.poses3d
    rig.save(session.rig)
    outputs = save_poses(session, result.poses2d, poses3d)
    exported = export_poses(poses3d, session.export, config.output.formats, "synthetic", rig, result.poses2d)
    outputs |= {path.suffix.lstrip(".") or path.name: path for path in exported}
    stills, notes = draw_scene(session.scene_video, rig, poses3d, progress) if config.output.scene else ([], [])
    outputs |= {"scene": session.scene_video} if stills else {}
    result = replace(result, notes=tuple(notes), outputs=outputs)
    if config.output.report:
        facts = {key: value.strip() for key, _, value in (line.partition(":") for line in errors)}
        report(session.report, result, config, stills, "synthetic performer", facts)
        outputs["report"] = session.report
    write_verdict(session.verdict, result)
    outputs["verdict"] = session.verdict
    return result


def error_lines(poses: Poses3D, truth: np.ndarray) -> list[str]:
    """Errors of person 0 against the true joints (frame, joint, 3)."""
    smooth = np.linalg.norm(poses.xyz[:, 0] - truth, axis=-1) * 1e3
    single = np.linalg.norm(poses.xyz_per_frame[:, 0] - truth, axis=-1) * 1e3
    return [
        f"error against the truth, smoothed: mean {np.nanmean(smooth):.2f} mm, 99 % below"
        f" {np.nanpercentile(smooth, 99):.1f} mm, {np.isfinite(smooth).mean():.1%} of the joints",
        f"error against the truth, per frame: mean {np.nanmean(single):.2f} mm, 99 % below"
        f" {np.nanpercentile(single, 99):.1f} mm, {np.isfinite(single).mean():.1%} of the joints",
        f"truth inside the 95 % ellipsoid: {_share_inside(poses, truth):.1%} of the joints",
    ]


def _share_inside(poses: Poses3D, truth: np.ndarray) -> float:
    error = poses.xyz[:, 0] - truth
    known = np.isfinite(error).all(-1)
    error, covariance = error[known], poses.covariance[:, 0][known].astype(float)
    distance2 = np.einsum("ni,ni->n", error, np.linalg.solve(covariance, error[..., None])[..., 0])
    return float((distance2 < _CHI2_3_95).mean())


def _renamed(rig: Rig, names: dict[str, str]) -> Rig:
    """The rig with its cameras called as their videos are."""
    return Rig(tuple(replace(camera, name=names[camera.name]) for camera in rig))


def refuse_foreign(out: Path, made_by: str) -> None:
    """Only a folder that is empty, or that this demo made, is written into."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        document = yaml.safe_load((out / "session.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        document = None
    made = document.get("made_by") if isinstance(document, dict) else None
    if made != made_by and not _is_unfinished(out):
        raise SessionError(f"{out}: holds something else than `{made_by}` makes; choose another folder with --out")


def _is_unfinished(out: Path) -> bool:
    """A demo session that was interrupted before its session.yaml: only the recording and its rig."""
    there = {path.name for path in out.iterdir() if not path.name.startswith(HIDDEN_PREFIX)}
    return there <= {"videos", "calibration", "cameras.yaml", "LICENSE.pose2sim", "truth", "studio.yaml"}
