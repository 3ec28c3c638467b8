"""Figures of the clocks, drawn as those of `mv3d.viz.plots`."""

import numpy as np
from matplotlib.figure import Figure

from mv3d.data.diagnosis import Sync
from mv3d.viz.colors import camera_color, unit
from mv3d.viz.plots import INK, empty_figure, plain, style


def sync_curves(cameras: tuple[str, ...], sync: Sync) -> Figure:
    """Disagreement of each camera with the others over the time that it alone is moved by."""
    figure = empty_figure("Sync", 3.0)
    ax = figure.subplots()
    for view, name in enumerate(cameras):
        color = unit(camera_color(view))
        ax.plot(1e3 * sync.lags, sync.lag_cost[view], lw=1.3, color=color, label=plain(name))
        if np.isfinite(sync.lag_cost[view]).any():
            best = int(np.nanargmin(sync.lag_cost[view]))
            ax.plot(1e3 * sync.lags[best], sync.lag_cost[view, best], "o", ms=3.5, color=color)
    ax.axvline(0.0, color=INK, lw=0.8, ls=":")
    style(ax, "Around the offsets found by the scan", "moved by (ms)", "disagreement")
    figure.legend(fontsize=8, ncols=min(len(cameras), 8), frameon=False, loc="outside upper right")
    return figure
