"""Accuracy and speed of the reconstruction against plain triangulation, all on the same keypoints.

    python scripts/bench_reconstruct.py [KEYPOINTS.npz ...] [--frames 1000] [--json OUT.json]

Without files it makes its own walkers. A file holds K (C, 3, 3), D (C, n), R, t, size, kp (C, F, J, 2) px,
conf (C, F, J), gt (F, J, 3) m of BODY_25 and fps. Peers of the same run: the linear triangulation of all views that
OpenPose and aniposelib start from, and OpenCV's of the best pair of views. Times are medians of several runs, in points
(joints of a frame) per second of process time.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.data.rig import Rig
from mv3d.data.skeletons import BODY_25
from mv3d.geometry.triangulation import triangulate_dlt
from mv3d.reconstruct.observations import observe as undo_lenses
from mv3d.reconstruct.per_frame import TriangulationConfig, triangulate_frames
from mv3d.reconstruct.sequence import smooth_sequence
from mv3d.reconstruct.sequence_fit import SequenceConfig
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Keypoints with their truth."""

    name: str
    rig: Rig
    xy: np.ndarray  # (frame, view, joint, 2) px
    score: np.ndarray  # (frame, view, joint)
    truth: np.ndarray  # (frame, joint, 3) m
    timestamps: np.ndarray


def synthetic_case(views: int, frames: int, seed: int) -> Case:
    """A walker with 2 px of noise, 10 % missing and 5 % wrong by 40 to 300 px."""
    rig = camera_ring(views, seed=seed)
    truth, timestamps = walking_person(frames, seed=seed)
    poses = observe(rig, truth, timestamps, BODY_25, seed=seed)
    xy = np.stack([poses[name].xy[:, 0] for name in rig.names], axis=1)
    score = np.stack([poses[name].score[:, 0] for name in rig.names], axis=1)
    return Case(f"{views} views, seed {seed}", rig, xy.astype(float), score.astype(float), truth, timestamps)


def file_case(path: Path) -> Case:
    """Keypoints of a generator's file."""
    with np.load(path, allow_pickle=False) as d:
        cameras = [
            Camera(f"cam{i}", (int(w), int(h)), Pinhole(d["K"][i], d["D"][i]), d["R"][i], d["t"][i])
            for i, (w, h) in enumerate(d["size"])
        ]
        times = np.arange(len(d["gt"])) / float(d["fps"])
        score = np.nan_to_num(np.moveaxis(d["conf"], 0, 1))
        return Case(path.stem, Rig(tuple(cameras)), np.moveaxis(d["kp"], 0, 1), score, d["gt"], times)


def linear(case: Case) -> np.ndarray:
    """DLT of all views, lens distortion undone."""
    x_norm, P = _normalised(case)
    frames, _, joints = case.score.shape
    rows = np.moveaxis(x_norm, 1, 2).reshape(frames * joints, len(case.rig), 2)
    weight = (np.moveaxis(case.score, 1, 2).reshape(len(rows), -1) > 0).astype(float)
    return triangulate_dlt(P, rows, weight).reshape(frames, joints, 3)


def best_pair(case: Case) -> np.ndarray:
    """OpenCV's triangulatePoints of the two views with the highest scores, first come where they are equal."""
    x_norm, P = _normalised(case)
    frames, views, joints = case.score.shape
    order = np.argsort(-case.score, axis=1, kind="stable")[:, :2]
    out = np.full((frames, joints, 3), np.nan)
    for a in range(views):
        for b in range(views):
            f, j = np.nonzero(
                (order[:, 0] == a) & (order[:, 1] == b) & (np.take_along_axis(case.score, order, 1)[:, 1] > 0)
            )
            if len(f):
                h = cv2.triangulatePoints(P[a], P[b], x_norm[f, a, j].T, x_norm[f, b, j].T)
                out[f, j] = (h[:3] / h[3]).T
    return out


def _normalised(case: Case) -> tuple[np.ndarray, np.ndarray]:
    rays = np.stack([camera.lens.unproject(case.xy[:, v]) for v, camera in enumerate(case.rig)], axis=1)
    return rays[..., :2] / rays[..., 2:], np.stack([np.hstack([c.R, c.t[:, None]]) for c in case.rig])


def robust_frames(case: Case) -> np.ndarray:
    """mv3d, every frame on its own."""
    return triangulate_frames(undo_lenses(case.rig, case.xy, case.score), TriangulationConfig()).xyz


def robust_sequence(case: Case) -> np.ndarray:
    """mv3d, the whole sequence."""
    seen = undo_lenses(case.rig, case.xy, case.score)
    per_frame = triangulate_frames(seen, TriangulationConfig())
    return smooth_sequence(seen, per_frame, BODY_25, case.timestamps, SequenceConfig()).xyz


METHODS: dict[str, Callable[[Case], np.ndarray]] = {
    "OpenCV, best pair": best_pair,
    "DLT, all views": linear,
    "mv3d, per frame": robust_frames,
    "mv3d, sequence": robust_sequence,
}


def measure(case: Case, method: Callable[[Case], np.ndarray], repeats: int) -> dict[str, float]:
    """Error in mm against the truth, coverage, and speed."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        found = method(case)
        seconds.append(time.process_time() - start)
    error = np.linalg.norm(found - case.truth, axis=-1) * 1e3
    return {
        "mean_mm": float(np.nanmean(error)),
        "p99_mm": float(np.nanpercentile(error, 99)),
        "over_50mm": float(np.nanmean(error > 50)),
        "coverage": float(np.isfinite(error).mean()),
        "points_per_s": float(error.size / np.median(seconds)),
    }


def main() -> None:
    """Print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("keypoints", nargs="*", type=Path, help="npz files; synthetic walkers without")
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    for method in METHODS.values():  # numba compiles before the clock starts
        method(synthetic_case(4, 20, 0))
    cases = [file_case(p) for p in arguments.keypoints]
    cases = cases or [synthetic_case(v, arguments.frames, s) for v, s in ((4, 0), (4, 1), (8, 0))]
    print(f"{'':<22}{'method':<20}{'mean mm':>9}{'99 % mm':>9}{'>50 mm':>9}{'covered':>9}{'points/s':>11}")
    results = {}
    for case in cases:
        for name, method in METHODS.items():
            row = results[f"{case.name}: {name}"] = measure(case, method, arguments.repeats)
            print(
                f"{case.name:<22}{name:<20}{row['mean_mm']:>9.2f}{row['p99_mm']:>9.1f}{row['over_50mm']:>9.2%}"
                f"{row['coverage']:>9.1%}{row['points_per_s']:>11,.0f}"
            )
    if arguments.json:
        document = {"machine": platform.processor() or platform.machine(), "results": results}
        arguments.json.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
