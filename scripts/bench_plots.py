"""Plots of error and cost: against cameras, noise and wrong keypoints, and of long sessions (docs/images/*.png).

    python scripts/bench_plots.py --out docs/images [--hours bench_hours.json] [--peer-python NAME=PATH ...]

Every point is the median over the seeds of `clean-noise` with one thing changed; bars of time compare within a run.
"""

import argparse
import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from bench_peers import peers_of, run_peer
from bench_reconstruct_measures import Found, measure, run_linear, run_mv3d, use_one_thread

from mv3d.synthetic.families import FAMILIES, Family, Trial, make_trial

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

_VIEWS = (3, 4, 6, 8, 12, 16)
_NOISE_PX = (1.0, 2.0, 4.0, 8.0)
_WRONG = (0.0, 0.05, 0.10, 0.20, 0.30)
_CLEAN = FAMILIES["clean-noise"]
_LINE = {"marker": "o", "markersize": 4, "linewidth": 1.5}
# Combinatorial exclusion of cameras takes hours beyond this many.
_MOST_PEER_VIEWS = 8


def main() -> None:
    """Run the sweeps and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--peer-python", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--hours", type=Path, help="JSON of bench_hours.py")
    arguments = parser.parse_args()
    use_one_thread()
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    methods: dict[str, Callable[[Trial], Found]] = {
        "DLT, all views": run_linear,
        "mv3d, per frame": lambda trial: run_mv3d(trial, "frame"),
        "mv3d, sequence": lambda trial: run_mv3d(trial, "sequence"),
    }
    methods |= {n: lambda t, p=peer: run_peer(p, t) for n, peer in peers_of(arguments.peer_python).items()}
    for views in _VIEWS:
        for method in list(methods.values())[:3]:
            method(make_trial(_CLEAN, views, 60, 0))

    def sweep(cases: dict[float, tuple[Family, int]]) -> dict[str, list[dict[str, float]]]:
        return _sweep(methods, cases, arguments.seeds, arguments.frames)

    by_views = sweep({float(v): (_CLEAN, v) for v in _VIEWS})
    by_noise = sweep({s: (replace(_CLEAN, faults=replace(_CLEAN.faults, noise_px=s)), 4) for s in _NOISE_PX})
    by_wrong = sweep({w: (replace(_CLEAN, faults=replace(_CLEAN.faults, wrong=w)), 4) for w in _WRONG})
    _draw_errors(arguments.out / "reconstruct_error.png", by_views, by_noise, by_wrong)
    hours = json.loads(arguments.hours.read_text())["results"] if arguments.hours else []
    _draw_cost(arguments.out / "reconstruct_cost.png", by_views, hours)


def _sweep(
    methods: dict[str, Callable[[Trial], Found]], cases: dict[float, tuple[Family, int]], seeds: int, frames: int
) -> dict[str, list[dict[str, float]]]:
    """For each method, points of x, mean error and microseconds a point; medians over seeds."""
    lines: dict[str, list[dict[str, float]]] = {name: [] for name in methods}
    for x, (family, views) in cases.items():
        trials = [make_trial(family, views, frames, seed) for seed in range(seeds)]
        for name, method in methods.items():
            is_peer = not name.startswith(("mv3d", "DLT"))
            if is_peer and views > _MOST_PEER_VIEWS:
                continue
            rows = [measure(t, method(t)) for t in (trials[:1] if is_peer else trials)]
            error = float(np.median([row["mean_mm"] for row in rows]))
            cost = float(np.median([1e6 / row["points_per_s"] for row in rows]))
            lines[name].append({"x": x, "mean_mm": error, "us_per_point": cost})
    return lines


def _draw_errors(path: Path, *sweeps: dict[str, list[dict[str, float]]]) -> None:
    labels = ("cameras", "noise of the keypoints, px (4 cameras)", "share of wrong keypoints, % (4 cameras)")
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), sharey=True, layout="constrained")
    for axis, lines, label, factor in zip(axes, sweeps, labels, (1, 1, 100), strict=True):
        for name, points in lines.items():
            axis.plot([factor * p["x"] for p in points], [p["mean_mm"] for p in points], label=name, **_LINE)
        axis.set(xlabel=label, yscale="log")
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("mean error, mm")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    _save(figure, path)


def _draw_cost(path: Path, by_views: dict[str, list[dict[str, float]]], hours: list[dict[str, float]]) -> None:
    figure, axes = plt.subplots(1, 2 if hours else 1, figsize=(9 if hours else 5, 3.6), layout="constrained")
    first, *rest = np.atleast_1d(axes)
    for name, points in by_views.items():
        first.plot([p["x"] for p in points], [p["us_per_point"] for p in points], label=name, **_LINE)
    first.set(xlabel="cameras", ylabel="process time per joint and frame, µs", yscale="log")
    for axis in rest:
        for views in sorted({row["views"] for row in hours}):
            rows = [row for row in hours if row["views"] == views]
            axis.plot(
                [r["hours"] for r in rows], [r["process_s"] / 60 for r in rows], label=f"{views} cameras", **_LINE
            )
        axis.set(xlabel="hours of 25 joints at 60 fps", ylabel="process time, minutes")
        axis.legend(frameon=False)
    for axis in (first, *rest):
        axis.grid(alpha=0.3, which="both")
    figure.legend(*first.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


if __name__ == "__main__":
    main()
