"""Left-out error of every joint of a session that was run: python scripts/joint_errors.py SESSION.

For each joint the median distance (px) of a view's detections from the projection of what the other views triangulate,
its mean over the views, and how often the joint is seen. The session's pose2d/ is read; nothing is written.
"""

import sys
from pathlib import Path

import numpy as np

from mv3d.api import read_keypoints
from mv3d.config import Config
from mv3d.data.session import Session
from mv3d.files.multiview import match_times
from mv3d.files.recording import session_rig
from mv3d.reconstruct.keypoints import reconstruct_keypoints
from mv3d.reconstruct.observations import observe
from mv3d.reconstruct.people_selection import select_people
from mv3d.reconstruct.quality import left_out

_FEET = ("BigToe", "SmallToe", "Heel")


def main(root: str) -> None:
    """Print a line a joint, then ankles and feet."""
    session, config = Session(Path(root)), Config().reconstruct
    rig = session_rig(session)
    poses = list(read_keypoints(session.pose2d, rig).values())
    times = match_times([p.timestamps for p in poses])
    performer = select_people(rig, poses, times.timestamps, times.index, times.present, config)[0]
    _, used = reconstruct_keypoints(rig, performer, config)
    observations, names = observe(rig, used.xy, used.score), poses[0].skeleton.keypoints
    errors = np.array([left_out(observations, (joint,), config.triangulation) for joint in range(len(names))])
    seen = (used.score > 0).mean((0, 1))
    for name, error, share in zip(names, errors, seen, strict=True):
        views = " ".join(f"{value:6.1f}" for value in error)
        sys.stdout.write(f"{name:10} {np.nanmean(error):6.1f} px  seen {share:4.0%}  by view {views}\n")
    for title, wanted in (("ankles", ("Ankle",)), ("feet", _FEET)):
        chosen = tuple(joint for joint, name in enumerate(names) if name[1:] in wanted)
        if chosen:
            value = left_out(observations, chosen, config.triangulation).mean()
            sys.stdout.write(f"{title:10} {value:6.1f} px\n")


if __name__ == "__main__":
    main(sys.argv[1])
