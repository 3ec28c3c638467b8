"""Figures of a calibration, drawn with matplotlib's object interface: no window, no global state."""

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D

from calib.observations import BoardObservations
from calib.result import CalibrationResult
from mv3d.data.rig import Rig

_INK, _GRID, _ACCENT, _BOARD = "#33363d", "#d9dbe0", "#0072b2", "#e69f00"
_WIDTH_IN = 9.0
_ARROW = {"arrowstyle": "->"}
_LABEL = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
# Cells of the coverage map along the longer side of an image.
_COVERAGE_CELLS = 24
# Residuals are pooled in cells this many to the longer side, so that an arrow is a mean of many corners.
_FIELD_CELLS = 14
_FEWEST_IN_CELL = 3
# The longest arrow spans as many cells; how long it is stands above the plot.
_ARROW_CELLS = 2.0


def rig_views(result: CalibrationResult) -> Figure:
    """Cameras and boards in the first camera's frame: in space, from above (z up the page) and from the side."""
    figure = Figure(figsize=(_WIDTH_IN, 9.0), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(1.6, 1.0))
    space = figure.add_subplot(grid[0, :], projection="3d")
    above, side = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
    boards = result.board_t[np.isfinite(result.board_t).all(-1)]
    reach = 0.15 * max(np.ptp(result.rig.centers, axis=0).max(), 0.5)
    _in_space(space, result.rig, boards, reach)
    for ax, (i, j), labels in ((above, (0, 2), ("x (m)", "z (m)")), (side, (2, 1), ("z (m)", "y, down (m)"))):
        ax.plot(boards[:, i], boards[:, j], ".", ms=3, color=_BOARD, label="boards")
        for camera in result.rig:
            tip = camera.center + reach * camera.R[2]
            at = (camera.center[i], camera.center[j])
            ax.plot(*at, "o", ms=5, color=_ACCENT)
            ax.annotate("", xy=(tip[i], tip[j]), xytext=at, arrowprops=_ARROW)
            ax.annotate(camera.name, xy=at, xytext=(4, 4), textcoords="offset points", fontsize=8)
        ax.set_aspect("equal", adjustable="datalim")
        _style(ax, "", *labels)
    side.invert_yaxis()
    for ax, title in ((space, "in space"), (above, "from above"), (side, "from the side")):
        ax.set_title(title, fontsize=9, color=_INK)
    return figure


def _in_space(ax: Axes3D, rig: Rig, boards: Float[np.ndarray, "frame 3"], reach: float) -> None:
    """Cameras as pyramids of what they see, boards as points; drawn with the camera's z into the page and -y up."""
    ax.plot(boards[:, 0], boards[:, 2], -boards[:, 1], ".", ms=3, color=_BOARD)
    for camera in rig:
        width, height = np.array(camera.size) / camera.lens.K[[0, 1], [0, 1]] / 2
        rim = np.array([[-width, -height], [width, -height], [width, height], [-width, height], [-width, -height]])
        rim = camera.center + reach * np.column_stack([rim, np.ones(5)]) @ camera.R
        lines = [rim, *(np.stack([camera.center, corner]) for corner in rim[:4])]
        for line in lines:
            ax.plot(line[:, 0], line[:, 2], -line[:, 1], color=_ACCENT, lw=0.8)
        x, y, z = camera.center
        ax.text(x, z, -y, camera.name, fontsize=8)
    ax.set_aspect("equal")
    for axis, label in ((ax.xaxis, "x (m)"), (ax.yaxis, "z (m)"), (ax.zaxis, "-y (m)")):
        axis.set_label_text(label, fontsize=8)
    ax.tick_params(labelsize=7)


def coverage(observations: BoardObservations) -> Figure:
    """How often each part of each image was covered by corners."""
    figure, axes = _grid_of_cameras(observations.cameras)
    for c, ax in enumerate(axes):
        width, height = observations.sizes[c].tolist()
        corners = observations.xy[c][observations.seen[c]]
        cells = _cells(width, height, _COVERAGE_CELLS)
        counts, _, _ = np.histogram2d(corners[:, 1], corners[:, 0], bins=cells[::-1], range=[[0, height], [0, width]])
        ax.imshow(np.log1p(counts), extent=(0, width, height, 0), cmap="Blues", interpolation="nearest")
        _style(ax, observations.cameras[c], "px", "")
        ax.grid(visible=False)
    return figure


def shared_views(result: CalibrationResult) -> Int[np.ndarray, "camera camera"]:
    """Frames in which both of two cameras saw the board, by views that were used; on the diagonal each one's own."""
    used = np.isfinite(result.view_rms).astype(int)
    return used @ used.T


def pair_coverage(observations: BoardObservations, result: CalibrationResult) -> Figure:
    """The pair graph, and for each pair where the first camera's image showed the board while the second saw it too."""
    names, count, shared = result.rig.names, len(result.rig), shared_views(result)
    figure = Figure(figsize=(_WIDTH_IN, 3.6 + 1.1 * count), layout="constrained")
    graph, maps = figure.subfigures(2, 1, squeeze=False, height_ratios=(3.6, 1.1 * count + 0.1))[:, 0]
    _draw_graph(graph.subplots(), names, shared)
    axes = np.atleast_2d(maps.subplots(count, count, squeeze=False))
    used = np.isfinite(result.view_rms)
    for a in range(count):
        width, height = observations.sizes[a].tolist()
        cells = _cells(width, height, _COVERAGE_CELLS)
        for b in range(count):
            corners = observations.xy[a, used[a] & used[b]]
            x, y = corners[np.isfinite(corners[..., 0])].T
            seen, _, _ = np.histogram2d(y, x, bins=cells[::-1], range=[[0, height], [0, width]])
            ax = axes[a, b]
            ax.imshow(np.log1p(seen), extent=(0, width, height, 0), cmap="Blues", interpolation="nearest")
            ax.set_xticks([])
            ax.set_yticks([])
            if a == 0:
                ax.set_title(f"with {names[b]}", fontsize=8, color=_INK)
        axes[a, 0].set_ylabel(names[a], fontsize=8, color=_INK)
    return figure


def _draw_graph(ax: Axes, names: tuple[str, ...], shared: Int[np.ndarray, "camera camera"]) -> None:
    """Cameras around a circle, joined by lines as strong as the views that they share are many."""
    angle = np.pi - 2 * np.pi * np.arange(len(names)) / len(names)
    at = np.stack([2.0 * np.cos(angle), np.sin(angle)], axis=1)
    most = max(int((shared - np.diag(np.diag(shared))).max(initial=0)), 1)
    for a in range(len(names)):
        for b in range(a + 1, len(names)):
            line = "-" if shared[a, b] else ":"
            ax.plot(*at[[a, b]].T, line, color=_ACCENT, lw=0.5 + 5 * shared[a, b] / most, alpha=0.6, zorder=1)
            # Off the middle, where the lines of opposite cameras cross.
            x, y = 0.6 * at[a] + 0.4 * at[b]
            ax.text(x, y, str(shared[a, b]), fontsize=8, color=_INK, ha="center", va="center", zorder=3, bbox=_LABEL)
        ax.plot(*at[a], "o", ms=9, color=_BOARD, zorder=2)
        x, y = 1.18 * at[a]
        ax.text(x, y, f"{names[a]} ({shared[a, a]})", fontsize=8, color=_INK, ha="center", va="center")
    ax.set_xlim(-3.2, 3.2)
    ax.set_ylim(-1.4, 1.4)
    ax.axis("off")


def residual_fields(observations: BoardObservations, residuals: Float[np.ndarray, "camera frame corner 2"]) -> Figure:
    """Mean residual by place in the image, magnified: a pattern tells that the lens model is too weak."""
    figure, axes = _grid_of_cameras(observations.cameras)
    for c, ax in enumerate(axes):
        width, height = observations.sizes[c].tolist()
        used = np.isfinite(residuals[c]).all(-1)
        at, error = observations.xy[c][used], residuals[c][used]
        columns, rows = _cells(width, height, _FIELD_CELLS)
        cell = np.clip((at / [width / columns, height / rows]).astype(int), 0, [columns - 1, rows - 1])
        index = cell[:, 1] * columns + cell[:, 0]
        count = np.bincount(index, minlength=rows * columns)
        enough = count >= _FEWEST_IN_CELL
        sums = np.stack([np.bincount(index, weights=error[:, k], minlength=rows * columns) for k in (0, 1)], 1)
        mean = sums[enough] / count[enough, None]
        where = np.stack(np.divmod(np.flatnonzero(enough), columns)[::-1], 1) + 0.5
        place = where * [width / columns, height / rows]
        longest = np.linalg.norm(mean, axis=1).max(initial=0.0)
        scale = max(longest, 1e-9) * columns / (_ARROW_CELLS * width)
        ax.quiver(*place.T, *mean.T, angles="xy", scale_units="xy", scale=scale, color=_ACCENT, width=0.008)
        ax.set_xlim(0, width)
        ax.set_ylim(height, 0)
        ax.set_aspect("equal")
        _style(ax, f"{observations.cameras[c]}, longest mean {longest:.2f} px", "px", "")
    return figure


def residual_histograms(
    observations: BoardObservations, residuals: Float[np.ndarray, "camera frame corner 2"]
) -> Figure:
    """Distribution of the residuals' coordinates."""
    figure, axes = _grid_of_cameras(observations.cameras)
    for c, ax in enumerate(axes):
        values = residuals[c][np.isfinite(residuals[c])]
        limit = np.percentile(np.abs(values), 99.5) if len(values) else 1.0
        ax.hist(values, bins=60, range=(-limit, limit), color=_ACCENT)
        _style(ax, f"{observations.cameras[c]}, sd {values.std() if len(values) else 0:.2f} px", "px", "")
        ax.set_yticks([])
    return figure


def offsets_over_time(observations: BoardObservations, result: CalibrationResult) -> Figure:
    """Time offset of each camera in each frame."""
    figure = Figure(figsize=(_WIDTH_IN, 3.0), layout="constrained")
    ax = figure.subplots()
    for c, name in enumerate(observations.cameras):
        known = np.flatnonzero(np.isfinite(result.time.offsets[c]))
        ax.plot(known, 1e3 * result.time.offsets[c, known], ".-", ms=3, lw=0.6, label=name)
    _style(ax, "", "frame", "offset (ms)")
    ax.legend(fontsize=8, ncols=4, frameon=False)
    return figure


def _grid_of_cameras(names: tuple[str, ...]) -> tuple[Figure, list[Axes]]:
    columns = min(len(names), 4)
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(_WIDTH_IN, 2.3 * rows), layout="constrained")
    axes = np.ravel(np.asarray(figure.subplots(rows, columns, squeeze=False)))
    for ax in axes[len(names) :]:
        ax.set_visible(False)
    return figure, list(axes[: len(names)])


def _cells(width: int, height: int, along_longer: int) -> tuple[int, int]:
    """Columns and rows of square cells."""
    longer = max(width, height)
    return max(round(along_longer * width / longer), 1), max(round(along_longer * height / longer), 1)


def _style(ax: Axes, title: str, x: str, y: str) -> None:
    ax.set_title(title, fontsize=9, color=_INK)
    ax.set_xlabel(x, fontsize=8, color=_INK)
    ax.set_ylabel(y, fontsize=8, color=_INK)
    ax.tick_params(labelsize=7, colors=_INK)
    ax.grid(color=_GRID, lw=0.5)
    ax.set_axisbelow(True)
    for spine in ("top", "right"):
        ax.spines[spine].set_visible(False)
