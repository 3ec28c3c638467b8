"""Calibration on synthetic boards: accuracy against the Cramer-Rao bound, corruptions, time offsets, speed.

    python scripts/bench_calibration.py [--trials 50] [--json OUT.json] [--parts accuracy corruptions time speed]

Accuracy: three cameras, stills of a ChArUco board, 0.2 px noise; the error of every lens parameter and of the cameras'
distances over its Cramer-Rao bound, and how often the 95 % interval holds the truth. Corruptions: distance errors of a
ring of five cameras against the same data uncorrupted, and what the calibration itself expects of them. Speed: the
joint bundle alone, after compilation, median of seven; set OPENBLAS_NUM_THREADS=1 and NUMBA_NUM_THREADS to compare.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from calib.boards import Board
from calib.bundle import Bundle, solve_bundle, start_state
from calib.calibrate import calibrate_rig
from calib.config import CalibrationConfig, LensConfig
from calib.covariance import uncertainty_of
from calib.layout import LensPrior, make_layout
from calib.observations import BoardObservations
from calib.views import make_views
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.synthetic import boards
from mv3d.synthetic.boards import SyntheticBoard, film_board
from mv3d.synthetic.rigs import camera_ring

BOARD = Board("charuco", (8, 6), 0.08, 0.06, "DICT_4X4_100")
DISTORTION = np.array([-0.1, 0.05, 1e-3, -1e-3])
CONFIG = CalibrationConfig(lens=LensConfig(model="pinhole4"))


def observed(rig: Rig, made: SyntheticBoard) -> BoardObservations:
    """A synthetic film as a detector would report it."""
    return BoardObservations.from_corners(BOARD, rig, made.xy, 0.2, made.times, made.segments)


def distances(rig: Rig) -> np.ndarray:
    """Distances of all pairs of cameras, m."""
    apart = np.linalg.norm(rig.centers[:, None] - rig.centers, axis=-1)
    return apart[np.triu_indices(len(rig), 1)]


def true_bundle(rig: Rig, made: SyntheticBoard, noise: float, *, disturb: float = 0.0, timed: bool = False) -> Bundle:
    """The joint problem at the truth, or near it; the priors are those of the calibration."""
    rng = np.random.default_rng(0)
    sizes = np.array([camera.size for camera in rig])
    views = make_views(
        made.xy, BOARD.points, np.all(np.isfinite(made.xy), axis=-1), np.full(made.xy.shape[:2], noise),
        rng.normal(0, 300, (*made.xy.shape[:3], 4)) if timed else None,
    )  # fmt: skip
    lenses = [camera.lens for camera in rig]
    layout = make_layout(lenses, sizes, prior=LensPrior(), timed=timed)
    frames, count = views.board_frames, len(rig)
    R, t = np.stack([c.R for c in rig]), np.stack([c.t for c in rig])
    moved = disturb * np.concatenate([np.zeros((1, 3)), rng.normal(size=(count - 1, 3))])
    Rb = rotation_from_vector(disturb * rng.normal(size=(len(frames), 3))) @ made.R[frames]
    tb = made.t[frames] + disturb * rng.normal(size=(len(frames), 3))
    state = start_state(lenses, (rotation_from_vector(moved) @ R, t + moved), (Rb, tb), len(views), layout.count)
    state.K *= 1 + 0.5 * disturb * rng.normal(size=state.K.shape)
    return Bundle(views, layout, state, sizes, np.full(len(views), 1e4))


def accuracy(trials: int) -> dict[str, float]:
    """Errors over the Cramer-Rao bound, and coverage of the 95 % intervals."""
    ring = camera_ring(10, radius=3.0, seed=2, distortion=DISTORTION)
    rig = ring.subset(["cam01", "cam02", "cam03"])
    exact = film_board(rig, BOARD.points, frames=60, fps=4.0, stills=True, noise_px=0.0, toward=ring[1].center, seed=7)
    bound = uncertainty_of(true_bundle(rig, exact, 0.2), rig.names)
    assert bound is not None
    errors, sds = [], []
    for trial in range(trials):
        noise = 0.2 * np.random.default_rng(1000 + trial).normal(size=exact.xy.shape)
        result = calibrate_rig(observed(rig, replace(exact, xy=exact.xy + noise)), CONFIG)
        assert result.uncertainty is not None
        lens = [np.append(c.lens.K[[0, 1, 0, 1], [0, 1, 2, 2]], c.lens.dist) for c in result.rig]
        truth = [np.append(c.lens.K[[0, 1, 0, 1], [0, 1, 2, 2]], c.lens.dist) for c in rig]
        errors.append(np.append(np.subtract(lens, truth).ravel(), distances(result.rig) - distances(rig)))
        sds.append(_sds(result.uncertainty, rig.names))
    ratio = np.sqrt(np.mean(np.square(errors), axis=0)) / _sds(bound, rig.names)
    held = np.abs(errors) < 1.96 * np.array(sds)
    return {
        "rms error over Cramer-Rao": float(np.sqrt(np.mean(ratio**2))),
        "worst parameter over Cramer-Rao": float(ratio.max()),
        "95 % intervals that hold": float(held.mean()),
    }


def _sds(uncertainty, names: tuple[str, ...]) -> np.ndarray:
    lens = [uncertainty.sd(name, p) for name in names for p in uncertainty.parameters[:8]]
    return np.append(lens, uncertainty.distances_sd[np.triu_indices(len(names), 1)])


def corruptions() -> dict[str, str]:
    """Distance errors (rms, mm) of a ring under each corruption, and what was named."""
    rig = camera_ring(5, radius=3.5, seed=2, distortion=DISTORTION)
    clean = film_board(rig, BOARD.points, frames=150, seed=3)
    cases: dict[str, Callable[[SyntheticBoard], SyntheticBoard]] = {
        "clean": lambda b: b,
        "5 % corners + 50 px": lambda b: boards.displace_corners(b, 0.05, 50.0),
        "10 % views reversed": lambda b: boards.reverse_corners(b, 0.1)[0],
        "one camera a frame late": lambda b: boards.delay_camera(b, 2, 1),
        "half of the corners missing": lambda b: boards.lose_corners(b, 0.5),
        "30 % bad views": lambda b: boards.spoil_views(b, 0.3, 30.0)[0],
        "a blurred camera": lambda b: boards.blur_camera(b, 3, 2.0),
        "a mirrored video": lambda b: boards.mirror_camera(b, 1, 1920),
    }
    found = {}
    for name, spoil in cases.items():
        try:
            result = calibrate_rig(observed(rig, spoil(clean)), CONFIG)
        except CalibrationError as error:
            found[name] = f"refused: {error}"
            continue
        rms = 1e3 * np.sqrt(np.mean((distances(result.rig) - distances(rig)) ** 2))
        sd = result.uncertainty.distances_sd[np.triu_indices(len(rig), 1)] if result.uncertainty else np.nan
        own = 1e3 * np.sqrt(np.mean(np.square(sd)))
        left_out = f"{len(result.excluded)} views out; {' | '.join(result.warnings)}"
        found[name] = f"{rms:5.1f} mm (by its own uncertainty {own:.1f}), {left_out}"
    return found


def offsets() -> dict[str, str]:
    """Errors of the cameras' time offsets, in frames."""
    rig = camera_ring(5, radius=3.5, seed=2, distortion=DISTORTION)
    lag, found = np.array([0.0, 0.03, -0.11, 0.26, 0.0]), {}
    for seed in range(3, 9):
        made = film_board(rig, BOARD.points, frames=200, fps=10.0, lag=lag, jitter_s=0.01, seed=seed)
        mean = calibrate_rig(observed(rig, made), CONFIG).time.mean
        found[f"seed {seed}"] = f"worst {10 * np.abs(mean - np.median(mean) - lag + np.median(lag)).max():.3f} frames"
    return found


def speed() -> dict[str, str]:
    """Time of the joint bundle, ms, static and with an offset in every view."""
    found = {}
    for cameras, frames in ((8, 100), (16, 500)):
        rig = camera_ring(cameras, radius=3.5, seed=2, distortion=DISTORTION)
        made = film_board(rig, BOARD.points, frames=frames, stills=True, seed=3)
        for timed in (False, True):
            seconds = []
            for _ in range(8):
                bundle = true_bundle(rig, made, 0.2, disturb=0.01, timed=timed)
                start = time.perf_counter()
                outcome = solve_bundle(bundle)
                seconds.append(time.perf_counter() - start)
            corners = len(bundle.views.corner)
            name = f"{cameras} cameras x {frames} boards{', timed' if timed else ''}"
            found[name] = f"{1e3 * np.median(seconds[1:]):.1f} ms, {corners} corners, {outcome.iterations} steps"
    return found


def main() -> None:
    """Run the parts and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--parts", nargs="+", default=["accuracy", "corruptions", "time", "speed"])
    arguments = parser.parse_args()
    parts = {
        "accuracy": lambda: accuracy(arguments.trials),
        "corruptions": corruptions,
        "time": offsets,
        "speed": speed,
    }
    report = {}
    for name in arguments.parts:
        report[name] = parts[name]()
        print(name)
        for key, value in report[name].items():
            print(f"  {key:40} {value if isinstance(value, str) else f'{value:.3f}'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
