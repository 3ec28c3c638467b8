"""How surely `mv3d calibrate --check` names a camera that was moved, and leaves a rig alone that stands still.

    python scripts/bench_recheck.py --trials 100 --wave 30 --json recheck.json

Synthetic: four cameras 4 m from the middle, a board carried through it, corners with 0.2 px of noise, lenses found anew
by both calibrations. Each trial calibrates a rig and holds it against three waves of the board: after one camera was
turned by 0.2 degrees about a random axis, after one was moved by 5 mm in a random direction, and after nothing.
"""

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from calib.boards import Board
from calib.calibrate import calibrate_rig
from calib.config import CalibrationConfig, LensConfig
from calib.observations import BoardObservations
from calib.recheck import Recheck, compare_rigs
from calib.result import CalibrationResult
from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.synthetic.boards import film_board
from mv3d.synthetic.rigs import camera_ring

BOARD = Board("charuco", (8, 6), 0.08, 0.06, "DICT_4X4_100")
NOISE_PX, FPS = 0.2, 10.0
TURN, MOVE = np.deg2rad(0.2), 0.005
KINDS = ("turned", "moved", "still")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one check: who was named beside whom, and what would have been seen (rad, m; the worst camera)."""

    named: bool
    others: bool
    least_turn: float
    least_move: float


def main() -> None:
    """Run the trials and print the rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--calibration", type=float, default=45.0, help="length of the first recording, s")
    parser.add_argument("--wave", type=float, default=30.0, help="length of the wave, s")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    work = partial(trial, cameras=args.cameras, calibration=args.calibration, wave=args.wave)
    with ProcessPoolExecutor(args.workers) as pool:
        done = [outcome for outcome in pool.map(work, range(args.trials)) if outcome is not None]
    if not done:
        raise SystemExit("no trial joined its cameras: let the board be carried longer")
    print("\n".join(table(done, args.trials)))
    if args.json:
        args.json.write_text(json.dumps(summary(done), indent=2) + "\n", encoding="utf-8")


def trial(seed: int, cameras: int, calibration: float, wave: float) -> dict[str, Outcome] | None:
    """A rig, calibrated once and checked three times; None where a recording did not join its cameras."""
    rig = camera_ring(cameras, radius=4.0, seed=2)
    rng = np.random.default_rng([seed, 7])
    who, direction = int(rng.integers(cameras)), rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    changes: dict[str, Callable[[Camera], Camera]] = {
        "turned": lambda camera: placed(camera, rotation_from_vector(TURN * direction) @ camera.R, camera.center),
        "moved": lambda camera: placed(camera, camera.R, camera.center + MOVE * direction),
        "still": lambda camera: camera,
    }
    try:
        old = calibrated(rig, calibration, 10 * seed)
        found = {}
        for i, kind in enumerate(KINDS):
            changed = Rig(tuple(changes[kind](c) if i == who else c for i, c in enumerate(rig)))
            new = calibrated(changed, wave, 10 * seed + 1 + i)
            assert old.uncertainty is not None
            assert new.uncertainty is not None
            check = compare_rigs(old.rig, new.rig, new.uncertainty, old.uncertainty)
            found[kind] = outcome(check, rig.names[who] if kind != "still" else "")
    except CalibrationError:
        return None
    return found


def placed(camera: Camera, R: np.ndarray, center: np.ndarray) -> Camera:
    """The camera with another pose."""
    return replace(camera, R=R, t=-R @ center)


def calibrated(rig: Rig, seconds: float, seed: int) -> CalibrationResult:
    """A calibration from a board that is carried for so long."""
    made = film_board(rig, BOARD.points, frames=round(seconds * FPS), fps=FPS, noise_px=NOISE_PX, seed=seed)
    observations = BoardObservations.from_corners(BOARD, rig, made.xy, NOISE_PX, made.times, made.segments)
    return calibrate_rig(observations, CalibrationConfig(lens=LensConfig(model="pinhole5")))


def outcome(check: Recheck, who: str) -> Outcome:
    """What a check says of a rig of which `who` was moved."""
    named = {move.camera for move in check.moves if move.named}
    return Outcome(
        who in named,
        bool(named - {who}) or check.untold,
        max(move.least_turn for move in check.moves),
        max(move.least_move for move in check.moves),
    )


def summary(done: list[dict[str, Outcome]]) -> dict[str, dict[str, float]]:
    """Counts, and what would have been seen in the median trial, by what was done to the rig."""
    return {
        kind: {
            "trials": len(done),
            "named": sum(d[kind].named for d in done),
            "others_named": sum(d[kind].others for d in done),
            "least_turn_deg": float(np.rad2deg(np.median([d[kind].least_turn for d in done]))),
            "least_move_mm": float(1e3 * np.median([d[kind].least_move for d in done])),
        }
        for kind in KINDS
    }


def table(done: list[dict[str, Outcome]], asked: int) -> list[str]:
    """Rates as lines."""
    header = f"{'rig':<10}{'named':>12}{'another named':>16}{'seen in any direction (95 %)':>34}"
    lines = [header, "-" * len(header)]
    for kind, row in summary(done).items():
        counts = (f"{row[key]} of {row['trials']}" for key in ("named", "others_named"))
        least = f"{row['least_turn_deg']:.3f} degrees, {row['least_move_mm']:.1f} mm"
        lines.append("{:<10}{:>12}{:>16}{:>34}".format(kind, *counts, least))
    if len(done) < asked:
        lines.append(f"in {asked - len(done)} of {asked} trials a recording did not join the cameras")
    return lines


if __name__ == "__main__":
    main()
