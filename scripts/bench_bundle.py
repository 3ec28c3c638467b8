"""The joint bundle against Ceres on the same problem, its growth with cameras and boards, and 450 pictures of a camera.

    python scripts/bench_bundle.py [--json OUT.json] [--plot docs/images/bundle_time.png] [--parts race growth lens]

A board of 9 x 6 corners is held at random places in a ring of cameras; 0.2 px of noise; every lens has fx fy cx cy
k1 k2 p1 p2; both start a percent or two off and minimise the same Huber loss (1 px) without priors to the same relative
tolerance (1e-9). Times are of the solution alone, after compilation, median of several runs. Ceres (Debian's
libceres-dev and a C++ compiler; left out where they are not there) gets automatic derivatives, the boards eliminated
first, and both of its Schur solvers; the faster one is shown.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np

from calib.bundle import Bundle, BundleState, solve_bundle, start_state
from calib.intrinsics import fit_camera
from calib.layout import LensPrior, make_layout
from calib.views import Views, make_views
from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.geometry.rotations import rotation_from_vector, vector_from_rotation
from mv3d.synthetic.rigs import camera_ring

_SIGMA_PX, _HUBER_PX = 0.2, 1.0
_DISTORTION = np.array([-0.1, 0.05, 1e-4, -2e-4])
_NO_PRIOR = LensPrior(*(np.inf,) * 4)
# Cosine between the board's normal and the line of sight, below which a detector loses it.
_FLATTEST = 0.35
_FEWEST_CORNERS = 20
_RACES = ((8, 100), (16, 500))
_GROWN = tuple(("cameras", n, 100) for n in (2, 4, 8, 16, 32)) + tuple(("boards", 8, 50 * 2**n) for n in range(6))
_LENS_PICTURES = 450
_SOURCE = Path(__file__).with_name("bench_bundle_ceres.cpp")


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Views, image sizes and where to start."""

    views: Views
    rig: Rig
    start: BundleState

    def bundle(self, timed: bool = False) -> Bundle:
        """To be solved; with `timed`, a time offset in every view, of corners that move by some 300 px/s."""
        sizes, lenses = np.array([c.size for c in self.rig]), [c.lens for c in self.rig]
        layout = make_layout(lenses, sizes, timed=timed, prior=_NO_PRIOR)
        views = self.views
        if timed:
            views.motion[:] = np.random.default_rng(1).normal(0, 300, views.motion.shape)
        precision = np.full(len(views), 1e4) if timed else None
        return Bundle(views, layout, self.start.copy(), sizes, precision, _HUBER_PX / _SIGMA_PX)


def make_problem(cameras: int, boards: int, seed: int = 0) -> Problem:
    """A ring of cameras and boards at random, seen with noise, and a start near the truth."""
    rng = np.random.default_rng(seed)
    middle, lens = (0.0, 0.0, 0.0), {"focal": 1400.0, "distortion": _DISTORTION}
    rig = camera_ring(cameras, radius=4.0, height=1.5, target=middle, seed=seed, **lens)
    plane = np.stack(np.meshgrid(np.arange(9), np.arange(6)), -1).reshape(-1, 2) * 0.06
    points = np.column_stack([plane - plane.mean(0), np.zeros(len(plane))])
    Rb = rotation_from_vector(rng.normal(0, 1.2, (boards, 3))) @ np.diag(
        [1.0, -1, -1]
    )  # facing up: z is into the board
    tb = rng.uniform(-1.2, 1.2, (boards, 3)) * [1, 1, 0.6]
    x_world = points @ np.swapaxes(Rb, 1, 2) + tb[:, None]
    xy = np.stack([_seen(camera, x_world, Rb, tb) for camera in rig])
    xy += rng.normal(0, _SIGMA_PX, xy.shape)
    keep = np.all(np.isfinite(xy), axis=-1)
    views = make_views(xy, points, keep, np.full(keep.shape[:2], _SIGMA_PX))
    frames, later = views.board_frames, (np.arange(cameras) > 0)[:, None]
    R = rotation_from_vector(later * rng.normal(0, 0.01, (cameras, 3))) @ np.stack([c.R for c in rig])
    t = np.stack([c.t for c in rig]) + later * rng.normal(0, 0.02, (cameras, 3))
    Rb = rotation_from_vector(rng.normal(0, 0.02, (len(frames), 3))) @ Rb[frames]
    tb = tb[frames] + rng.normal(0, 0.02, (len(frames), 3))
    start = start_state([c.lens for c in rig], (R, t), (Rb, tb), len(views), 4)
    start.K += rng.normal(0, 1, start.K.shape) * [15, 15, 8, 8]
    start.dist += rng.normal(0, 1, start.dist.shape) * [0.02, 0.02, 0, 0]
    return Problem(views, rig, start)


def _seen(camera: Camera, x_world: np.ndarray, Rb: np.ndarray, tb: np.ndarray) -> np.ndarray:
    """(board, corner, 2) px, NaN where not in the picture or too flat."""
    sight = tb - camera.center
    facing = np.einsum("fi,fi->f", Rb[:, :, 2], sight) / np.linalg.norm(sight, axis=1)
    xy = camera.project(x_world)
    inside = ((xy > 0) & (xy < camera.size)).all(-1) & (facing > _FLATTEST)[:, None]
    inside &= inside.sum(1, keepdims=True) >= _FEWEST_CORNERS
    return np.where(inside[..., None], xy, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """Median time (s), robust cost in squared standard deviations, accepted steps, lenses and camera poses."""

    seconds: float
    cost: float
    steps: int
    cameras: np.ndarray


def run_mv3d(problem: Problem, threads: int, *, timed: bool = False, repeats: int = 7) -> Solved:
    """Solve with this project's bundle."""
    numba.set_num_threads(threads)
    seconds = []
    for _ in range(repeats + 1):
        bundle = problem.bundle(timed)
        start = time.perf_counter()
        outcome = solve_bundle(bundle)
        seconds.append(time.perf_counter() - start)
    state = bundle.state
    poses = np.column_stack([vector_from_rotation(state.Rc), state.tc])
    cameras = np.column_stack([state.K, state.dist, poses])
    return Solved(float(np.median(seconds[1:])), outcome.cost, outcome.iterations, cameras)


def run_ceres(problem: Problem, program: Path, threads: int, *, repeats: int = 3) -> Solved:
    """Solve with Ceres: the faster of its dense and its sparse Schur complement."""
    views, start = problem.views, problem.start
    poses = np.column_stack([vector_from_rotation(start.Rc), start.tc])
    boards = np.column_stack([vector_from_rotation(start.Rb), start.tb])
    view = np.repeat(np.arange(len(views)), np.diff(views.starts))
    corners = np.column_stack([views.camera[view], views.board[view], views.X.T, views.z.T])
    head = np.array([len(poses), len(boards), len(corners), _SIGMA_PX, _HUBER_PX / _SIGMA_PX])
    question, answer = program.with_suffix(".question"), program.with_suffix(".answer")
    parts = (head, np.column_stack([start.K, start.dist, poses]), boards, corners)
    np.concatenate([part.astype(float).ravel() for part in parts]).tofile(question)
    best: Solved | None = None
    for solver in ("dense", "sparse"):
        command = [str(program), str(question), str(answer), str(threads), solver]
        runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(repeats)]
        seconds = float(np.median([float(run.split()[0]) for run in runs]))
        _, cost, steps = runs[-1].split()
        if best is None or seconds < best.seconds:
            best = Solved(seconds, float(cost), int(steps), np.fromfile(answer).reshape(-1, 14))
    assert best is not None
    return best


def build_ceres(folder: Path) -> Path | None:
    """The worker's program; None where there is no compiler or no Ceres."""
    compiler, program = shutil.which("g++"), folder / "bench_bundle_ceres"
    if compiler is None:
        return None
    command = [compiler, "-O3", "-march=native", "-I/usr/include/eigen3", str(_SOURCE), "-o", str(program)]
    done = subprocess.run([*command, "-lceres", "-lglog"], capture_output=True, text=True, check=False)
    return program if done.returncode == 0 else None


def race(ceres: Path | None) -> list[dict[str, float | str]]:
    """Both solvers on the two problems, with one thread and two."""
    rows: list[dict[str, float | str]] = []
    for cameras, boards in _RACES:
        problem = make_problem(cameras, boards)
        for threads in (1, 2):
            ours = run_mv3d(problem, threads)
            found = {"mv3d": ours}
            if ceres is not None:
                found["Ceres"] = run_ceres(problem, ceres, threads)
            found["mv3d, a time offset in every view"] = run_mv3d(problem, threads, timed=True)
            problem.views.motion[:] = 0.0
            for name, solved in found.items():
                apart = np.abs(solved.cameras - ours.cameras)
                row = {"problem": f"{cameras} x {boards}", "corners": len(problem.views.corner), "threads": threads}
                row |= {"solver": name, "ms": 1e3 * solved.seconds, "steps": solved.steps, "cost": solved.cost}
                rows.append(row | {"focal apart px": float(apart[:, :2].max())})
    return rows


def growth(ceres: Path | None) -> list[dict[str, float | str]]:
    """Time with one thread for more cameras (100 boards) and more boards (8 cameras)."""
    rows: list[dict[str, float | str]] = []
    for along, cameras, boards in _GROWN:
        problem = make_problem(cameras, boards)
        seconds = {"mv3d": run_mv3d(problem, 1, repeats=9).seconds}
        if ceres is not None:
            seconds["Ceres"] = run_ceres(problem, ceres, 1, repeats=1).seconds
        seconds["mv3d, a time offset in every view"] = run_mv3d(problem, 1, timed=True, repeats=9).seconds
        x = cameras if along == "cameras" else boards
        rows += [{"along": along, "x": x, "solver": name, "ms": 1e3 * s} for name, s in seconds.items()]
    return rows


def lens() -> list[dict[str, float | str]]:
    """One camera, many pictures, lens model chosen by held-out error: seconds after detection."""
    problem = make_problem(1, 4 * _LENS_PICTURES)
    views, camera = problem.views, problem.rig[0]
    points = np.zeros((54, 3))
    points[views.corner] = views.X.T
    xy = np.full((len(views), 54, 2), np.nan)
    xy[np.repeat(np.arange(len(views)), np.diff(views.starts)), views.corner] = views.z.T
    xy = xy[:_LENS_PICTURES]
    for _ in range(2):  # the first compiles
        start = time.perf_counter()
        fit = fit_camera(points, xy, np.full(len(xy), _SIGMA_PX), camera.size)
        seconds = time.perf_counter() - start
    error = float(abs(fit.lens.K[0, 0] / camera.lens.K[0, 0] - 1))
    return [{"pictures": len(xy), "s": seconds, "model": fit.model, "focal error": error, "rms px": fit.rms_px}]


def draw(rows: list[dict[str, float | str]], path: Path) -> None:
    """Growth as two log-log plots."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    for ax, along in zip(figure.subplots(1, 2, sharey=True), ("cameras", "boards"), strict=True):
        for name in dict.fromkeys(str(row["solver"]) for row in rows):
            mine = [row for row in rows if row["along"] == along and row["solver"] == name]
            ax.loglog([row["x"] for row in mine], [row["ms"] for row in mine], "o-", ms=4, label=name)
        ax.set_xlabel("cameras, 100 boards" if along == "cameras" else "boards, 8 cameras")
        sizes = [row["x"] for row in rows if row["along"] == along and row["solver"] == "mv3d"]
        ax.set_xticks(sizes, [str(size) for size in sizes])
        ax.minorticks_off()
        ax.grid(lw=0.3)
    figure.axes[0].set_ylabel("joint bundle, one thread (ms)")
    figure.axes[1].legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run the parts; print a table of each and write JSON and plot."""
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":  # small dense systems: its threads only get in the way
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"OPENBLAS_NUM_THREADS": "1"})
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--parts", nargs="+", default=["race", "growth", "lens"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ceres = build_ceres(Path(folder))
        parts = {"race": lambda: race(ceres), "growth": lambda: growth(ceres), "lens": lens}
        report = {name: parts[name]() for name in arguments.parts}
    for rows in report.values():
        print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
        for row in rows:
            print("| " + " | ".join(v if isinstance(v, str) else f"{v:.6g}" for v in row.values()) + " |")
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if arguments.plot and "growth" in report:
        draw(report["growth"], arguments.plot)


if __name__ == "__main__":
    main()
