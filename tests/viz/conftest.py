"""A ring of cameras around a simple moving figure, made here so that these tests need no other room."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.data.poses import FILLED, MEASURED, MISSING, Poses2D, Poses3D
from mv3d.data.quality import Quality
from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BODY_25, LIMB_BONES, LIMB_JOINTS
from mv3d.geometry.rotations import look_along

# Joints of a standing figure, m: x forward, y to its left, z up. The right side mirrors the left.
_LEFT = {
    "LShoulder": (0.0, 0.18, 1.45),
    "LElbow": (0.02, 0.25, 1.17),
    "LWrist": (0.10, 0.27, 0.92),
    "LHip": (0.0, 0.10, 0.95),
    "LKnee": (0.02, 0.10, 0.52),
    "LAnkle": (0.0, 0.10, 0.10),
    "LEye": (0.09, 0.035, 1.66),
    "LEar": (0.0, 0.075, 1.64),
    "LBigToe": (0.20, 0.11, 0.02),
    "LSmallToe": (0.17, 0.16, 0.02),
    "LHeel": (-0.05, 0.10, 0.02),
}
_FIGURE = {
    "Nose": (0.11, 0.0, 1.62),
    "Neck": (0.0, 0.0, 1.47),
    "MidHip": (0.0, 0.0, 0.96),
    "HeadTop": (0.0, 0.0, 1.8),
    **_LEFT,
    **{"R" + name[1:]: (x, -y, z) for name, (x, y, z) in _LEFT.items()},
}


@dataclass(frozen=True)
class Scenario:
    """A rig, what its cameras see, the reconstruction and its figures."""

    rig: Rig
    poses2d: dict[str, Poses2D]
    poses3d: Poses3D
    quality: Quality


def ring(count: int = 4, size: tuple[int, int] = (480, 640), radius: float = 3.5) -> Rig:
    """Cameras at equal angles on a circle, 1.5 m high, all looking at the figure's middle."""
    K = np.array([[0.9 * max(size), 0, (size[0] - 1) / 2], [0, 0.9 * max(size), (size[1] - 1) / 2], [0, 0, 1]])
    cameras = []
    for i in range(count):
        angle = 2 * np.pi * (i + 0.5) / count
        center = np.array([radius * np.cos(angle), radius * np.sin(angle), 1.5])
        R = look_along(np.array([0, 0, 0.9]) - center, np.array([0.0, 0, 1]))
        cameras.append(Camera(f"cam{i + 1:02d}", size, Pinhole(K, np.zeros(5)), R, -R @ center))
    return Rig(tuple(cameras))


def moving_figure(skeleton: Skeleton, frames: int) -> np.ndarray:
    """Joints (frame, joint, 3) m of a figure that swings its arms and legs and sways from side to side."""
    rest = np.array([_FIGURE[name] for name in skeleton.keypoints])
    xyz = np.repeat(rest[None], frames, axis=0)
    phase = 2 * np.pi * np.arange(frames) / 30
    for name, hinge, sign in (("LElbow LWrist", 1.45, 1), ("RElbow RWrist", 1.45, -1)):
        _swing(xyz, skeleton, name, hinge, sign * 0.6 * np.sin(phase))
    for side, sign in (("L", -1), ("R", 1)):
        names = " ".join(side + part for part in ("Knee", "Ankle", "BigToe", "SmallToe", "Heel"))
        _swing(xyz, skeleton, names, 0.95, sign * 0.4 * np.sin(phase))
    xyz[..., 1] += 0.15 * np.sin(phase / 2)[:, None]
    return xyz


def _swing(xyz: np.ndarray, skeleton: Skeleton, names: str, hinge_z: float, angle: np.ndarray) -> None:
    indices = list(skeleton.indices(tuple(names.split())))
    x, z = xyz[:, indices, 0].copy(), xyz[:, indices, 2] - hinge_z
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    xyz[:, indices, 0] = c * x - s * z
    xyz[:, indices, 2] = s * x + c * z + hinge_z


def make_scenario(
    skeleton: Skeleton = BODY_25, frames: int = 24, cameras: int = 4, size: tuple[int, int] = (480, 640)
) -> Scenario:
    """The moving figure in a ring: 1 px noise, a bystander in camera 1, a wrist missing for a while, one filled."""
    rng = np.random.default_rng(0)
    rig = ring(cameras, size)
    truth = moving_figure(skeleton, frames)
    times = np.arange(frames) / 30
    poses2d = {}
    for view, camera in enumerate(rig):
        xy = np.full((frames, 2, len(skeleton), 2), np.nan)
        xy[:, 0] = camera.project(truth) + rng.normal(0, 1, (frames, len(skeleton), 2))
        if view == 0:
            xy[:, 1] = camera.project(truth[0] + np.array([-0.5, 0.9, 0.0]))
        poses2d[camera.name] = Poses2D(skeleton, xy, np.where(np.isnan(xy[..., 0]), 0, 0.8), times)
    poses3d = make_poses3d(skeleton, truth, times, rig, rng)
    return Scenario(rig, poses2d, poses3d, make_quality(rig, poses2d, poses3d))


def make_poses3d(
    skeleton: Skeleton, truth: np.ndarray, times: np.ndarray, rig: Rig, rng: np.random.Generator
) -> Poses3D:
    """The figure as a reconstruction: the right wrist missing in frames 2 and 3, the left one filled in 5 to 7."""
    frames, joints = truth.shape[:2]
    xyz, state = truth[:, None].copy(), np.full((frames, 1, joints), MEASURED)
    per_frame = xyz + rng.normal(0, 0.01, xyz.shape)
    if "RWrist" in skeleton.keypoints:
        right, left = skeleton.indices(("RWrist", "LWrist"))
        state[2:4, 0, right], state[5:8, 0, left] = MISSING, FILLED
    xyz[state == MISSING] = np.nan
    per_frame[state != MEASURED] = np.nan
    seen = state == MEASURED
    return Poses3D(
        skeleton,
        xyz,
        np.where(state == MISSING, 0, 0.8),
        np.where(seen, 1.2, np.nan),
        np.where(seen, len(rig), 0),
        np.where(seen[..., None, None], 1e-4 * np.eye(3), np.nan),
        state,
        per_frame,
        times,
        rig.names,
    )


def make_quality(rig: Rig, poses2d: dict[str, Poses2D], poses3d: Poses3D) -> Quality:
    """Figures of the scenario, simple ones worked out here, the others set by hand."""
    skeleton, views = poses3d.skeleton, len(rig)
    xyz, state = poses3d.xyz[:, 0], poses3d.state[:, 0]
    reprojection = np.stack([np.linalg.norm(c.project(xyz) - poses2d[c.name].xy[:, 0], axis=-1) for c in rig], axis=1)
    bones = tuple(b for b in LIMB_BONES if set(b) <= set(skeleton.keypoints))
    ends = np.array([[skeleton.index(a), skeleton.index(b)] for a, b in bones], dtype=int).reshape(-1, 2)

    def lengths(points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points[:, ends[:, 0]] - points[:, ends[:, 1]], axis=-1)

    smooth, rough = lengths(xyz), lengths(poses3d.xyz_per_frame[:, 0])
    return Quality(
        rig.names,
        skeleton.keypoints,
        skeleton.indices(LIMB_JOINTS),
        bones,
        reprojection,
        np.full(views, 1.9),
        np.zeros((views, 2)),
        np.full(views, 1.8),
        np.stack([(poses2d[name].score[:, 0] > 0).mean(0) for name in rig.names]),
        (state == MEASURED).mean(0),
        (state == FILLED).mean(0),
        smooth,
        np.nanstd(smooth, axis=0) / np.nanmean(smooth, axis=0),
        np.nanstd(rough, axis=0) / np.nanmean(rough, axis=0),
        0.4,
    )


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    return make_scenario()


# How a drawing script says that Open3D cannot draw on this machine.
NO_WINDOW = 77


@dataclass(frozen=True)
class Drawn:
    """What a script of its own process drew of a scenario of 8 frames.

    Attributes:
        folder: where it worked.
        scenario: what it was given.
        said: on stderr.
        arrays: of its pictures.npz.
    """

    folder: Path
    scenario: Scenario
    said: str
    arrays: dict[str, np.ndarray]


@pytest.fixture(scope="session")
def drawn_by(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Callable[[str], Drawn]:
    """Run a script on a folder with cameras.yaml and pose3d.npz; it leaves pictures.npz there, or ends with 77."""

    def run(script: str) -> Drawn:
        folder = tmp_path_factory.mktemp("drawn")
        scenario = make_scenario(frames=8)
        scenario.rig.save(folder / "cameras.yaml")
        scenario.poses3d.save(folder / "pose3d.npz")
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, timeout=120, cwd=repository
        )
        if done.returncode == NO_WINDOW:
            pytest.skip(f"Open3D cannot draw on this machine: {done.stderr.strip().splitlines()[-1:]}")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "", "Open3D must not write on the user's terminal"
        with np.load(folder / "pictures.npz") as file:
            return Drawn(folder, scenario, done.stderr, {name: file[name] for name in file.files})

    return run


@pytest.fixture(scope="session")
def scenario_of() -> Callable[..., Scenario]:
    return make_scenario
