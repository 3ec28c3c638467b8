"""Time and memory of long sessions, from keypoint files to the npz, through `mv3d reconstruct`.

    python scripts/bench_hours.py --hours 1 --views 8                         # one hour, 8 cameras, 25 joints, 60 fps
    python scripts/bench_hours.py --hours 0.05 0.1 0.2 --views 4 8 16 --json bench_hours.json

A walker with white noise of 2 px, 10 % missing and 5 % wrong is written as one npz a camera; then the command runs as
a process of its own with one thread: its process time, wall time and peak of resident memory are what the table says.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from bench_reconstruct_measures import use_one_thread

from mv3d.data.poses import Poses2D
from mv3d.data.skeletons import BODY_25
from mv3d.synthetic.faults import Faults, detect
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring

_FPS = 60.0
# Frames whose keypoints are drawn at once, so that an hour does not have to lie in memory several times.
_BLOCK = 3600


def main() -> None:
    """Every number of cameras for every length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", nargs="+", type=float, default=[1.0])
    parser.add_argument("--views", nargs="+", type=int, default=[8])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    use_one_thread()
    print("| hours | views | process time s | wall time s | peak memory GB | points/s |")
    print("|---|---|---|---|---|---|")
    results = []
    for views in arguments.views:
        for hours in arguments.hours:
            row = _measure(hours, views)
            results.append(row)
            print(
                f"| {hours:g} | {views} | {row['process_s']:.1f} | {row['wall_s']:.1f} | {row['peak_gb']:.2f}"
                f" | {row['points_per_s']:,.0f} |",
                flush=True,
            )
            if arguments.json:
                arguments.json.write_text(json.dumps({"results": results}, indent=1))


def _measure(hours: float, views: int) -> dict[str, float]:
    frames = round(hours * 3600 * _FPS)
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), frames, views)
        command = [sys.executable, "-m", "mv3d.cli", "reconstruct", "--quiet"]
        for flag, name in (("--rig", "cameras.yaml"), ("--keypoints", "keypoints"), ("--out", "pose3d.npz")):
            command += [flag, str(Path(folder) / name)]
        start = time.monotonic()
        child = os.posix_spawn(sys.executable, command, os.environ)
        _, status, usage = os.wait4(child, 0)
        wall = time.monotonic() - start
    if status != 0:
        raise RuntimeError(f"mv3d reconstruct ended with status {os.waitstatus_to_exitcode(status)}")
    seconds = usage.ru_utime + usage.ru_stime
    # Linux counts the peak in KiB.
    peak = usage.ru_maxrss * 1024 / 1e9
    points = frames * len(BODY_25) / seconds
    return {
        "hours": hours,
        "views": views,
        "process_s": seconds,
        "wall_s": wall,
        "peak_gb": peak,
        "points_per_s": points,
    }


def _write(folder: Path, frames: int, views: int) -> None:
    """Rig and keypoints as files."""
    rig = camera_ring(views, seed=0)
    rig.save(folder / "cameras.yaml")
    (folder / "keypoints").mkdir()
    xyz, timestamps = walking_person(frames, fps=_FPS, seed=0)
    xy = np.empty((views, frames, 1, len(BODY_25), 2), np.float32)
    score = np.empty((views, frames, 1, len(BODY_25)), np.float32)
    for first in range(0, frames, _BLOCK):
        block = slice(first, first + _BLOCK)
        found = detect(rig, xyz[block], timestamps[block], BODY_25, Faults(), seed=first)
        xy[:, block, 0], score[:, block, 0] = (np.moveaxis(array, 1, 0) for array in found)
    for v, name in enumerate(rig.names):
        Poses2D(BODY_25, xy[v], score[v], timestamps).save(folder / "keypoints" / f"{name}.npz")


if __name__ == "__main__":
    main()
