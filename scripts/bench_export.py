"""Time, memory and size of every export of a long recording: python scripts/bench_export.py [--minutes 60] [--out DIR].

A walking performer of 25 joints with gaps; the motion is made from the same walk, so that no fit is timed. Each format
is written by a process of its own, whose peak memory counts all: the skeletons too. The table goes to the terminal and
the figures to bench_export.json.
"""

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mv3d.data.motion import Armature, Motion
from mv3d.data.poses import MEASURED, MISSING, Poses3D
from mv3d.data.skeletons import BODY_25
from mv3d.export.check import check_export
from mv3d.export.formats import FORMATS
from mv3d.export.registry import export_jobs
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.synthetic.performer import walking_person

_FPS = 60.0
# s of walk that are made; longer recordings repeat them.
_WALK_SECONDS = 60
# Cameras of the OpenPose files: one folder of a file a frame each.
_CAMERAS = ("cam01",)
_MISSING_SHARE = 0.02


def recording(minutes: float) -> Poses3D:
    """A walk, over and over, with two in a hundred points missing."""
    frames = round(minutes * 60 * _FPS)
    walk, _ = walking_person(min(frames, round(_WALK_SECONDS * _FPS)), fps=_FPS)
    xyz = np.resize(walk, (frames, 1, 25, 3))
    state = np.where(np.random.default_rng(0).random(xyz.shape[:3]) < _MISSING_SHARE, MISSING, MEASURED).astype(
        np.uint8
    )
    here = state != MISSING
    xyz[~here] = np.nan
    return Poses3D(
        skeleton=BODY_25,
        xyz=xyz,
        score=np.where(here, np.float32(0.8), np.float32(0)),
        reprojection_error=np.where(here, np.float32(1.5), np.float32(np.nan)),
        n_views=np.where(here, 4, 0).astype(np.uint8),
        covariance=np.where(here[..., None, None], np.float32(1e-5) * np.eye(3, dtype=np.float32), np.float32(np.nan)),
        state=state,
        xyz_per_frame=xyz,
        timestamps=np.arange(frames) / _FPS,
        cameras=_CAMERAS,
    )


def movement(frames: int) -> Motion:
    """A chain of 25 joints that swing, each at its own pace."""
    ends = np.full((25, 3), np.nan)
    ends[24] = 0, 0, 0.1
    offsets = np.array([[0, 0, 0.0 if j == 0 else 0.08] for j in range(25)])
    armature = Armature("chain", BODY_25.keypoints, tuple(range(-1, 24)), offsets, ends)
    period = round(_WALK_SECONDS * _FPS)
    t = np.arange(min(frames, period))[:, None] / _FPS * 2 * np.pi
    angles = 0.3 * np.sin(t * np.linspace(0.5, 2, 25))
    swing = rotation_from_vector(angles[..., None] * np.array([0.6, 0.8, 0.0]))
    rotations = np.resize(swing, (frames, 25, 3, 3))
    return Motion(armature, rotations, np.zeros((frames, 3)), np.arange(frames) / _FPS)


def export_once(format: str, minutes: float, folder: str, check: bool, results: multiprocessing.Queue) -> None:
    """Make the recording, write it in one format, and report seconds and peak memory."""
    poses = recording(minutes)
    motions = [movement(len(poses))] if FORMATS[format].motion else None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kernels are compiled on a second of it, once for all runs.
    for _, job in export_jobs(recording(1 / 60), folder, [format], "head", motions=motions and [movement(60)]):
        FORMATS[format].write(job)
    start, cpu = time.perf_counter(), time.process_time()
    jobs = export_jobs(poses, folder, [format], "hour", motions=motions)
    for _, job in jobs:
        FORMATS[format].write(job)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    said = [check_export(format, job) for _, job in jobs] if check else []
    results.put(
        {
            "format": format,
            "seconds": seconds,
            "cpu_seconds": cpu,
            "peak_gb": peak * 1024 / 1e9,
            "before_gb": before * 1024 / 1e9,
            "check_seconds": time.perf_counter() - start,
            "check": said,
        }
    )


def size_of(folder: Path) -> float:
    """MB of the files of the recording."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name.startswith("hour")]
    return sum(path.stat().st_size for path in paths) / 1e6


def main() -> None:
    """Run the formats one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--formats", nargs="+", default=[name for name in FORMATS if name != "fbx"])
    parser.add_argument("--check", action="store_true", help="read the files back too")
    parser.add_argument("--out", type=Path, default=Path("bench_export.json"))
    arguments = parser.parse_args()
    context, rows = multiprocessing.get_context("spawn"), []
    for format in arguments.formats:
        folder = Path(tempfile.mkdtemp(prefix="mv3d-bench-"))
        try:
            results = context.Queue()
            args = format, arguments.minutes, str(folder), arguments.check, results
            process = context.Process(target=export_once, args=args)
            process.start()
            row = results.get(timeout=3600)
            process.join()
            row["megabytes"] = size_of(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        rows.append(row)
        print(
            f"{format:<10}{row['seconds']:8.1f} s{row['cpu_seconds']:8.1f} s CPU{row['peak_gb']:7.2f} GB peak"
            f"{row['megabytes']:9.0f} MB",
            *row["check"],
            flush=True,
        )
    total = {"seconds": sum(row["seconds"] for row in rows), "peak_gb": max(row["peak_gb"] for row in rows)}
    print(f"{'together':<10}{total['seconds']:8.1f} s{'':14}{total['peak_gb']:7.2f} GB peak")
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": sys.version.split()[0]}
    document = {
        "minutes": arguments.minutes,
        "fps": _FPS,
        "joints": 25,
        "machine": machine,
        "total": total,
        "formats": rows,
    }
    arguments.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
