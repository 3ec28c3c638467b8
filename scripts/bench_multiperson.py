"""Several people: who is found, how near, how often taken for another, ghosts, and the time of a step.

    python scripts/bench_multiperson.py                                   # 2, 4 and 6 walkers, 5 cameras, 2 seeds
    python scripts/bench_multiperson.py --people 6 --views 8 --frames 1800 --json bench_multiperson.json

Walkers of `mv3d.synthetic.crowd` cross a circle of 1.6 m; bodies hide what is behind them, half of what shows all the
same lies on the body in front; noise of 2 px, 10 % missing, 5 % wrong. Online: the tracker alone, frame by frame.
Reconstructed: the same through `reconstruct`. Times are process time of one thread.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from bench_reconstruct_measures import use_one_thread

from mv3d.api import reconstruct
from mv3d.data.rig import Rig
from mv3d.data.skeletons import BODY_25
from mv3d.reconstruct.people import PeopleConfig, PeopleTracker
from mv3d.synthetic.crowd import Crowd, walking_crowd
from mv3d.synthetic.rigs import camera_ring

_NEAR_M = 0.05
# Somebody who is further from everybody, in the median over joints, is nobody.
_GHOST_M = 0.3
_FPS = 30.0
_CROWDED, _CROWDED_FRAMES = 300, 30


def main() -> None:
    """One row for every number of people and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="+", default=[2, 4, 6])
    parser.add_argument("--views", type=int, default=5)
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    use_one_thread()
    rig = camera_ring(arguments.views, radius=5.0, seed=0)
    _online(rig, walking_crowd(rig, 2, 10, seed=0))  # compiles
    print(
        "| people | seed | near, online | near, reconstructed | mean mm | switches a minute | longest ghost, frames"
        " | step p50 ms | p95 ms |\n|---|---|---|---|---|---|---|---|---|"
    )
    random, same = _crowded(rig)
    rows = []
    for people in arguments.people:
        for seed in range(arguments.seeds):
            crowd = walking_crowd(rig, people, arguments.frames, fps=_FPS, seed=seed)
            row = {"people": people, "seed": seed, **_online(rig, crowd), **_reconstructed(rig, crowd)}
            rows.append(row)
            print(
                f"| {people} | {seed} | {row['near_online']:.1%} | {row['near']:.1%} | {row['mean_mm']:.1f}"
                f" | {row['switches_per_minute']:.1f} | {row['longest_ghost']} | {row['p50_ms']:.2f}"
                f" | {row['p95_ms']:.2f} |",
                flush=True,
            )
            if arguments.json:
                arguments.json.write_text(json.dumps({"results": rows}, indent=1))
    print(f"\n{_CROWDED} detections in a frame: {1e3 * random:.0f} ms at random, {1e3 * same:.0f} ms all of one walker")


def _crowded(rig: Rig) -> list[float]:
    """Seconds of frames of 300 detections, by kind: at random, and the worst, all of one walker a few px apart."""
    rng = np.random.default_rng(0)
    walker = walking_crowd(rig, 1, _CROWDED_FRAMES, fps=_FPS, seed=0)
    kinds = []
    for same in (False, True):
        tracker, seconds = PeopleTracker(rig, BODY_25, PeopleConfig(count=None)), []
        for f in range(_CROWDED_FRAMES):
            each = _CROWDED // len(rig)
            xy = [rng.uniform(0, 1000, (each, 25, 2)) for _ in rig]
            if same:
                xy = [walker.poses[name].xy[f, 0] + rng.normal(0, 3, (each, 25, 2)) for name in rig.names]
            start = time.thread_time()
            tracker.step(xy, [np.isfinite(own[..., 0]) * 0.9 for own in xy], f / _FPS)
            seconds.append(time.thread_time() - start)
        kinds.append(max(seconds))
    return kinds


def _online(rig: Rig, crowd: Crowd) -> dict[str, float]:
    tracker = PeopleTracker(rig, BODY_25, PeopleConfig(count=None))
    frames, people = crowd.xyz.shape[:2]
    near, number = np.zeros(crowd.xyz.shape[:3], bool), np.full((frames, people), -1)
    seconds, ghosts = [], {}
    for f in range(frames):
        there = [crowd.person[name][f] >= 0 for name in rig.names]
        xy = [crowd.poses[name].xy[f][t].astype(float) for name, t in zip(rig.names, there, strict=True)]
        score = [crowd.poses[name].score[f][t].astype(float) for name, t in zip(rig.names, there, strict=True)]
        start = time.process_time()
        found = tracker.step(xy, score, float(crowd.timestamps[f]))
        seconds.append(time.process_time() - start)
        for seen in found:
            distance = np.linalg.norm(seen.xyz - crowd.xyz[f], axis=-1)
            middle = np.nanmedian(distance, axis=1)
            who = int(np.nanargmin(middle))
            if seen.confirmed and middle[who] > _GHOST_M:
                ghosts[seen.person] = ghosts.get(seen.person, 0) + 1
            elif seen.confirmed:
                near[f, who] |= distance[who] < _NEAR_M
                number[f, who] = seen.person
    known = [number[number[:, p] >= 0, p] for p in range(people)]
    switches = sum(int((np.diff(own) != 0).sum()) for own in known)
    return {
        "near_online": float(near.mean()),
        "switches_per_minute": switches / (frames / _FPS / 60),
        "longest_ghost": max(ghosts.values(), default=0),
        "p50_ms": 1e3 * float(np.percentile(seconds, 50)),
        "p95_ms": 1e3 * float(np.percentile(seconds, 95)),
    }


def _reconstructed(rig: Rig, crowd: Crowd) -> dict[str, float]:
    poses = reconstruct(rig, crowd.poses, people=None)
    distance = np.linalg.norm(poses.xyz[:, :, None] - crowd.xyz[:, None], axis=-1)
    best = distance[:, np.nanmedian(distance, axis=(0, 3)).argmin(0), np.arange(crowd.xyz.shape[1])]
    return {"near": float((best < _NEAR_M).mean()), "mean_mm": 1e3 * float(np.nanmean(best))}


if __name__ == "__main__":
    main()
