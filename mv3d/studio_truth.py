"""What a rendered session knows of itself, and how far a calibration and a reconstruction are off it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mv3d.data.npz import load_npz
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import LIMB_BONES, LIMB_JOINTS
from mv3d.files.writing import write_text
from mv3d.geometry.rotations import nearest_rotation, vector_from_rotation

# A joint counts as found within 15 px of a picture 640 px wide.
_FOUND_SHARE = 15 / 640


@dataclass(frozen=True, slots=True, eq=False)
class StudioTruth:
    """The truth of a rendered session.

    Attributes:
        rig: the cameras as they are.
        keypoints: names.
        xyz: (frame, person, keypoint, 3) m.
        timestamps: (frame,) s.
        xy: of each camera (frame, person, keypoint, 2) px.
        visible: of each camera (frame, person, keypoint).
    """

    rig: Rig
    keypoints: tuple[str, ...]
    xyz: np.ndarray
    timestamps: np.ndarray
    xy: Mapping[str, np.ndarray]
    visible: Mapping[str, np.ndarray]

    @classmethod
    def load(cls, folder: str | Path) -> "StudioTruth":
        """Read the folder truth/ of a session that `mv3d synth` made.

        Raises:
            FormatError: there is none, or it is damaged.
        """
        rig, path = Rig.load(Path(folder) / "cameras.yaml"), Path(folder) / "truth.npz"
        of_cameras = [f"{what}_{name}" for what in ("xy", "visible") for name in rig.names]
        arrays = load_npz(path, ("keypoints", "xyz", "timestamps", *of_cameras))
        return cls(
            rig,
            tuple(map(str, arrays["keypoints"])),
            arrays["xyz"],
            arrays["timestamps"],
            {name: arrays[f"xy_{name}"] for name in rig.names},
            {name: arrays[f"visible_{name}"] for name in rig.names},
        )

    def columns(self, skeleton: Skeleton) -> list[int]:
        """Where the joints of a skeleton stand on the keypoint axis."""
        return [self.keypoints.index(name) for name in skeleton.keypoints]


@dataclass(frozen=True, slots=True)
class CameraError:
    """One calibrated camera against the true one, worlds laid over each other."""

    name: str
    center_mm: float
    angle_deg: float
    focal: float


@dataclass(frozen=True, slots=True)
class ViewError:
    """Keypoints of one view against the true ones, where those are visible.

    Attributes:
        name: of the camera.
        found: share within `within_px`: PCK.
        within_px: px.
        median_px: of the joints that have a detection.
    """

    name: str
    found: float
    within_px: float
    median_px: float


@dataclass(frozen=True, slots=True)
class PoseError:
    """A skeleton against the true one; NaN where nothing was found.

    Attributes:
        mpjpe_mm: mean over frames and joints.
        limb_mpjpe_mm: over shoulders, elbows, wrists, hips, knees and ankles.
        per_frame_mm: of the triangulation of every frame alone.
        bone_mm: how much limb bones are too long or short in the mean over time, mean over bones.
        found: share of joints that have a place.
        joints_mm: mean of each joint.
    """

    mpjpe_mm: float
    limb_mpjpe_mm: float
    per_frame_mm: float
    bone_mm: float
    found: float
    joints_mm: dict[str, float]


@dataclass(frozen=True, slots=True)
class StudioErrors:
    """All errors of a session that was calibrated and reconstructed."""

    cameras: tuple[CameraError, ...]
    views: tuple[ViewError, ...]
    pose: PoseError

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_text(path, json.dumps(asdict(self), indent=1) + "\n")

    def lines(self) -> list[str]:
        """A table for the terminal."""
        head = f"{'against the truth':<18}{'centre mm':>10}{'angle deg':>11}{'focal':>9}{'median px':>11}{'PCK':>8}"
        lines = [head, "-" * len(head)]
        for camera, view in zip(self.cameras, self.views, strict=True):
            lines.append(
                f"{camera.name[:17]:<18}{camera.center_mm:>10.2f}{camera.angle_deg:>11.3f}{camera.focal:>+9.2%}"
                f"{view.median_px:>11.1f}{view.found:>8.1%}"
            )
        pose = self.pose
        worst = max(pose.joints_mm, key=lambda name: np.nan_to_num(pose.joints_mm[name], nan=-1.0))
        return [
            *lines,
            "",
            f"PCK: visible joints found within {self.views[0].within_px:.1f} px of the truth",
            f"3D error, all joints (MPJPE)        {pose.mpjpe_mm:6.1f} mm  (per frame {pose.per_frame_mm:.1f} mm, "
            f"{pose.found:.1%} of the joints, worst {worst} {pose.joints_mm[worst]:.1f} mm)",
            f"3D error, limb joints               {pose.limb_mpjpe_mm:6.1f} mm",
            f"limb bones, error of the mean length{pose.bone_mm:6.1f} mm",
        ]


def placed_like(rig: Rig, other: Rig) -> Rig:
    """The rig moved as a whole to where its cameras stand and look as those of another do, in the mean.

    A calibration from boards leaves the world open; this closes it, to compare with a rig of the same cameras.
    """
    Q = nearest_rotation(np.mean([b.R.T @ a.R for a, b in zip(rig, other, strict=True)], axis=0))
    shift = (other.centers - rig.centers @ Q.T).mean(0)
    return Rig(tuple(replace(c, R=c.R @ Q.T, t=c.t - c.R @ Q.T @ shift) for c in rig))


def camera_errors(rig: Rig, truth: Rig) -> tuple[CameraError, ...]:
    """Errors of a rig that was moved into the truth's world (`placed_like`)."""
    return tuple(
        CameraError(
            b.name,
            float(1e3 * np.linalg.norm(a.center - b.center)),
            float(np.degrees(np.linalg.norm(vector_from_rotation(a.R @ b.R.T)))),
            float(a.lens.focal / b.lens.focal - 1),
        )
        for a, b in zip(rig, truth, strict=True)
    )


def studio_errors(truth: StudioTruth, rig: Rig, poses2d: Mapping[str, Poses2D], poses3d: Poses3D) -> StudioErrors:
    """Errors of cameras, keypoints and the first person's skeleton.

    Args:
        truth: of the session.
        rig: as calibrated, in the truth's world (`placed_like`).
        poses2d: by camera; the detection that fits person 0 best counts.
        poses3d: its first person counts.
    """
    views = tuple(_view_error(truth, name, poses2d[name]) for name in truth.rig.names)
    return StudioErrors(camera_errors(rig, truth.rig), views, _pose_error(truth, poses3d))


def _view_error(truth: StudioTruth, name: str, poses: Poses2D) -> ViewError:
    frames, columns = _nearest(truth.timestamps, poses.timestamps), truth.columns(poses.skeleton)
    xy, visible = truth.xy[name][frames, 0][:, columns], truth.visible[name][frames, 0][:, columns]
    apart = np.linalg.norm(poses.xy - xy[:, None], axis=-1)
    whole = np.where(np.isfinite(apart), apart, 1e6).mean(-1)
    own = whole.argmin(1) if apart.shape[1] else np.zeros(len(apart), int)
    error = apart[np.arange(len(apart)), own] if apart.shape[1] else np.full(visible.shape, np.nan)
    within = _FOUND_SHARE * truth.rig[name].size[0]
    seen = error[visible]
    found = np.nan_to_num(seen, nan=np.inf) < within
    known = seen[np.isfinite(seen)]
    return ViewError(
        name,
        float(found.mean()) if found.size else float("nan"),
        float(within),
        float(np.median(known)) if known.size else float("nan"),
    )


def _pose_error(truth: StudioTruth, poses: Poses3D) -> PoseError:
    skeleton, columns = poses.skeleton, truth.columns(poses.skeleton)
    exact = truth.xyz[_nearest(truth.timestamps, poses.timestamps), 0][:, columns]
    error = 1e3 * np.linalg.norm(poses.xyz[:, 0] - exact, axis=-1)
    single = 1e3 * np.linalg.norm(poses.xyz_per_frame[:, 0] - exact, axis=-1)
    bones = [skeleton.indices(bone) for bone in LIMB_BONES if len(skeleton.indices(bone)) == 2]
    lengths = [_mean_lengths(poses.xyz[:, 0], bones), _mean_lengths(exact, bones)]
    return PoseError(
        _mean(error),
        _mean(error[:, list(skeleton.indices(LIMB_JOINTS))]),
        _mean(single),
        _mean(1e3 * np.abs(lengths[0] - lengths[1])),
        float(np.isfinite(error).mean()),
        {name: _mean(error[:, j]) for j, name in enumerate(skeleton.keypoints)},
    )


def _mean_lengths(xyz: np.ndarray, bones: list[tuple[int, ...]]) -> Float[np.ndarray, " bone"]:
    return np.array([_mean(np.linalg.norm(xyz[:, a] - xyz[:, b], axis=-1)) for a, b in bones])


def _mean(values: np.ndarray) -> float:
    """Of what is known; NaN of nothing."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _nearest(times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return np.abs(times[:, None] - wanted).argmin(0)
