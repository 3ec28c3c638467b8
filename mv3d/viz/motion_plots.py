"""Figures of the movement itself: how fast joints are, and how surely they are known."""

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from mv3d.data.poses import Poses3D
from mv3d.viz.colors import PAPER, camera_color, side_of, unit
from mv3d.viz.plots import empty_figure, plain, show_nearly_all, style
from mv3d.viz.trails import trail_joints


def speeds(poses3d: Poses3D) -> Figure:
    """Speed of hands and feet (of an animal: the ends of its bones) over time."""
    figure = empty_figure("Speed", 3.0)
    ax = figure.subplots()
    joints = trail_joints(poses3d.skeleton)
    speed = joint_speed(poses3d)[:, list(joints)]
    for order, j in enumerate(joints):
        name = poses3d.skeleton.keypoints[j]
        line = ("-", "--", ":", "-.")[order // 2 % 4]
        ax.plot(
            poses3d.timestamps, speed[:, order], line, lw=1.2, color=unit(PAPER.of(side_of(name))), label=plain(name)
        )
    style(ax, "Of the smoothed joints, between neighbouring frames", "time (s)", "m/s")
    show_nearly_all(ax, speed)
    if joints:
        figure.legend(fontsize=8, ncols=min(len(joints), 6), frameon=False, loc="outside upper right")
    return figure


def uncertainty_over_time(poses3d: Poses3D, limb_joints: tuple[int, ...]) -> Figure:
    """Standard deviation of the limb joints over time: the median, and the worst joint of each frame."""
    figure = empty_figure("Uncertainty over time", 3.0)
    ax = figure.subplots()
    sd = 1000 * standard_deviation(poses3d)[:, list(limb_joints) or slice(None)]
    known = np.asarray(np.isfinite(sd).any(1))
    filled = np.where(known[:, None], sd, 0.0)
    middle = np.where(known, np.nanmedian(filled, axis=1) if filled.size else 0.0, np.nan)
    worst = np.where(known, np.nanmax(filled, axis=1, initial=0.0), np.nan)
    ax.fill_between(
        poses3d.timestamps, middle, worst, color=unit(camera_color(5)), alpha=0.3, lw=0, label="worst joint"
    )
    ax.plot(poses3d.timestamps, middle, lw=1.4, color=unit(camera_color(0)), label="median joint")
    style(ax, "Of the limb joints, along the axis on which each is known least", "time (s)", "mm")
    show_nearly_all(ax, np.concatenate([middle, worst]))
    figure.legend(fontsize=8, ncols=2, frameon=False, loc="outside upper right")
    return figure


def standard_deviation(poses3d: Poses3D) -> Float[np.ndarray, "frame joint"]:
    """Of the performer's joints, m, along the axis on which each is known least; NaN where that is not known."""
    if not poses3d.xyz.shape[1]:
        return np.full((len(poses3d), len(poses3d.skeleton)), np.nan)
    covariance = poses3d.covariance[:, 0].astype(float)
    known = np.asarray(np.isfinite(covariance).all((-2, -1)))
    largest = np.linalg.eigvalsh(np.where(known[..., None, None], covariance, 0.0))[..., -1]
    return np.where(known, np.sqrt(np.clip(largest, 0.0, None)), np.nan)


def joint_speed(poses3d: Poses3D) -> Float[np.ndarray, "frame joint"]:
    """Speed of the performer's joints, m/s; central differences, NaN beside a frame that misses the joint."""
    if not poses3d.xyz.shape[1] or len(poses3d) < 2:
        return np.full((len(poses3d), len(poses3d.skeleton)), np.nan)
    return np.linalg.norm(np.gradient(poses3d.xyz[:, 0], poses3d.timestamps, axis=0), axis=-1)


# What is looked at first: title, and the part of the name behind the side.
_PLOTTED_ANGLES = (
    ("Hip flexion", "Hip_flexion"),
    ("Knee flexion", "Knee_flexion"),
    ("Ankle dorsiflexion", "Ankle_dorsiflexion"),
    ("Shoulder elevation", "Shoulder_elevation"),
    ("Elbow flexion", "Elbow_flexion"),
)


def has_angles(names: tuple[str, ...]) -> bool:
    """Whether any of the angles that are drawn is among these."""
    return any(side + part in names for _, part in _PLOTTED_ANGLES for side in "LR")


def joint_angles(
    names: tuple[str, ...], values: Float[np.ndarray, "frame angle"], timestamps: Float[np.ndarray, " frame"]
) -> Figure:
    """Flexions of both sides over time.

    Args:
        names: of the angles, e.g. "RKnee_flexion".
        values: rad.
        timestamps: s.
    """
    shown = [(title, part) for title, part in _PLOTTED_ANGLES if {"L" + part, "R" + part} & set(names)]
    figure = empty_figure("Joint angles", 1.2 + 1.3 * len(shown))
    axes = np.ravel(np.asarray(figure.subplots(len(shown), 1, sharex=True)))
    for (title, part), ax in zip(shown, axes, strict=True):
        for side in "LR":
            if side + part in names:
                degrees = np.degrees(values[:, names.index(side + part)])
                ax.plot(timestamps, degrees, lw=1.4, color=unit(PAPER.of(side_of(side + part))))
        style(ax, title, "time (s)" if ax is axes[-1] else "", "degrees")
    return figure
