"""Families of synthetic trials with truth: each asks one question of a reconstruction.

`hard` joins what the detector families ask one at a time; the others differ from `clean-noise` (a walker in a ring of
cameras, white noise of 2 px, 10 % missing, 5 % wrong) in what their name says. Body heights vary with the seed.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BODY_25
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.synthetic.faults import Faults, detect
from mv3d.synthetic.motions import moving_person
from mv3d.synthetic.performer import BONES
from mv3d.synthetic.rigs import camera_ring

_HEIGHTS_M = (1.2, 1.95)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One person's keypoints with their truth.

    Attributes:
        rig: the cameras as the reconstruction is told; calibration errors are in here.
        xy: (frame, view, joint, 2) px; NaN where missing.
        score: (frame, view, joint); 0 where missing.
        truth: (frame, joint, 3) m.
        timestamps: (frame,) s.
        skeleton: names of the joints.
        bones: pairs of joints whose distance is constant in the truth. They are the performer's, not the skeleton's: a
            solver holds the skeleton's bones constant, and would be judged by what it was told.
    """

    rig: Rig
    xy: np.ndarray
    score: np.ndarray
    truth: np.ndarray
    timestamps: np.ndarray
    skeleton: Skeleton
    bones: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class RigKind:
    """Placement and lenses of the cameras, as `mv3d.synthetic.rigs.camera_ring` takes them."""

    radius: float = 5.0
    span_deg: float = 360.0
    focal: float = 1100.0
    distortion: tuple[float, ...] = ()
    fisheye: bool = False

    def build(self, views: int, seed: int) -> Rig:
        """The rig with this many views."""
        distortion = np.array(self.distortion) if self.distortion else None
        return camera_ring(
            views,
            radius=self.radius,
            focal=self.focal,
            distortion=distortion,
            span=np.radians(self.span_deg),
            fisheye=self.fisheye,
            seed=seed,
        )


@dataclass(frozen=True, slots=True)
class Family:
    """What a family's trials have in common.

    Attributes:
        motion: "walk" or a key of `mv3d.synthetic.motions.MOTIONS`.
        fps: frames per second.
        rig: the cameras.
        faults: of the keypoints.
        calibration_px: how wrong the rig is that the reconstruction is told; see `miscalibrated`.
        views: numbers of cameras; None leaves them to the caller.
    """

    motion: str = "walk"
    fps: float = 60.0
    rig: RigKind = field(default_factory=RigKind)
    faults: Faults = field(default_factory=Faults)
    calibration_px: float = 0.0
    views: tuple[int, ...] | None = None


_BURSTS = Faults(missing=0.15, missing_frames=20.0)
_DRIFTS = Faults(wrong_px=(15.0, 90.0), wrong_frames=12.0)
_CORRELATED = Faults(
    noise_px=1.0, bias_px=2.0, correlated_px=2.0, wrong_frames=10.0, wrong_px=(15.0, 150.0), offset_frames=1.0
)
FAMILIES: dict[str, Family] = {
    "clean-noise": Family(),
    "correlated": Family(faults=_CORRELATED, calibration_px=1.5),
    "correlated-dance": Family("dance", faults=_CORRELATED, calibration_px=1.5),
    "bias": Family(faults=Faults(bias_px=3.0)),
    "calibration": Family(calibration_px=1.5),
    "offsets": Family("dance", faults=Faults(offset_frames=1.0)),
    "jump": Family("jump"),
    "sit": Family("sit"),
    "wave": Family("wave"),
    "box": Family("box"),
    "dance": Family("dance"),
    "dance-25fps": Family("dance", fps=25.0),
    "walk-30fps": Family(fps=30.0),
    "walk-120fps": Family(fps=120.0),
    "few-and-many": Family(views=(3, 16)),
    "arc": Family(rig=RigKind(span_deg=120.0)),
    "narrow": Family(rig=RigKind(radius=12.0, focal=2600.0)),
    "wide": Family(rig=RigKind(radius=3.0, focal=620.0, distortion=(-0.12, 0.05, 3e-4, -3e-4, 0.0))),
    "fisheye": Family(rig=RigKind(radius=3.0, focal=620.0, distortion=(-0.02, 0.003, 0.0, 0.0), fisheye=True)),
    "bursts": Family(faults=_BURSTS),
    "drifts": Family(faults=_DRIFTS),
    "leg-swaps": Family(faults=Faults(leg_swap=0.08, swap_frames=15.0)),
    "body-swaps": Family(faults=Faults(body_swap=0.08, swap_frames=15.0)),
    "blackout": Family(faults=Faults(blackout_s=1.5)),
    "hard-dance": Family(
        "dance", faults=replace(_DRIFTS, missing_frames=15.0, leg_swap=0.04, body_swap=0.02, blackout_s=0.3)
    ),
}
"""The families by name."""


def make_trial(family: Family, views: int, frames: int, seed: int) -> Trial:
    """A trial of the family; the same arguments give the same trial."""
    rng = np.random.default_rng([seed, 2])
    height = rng.uniform(*_HEIGHTS_M)
    true_rig = family.rig.build(views, seed)
    truth, timestamps = moving_person(family.motion, frames, fps=family.fps, height=height, seed=seed)
    xy, score = detect(true_rig, truth, timestamps, BODY_25, family.faults, seed)
    rig = miscalibrated(true_rig, family.calibration_px, rng) if family.calibration_px else true_rig
    bones = tuple((BODY_25.index(a), BODY_25.index(b)) for a, b in BONES)
    return Trial(rig, xy, score, truth, timestamps, BODY_25, bones)


def miscalibrated(rig: Rig, error_px: float, rng: np.random.Generator) -> Rig:
    """The rig with every camera turned, moved and refocused a little.

    Each of the three alone moves the image of a point near the middle of the scene by about `error_px` (standard
    deviation of a coordinate): rotation by error_px / f about each axis, position by error_px / f times the distance to
    the world's origin, and focal length by error_px at 400 px from the image's middle.
    """
    cameras = []
    for camera in rig:
        angle = error_px / camera.lens.focal
        R = rotation_from_vector(rng.normal(0, angle, 3)) @ camera.R
        distance = float(np.linalg.norm(camera.center))
        center = camera.center + rng.normal(0, angle * distance, 3)
        K = camera.lens.K.copy()
        K[[0, 1], [0, 1]] *= 1 + rng.normal(0, error_px / 400)
        cameras.append(replace(camera, lens=replace(camera.lens, K=K), R=R, t=-R @ center))
    return Rig(tuple(cameras))
