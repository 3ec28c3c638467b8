"""Other programs on the same keypoints, each in a Python environment of its own (for bench_reconstruct.py).

A worker script reads an npz of pixels and cameras and writes the points of each of its methods with their process time.
The keypoints are handed over with lens distortion undone, onto the pinhole of the same K: what a peer does about
distortion is no part of the comparison.
"""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench_reconstruct_measures import Found, without_covariance

from mv3d.synthetic.families import Trial

_WORKERS = {"Pose2Sim": "bench_peers_pose2sim.py", "aniposelib": "bench_peers_aniposelib.py"}
PEERS = {
    "Pose2Sim, triangulation": ("Pose2Sim", "triangulated"),
    "Pose2Sim, Hampel and Butterworth": ("Pose2Sim", "filtered"),
    "aniposelib, triangulation": ("aniposelib", "triangulated"),
    "aniposelib, optim with constraints": ("aniposelib", "optimised"),
}
"""Methods by their name in the table: the program and the name in its worker's answer."""
_LONGEST_S = 3600


@dataclass(frozen=True, slots=True)
class Peer:
    """One method of a program that is installed: its interpreter, its worker script and the method's name there."""

    python: Path
    worker: Path
    method: str


def peers_of(given: list[str]) -> dict[str, Peer]:
    """The methods of the programs given as NAME=PATH of an interpreter.

    Raises:
        ValueError: an unknown program, or no such interpreter.
    """
    pythons = dict(item.split("=", 1) for item in given)
    unknown = [name for name in pythons if name not in _WORKERS]
    missing = [path for path in pythons.values() if not Path(path).is_file()]
    if unknown or missing:
        raise ValueError(f"--peer-python knows {', '.join(_WORKERS)}; unknown or not there: {unknown + missing}")
    here = Path(__file__).parent
    return {
        title: Peer(Path(pythons[program]), here / _WORKERS[program], method)
        for title, (program, method) in PEERS.items()
        if program in pythons
    }


def run_peer(peer: Peer, trial: Trial) -> Found:
    """Run one method; its process time is that of the computation, without start, imports and files.

    Raises:
        RuntimeError: the worker failed or took over an hour.
    """
    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder) / "trial.npz", Path(folder) / "found.npz"
        np.savez(question, allow_pickle=False, **_exchange(trial))
        command = [str(peer.python), str(peer.worker), peer.method, str(question), str(answer)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"took over {_LONGEST_S} s") from error
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no message")
        with np.load(answer, allow_pickle=False) as found:
            return without_covariance(found["xyz"], float(found["seconds"]))


def _exchange(trial: Trial) -> dict[str, np.ndarray]:
    """Cameras and pixels of a perfect pinhole (view, frame, joint, 2), rigid bones and mirrored joints."""
    K = np.stack([camera.lens.K for camera in trial.rig])
    xy = []
    for v, camera in enumerate(trial.rig):
        ray = camera.lens.unproject(trial.xy[:, v])
        xy.append((ray @ K[v].T)[..., :2] / ray[..., 2:])
    return {
        "K": K,
        "R": np.stack([camera.R for camera in trial.rig]),
        "t": np.stack([camera.t for camera in trial.rig]),
        "size": np.array([camera.size for camera in trial.rig]),
        "xy": np.stack(xy),
        "score": np.moveaxis(trial.score, 1, 0),
        "fps": np.array(1 / np.median(np.diff(trial.timestamps))),
        "bones": np.array(trial.skeleton.bones),
        "mirror": trial.skeleton.mirror,
    }
