"""Maps of what a planned rig sees and how exactly, from above and from the side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize
from matplotlib.figure import Figure

from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.viz.colors import camera_color, unit
from mv3d.viz.plots import INK

# Height of the map from above, m: of hips and hands.
_LEVEL = 1.0
# Length of the lines that show where a camera looks, m.
_SIGHT = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class PlanMap:
    """Values at places of a volume.

    Attributes:
        axes: coordinates along x, y and z, m.
        seen: (x, y, z) number of cameras.
        error_mm: (x, y, z), NaN where not known.
    """

    axes: tuple[np.ndarray, np.ndarray, np.ndarray]
    seen: np.ndarray
    error_mm: np.ndarray


def plan_figure(rig: Rig, plan: PlanMap) -> Figure:
    """Number of cameras and expected error, from above at hip height and from the side through the middle."""
    figure = Figure(figsize=(10.0, 8.0), layout="constrained")
    axes = figure.subplots(2, 2, squeeze=False, height_ratios=(2.2, 1))
    x, y, z = plan.axes
    level, middle = int(np.abs(z - _LEVEL).argmin()), len(y) // 2
    most = max(len(rig), 2)
    colors = ListedColormap([unit((236, 236, 240)), *(_blues(k / most) for k in range(1, most + 1))])
    counts = BoundaryNorm(np.arange(most + 2) - 0.5, most + 1)
    known = plan.error_mm[np.isfinite(plan.error_mm)]
    low, high = np.percentile(known, (2, 98)) if known.size else (0.0, 1.0)
    errors = Normalize(float(low), max(float(high), float(low) + 0.1))
    for column, (values, norm, cmap, title) in enumerate(
        (
            (plan.seen, counts, colors, "cameras that see the place"),
            (plan.error_mm, errors, "viridis_r", "expected error, mm (root mean square, one frame)"),
        )
    ):
        above = axes[0, column].pcolormesh(x, y, values[:, :, level].T, norm=norm, cmap=cmap, shading="nearest")
        axes[1, column].pcolormesh(x, z, values[:, middle].T, norm=norm, cmap=cmap, shading="nearest")
        _decorate(axes[0, column], rig, (0, 1), f"from above, {z[level]:.1f} m high")
        _decorate(axes[1, column], rig, (0, 2), f"from the side, y = {y[middle]:.1f} m")
        _bar(figure, axes[:, column], above, title, range(most + 1) if column == 0 else None)
    return figure


def _bar(figure: Figure, axes: np.ndarray, shown: ScalarMappable, title: str, ticks: Sequence[int] | None) -> None:
    bar = figure.colorbar(shown, ax=list(axes), location="top", shrink=0.9, aspect=40, ticks=ticks)
    bar.set_label(title, fontsize=10, color=INK)
    bar.ax.tick_params(labelsize=8, colors=INK)


def _blues(share: float) -> tuple[float, float, float]:
    light, dark = np.array([0.80, 0.88, 0.96]), np.array([0.03, 0.22, 0.45])
    b, g, r = light + share * (dark - light)
    return float(b), float(g), float(r)


def _decorate(ax: Axes, rig: Rig, plane: tuple[int, int], title: str) -> None:
    """Cameras as dots with the directions of the left and right, or upper and lower, edges of their pictures."""
    ax.set_facecolor("white")
    for n, camera in enumerate(rig):
        color = unit(camera_color(n))
        place = camera.center[list(plane)]
        for ray in _edges(camera, upright=plane[1] == 2):
            end = place + _SIGHT * ray[list(plane)]
            ax.plot([place[0], end[0]], [place[1], end[1]], "-", lw=1.0, color=color)
        ax.plot(*place, "o", ms=6, color=color)
        if plane[1] == 1:  # from the side they stand behind each other
            at = float(place[0]), float(place[1])
            ax.annotate(camera.name, at, xytext=(5, 5), textcoords="offset points", size=7, color=INK)
    ax.set_title(title, fontsize=9, color=INK)
    ax.margins(0.06)
    ax.set_aspect("equal", adjustable="box")
    ax.set_xlabel("x, m", fontsize=8, color=INK)
    ax.set_ylabel("y, m" if plane[1] == 1 else "z, m", fontsize=8, color=INK)
    ax.tick_params(labelsize=8, colors=INK)


def _edges(camera: Camera, upright: bool) -> np.ndarray:
    width, height = camera.size
    middle = (np.array(camera.size) - 1) / 2
    ends = [[middle[0], 0], [middle[0], height - 1]] if upright else [[0, middle[1]], [width - 1, middle[1]]]
    return camera.rays(np.array(ends, float))
