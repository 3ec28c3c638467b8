"""Trials of a generator that is not part of this project, given by the path of its module (for bench_reconstruct.py).

The module has generate(cams, frames, seed, hard=, dist=, scores=) and returns K (view, 3, 3), D (view, n), R, t,
size (view, 2), kp (view, frame, joint, 2) px, conf (view, frame, joint), gt (frame, joint, 3) m of BODY_25, the bones
(bone, 2) that are constant in gt, and fps.
"""

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np

from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.data.rig import Rig
from mv3d.data.skeletons import BODY_25
from mv3d.synthetic.families import Trial

GENERATED = {
    "main": {},
    "hard": {"hard": True},
    "main-distorted": {"dist": True},
    "hard-scored": {"hard": True, "scores": "informative"},
}
"""Families and what they ask of generate()."""


def generated_trial(module: Path, family: str, views: int, frames: int, seed: int) -> Trial:
    """A trial of one of the families of `GENERATED`."""
    d = _load(module).generate(views, frames, seed, **GENERATED[family])
    cameras = [
        Camera(f"cam{v + 1:02d}", (int(w), int(h)), Pinhole(d["K"][v], d["D"][v]), d["R"][v], d["t"][v])
        for v, (w, h) in enumerate(d["size"])
    ]
    times = np.arange(frames) / float(d["fps"])
    xy, score = np.moveaxis(d["kp"], 0, 1), np.nan_to_num(np.moveaxis(d["conf"], 0, 1))
    bones = tuple((int(a), int(b)) for a, b in d["bones"])
    return Trial(Rig(tuple(cameras)), xy, score, d["gt"], times, BODY_25, bones)


@cache
def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path}: not a Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
