"""All figures of a reconstruction with a sentence each on how to read them: for the report, and as files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from mv3d.data.diagnosis import Diagnosis
from mv3d.data.poses import Poses3D
from mv3d.data.quality import Quality
from mv3d.files.writing import refuse_overwriting, whole_file
from mv3d.viz import motion_plots, plots
from mv3d.viz.scene import frames_spread, some_frames
from mv3d.viz.sync_plots import sync_curves
from mv3d.viz.trails import trail_joints

FORMATS = ("png", "svg", "pdf")
# Of a longer recording every so many frames are drawn: no screen shows more, and an hour would take minutes.
_MOST_FRAMES = 6000


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure that can be drawn.

    Attributes:
        name: of its file.
        title: above it.
        note: how to read it.
        draw: makes it.
    """

    name: str
    title: str
    note: str
    draw: Callable[[], Figure]


def drawings(poses3d: Poses3D, quality: Quality, diagnosis: Diagnosis | None = None) -> list[Drawing]:
    """The figures of a reconstruction, those that tell of faults first; none without frames."""
    if not len(poses3d):
        return []
    poses3d, quality = _thinned(poses3d, quality)
    return [*_of_faults(poses3d, quality), *_of_clocks(quality, diagnosis), *_of_movement(poses3d, quality)]


def angle_drawings(
    names: tuple[str, ...], values: Float[np.ndarray, "frame angle"], timestamps: Float[np.ndarray, " frame"]
) -> list[Drawing]:
    """The figure of joint angles (rad), which a fitted body has; none where nothing is flexed."""
    if not motion_plots.has_angles(names):
        return []
    note = "Flexions of the fitted body; left and right in their colours."
    return [Drawing("angles", "Joint angles", note, lambda: motion_plots.joint_angles(names, values, timestamps))]


def write_drawings(
    drawn: Sequence[Drawing], folder: Path, formats: Sequence[str] = ("png",), *, overwrite: bool = False
) -> list[Path]:
    """Write figures as files; those that were written before a failure stay.

    Raises:
        ValueError: an unknown format.
        SessionError: a file is in the way, or cannot be written.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ValueError(f"unknown picture format {unknown[0]!r}; there are {', '.join(FORMATS)}")
    paths = {(d.name, kind): folder / f"{d.name}.{kind}" for d in drawn for kind in formats}
    for path in paths.values():
        refuse_overwriting(path, overwrite)
    for drawing in drawn:
        figure = drawing.draw()
        for kind in formats:
            with whole_file(paths[drawing.name, kind]) as part:
                part.write_bytes(plots.to_bytes(figure, kind))
    return list(paths.values())


def _of_faults(poses3d: Poses3D, quality: Quality) -> list[Drawing]:
    return [
        Drawing(
            "reprojection",
            "Reprojection error over time",
            "A camera above the others disagrees with them; a peak tells when to look at the overlay.",
            lambda: plots.reprojection_over_time(quality, poses3d),
        ),
        Drawing(
            "uncertainty",
            "Uncertainty over time",
            "How far joints may be from where they are, as the covariances say: one standard deviation. Gaps and views "
            "from one side raise it.",
            lambda: motion_plots.uncertainty_over_time(poses3d, quality.limb_joints),
        ),
        Drawing(
            "bones",
            "Bone lengths over time",
            "Flat lines are right; a step tells that a joint jumped, a slope that it drifts.",
            lambda: plots.bone_lengths(quality, poses3d),
        ),
        Drawing(
            "coverage",
            "Coverage",
            "Which joint was measured, filled over a gap, or missing, in each frame.",
            lambda: plots.coverage(poses3d),
        ),
        Drawing(
            "seen",
            "Seen by each camera",
            "Dark cells are joints that a camera hardly sees: a reason to move it.",
            lambda: plots.seen_by_camera(quality),
        ),
        Drawing(
            "joints",
            "Reprojection error per joint",
            "Long bars are joints on which the detector and the skeleton disagree.",
            lambda: plots.reprojection_per_joint(quality),
        ),
    ]


def _of_clocks(quality: Quality, diagnosis: Diagnosis | None) -> list[Drawing]:
    sync = diagnosis.sync if diagnosis is not None else None
    if sync is None:
        return []
    note = (
        "How much each camera disagrees with the others if it alone is moved in time, constant errors taken off. The "
        "minimum is where it is in sync; a flat curve says that too little moves to tell."
    )
    return [Drawing("sync", "Sync", note, lambda: sync_curves(quality.cameras, sync))]


def _of_movement(poses3d: Poses3D, quality: Quality) -> list[Drawing]:
    ends = tuple(poses3d.skeleton.keypoints[j] for j in trail_joints(poses3d.skeleton))
    return [
        Drawing(
            "trajectories",
            "Joint trajectories",
            "Position in the world over time; dots far from the line are single frames that went wrong.",
            lambda: plots.trajectories(poses3d, ends),
        ),
        Drawing(
            "speed",
            "Speed",
            "Hands and feet over time; a spike of one frame is no movement but a fault.",
            lambda: motion_plots.speeds(poses3d),
        ),
    ]


def _thinned(poses3d: Poses3D, quality: Quality) -> tuple[Poses3D, Quality]:
    """Both at some frames, evenly spread, where there are too many to draw."""
    chosen = frames_spread(len(poses3d), _MOST_FRAMES)
    if len(chosen) == len(poses3d):
        return poses3d, quality
    lengths, errors = np.asarray(quality.bone_length), np.asarray(quality.reprojection_px)
    return some_frames(poses3d, _MOST_FRAMES), replace(
        quality, bone_length=lengths[chosen], reprojection_px=errors[chosen]
    )
