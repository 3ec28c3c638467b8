"""What scripts need, under one roof.

    from mv3d.api import Rig, export, fit_motion, read_keypoints, reconstruct

    rig = Rig.load("session/cameras.yaml")
    poses = reconstruct(rig, read_keypoints("session/pose2d", rig))
    export.write_bvh("walk.bvh", fit_motion(poses).motion)

Everything here is defined in its room and only gathered; `docs/examples/` shows the uses in order.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mv3d import export
from mv3d.config import Config
from mv3d.data.camera import Camera
from mv3d.data.lens import DoubleSphere, Fisheye, Pinhole
from mv3d.data.motion import Armature, Motion
from mv3d.data.poses import FILLED, MEASURED, MISSING, Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import SKELETONS
from mv3d.errors import Mv3dError
from mv3d.files import keypoints as keypoint_files
from mv3d.files.rigs import read_rig, write_rig
from mv3d.motion.fit import fit_motion
from mv3d.pipeline import load_reconstruction, reconstruct_poses2d, run

__all__ = [
    "FILLED",
    "MEASURED",
    "MISSING",
    "SKELETONS",
    "Armature",
    "Camera",
    "Config",
    "DoubleSphere",
    "Fisheye",
    "Motion",
    "Mv3dError",
    "Pinhole",
    "Poses2D",
    "Poses3D",
    "Rig",
    "Skeleton",
    "export",
    "fit_motion",
    "load_reconstruction",
    "read_keypoints",
    "read_rig",
    "reconstruct",
    "run",
    "write_rig",
]


def read_keypoints(
    folder: str | Path, rig: Rig, fps: float = 30.0, skeleton: Skeleton | None = None, format: str = "auto"
) -> dict[str, Poses2D]:
    """Keypoints of every camera of a rig, of any known format.

    Args:
        folder: one npz or folder a camera, or as the other program wrote them (docs/formats.md).
        rig: names the cameras that are wanted.
        fps: frames per second of formats that do not say.
        skeleton: the joints, where the files do not tell.
        format: what wrote them, where the files do not tell.

    Raises:
        Mv3dError: what is wrong with the folder.
    """
    return keypoint_files.read_keypoints(Path(folder), rig.names, fps, skeleton, format)


def reconstruct(
    rig: Rig, keypoints: Mapping[str, Poses2D], config: Config | None = None, people: int | None = 1
) -> Poses3D:
    """The skeletons of the performer, or of everybody.

    Args:
        rig: the cameras.
        keypoints: what each camera saw, by its name.
        config: settings; those of `mv3d reconstruct` if None.
        people: how many are wanted, who is seen most first; None is everybody.

    Returns:
        Positions in the rig's world, m, with covariance and state; person 0 is the performer.

    Raises:
        ReconstructionError: no person is seen by two views, or a view is useless; says which and why.
    """
    config = config or Config()
    if people != 1:
        config = replace(config, reconstruct=config.reconstruct.of_people(people))
    return reconstruct_poses2d(rig, keypoints, config).poses3d
