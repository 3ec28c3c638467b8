"""Everybody in the room: three people who cross, told apart by geometry.

python 05_several_people.py OUT
"""

import sys
from pathlib import Path

import numpy as np

from mv3d.api import reconstruct
from mv3d.synthetic.crowd import walking_crowd
from mv3d.synthetic.rigs import camera_ring

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
rig = camera_ring(5, radius=5.0, seed=0)
crowd = walking_crowd(rig, 3, 120, seed=4)  # bodies hide each other; detections come in no order

poses = reconstruct(rig, crowd.poses, people=None)

distance = np.linalg.norm(poses.xyz[:, :, None] - crowd.xyz[:, None], axis=-1)  # (frame, found, true, joint)
for found, person in enumerate(poses.person_id):
    nearest = int(np.nanmedian(distance[:, found], axis=(0, 2)).argmin())
    error = 1e3 * np.nanmean(distance[:, found, nearest])
    print(f"person {person} is walker {nearest}, {error:.1f} mm off")
poses.save(out / "pose3d.npz")
