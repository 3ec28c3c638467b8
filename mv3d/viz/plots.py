"""Figures of a reconstruction, drawn with matplotlib's object interface: no window, no global state."""

import io
import re

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mv3d.data.poses import FILLED, MEASURED, MISSING, Poses3D
from mv3d.data.quality import Quality
from mv3d.viz.colors import PAPER, STATE_NAMES, STATE_RGB, Side, bone_side, camera_color, side_of, unit

# Wide enough for time, narrow enough for a printed page; at this resolution text is as large as the report's.
_WIDTH_IN, _DPI = 9.0, 110
INK, _GRID = "#33363d", "#d9dbe0"
_SIDE_LABELS: dict[Side, str] = {"left": "left", "right": "right", "middle": "across"}
# The top of an error axis: a single wild joint must not flatten everything else.
_SHOWN_PERCENTILE = 99.0


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    return to_bytes(figure, "png")


def to_bytes(figure: Figure, kind: str) -> bytes:
    """The figure as a file: png, svg or pdf."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format=kind, dpi=_DPI)
    return buffer.getvalue()


def bone_lengths(quality: Quality, poses3d: Poses3D) -> Figure:
    """Length of each limb bone over time: `xyz` bold, the per-frame triangulation as faint dots."""
    pairs = _bone_pairs(quality)
    rows = max((len(pairs) + 1) // 2, 1)
    figure = empty_figure("Bone lengths over time", 0.7 + 1.55 * rows)
    axes = np.ravel(np.asarray(figure.subplots(rows, 2, squeeze=False, sharex=True)))
    per_frame = _lengths(poses3d.xyz_per_frame, quality, poses3d)
    for ax, (title, bones) in zip(axes, pairs.items(), strict=False):
        for k in bones:
            color = unit(PAPER.of(bone_side(*quality.bones[k])))
            ax.plot(poses3d.timestamps, 100 * per_frame[:, k], ".", ms=2, color=color, alpha=0.35)
            ax.plot(poses3d.timestamps, 100 * quality.bone_length[:, k], "-", lw=1.4, color=color)
        style(ax, title, "", "cm")
        show_nearly_all(ax, 100 * np.concatenate([quality.bone_length[:, bones], per_frame[:, bones]]))
    for ax in axes[len(pairs) :]:
        ax.set_visible(False)
    for ax in axes[max(len(pairs) - 2, 0) : len(pairs)]:
        ax.set_xlabel("time (s)", fontsize=8, color=INK)
        ax.tick_params(labelbottom=True)
    _legend_of_sides(figure, "line: smoothed, dots: per frame")
    return figure


def reprojection_over_time(quality: Quality, poses3d: Poses3D) -> Figure:
    """Median distance over limb joints between detections and projections, a line for each camera."""
    figure = empty_figure("Reprojection error over time", 3.0)
    ax = figure.subplots()
    error = _median(_of_limbs(quality, quality.reprojection_px), axis=2)
    for view, name in enumerate(quality.cameras):
        ax.plot(poses3d.timestamps, error[:, view], lw=1.3, color=unit(camera_color(view)), label=plain(name))
    style(ax, "Median over the limb joints", "time (s)", "px")
    ax.set_ylim(0, _top(error))
    figure.legend(fontsize=8, ncols=min(len(quality.cameras), 8), frameon=False, loc="outside upper right")
    return figure


def reprojection_per_joint(quality: Quality) -> Figure:
    """Bars of the median over frames and cameras of each joint; the whisker reaches to the 90th percentile."""
    count = len(quality.keypoints)
    figure = empty_figure("Reprojection error per joint", 1.0 + 0.19 * count)
    ax = figure.subplots()
    error = np.moveaxis(quality.reprojection_px, 2, 0).reshape(count, -1)
    middle, high = _median(error, axis=1), _percentile(error, 90.0, axis=1)
    colors = [unit(PAPER.of(side_of(name))) for name in quality.keypoints]
    at = np.arange(count)
    ax.barh(at, np.nan_to_num(middle), color=colors, height=0.68)
    ax.hlines(at, middle, high, color=INK, lw=1.0)
    ax.plot(high, at, "|", color=INK, ms=6)
    ax.set_yticks(at, [plain(name) for name in quality.keypoints])
    ax.invert_yaxis()
    style(ax, "Bar: median over frames and cameras; whisker: to the 90th percentile", "px", "")
    ax.set_xlim(0, _top(high))
    ax.grid(visible=False, axis="y")
    return figure


def coverage(poses3d: Poses3D) -> Figure:
    """Which joint of the performer was measured, filled or missing in which frame."""
    names = poses3d.skeleton.keypoints
    figure = empty_figure("Coverage", 1.1 + 0.17 * len(names))
    ax = figure.subplots()
    states = (int(MISSING), int(MEASURED), int(FILLED))
    state = poses3d.state[:, 0].T if poses3d.state.shape[1] else np.zeros((len(names), len(poses3d)), np.uint8)
    ax.imshow(
        state,
        cmap=ListedColormap([unit(STATE_RGB[s]) for s in states]),
        norm=BoundaryNorm([-0.5, 0.5, 1.5, 2.5], 3),
        aspect="auto",
        interpolation="nearest",
    )
    ax.set_yticks(np.arange(len(names)), [plain(name) for name in names])
    style(ax, "", "frame", "")
    ax.grid(visible=False)
    handles = [Patch(color=unit(STATE_RGB[s]), label=STATE_NAMES[s]) for s in (states[1], states[2], states[0])]
    figure.legend(handles=handles, loc="outside upper right", ncols=3, frameon=False, fontsize=8)
    return figure


def seen_by_camera(quality: Quality) -> Figure:
    """Share of frames in which each camera sees each joint."""
    views, joints = len(quality.cameras), len(quality.keypoints)
    figure = empty_figure("Seen by each camera", 1.6 + 0.3 * views)
    ax = figure.subplots()
    picture = ax.imshow(100 * quality.coverage_2d, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    ax.set_xticks(np.arange(joints), [plain(n) for n in quality.keypoints], rotation=90)
    ax.set_yticks(np.arange(views), [plain(n) for n in quality.cameras])
    style(ax, "", "", "")
    ax.grid(visible=False)
    bar = figure.colorbar(picture, ax=ax, pad=0.01)
    bar.set_label("% of frames", fontsize=8, color=INK)
    bar.ax.tick_params(labelsize=7)
    return figure


def trajectories(poses3d: Poses3D, joints: tuple[str, ...] = ("LWrist", "RWrist", "LAnkle", "RAnkle")) -> Figure:
    """Coordinates of some joints of the performer over time: `xyz` as lines, the per-frame triangulation as dots."""
    figure = empty_figure("Joint trajectories in the world", 5.2)
    axes = np.ravel(np.asarray(figure.subplots(3, 1, sharex=True)))
    shown = [name for name in joints if name in poses3d.skeleton.keypoints and poses3d.xyz.shape[1]]
    for axis, ax in enumerate(axes):
        for order, name in enumerate(shown):
            j = poses3d.skeleton.index(name)
            color, line = unit(PAPER.of(side_of(name))), ("-", "--", ":", "-.")[order // 2 % 4]
            ax.plot(poses3d.timestamps, poses3d.xyz_per_frame[:, 0, j, axis], ".", ms=1.5, color=color, alpha=0.3)
            ax.plot(poses3d.timestamps, poses3d.xyz[:, 0, j, axis], line, lw=1.4, color=color, label=plain(name))
        style(ax, "", "time (s)" if axis == 2 else "", f"{'xyz'[axis]} (m)")
        if shown:
            show_nearly_all(ax, poses3d.xyz[:, 0, poses3d.skeleton.indices(tuple(shown)), axis])
    if shown:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=4, frameon=False, fontsize=8)
    return figure


def empty_figure(title: str, height_in: float) -> Figure:
    """A figure of the report's width with a title."""
    figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained", facecolor="white")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", color=INK)
    return figure


def style(ax: Axes, title: str, x: str, y: str) -> None:
    """Titles, grid and spines as all figures of the report have them."""
    ax.set_title(title, loc="left", fontsize=8.5, color=INK)
    ax.set_xlabel(x, fontsize=8, color=INK)
    ax.set_ylabel(y, fontsize=8, color=INK)
    ax.tick_params(labelsize=7.5, colors=INK, length=2)
    ax.grid(visible=True, color=_GRID, lw=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(_GRID)


def _bone_pairs(quality: Quality) -> dict[str, list[int]]:
    """Bones by what they are called without their side, so that left and right share a panel."""
    pairs: dict[str, list[int]] = {}
    for k, (a, b) in enumerate(quality.bones):
        names = [_without_side(name) for name in (a, b)]
        title = f"{names[0]} to {names[1]}" if names[0] != names[1] else f"{names[0]} width"
        pairs.setdefault(plain(title), []).append(k)
    return pairs


def _without_side(name: str) -> str:
    """LKnee is Knee, left_front_paw is front_paw; a name of the midline stays."""
    if side_of(name) == "middle":
        return name
    without = re.sub("left|right", "", name, count=1, flags=re.IGNORECASE)
    return without.strip("_-. ") or name if without != name else name[1:].lstrip("_-. ")


def _lengths(xyz: np.ndarray, quality: Quality, poses3d: Poses3D) -> np.ndarray:
    """Lengths (frame, bone) m of the performer's bones; NaN where an end is missing."""
    if not xyz.shape[1]:
        return np.full((len(xyz), len(quality.bones)), np.nan)
    index = poses3d.skeleton.index
    lengths = [np.linalg.norm(xyz[:, 0, index(a)] - xyz[:, 0, index(b)], axis=-1) for a, b in quality.bones]
    return np.stack(lengths, axis=1) if lengths else np.zeros((len(xyz), 0))


def _of_limbs(quality: Quality, values: np.ndarray) -> np.ndarray:
    """The limb joints of (frame, view, joint) values; all joints where the skeleton has no limbs."""
    return values[..., list(quality.limb_joints)] if quality.limb_joints else values


def _legend_of_sides(figure: Figure, note: str) -> None:
    handles = [Patch(color=unit(PAPER.of(side)), label=label) for side, label in _SIDE_LABELS.items()]
    handles.append(Patch(color="none", label=note))
    figure.legend(handles=handles, loc="outside upper right", ncols=4, frameon=False, fontsize=8)


def show_nearly_all(ax: Axes, values: np.ndarray) -> None:
    """Fit the vertical axis to nearly all values, so that a single wild one does not flatten the rest."""
    finite = values[np.isfinite(values)]
    if len(finite):
        low, high = np.percentile(finite, [100 - _SHOWN_PERCENTILE, _SHOWN_PERCENTILE])
        margin = 0.2 * (high - low) + 0.005 * abs(high) + 1e-6
        ax.set_ylim(low - margin, high + margin)


def _top(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return max(1.15 * float(np.percentile(finite, _SHOWN_PERCENTILE)), 1e-3) if len(finite) else 1.0


def _median(values: np.ndarray, axis: int) -> np.ndarray:
    return _percentile(values, 50.0, axis)


def _percentile(values: np.ndarray, q: float, axis: int) -> np.ndarray:
    """`np.nanpercentile` that is NaN, without a warning, where there is nothing."""
    some = np.isfinite(values).any(axis=axis)
    filled = np.where(np.expand_dims(some, axis), values, 0.0)
    return np.where(some, np.nanpercentile(filled, q, axis=axis) if filled.size else np.nan, np.nan)


def plain(text: str) -> str:
    """The text with nothing that matplotlib reads as mathematics or as a hidden label."""
    return text.replace("$", r"\$").lstrip("_") or "?"
