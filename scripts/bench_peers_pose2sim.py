"""Pose2Sim 0.10.49 on an exchange file of bench_peers.py; run by it in Pose2Sim's own environment.

    python bench_peers_pose2sim.py triangulated|filtered TRIAL.npz FOUND.npz

Calls the functions that its triangulation and filtering stages call for each point and each column, with the settings
of its own demo: 15 px, likelihood 0.3, two cameras, gaps under 20 frames interpolated; Hampel, then Butterworth of
order 4 at 6 Hz. Its files are left out, so that reading them is not timed. Longer gaps stay NaN instead of the last
value, which it would freeze: kinder to its errors, harder on its coverage. "triangulated" is before interpolation.
"""

import importlib
import sys
import time
from types import ModuleType

import numpy as np

_TRIANGULATION = {
    "reproj_error_threshold_triangulation": 15,
    "likelihood_threshold_triangulation": 0.3,
    "min_cameras_for_triangulation": 2,
    "handle_LR_swap": False,
    "undistort_points": False,
}
_LONGEST_GAP, _INTERPOLATION = 20, "linear"
_FILTERING = {"type": "butterworth", "butterworth": {"cut_off_frequency": 6, "order": 4}}


def main(method: str, question: str, answer: str) -> None:
    """Triangulate, filter when asked, write xyz and process time."""
    with np.load(question, allow_pickle=False) as loaded:
        trial = {name: loaded[name] for name in loaded.files}
    stages = importlib.import_module("Pose2Sim.triangulation"), importlib.import_module("Pose2Sim.filtering")
    start = time.process_time()
    xyz = _triangulated(stages[0], trial)
    if method == "filtered":
        xyz = _filtered(stages[1], xyz, float(trial["fps"]))
    np.savez(answer, xyz=xyz, seconds=time.process_time() - start)


def _triangulated(stage: ModuleType, trial: dict[str, np.ndarray]) -> np.ndarray:
    """Each point of each frame, cameras dropped until the reprojection error is small."""
    config = {"triangulation": _TRIANGULATION}
    extrinsics = np.concatenate([trial["R"], trial["t"][..., None]], axis=-1)
    P = [np.vstack([K @ Rt, [0, 0, 0, 1]]) for K, Rt in zip(trial["K"], extrinsics, strict=True)]
    unlikely = trial["score"] < _TRIANGULATION["likelihood_threshold_triangulation"]
    xy = np.where(unlikely[..., None], np.nan, trial["xy"])
    points = np.concatenate([xy, np.where(unlikely, np.nan, trial["score"])[..., None]], axis=-1)
    _, frames, joints, _ = points.shape
    xyz = np.full((frames, joints, 3), np.nan)
    for frame in range(frames):
        for joint in range(joints):
            own, other = points[:, frame, joint].T, points[:, frame, trial["mirror"][joint]].T
            xyz[frame, joint] = stage.triangulation_from_best_cameras(config, own, other, P, {})[0]
    return xyz


def _filtered(stage: ModuleType, xyz: np.ndarray, fps: float) -> np.ndarray:
    """Gaps interpolated, outliers rejected, low-pass: column by column, as its stages do."""
    pandas = importlib.import_module("pandas")
    interpolate = importlib.import_module("Pose2Sim.common").interpolate_zeros_nans
    columns = pandas.DataFrame(xyz.reshape(len(xyz), -1))
    columns = columns.apply(interpolate, axis=0, args=[_LONGEST_GAP, _INTERPOLATION])
    columns = columns.apply(stage.hampel_filter, axis=0)
    columns = columns.apply(stage.filter1d, axis=0, args=[{"filtering": _FILTERING}, "butterworth", fps])
    return columns.to_numpy().reshape(xyz.shape)


if __name__ == "__main__":
    main(*sys.argv[1:])
