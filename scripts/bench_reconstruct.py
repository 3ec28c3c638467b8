"""Accuracy, honesty and speed of the reconstruction on keypoints with truth, next to its peers.

    python scripts/bench_reconstruct.py --generator GEN.py --peer-python Pose2Sim=VENV/bin/python \
        --peer-python aniposelib=VENV/bin/python --json bench_reconstruct.json
    python scripts/bench_reconstruct.py --quick            # 2 seeds of 300 frames
    python scripts/bench_reconstruct.py --families correlated hard --views 4

mv3d runs through `reconstruct_person`, as its commands do, once a mode. Families are those of
`mv3d.synthetic.families`, and with --generator those of a module with generate(cams, frames, seed, hard=, dist=,
scores=): main, hard, main-distorted, hard-scored. Peers run in Python environments of their own (pip install
pose2sim==0.10.49, aniposelib==0.8) on the same keypoints, lens distortion undone for them. EasyMocap is not on PyPI and
is left out. Every cell is "median / worst" over the seeds; points are joints of a frame, per second of process time of
one thread. Long sessions: bench_hours.py; plots: bench_plots.py; fixed lag: bench_fixed_lag.py.
"""

import argparse
import json
import platform
import warnings
from collections.abc import Callable
from pathlib import Path

from bench_generator import GENERATED, generated_trial
from bench_peers import PEERS, Peer, peers_of, run_peer
from bench_reconstruct_measures import (
    COLUMNS,
    Found,
    measure,
    over_seeds,
    run_linear,
    run_mv3d,
    table_line,
    use_one_thread,
)

from mv3d.errors import Mv3dError
from mv3d.synthetic.families import FAMILIES, Trial, make_trial

OWN_METHODS: dict[str, Callable[[Trial], Found]] = {
    "DLT, all views": run_linear,
    "mv3d, per frame": lambda trial: run_mv3d(trial, "frame"),
    "mv3d, sequence": lambda trial: run_mv3d(trial, "sequence"),
}


def main() -> None:
    """Run every family, print the table as it grows, write the JSON after every family."""
    arguments = _arguments()
    use_one_thread()
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # means over joints that are never seen
    peers = peers_of(arguments.peer_python)
    print("| family | views | method | " + " | ".join(column.heading for column in COLUMNS) + " |")
    print("|---" * (3 + len(COLUMNS)) + "|")
    for name in PEERS:
        if name not in peers:
            print(f"| | | {name}: not installed |" + " |" * len(COLUMNS))
    document = {"machine": platform.processor() or platform.machine(), "frames": arguments.frames, "results": []}
    warmed: set[int] = set()
    for family in arguments.families:
        for views in _views(family, arguments.views):
            if views not in warmed:  # numba compiles before the clock starts
                _warm_up(views)
                warmed.add(views)
            document["results"] += _family(family, views, arguments, peers)
            if arguments.json:
                arguments.json.write_text(json.dumps(document, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", help="all by default")
    parser.add_argument("--views", nargs="+", type=int, default=[4, 8])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="2 seeds of 300 frames")
    parser.add_argument("--generator", type=Path, help="a module with generate(), for the families main and hard")
    parser.add_argument("--peer-python", action="append", default=[], metavar="NAME=PATH", help="peer's interpreter")
    parser.add_argument("--peer-seeds", type=int, default=10, help="peers take minutes a seed")
    parser.add_argument("--peer-families", nargs="+", help="families on which the peers run; all by default")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seeds, arguments.frames = 2, 300
    known = [*(GENERATED if arguments.generator else ()), *FAMILIES]
    arguments.families = arguments.families or known
    unknown = [name for name in arguments.families if name not in known]
    if unknown:
        parser.error(f"no family {', '.join(unknown)}; there are {', '.join(known)} (main and hard need --generator)")
    return arguments


def _views(family: str, asked: list[int]) -> tuple[int, ...]:
    own = FAMILIES[family].views if family in FAMILIES else None
    return own or tuple(asked)


def _trial(family: str, views: int, seed: int, arguments: argparse.Namespace) -> Trial:
    if family in GENERATED:
        return generated_trial(arguments.generator, family, views, arguments.frames, seed)
    return make_trial(FAMILIES[family], views, arguments.frames, seed)


def _warm_up(views: int) -> None:
    trial = make_trial(FAMILIES["clean-noise"], views, 60, 0)
    for method in OWN_METHODS.values():
        method(trial)


def _family(family: str, views: int, arguments: argparse.Namespace, peers: dict[str, Peer]) -> list[dict]:
    """Measure all methods on all seeds and print one line a method."""
    measured: dict[str, list[dict[str, float]]] = {}
    failures: dict[str, str] = {}
    for seed in range(arguments.seeds):
        trial = _trial(family, views, seed, arguments)
        for name, method in OWN_METHODS.items():
            _measure_into(measured, failures, name, trial, lambda t, m=method: m(t))
        if seed < arguments.peer_seeds and family in (arguments.peer_families or [family]):
            for name, peer in peers.items():
                _measure_into(measured, failures, name, trial, lambda t, p=peer: run_peer(p, t))
    results = []
    for name, rows in measured.items():
        summary = over_seeds(rows)
        note = f" ({len(rows)} seeds)" if len(rows) < arguments.seeds else ""
        print(f"| {family} | {views} | {name}{note} | {table_line(summary)} |", flush=True)
        results.append({"family": family, "views": views, "method": name, "seeds": rows, "summary": summary})
    for name, problem in failures.items():
        print(f"| {family} | {views} | {name}: {problem} |" + " |" * len(COLUMNS), flush=True)
    return results


def _measure_into(
    measured: dict[str, list[dict[str, float]]],
    failures: dict[str, str],
    name: str,
    trial: Trial,
    method: Callable[[Trial], Found],
) -> None:
    """One seed of one method. A failure is a line of the table, not the end of the run."""
    try:
        found = method(trial)
    except (Mv3dError, ValueError, ArithmeticError, RuntimeError) as error:
        failures[name] = f"failed, {type(error).__name__}: {' '.join(str(error).split())[:120]}"
        return
    measured.setdefault(name, []).append(measure(trial, found))


if __name__ == "__main__":
    main()
