"""What there is to show of a session: the skeleton and all that can be laid beside or below it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.files.video import VideoInfo
from mv3d.viz.camera_images import CameraImages
from mv3d.viz.moments import at_times, frames_at
from mv3d.viz.people import trunk_lengths


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """Everything of one session that a viewer shows.

    Attributes:
        rig: the cameras.
        poses3d: the people.
        poses2d: by camera, detections at the instants of `poses3d`; cameras without any are left out.
        images: the videos; None where there are none.
        ghost: another reconstruction to compare with.
        ghost_frames: (frame,) its frame at each frame of `poses3d`, `moments.ABSENT` where it has none.
        ghost_trunks: see `people.trunk_lengths`.
    """

    rig: Rig
    poses3d: Poses3D
    poses2d: Mapping[str, Poses2D]
    images: CameraImages | None
    ghost: Poses3D | None
    ghost_frames: Int[np.ndarray, " frame"]
    ghost_trunks: Float[np.ndarray, " person"]


def content(
    rig: Rig,
    poses3d: Poses3D,
    poses2d: Mapping[str, Poses2D] | None = None,
    videos: Mapping[str, VideoInfo] | None = None,
    ghost: Poses3D | None = None,
    blur_faces: bool = False,
) -> Content:
    """Line everything up with the skeleton's instants.

    Args:
        rig: cameras for the sizes of the videos.
        poses3d: the people.
        poses2d: detections by camera, at the cameras' own times.
        videos: by camera.
        ghost: another reconstruction, on the same clock.
        blur_faces: hide the faces of `poses2d` in the videos, and videos without any.
    """
    times = poses3d.timestamps
    offsets = dict(zip(poses3d.cameras, poses3d.time_offsets, strict=True))
    aligned = {
        name: at_times(poses, times, float(offsets.get(name, 0.0)))
        for name, poses in (poses2d or {}).items()
        if name in rig.names and poses.skeleton.keypoints == poses3d.skeleton.keypoints
    }
    images = CameraImages(rig, videos, poses3d, (poses2d or {}) if blur_faces else None) if videos else None
    ghost_times = ghost.timestamps if ghost is not None else np.zeros(0)
    ghost_trunks = trunk_lengths(ghost) if ghost is not None else np.zeros(0)
    return Content(rig, poses3d, aligned, images, ghost, frames_at(ghost_times, times), ghost_trunks)
