"""report.html: everything that tells how far a reconstruction can be trusted, in one file that needs nothing else."""

from pathlib import Path

import numpy as np

from mv3d.data.diagnosis import Diagnosis
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.quality import Quality, mean_known, median_known
from mv3d.data.rig import Rig
from mv3d.viz import plots
from mv3d.viz.figures import drawings
from mv3d.viz.findings import clock
from mv3d.viz.motion_plots import standard_deviation
from mv3d.viz.page import NOT_KNOWN, Page, Table, drawing, number, percent, photograph
from mv3d.viz.scene import some_frames
from mv3d.viz.verdict import Verdict, inconsistent_cameras, judge
from mv3d.viz.worst_moments import worst_moments

_FOOTER = (
    "Uncertainty: standard deviation along the axis on which a joint is known least, as the covariances say; median "
    "over frames. Jitter: median second difference of the limb joints' positions from frame to frame. Errors are "
    "medians unless they say otherwise. Marked rows are those to look at first."
)


def write_report(
    path: str | Path,
    *,
    title: str,
    rig: Rig,
    poses2d: dict[str, Poses2D],
    poses3d: Poses3D,
    quality: Quality,
    pictures: list[tuple[str, np.ndarray]],
    facts: dict[str, str],
    warnings: list[str],
    diagnosis: Diagnosis | None = None,
) -> Verdict:
    """Write the report; it appears whole or not at all.

    Args:
        path: report.html to make; an older one is replaced.
        title: what was reconstructed.
        rig: the cameras.
        poses2d: detections by camera name.
        poses3d: the reconstruction.
        quality: its figures.
        pictures: (caption, BGR image), such as frames of the overlay and of the scene.
        facts: versions, settings, run time: anything that tells later how this came about.
        warnings: sentences of the stages, shown below the verdict.
        diagnosis: what was found out about clocks, cameras and detections.

    Returns:
        The verdict at the top.

    Raises:
        SessionError: the file cannot be written.
    """
    verdict = judge(rig, quality, diagnosis)
    page = Page(
        title=title,
        verdict=verdict,
        warnings=warnings,
        summary=_summary(rig, poses3d, quality),
        first_tables=[_camera_table(rig, poses2d, poses3d, quality), *_moment_table(poses3d, quality)],
        tables=[_joint_table(poses3d, quality), _bone_table(quality)],
        plots=[drawing(d.title, d.note, plots.to_png(d.draw())) for d in drawings(poses3d, quality, diagnosis)],
        pictures=[photograph(caption, image) for caption, image in pictures],
        facts=facts,
        footer=_FOOTER,
    )
    page.write(path)
    return verdict


def _summary(rig: Rig, poses3d: Poses3D, quality: Quality) -> list[tuple[str, str]]:
    """The handful of figures that matter most."""
    seconds = float(np.ptp(poses3d.timestamps)) if len(poses3d) else 0.0
    return [
        ("frames", f"{len(poses3d)} ({seconds:.1f} s at {poses3d.fps:.4g} fps)"),
        ("cameras", str(len(rig))),
        ("limb joints found", percent(quality.limb_coverage)),
        ("left-out error, mean over cameras", number(mean_known(quality.left_out_px), "px")),
        ("the same with the shifts taken off", number(mean_known(quality.left_out_without_shift_px), "px")),
        ("bone length CV, per frame", percent(mean_known(quality.bone_cv_per_frame))),
        ("bone length CV, smoothed", percent(mean_known(quality.bone_cv))),
        ("uncertainty of a limb joint", number(_sd_mm(poses3d, quality.limb_joints), "mm")),
        ("jitter", number(quality.jitter_mm, "mm", 2)),
    ]


def _camera_table(rig: Rig, poses2d: dict[str, Poses2D], poses3d: Poses3D, quality: Quality) -> Table:
    flagged = inconsistent_cameras(rig, quality)
    limbs = list(quality.limb_joints) or list(range(len(quality.keypoints)))
    rows = []
    for view, name in enumerate(quality.cameras):
        dx, dy = quality.shift_px[view]
        rows.append(
            (
                name,
                number(float(quality.left_out_px[view])),
                number(float(quality.left_out_without_shift_px[view])),
                number(median_known(quality.reprojection_px[:, view, limbs])),
                f"{dx:+.0f}, {dy:+.0f}" if np.isfinite(dx + dy) else NOT_KNOWN,
                percent(float(quality.coverage_2d[view, limbs].mean())),
                _people(poses2d.get(name)),
                number(_millimetres_per_pixel(rig, name, poses3d), "mm", 1),
            )
        )
    note = (
        "Left out: median distance between what the camera sees and what all other cameras predict there. Without "
        "shifts: the same after each camera's constant shift was taken off. Reprojection: median distance to the final "
        "skeleton. Shift: how far (right, down) the camera's image lies off the others' prediction. Limb joints seen: "
        "share over all frames. People: most people found in one frame. A pixel: its size at the person."
    )
    heads = ("camera", "left out, px", "without shifts, px", "reprojection, px", "shift, px", "limb joints seen")
    marked = frozenset(i for i, name in enumerate(quality.cameras) if name in flagged)
    return Table("Cameras", note, (*heads, "people", "a pixel"), rows, marked)


def _joint_table(poses3d: Poses3D, quality: Quality) -> Table:
    views = poses3d.n_views[:, 0].astype(float) if poses3d.n_views.shape[1] else np.full((1, len(quality.keypoints)), 0)
    rows = []
    for j, name in enumerate(quality.keypoints):
        measured, filled = float(quality.measured[j]), float(quality.filled[j])
        rows.append(
            (
                name,
                percent(measured),
                percent(filled),
                percent(1 - measured - filled),
                number(median_known(quality.reprojection_px[:, :, j])),
                number(mean_known(views[:, j])),
                number(_sd_mm(poses3d, (j,))),
            )
        )
    note = (
        "Measured: at least two cameras agreed. Filled: carried over a short gap by the movement around it. "
        "Reprojection: median over frames and cameras. Cameras: mean number that agreed. Uncertainty: median over "
        "frames of the standard deviation along the axis on which the joint is known least."
    )
    marked = frozenset(j for j in quality.limb_joints if quality.measured[j] < 0.8)
    heads = ("joint", "measured", "filled", "missing", "reprojection, px", "cameras", "uncertainty, mm")
    return Table("Joints", note, heads, rows, marked)


def _bone_table(quality: Quality) -> Table:
    rows = [
        (
            f"{a} to {b}",
            number(100 * mean_known(quality.bone_length[:, k]), "cm"),
            percent(float(quality.bone_cv_per_frame[k])),
            percent(float(quality.bone_cv[k])),
        )
        for k, (a, b) in enumerate(quality.bones)
    ]
    note = (
        "Bones do not change their length, so the coefficient of variation (CV, standard deviation by mean) tells how "
        "much is error: per frame before, smoothed after the model of time. A small CV alone does not prove accuracy."
    )
    return Table("Bones", note, ("bone", "mean length", "CV per frame", "CV smoothed"), rows, frozenset())


def _moment_table(poses3d: Poses3D, quality: Quality) -> list[Table]:
    """When to look; nothing where nothing stands out."""
    moments = worst_moments(quality, poses3d.timestamps)
    rows = [
        (
            f"{clock(m.time - float(poses3d.timestamps[0]))}, frame {m.frame}",
            m.camera,
            number(m.error_px),
            number(m.usual_px),
            ", ".join(m.joints),
        )
        for m in moments
    ]
    note = "The camera's detections and the skeleton disagree there at least twice as much as they usually do."
    heads = ("when", "camera", "error, px", "usually, px", "furthest off")
    return [Table("Moments to look at", note, heads, rows)] if rows else []


def _sd_mm(poses3d: Poses3D, joints: tuple[int, ...]) -> float:
    """Median standard deviation of some joints, all if none are given, mm."""
    sd = standard_deviation(some_frames(poses3d))
    return 1000 * median_known(sd[:, list(joints) or slice(None)])


def _people(poses: Poses2D | None) -> str:
    if poses is None or not len(poses):
        return NOT_KNOWN
    return str(int((poses.score > 0).any(-1).sum(-1).max(initial=0)))


def _millimetres_per_pixel(rig: Rig, name: str, poses3d: Poses3D) -> float:
    """Size of a pixel at the median distance of the performer along the camera's axis; NaN if nobody is in front."""
    if not poses3d.xyz.shape[1]:
        return float("nan")
    depth = rig[name].to_camera(poses3d.xyz[:, 0])[..., 2]
    return 1000 * median_known(depth[depth > 0]) / rig[name].lens.focal
