"""Keypoints of any detector and a rig in, a 3D skeleton with its uncertainty out.

    python 02_reconstruct_keypoints.py OUT

The keypoints here are synthetic: 2 px of noise, one in ten missing, one in twenty wrong.
"""

import sys
from pathlib import Path

import numpy as np

from mv3d.api import FILLED, SKELETONS, reconstruct
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
rig = camera_ring(4, seed=0)
truth, timestamps = walking_person(180, seed=0)
keypoints = observe(rig, truth, timestamps, SKELETONS["BODY_25"])  # {camera name: Poses2D}

poses = reconstruct(rig, keypoints)

error = np.linalg.norm(poses.xyz[:, 0] - truth, axis=-1)
sigma = np.sqrt(np.trace(poses.covariance[:, 0], axis1=-2, axis2=-1) / 3)
print(f"error {1e3 * np.nanmean(error):.1f} mm; it says of itself {1e3 * np.nanmean(sigma):.1f} mm a coordinate")
print(f"{(poses.state == FILLED).mean():.1%} of the joints are filled over gaps")
rig.save(out / "cameras.yaml")
poses.save(out / "pose3d.npz")
