"""Judge a reconstruction without knowing the truth: what each camera says of the others, and a verdict in words.

    python 03_is_it_any_good.py OUT

One of the cameras here was knocked after its calibration: its pictures are 20 px off.
"""

import sys
from dataclasses import replace
from pathlib import Path

from mv3d.api import SKELETONS, Config, Rig
from mv3d.pipeline import reconstruct_poses2d
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring
from mv3d.viz import plots
from mv3d.viz.verdict import judge

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
true_rig = camera_ring(5, seed=1)
knocked = true_rig["cam02"]
K = knocked.lens.K.copy()
K[0, 2] += 20.0
rig = Rig(tuple(replace(c, lens=replace(c.lens, K=K)) if c is knocked else c for c in true_rig))
truth, timestamps = walking_person(150, seed=1)
keypoints = observe(true_rig, truth, timestamps, SKELETONS["BODY_25"])

result = reconstruct_poses2d(rig, keypoints, Config())
verdict = judge(result.rig, result.quality, result.diagnosis)

print(verdict.headline)
for reason in verdict.reasons:
    print(f"- [{reason.level}] {reason.text}")
(out / "bone_lengths.png").write_bytes(plots.to_png(plots.bone_lengths(result.quality, result.poses3d)))
(out / "reprojection.png").write_bytes(plots.to_png(plots.reprojection_over_time(result.quality, result.poses3d)))
