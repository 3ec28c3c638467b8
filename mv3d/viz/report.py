"""report.html: everything that tells how far a reconstruction can be trusted, in one file that needs nothing else."""

from pathlib import Path

import numpy as np

from mv3d.data.diagnosis import Diagnosis
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.quality import Quality, mean_known, median_known
from mv3d.data.rig import Rig
from mv3d.viz import plots
from mv3d.viz.page import NOT_KNOWN, Page, Picture, Table, drawing, number, percent, photograph
from mv3d.viz.sync_plots import sync_curves
from mv3d.viz.verdict import Verdict, inconsistent_cameras, judge

_FOOTER = (
    "Jitter: median second difference of the limb joints' positions from frame to frame. Errors are medians unless "
    "they say otherwise. Marked rows are those to look at first."
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
        tables=[
            _camera_table(rig, poses2d, poses3d, quality),
            _bone_table(quality),
            _joint_table(poses3d, quality),
        ],
        plots=[*_plots(poses3d, quality), *_diagnosis_plots(quality, diagnosis)],
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
            )
        )
    note = (
        "Measured: at least two cameras agreed. Filled: carried over a short gap by the movement around it. "
        "Reprojection: median over frames and cameras. Cameras: mean number that agreed."
    )
    marked = frozenset(j for j in quality.limb_joints if quality.measured[j] < 0.8)
    heads = ("joint", "measured", "filled", "missing", "reprojection, px", "cameras")
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


def _plots(poses3d: Poses3D, quality: Quality) -> list[Picture]:
    """Each figure with one sentence on how to read it; without frames there is nothing to draw."""
    if not len(poses3d):
        return []
    drawn = [
        (
            "Bone lengths over time",
            "Flat lines are right; a step tells that a joint jumped, a slope that it drifts.",
            plots.bone_lengths(quality, poses3d),
        ),
        (
            "Reprojection error over time",
            "A camera above the others disagrees with them; a peak tells when to look at the overlay.",
            plots.reprojection_over_time(quality, poses3d),
        ),
        (
            "Reprojection error per joint",
            "Long bars are joints on which the detector and the skeleton disagree.",
            plots.reprojection_per_joint(quality),
        ),
        (
            "Coverage",
            "Which joint was measured, filled over a gap, or missing, in each frame.",
            plots.coverage(poses3d),
        ),
        (
            "Seen by each camera",
            "Dark cells are joints that a camera hardly sees: a reason to move it.",
            plots.seen_by_camera(quality),
        ),
        (
            "Joint trajectories",
            "Position in the world over time; dots far from the line are single frames that went wrong.",
            plots.trajectories(poses3d),
        ),
    ]
    return [drawing(title, note, plots.to_png(figure)) for title, note, figure in drawn]


def _diagnosis_plots(quality: Quality, diagnosis: Diagnosis | None) -> list[Picture]:
    if diagnosis is None or diagnosis.sync is None:
        return []
    title = "Sync"
    note = (
        "How much each camera disagrees with the others if it alone is moved in time, constant errors taken off. The "
        "minimum is where it is in sync; a flat curve says that too little moves to tell."
    )
    return [drawing(title, note, plots.to_png(sync_curves(quality.cameras, diagnosis.sync)))]


def _people(poses: Poses2D | None) -> str:
    if poses is None or not len(poses):
        return NOT_KNOWN
    return str(int((poses.score > 0).any(-1).sum(-1).max(initial=0)))


def _millimetres_per_pixel(rig: Rig, name: str, poses3d: Poses3D) -> float:
    """Size of a pixel at the median distance of the performer along the camera's axis; NaN if nobody is in front."""
    if not poses3d.xyz.shape[1]:
        return float("nan")
    depth = rig[name].to_camera(poses3d.xyz[:, 0])[..., 2]
    return 1000 * median_known(depth[depth > 0]) / float(rig[name].lens.K[0, 0])
