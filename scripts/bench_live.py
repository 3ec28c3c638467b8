"""The causal filter against the whole sequence: error by lag, and the process time of a step.

    python scripts/bench_live.py                                    # 4 and 8 cameras, 2 seeds of 1000 frames
    python scripts/bench_live.py --families correlated --json bench_live.json

Families are those of `mv3d.synthetic.families`; `clean-noise` is white noise of 2 px, 10 % missing, 5 % wrong, the
worst case for a filter, `correlated` is a detector's. Ratios are mean errors over the offline sequence's on the same
keypoints, all frames counted, the first ones included. `cut off` is the offline solver that is shown 100 frames up to
the newest (on some thirty frames): what this model could reach without lag. Times are process time of one thread
without learning, which a live run does beside it; `five` is a frame of five people who cross and hide each other,
from detections to skeletons: who is who, and a filter each.
"""

import argparse
import json
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench_reconstruct_measures import Found, measure, run_mv3d, use_one_thread

from mv3d.data.rig import Rig
from mv3d.data.skeletons import BODY_25
from mv3d.reconstruct.causal import CausalReconstructor
from mv3d.reconstruct.causal_model import CausalConfig, Learning
from mv3d.reconstruct.causal_people import CausalPeople
from mv3d.reconstruct.people import PeopleConfig
from mv3d.synthetic.crowd import walking_crowd
from mv3d.synthetic.families import FAMILIES, Trial, make_trial

_WINDOW, _EVERY = 100, 11
_LAG = 5


def main() -> None:
    """One row for every family, number of cameras and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", default=["clean-noise", "correlated"], choices=list(FAMILIES))
    parser.add_argument("--views", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    use_one_thread()
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # means over joints that are never seen
    print(
        "| family | views | seed | offline mm | no lag | ratio | lag 5 | ratio | cut off, ratio | step p50 ms | p95 ms"
        " | lag 5 p95 ms | five p95 ms |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    )
    rows = []
    for family in arguments.families:
        for views in arguments.views:
            filtered(make_trial(FAMILIES[family], views, 50, 0), _LAG)  # compiles
            for seed in range(arguments.seeds):
                trial = make_trial(FAMILIES[family], views, arguments.frames, seed)
                rows.append({"family": family, "views": views, "seed": seed, **_row(trial)})
                print(_line(rows[-1]), flush=True)
                if arguments.json:
                    arguments.json.write_text(json.dumps({"frames": arguments.frames, "results": rows}, indent=1))


def _row(trial: Trial) -> dict[str, float]:
    offline = measure(trial, run_mv3d(trial, "sequence"))["mean_mm"]
    own, seconds = filtered(trial, 0)
    lagged, lagged_seconds = filtered(trial, _LAG)
    mean, lagged_mean = measure(trial, own)["mean_mm"], measure(trial, lagged)["mean_mm"]
    five = _five(trial.rig)
    return {
        "offline_mm": offline,
        "mean_mm": mean,
        "ratio": mean / offline,
        "lagged_mm": lagged_mean,
        "lagged_ratio": lagged_mean / offline,
        "cut_off_ratio": _cut_off_mm(trial) / offline,
        "p50_ms": 1e3 * float(np.percentile(seconds, 50)),
        "p95_ms": 1e3 * float(np.percentile(seconds, 95)),
        "lagged_p95_ms": 1e3 * float(np.percentile(lagged_seconds, 95)),
        "five_p95_ms": 1e3 * float(np.percentile(five, 95)),
    }


def _line(row: dict[str, float]) -> str:
    return (
        f"| {row['family']} | {row['views']} | {row['seed']} | {row['offline_mm']:.2f} | {row['mean_mm']:.2f}"
        f" | {row['ratio']:.2f} | {row['lagged_mm']:.2f} | {row['lagged_ratio']:.2f} | {row['cut_off_ratio']:.2f}"
        f" | {row['p50_ms']:.2f} | {row['p95_ms']:.2f} | {row['lagged_p95_ms']:.2f} | {row['five_p95_ms']:.2f} |"
    )


def filtered(trial: Trial, lag: int) -> tuple[Found, list[float]]:
    """The filter over a trial, and the seconds of every step in which it did not learn."""
    config = CausalConfig(lag=lag)
    reconstructor = CausalReconstructor(trial.rig, trial.skeleton, config)
    found, seconds = [], []
    for f, instant in enumerate(trial.timestamps):
        start = time.process_time()
        found.append(reconstructor.step(trial.xy[f], trial.score[f], float(instant)))
        if not config.is_time_to_learn(f + 1):
            seconds.append(time.process_time() - start)
    kept = [skeleton for skeleton in found if skeleton is not None] + reconstructor.finish()
    xyz, state, covariance = (np.stack([getattr(s, n) for s in kept]) for n in ("xyz", "state", "covariance"))
    return Found(xyz, state, covariance, sum(seconds)), seconds


def _five(rig: Rig) -> list[float]:
    """Seconds of a frame with five people who cross and hide each other, from detections to skeletons."""
    crowd = walking_crowd(rig, 5, 300, seed=0)
    config, people = CausalConfig(learn_at=(30,), learn_every=10_000), PeopleConfig(count=None)
    follower = CausalPeople(rig, BODY_25, people, config, Learning())
    seconds = []
    for f, instant in enumerate(crowd.timestamps):
        there = [crowd.person[name][f] >= 0 for name in rig.names]
        xy = [crowd.poses[name].xy[f][own].astype(float) for name, own in zip(rig.names, there, strict=True)]
        score = [crowd.poses[name].score[f][own].astype(float) for name, own in zip(rig.names, there, strict=True)]
        start = time.thread_time()
        follower.step(xy, score, float(instant))
        seconds.append(time.thread_time() - start)
    return seconds[60:]  # the first ones load kernels and learn


def _cut_off_mm(trial: Trial) -> float:
    """Mean error of the newest frame of windows that the offline solver is shown."""
    errors = []
    for newest in range(_WINDOW, len(trial.truth), max(_EVERY, len(trial.truth) // 30)):
        frames = slice(newest - _WINDOW, newest + 1)
        part = replace(
            trial,
            xy=trial.xy[frames],
            score=trial.score[frames],
            truth=trial.truth[frames],
            timestamps=trial.timestamps[frames],
        )
        found = run_mv3d(part, "sequence")
        errors.append(np.nanmean(np.linalg.norm(found.xyz[-1] - part.truth[-1], axis=-1)))
    return 1e3 * float(np.mean(errors))


if __name__ == "__main__":
    main()
