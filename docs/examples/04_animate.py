"""A skeleton as a moving body: bones of one length, joint rotations, files for animation and biomechanics.

python 04_animate.py OUT
"""

import sys
from pathlib import Path

import numpy as np

from mv3d.api import SKELETONS, export, fit_motion, reconstruct
from mv3d.motion.angles import joint_angles
from mv3d.motion.retarget import retargeted
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
rig = camera_ring(4, seed=2)
truth, timestamps = walking_person(150, seed=2)
poses = reconstruct(rig, observe(rig, truth, timestamps, SKELETONS["BODY_25"]))

fitted = fit_motion(poses)
print(f"fitted joints within {1e3 * np.nanmedian(fitted.residual):.1f} mm of the measured ones, in the median")
export.write_bvh(out / "walk.bvh", fitted.motion)
export.write_bvh(out / "walk_mixamo.bvh", retargeted(fitted.motion, "mixamo"))
export.write_glb([fitted.motion], out / "walk.glb")
export.write_c3d(poses, out / "walk.c3d")
export.write_trc(poses, out / "walk.trc")
angles = joint_angles(fitted)
export.write_angles_csv(out / "walk_angles.csv", angles)
print(f"{len(angles.names)} joint angles, {', '.join(angles.names[:3])} and so on")
