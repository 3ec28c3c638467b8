"""Calibrate a real rig from one half of its frames and score it on the other, next to other programs.

    python scripts/bench_rig.py SESSION --board BOARD --scorer PATH [--peer-python NAME=PATH ...] [--json OUT.json]

SESSION has the board's videos in calibration/extrinsics/. Corners are found once, by mv3d; blocks of frames are taken
out in turn (odd ones, then even ones), all programs calibrate from the same corners of the rest, and PATH, a Python
module with `score(cameras, xy, times, points, frames)`, scores the cameras on the blocks taken out. `cameras` are
dictionaries with K, d, R, t. What `score` returns is printed. Peers: OpenCV (calibrateMultiview, on whole boards; it
diverges on partial ones) and aniposelib, each in an interpreter given by --peer-python.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from calib.boards import Board, load_board
from calib.calibrate import calibrate_rig
from calib.config import CalibrationConfig
from calib.observations import BoardObservations
from calib.sampling import SamplingConfig, observe_session
from mv3d.errors import CalibrationError

_BLOCK = 6
_PEERS = ("OpenCV", "aniposelib")
_WORKER = Path(__file__).with_name("bench_rig_worker.py")
_LONGEST_S = 1800
Cameras = list[dict[str, Any]]


def run_mv3d(observations: BoardObservations) -> tuple[Cameras, float]:
    """This project, with its defaults."""
    start = time.perf_counter()
    result = calibrate_rig(observations, CalibrationConfig())
    seconds = time.perf_counter() - start
    return [{"K": c.lens.K, "d": c.lens.dist, "R": c.R, "t": c.t} for c in result.rig], seconds


def run_peer(name: str, python: str, observations: BoardObservations) -> tuple[Cameras, float]:
    """Another program; RuntimeError with its last word if it fails."""
    board = observations.board
    if not isinstance(board, Board):
        raise RuntimeError("the other programs are asked about boards of squares only")
    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder) / "question.npz", Path(folder) / "answer.npz"
        corners = {"xy": observations.xy, "sizes": observations.sizes, "points": board.points}
        np.savez(question, allow_pickle=False, squares=board.squares, square=board.square_m, **corners)
        command = [python, str(_WORKER), name, str(question), str(answer)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"took over {_LONGEST_S} s") from error
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise RuntimeError(lines[-1])
        with np.load(answer, allow_pickle=False) as found:
            parts = zip(found["K"], found["dist"], found["R"], found["t"], strict=True)
            return [{"K": K, "d": d, "R": R, "t": t} for K, d, R, t in parts], float(found["seconds"])


def load_scorer(path: Path) -> Callable[..., Any]:
    """The module's `score`; modules beside it can be imported by it."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path}: no Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.score


def main() -> None:
    """Detect, calibrate both halves with every program, score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("session", type=Path)
    parser.add_argument("--board", required=True)
    parser.add_argument("--scorer", type=Path, required=True)
    parser.add_argument("--peer-python", action="append", default=[], metavar="NAME=PATH", help=", ".join(_PEERS))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    observations = observe_session(arguments.session, load_board(arguments.board), SamplingConfig(cache=False))
    programs: dict[str, Callable[[BoardObservations], tuple[Cameras, float]]] = {"mv3d": run_mv3d}
    for item in arguments.peer_python:
        name, python = item.split("=", 1)
        programs[name] = lambda given, name=name, python=python: run_peer(name, python, given)
    score, block = load_scorer(arguments.scorer), np.arange(len(observations.frame_names)) // _BLOCK % 2
    rows = []
    for half in (0, 1):
        held = np.repeat((block == half)[None], len(observations.cameras), axis=0)
        for name, program in programs.items():
            row: dict[str, Any] = {"program": name, "half": half}
            try:
                cameras, seconds = program(observations.without(held))
            except (CalibrationError, RuntimeError) as error:
                row["failed"] = str(error)
            else:
                frames = np.flatnonzero(block == half)
                scores = score(cameras, observations.xy.copy(), observations.times, observations.board.points, frames)
                row |= {"s": round(seconds, 2), "scores": scores}
            rows.append(row)
            print(row, flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1, default=float) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
