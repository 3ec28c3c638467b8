"""Figures of a reconstruction against its truth, and their medians and worst over seeds (for bench_reconstruct.py)."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mv3d.data.poses import FILLED, MEASURED
from mv3d.geometry.triangulation import triangulate_dlt
from mv3d.reconstruct.reconstruction import Mode, ReconstructConfig, reconstruct_person
from mv3d.synthetic.families import Trial

# 95 % of a chi-squared variable of three degrees of freedom lie below it.
_CHI2_3_95 = 7.815
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a method made of a trial: xyz and state as in Poses3D, covariance where it has one, process time in s."""

    xyz: np.ndarray
    state: np.ndarray
    covariance: np.ndarray | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Column:
    """A figure of the table: its name in JSON, its heading, its format and which of two values is the worse."""

    name: str
    heading: str
    form: str
    badness: Callable[[float], float] = float


COLUMNS = (
    Column("mean_mm", "mean mm", "{:.2f}"),
    Column("median_mm", "median mm", "{:.2f}"),
    Column("p99_mm", "p99 mm", "{:.1f}"),
    Column("over_50mm", "> 50 mm", "{:.2%}"),
    Column("measured", "measured", "{:.1%}", lambda v: -v),
    Column("filled", "filled", "{:.1%}"),
    Column("missing", "missing", "{:.1%}"),
    Column("measured_mm", "measured mm", "{:.2f}"),
    Column("filled_mm", "filled mm", "{:.1f}"),
    Column("in_ellipsoid", "in 95 %", "{:.1%}", lambda v: abs(v - 0.95)),
    Column("bone_sd_mm", "bone sd mm", "{:.2f}"),
    Column("acceleration_error", "accel. error m/s2", "{:.1f}"),
    Column("jitter_mm", "jitter mm", "{:.2f}"),
    Column("points_per_s", "points/s", "{:,.0f}", lambda v: -v),
)


def use_one_thread() -> None:
    """Start this script again with one thread for every library, unless that is so already."""
    if any(os.environ.get(name) != "1" for name in _THREADS):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | dict.fromkeys(_THREADS, "1"))


def run_mv3d(trial: Trial, mode: Mode) -> Found:
    """mv3d through the entrance that its commands use."""
    start = time.process_time()
    poses = reconstruct_person(
        trial.rig, trial.skeleton, trial.xy, trial.score, trial.timestamps, ReconstructConfig(mode=mode)
    )
    seconds = time.process_time() - start
    return Found(poses.xyz[:, 0], poses.state[:, 0], poses.covariance[:, 0], seconds)


def run_linear(trial: Trial) -> Found:
    """Linear triangulation of all views, lens distortion undone: what OpenPose and aniposelib start from."""
    start = time.process_time()
    frames, views, joints = trial.score.shape
    rays = np.stack([camera.lens.unproject(trial.xy[:, v]) for v, camera in enumerate(trial.rig)], axis=1)
    x_norm = np.moveaxis(rays[..., :2] / rays[..., 2:], 1, 2).reshape(frames * joints, views, 2)
    P = np.stack([np.hstack([c.R, c.t[:, None]]) for c in trial.rig])
    seen = np.moveaxis(trial.score, 1, 2).reshape(len(x_norm), views) > 0
    xyz = triangulate_dlt(P, x_norm, seen.astype(float)).reshape(frames, joints, 3)
    return without_covariance(xyz, time.process_time() - start)


def without_covariance(xyz: np.ndarray, seconds: float) -> Found:
    """Points of a method that knows neither covariance nor state: what is finite counts as measured."""
    return Found(xyz, np.where(np.isfinite(xyz).all(-1), MEASURED, 0), None, seconds)


def measure(trial: Trial, found: Found) -> dict[str, float]:
    """All figures of `COLUMNS`; NaN where there is nothing to measure."""
    error_mm = np.linalg.norm(found.xyz - trial.truth, axis=-1) * 1e3
    known, measured, filled = found.state > 0, found.state == MEASURED, found.state == FILLED
    interval = float(np.median(np.diff(trial.timestamps)))
    second = np.diff(found.xyz, n=2, axis=0)
    wrong_second = np.linalg.norm(second - np.diff(trial.truth, n=2, axis=0), axis=-1)
    return {
        "mean_mm": _of(np.mean, error_mm[known]),
        "median_mm": _of(np.median, error_mm[known]),
        "p99_mm": _of(lambda e: np.percentile(e, 99), error_mm[known]),
        "over_50mm": _of(np.mean, error_mm[known] > 50),
        "measured": float(measured.mean()),
        "filled": float(filled.mean()),
        "missing": float((~known).mean()),
        "measured_mm": _of(np.mean, error_mm[measured]),
        "filled_mm": _of(np.mean, error_mm[filled]),
        "in_ellipsoid": _in_ellipsoid(found, trial.truth, measured),
        "bone_sd_mm": _bone_sd_mm(found.xyz, trial),
        "acceleration_error": _of(np.nanmean, wrong_second) / interval**2,
        "jitter_mm": _of(np.nanmedian, np.linalg.norm(second, axis=-1)) * 1e3,
        "points_per_s": error_mm.size / max(found.seconds, 1e-9),
    }


def over_seeds(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Median and worst of every figure; NaN where no seed has it."""
    summary = {}
    for column in COLUMNS:
        values = [row[column.name] for row in rows if np.isfinite(row[column.name])]
        worst = max(values, key=column.badness) if values else np.nan
        summary[column.name] = {"median": float(np.median(values)) if values else np.nan, "worst": worst}
    return summary


def table_line(summary: dict[str, dict[str, float]]) -> str:
    """A line of a Markdown table: "median / worst" of every column."""
    cells = []
    for column in COLUMNS:
        pair = (summary[column.name]["median"], summary[column.name]["worst"])
        cells.append(" / ".join("-" if np.isnan(v) else column.form.format(v) for v in pair))
    return " | ".join(cells)


def _of(statistic: Callable[[np.ndarray], np.floating], values: np.ndarray) -> float:
    return float(statistic(values)) if np.isfinite(values).any() else float("nan")


def _in_ellipsoid(found: Found, truth: np.ndarray, measured: np.ndarray) -> float:
    """Share of measured joints whose truth lies within the 95 % ellipsoid; a singular covariance holds nothing."""
    if found.covariance is None or not measured.any():
        return float("nan")
    error, covariance = (found.xyz - truth)[measured], found.covariance[measured].astype(float)
    regular = np.isfinite(covariance).all((-1, -2)) & (np.linalg.det(np.nan_to_num(covariance)) > 0)
    solved = np.linalg.solve(covariance[regular], error[regular][..., None])[..., 0]
    return float(((error[regular] * solved).sum(-1) < _CHI2_3_95).sum() / len(error))


def _bone_sd_mm(xyz: np.ndarray, trial: Trial) -> float:
    """Standard deviation of the length over time, mean over the bones that are rigid in the truth."""
    lengths = [np.linalg.norm(xyz[:, a] - xyz[:, b], axis=-1) for a, b in trial.bones]
    return _of(np.nanmean, np.array([_of(np.nanstd, length) for length in lengths])) * 1e3
