"""How near a fitted body is to the truth, and how fast: synthetic trials, or sessions given by their folders.

python scripts/bench_motion.py [SESSION ...] [--minutes 0.5]
"""

import argparse
import resource
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from mv3d.data.poses import Poses3D
from mv3d.motion.fit import Fitted, fit_motion, site_positions
from mv3d.reconstruct.reconstruction import ReconstructConfig, reconstruct_person
from mv3d.synthetic.families import FAMILIES, make_trial

_FAMILIES = ("clean-noise", "dance", "box", "jump", "sit", "bursts", "drifts", "correlated-dance")


def main() -> None:
    """Print a line a trial or session."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sessions", nargs="*", type=Path)
    parser.add_argument("--minutes", type=float, default=0.0, help="also time a recording of this length at 60 fps")
    arguments = parser.parse_args()
    print("trial              to xyz mm   xyz to truth mm   fit to truth mm   bone error mm   jump deg")
    for folder in arguments.sessions:
        poses = Poses3D.load(folder / "pose3d.npz")
        fitted = fit_motion(poses)
        print(f"{folder.name:18} {1000 * np.nanmedian(fitted.residual):9.2f}{'':52}{_jump(fitted):8.1f}")
    for name in () if arguments.sessions else _FAMILIES:
        trial = make_trial(FAMILIES[name], 4, 300, 3)
        observed = (trial.xy, trial.score, trial.timestamps)
        poses = reconstruct_person(trial.rig, trial.skeleton, *observed, ReconstructConfig())
        print(f"{name:18} {_row(poses, fit_motion(poses), trial.truth)}")
    if arguments.minutes:
        _time(arguments.minutes)


def _row(poses: Poses3D, fitted: Fitted, truth: np.ndarray) -> str:
    keypoints = [site.keypoint for site in fitted.body.sites]
    places = site_positions(fitted.motion, fitted.body)
    to_truth = [np.linalg.norm(x - truth[:, keypoints], axis=-1) for x in (poses.xyz[:, 0][:, keypoints], places)]
    index, ends = poses.skeleton.index, {"Knee": "Hip", "Ankle": "Knee", "Elbow": "Shoulder", "Wrist": "Elbow"}
    errors = []
    for bone in (bone for bone in fitted.body.bones if bone.name[1:] in ends):
        way = truth[0, index(bone.name)] - truth[0, index(bone.name[0] + ends[bone.name[1:]])]
        errors.append(abs(bone.length - np.linalg.norm(way)))
    medians = [1000 * np.nanmedian(v) for v in (fitted.residual, *to_truth, np.array(errors))]
    return "{:9.2f}{:18.2f}{:18.2f}{:16.2f}".format(*medians) + f"{_jump(fitted):11.1f}"


def _jump(fitted: Fitted) -> float:
    """Largest turn of a joint from one frame to the next, degrees."""
    R = fitted.motion.rotations
    return float(np.degrees(2 * np.arcsin(np.linalg.norm(R[1:] - R[:-1], axis=(-2, -1)) / np.sqrt(8)).max(initial=0)))


def _time(minutes: float) -> None:
    """A walk repeated to the length asked; its seams cost no more than other frames."""
    trial = make_trial(FAMILIES["clean-noise"], 4, 600, 3)
    poses = reconstruct_person(trial.rig, trial.skeleton, trial.xy, trial.score, trial.timestamps, ReconstructConfig())
    fit_motion(poses)
    times = -(-int(minutes * 3600) // len(poses))
    arrays = ("xyz", "score", "reprojection_error", "n_views", "covariance", "state", "xyz_per_frame")
    repeated = {name: np.tile(getattr(poses, name), (times, *[1] * (getattr(poses, name).ndim - 1))) for name in arrays}
    long = replace(poses, **repeated, timestamps=np.arange(times * len(poses)) / 60)
    wall, cpu = time.perf_counter(), time.process_time()
    fit_motion(long)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{len(long)} frames: {wall:.0f} s, {cpu:.0f} s of one core, at most {peak:.2f} GB")


if __name__ == "__main__":
    main()
