"""Bone lengths under a fixed lag, on the keypoints of a session: what a live preview could show.

    mv3d demo --out SESSION
    python scripts/bench_fixed_lag.py SESSION [--lag 20] [--window 100] [--mode sequence]

Frame t is kept from a reconstruction of the frames t + lag - window + 1 to t + lag alone, as if the rest of the future
were not there yet. The performer is chosen on the whole session, which a live run would do with one frame's delay.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench_reconstruct_measures import use_one_thread

from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.files.keypoints import read_keypoints
from mv3d.files.multiview import match_times
from mv3d.files.recording import session_rig
from mv3d.reconstruct.keypoints import Keypoints, reconstruct_keypoints, select_performer
from mv3d.reconstruct.quality import measure_quality
from mv3d.reconstruct.reconstruction import ReconstructConfig


def main() -> None:
    """Whole session and fixed lag, next to each other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("session", type=Path)
    parser.add_argument("--lag", type=int, default=20, help="frames of the future that are seen")
    parser.add_argument("--window", type=int, default=100, help="frames that are reconstructed at once")
    parser.add_argument("--mode", choices=["frame", "sequence"], default="sequence")
    arguments = parser.parse_args()
    use_one_thread()
    config = ReconstructConfig(mode=arguments.mode, allow_empty_views=True)
    rig, keypoints = _session(arguments.session, config)
    whole, chosen = reconstruct_keypoints(rig, keypoints, config)
    lagged = fixed_lag(rig, keypoints, config, arguments.lag, arguments.window)
    print("| | bone length CV | worst bone | jitter mm | limb joints measured | filled |")
    print("|---|---|---|---|---|---|")
    for name, poses in (("whole session", whole), (f"lag of {arguments.lag} frames", lagged)):
        quality = measure_quality(rig, chosen.xy, chosen.score, poses, config.triangulation)
        limbs = list(quality.limb_joints)
        print(
            f"| {name} | {np.nanmean(quality.bone_cv):.2%} | {np.nanmax(quality.bone_cv):.2%} | {quality.jitter_mm:.2f}"
            f" | {quality.measured[limbs].mean():.1%} | {quality.filled[limbs].mean():.1%} |"
        )


def fixed_lag(rig: Rig, keypoints: Keypoints, config: ReconstructConfig, lag: int, window: int) -> Poses3D:
    """Every frame from a window that ends `lag` frames after it (or with the session).

    Score, covariance and the like are those of the whole session; only positions and states are the window's.
    """
    frames = len(keypoints.timestamps)
    whole, _ = reconstruct_keypoints(rig, keypoints, config)
    xyz, state = whole.xyz.copy(), whole.state.copy()
    for frame in range(frames):
        last = min(frame + lag + 1, frames)
        first = max(0, last - window)
        seen, _ = reconstruct_keypoints(rig, _part(keypoints, slice(first, last)), config)
        xyz[frame], state[frame] = seen.xyz[frame - first], seen.state[frame - first]
    return replace(whole, xyz=xyz, state=state)


def _part(keypoints: Keypoints, frames: slice) -> Keypoints:
    per_frame = ("timestamps", "xy", "score", "peaks_xy", "peaks_score")
    present = {name: getattr(keypoints, name) for name in per_frame if getattr(keypoints, name) is not None}
    return replace(keypoints, **{name: array[frames] for name, array in present.items()})


def _session(root: Path, config: ReconstructConfig) -> tuple[Rig, Keypoints]:
    session = Session(root)
    rig = session_rig(session)
    poses = [read_keypoints(session.pose2d, rig.names)[name] for name in rig.names]
    timeline = match_times([p.timestamps for p in poses])
    return rig, select_performer(rig, poses, timeline.timestamps, timeline.index, timeline.present, config)


if __name__ == "__main__":
    main()
