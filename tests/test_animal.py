"""An animal from end to end: DeepLabCut's CSV of four cameras and a skeleton in YAML to 3D."""

import csv
from pathlib import Path

import numpy as np
import pytest

from mv3d.cli import main
from mv3d.config import Config
from mv3d.data.poses import MISSING, Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.files.skeleton_yaml import find_skeleton
from mv3d.pipeline import KeypointSource, reconstruct_files
from mv3d.synthetic.observations import observe
from mv3d.synthetic.rigs import camera_ring

FRAMES, FPS, NOISE_PX = 120, 50.0, 1.5


@pytest.fixture(scope="module")
def example(repository: Path) -> Path:
    return repository / "configs" / "skeletons" / "quadruped.yaml"


def trotting(skeleton: Skeleton) -> np.ndarray:
    """(frame, joint, 3) m: a dog that trots along an arc; diagonal legs swing together, segments keep their lengths."""
    t = np.arange(FRAMES) / FPS
    heading = 0.5 * t
    forward = np.stack([np.cos(heading), np.sin(heading), 0 * t], 1)
    left, up = np.stack([-np.sin(heading), np.cos(heading), 0 * t], 1), np.array([0.0, 0.0, 1.0])
    middle = np.stack([1.5 * np.sin(heading), -1.5 * np.cos(heading), 0.55 + 0.02 * np.sin(4 * np.pi * t * 2)], 1)

    def segment(start: np.ndarray, length: float, angle: np.ndarray) -> np.ndarray:
        """Its end, turned by an angle from straight down to the front."""
        return start + length * (np.sin(angle)[:, None] * forward - np.cos(angle)[:, None] * up)

    at = {"withers": middle + 0.3 * forward, "rump": middle - 0.3 * forward}
    at["nose"] = at["withers"] + 0.45 * forward + 0.15 * up
    at["tail_base"] = at["rump"] - 0.1 * forward
    at["tail_tip"] = segment(at["tail_base"], 0.3, -0.8 + 0.2 * np.sin(9 * t))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        at[f"{side}_ear"] = at["withers"] + 0.3 * forward + 0.22 * up + 0.07 * sign * left
        for end, hip, phase in (("front", "withers", 0.0), ("hind", "rump", np.pi)):
            swing = 0.4 * np.sin(4 * np.pi * t + phase + (0 if sign > 0 else np.pi))
            joints = {"front": ("elbow", "wrist", "paw"), "hind": ("knee", "hock", "paw")}[end]
            place = at[hip] + 0.08 * sign * left
            for joint, length, bend in zip(joints, (0.2, 0.18, 0.1), (0.0, -0.3, 0.2), strict=True):
                place = segment(place, length, swing + bend)
                at[f"{side}_{end}_{joint}"] = place
    return np.stack([at[name] for name in skeleton.keypoints], axis=1)


def write_deeplabcut(path: Path, poses: Poses2D) -> None:
    names = poses.skeleton.keypoints
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["scorer", *["DLC_resnet50"] * 3 * len(names)])
        writer.writerow(["bodyparts", *(name for name in names for _ in range(3))])
        writer.writerow(["coords", *["x", "y", "likelihood"] * len(names)])
        for f in range(len(poses)):
            cells = np.concatenate([poses.xy[f, 0], poses.score[f, 0, :, None]], axis=1).ravel()
            writer.writerow([f, *("" if np.isnan(cell) else repr(float(cell)) for cell in cells)])


@pytest.fixture(scope="module")
def rig() -> Rig:
    return camera_ring(4, radius=4.0, target=(0.0, 0.0, 0.5), seed=2)


@pytest.fixture(scope="module")
def reconstructed(example: Path, rig: Rig, tmp_path_factory: pytest.TempPathFactory):
    skeleton = find_skeleton(str(example))
    truth = trotting(skeleton)
    folder = tmp_path_factory.mktemp("dog")
    rig.save(folder / "cameras.yaml")
    (folder / "dlc").mkdir()
    views = observe(
        rig, truth, np.arange(FRAMES) / FPS, skeleton, noise_px=NOISE_PX, missing=0.1, outliers=0.03, seed=1
    )
    for name, poses in views.items():
        write_deeplabcut(folder / "dlc" / f"{name}DLC_resnet50_dogJun1shuffle1_9000.csv", poses)
    source = KeypointSource(folder / "cameras.yaml", folder / "dlc", FPS, str(example))
    result = reconstruct_files(source, folder / "pose3d.npz", Config())
    return result, Poses3D.load(folder / "pose3d.npz"), truth, skeleton


def test_the_dog_is_where_it_was(reconstructed):
    _, poses, truth, _ = reconstructed
    error = np.linalg.norm(poses.xyz[:, 0] - truth, axis=-1)
    known = poses.state[:, 0] != MISSING
    assert known.mean() > 0.98
    # A pixel is 4 m / 1100 px = 3.6 mm here, so 1.5 px are 5.5 mm a view and axis. Of four views at 90 degrees two look
    # across each level axis, which leaves 5.5 / sqrt(2) mm, and all four see the height, 5.5 / 2 mm: 6.2 mm for one
    # frame. The sequence gains more than a tenth of missing points costs.
    assert error[known].mean() < 0.0062
    assert np.percentile(error[known], 99) < 0.025


def test_the_skeleton_is_that_of_the_file(reconstructed):
    result, poses, _, skeleton = reconstructed
    assert result.poses3d.skeleton == skeleton
    assert poses.skeleton.keypoints == skeleton.keypoints
    assert poses.skeleton.bones == skeleton.bones
    np.testing.assert_array_equal(poses.skeleton.mirror, skeleton.mirror)
    assert poses.skeleton.groups == skeleton.groups


def test_bones_keep_their_lengths(reconstructed):
    _, poses, _, skeleton = reconstructed

    def spread(xyz: np.ndarray) -> np.ndarray:
        return np.array([np.nanstd(np.linalg.norm(xyz[:, a] - xyz[:, b], axis=-1)) for a, b in skeleton.bones])

    # Bones from the file bind the solver: they vary less than in the frames alone, every one of them.
    assert np.all(spread(poses.xyz[:, 0]) < spread(poses.xyz_per_frame[:, 0]))


def test_without_a_skeleton_the_joints_have_the_names_of_the_file(reconstructed, tmp_path):
    result, _, _, _ = reconstructed
    source = result.outputs["pose3d"].parent
    found = reconstruct_files(
        KeypointSource(source / "cameras.yaml", source / "dlc", FPS), tmp_path / "o.npz", Config()
    )
    assert found.poses3d.skeleton.keypoints == result.poses3d.skeleton.keypoints
    assert found.poses3d.skeleton.bones == ()


def test_from_the_command_line(reconstructed, example, tmp_path):
    result, _, _, _ = reconstructed
    source = result.outputs["pose3d"].parent
    arguments = [
        "--rig",
        str(source / "cameras.yaml"),
        "--keypoints",
        str(source / "dlc"),
        "--fps",
        str(FPS),
        "--quiet",
    ]
    arguments += ["--keypoint-format", "deeplabcut", "--skeleton", str(example), "--out", str(tmp_path / "o.npz")]
    main(["reconstruct", *arguments])
    np.testing.assert_array_equal(Poses3D.load(tmp_path / "o.npz").xyz, result.poses3d.xyz)
