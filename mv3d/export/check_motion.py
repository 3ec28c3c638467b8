"""Exported animations read back and compared, joint by joint, with the motions that they were to hold."""

from collections.abc import Callable

import numpy as np

from mv3d.errors import FormatError
from mv3d.export.bvh import bvh_names
from mv3d.export.formats import Job
from mv3d.export.labels import plain_name
from mv3d.export.placed_motion import PlacedMotion
from mv3d.export.readback_gltf import read_glb_motions
from mv3d.export.readback_motion import MotionRead
from mv3d.export.readback_usda import read_usda_motions
from mv3d.export.text_rows import blocks
from mv3d.files.bvh import read_bvh
from mv3d.geometry.quaternions import steady_quaternions

# m and degrees; a hundred times what the digits of any of the formats lose.
_LARGEST_DIFFERENCE, _LARGEST_ANGLE = 1e-4, 1e-2
# Share of an interval, and s: what times lose by their digits, over an hour.
_LARGEST_DELAY = 0.1


def check_motions(format: str, job: Job) -> str:
    """Compare every joint's place, turn and time; returns one line with the largest differences.

    Raises:
        FormatError: the file cannot be read, or says something else than it should.
    """
    motions = [job.motions[job.person]] if format == "bvh" else list(job.motions)
    placed = [PlacedMotion(motion, job.placement) for motion in motions]
    found = _READERS[format](job)
    if len(found) != len(placed):
        raise FormatError(f"{job.path}: holds {len(found)} people, wanted {len(placed)}; export it again")
    off, turned = np.max([_differences(job, *pair, _NAMES[format]) for pair in zip(found, placed, strict=True)], axis=0)
    if off > _LARGEST_DIFFERENCE or turned > _LARGEST_ANGLE:
        what = f"{off * 1000:.3g} mm or {turned:.3g} degrees"
        raise FormatError(f"{job.path}: differs by up to {what} from the motion; export it again")
    frames, joints = sum(len(read.times) for read in found), len(motions[0].armature)
    return (
        f"{job.path}: read back, {frames} frames x {joints} joints, largest differences {off * 1000:.2g} mm, "
        f"{turned:.2g} degrees"
    )


def _differences(
    job: Job, read: MotionRead, placed: PlacedMotion, names: Callable[[tuple[str, ...]], tuple[str, ...]]
) -> tuple[float, float]:
    """Largest distance (m) and angle (degrees) over all joints and frames."""
    motion = placed.motion
    wanted = names(motion.armature.joints)
    if sorted(read.joints) != sorted(wanted):
        raise FormatError(f"{job.path}: its joints are not those of the motion; export it again")
    times = motion.timestamps - motion.timestamps[0]
    if len(read.times) != len(times):
        raise FormatError(f"{job.path}: holds {len(read.times)} frames, wanted {len(times)}; export it again")
    if len(times) > 1 and np.abs(read.times - times).max() > _LARGEST_DELAY * np.median(np.diff(times)):
        raise FormatError(f"{job.path}: its times are not those of the motion; export it again")
    order = [read.joints.index(name) for name in wanted]
    off, turned = 0.0, 0.0
    for block in blocks(len(times)):
        (R, x), (wanted_R, wanted_x) = read.frames(block), placed.frames(block)
        off = max(off, float(np.linalg.norm(x[:, order] - wanted_x, axis=-1).max()) / job.placement.scale)
        # |R - S| = sqrt(8) sin(angle / 2), which loses no digits at small angles.
        apart = np.linalg.norm(R[:, order] - wanted_R, axis=(-2, -1)).max() / np.sqrt(8)
        turned = max(turned, float(np.rad2deg(2 * np.arcsin(min(apart, 1.0)))))
    return off, turned


def _read_bvh(job: Job) -> list[MotionRead]:
    # In metres and in the axes of the file, whatever they are.
    motion = read_bvh(job.path, units=job.placement.units, axes="world")
    turns = np.stack([steady_quaternions(motion.rotations[:, j]) for j in range(len(motion.armature))], axis=1)
    armature, scale = motion.armature, job.placement.scale
    places = armature.offsets * scale, motion.translation * scale
    return [MotionRead(armature.joints, armature.parents, places[0], turns, places[1], np.array(motion.timestamps))]


_READERS: dict[str, Callable[[Job], list[MotionRead]]] = {
    "bvh": _read_bvh,
    "glb": lambda job: read_glb_motions(job.path),
    "usda": lambda job: read_usda_motions(job.path),
}
_NAMES: dict[str, Callable[[tuple[str, ...]], tuple[str, ...]]] = {
    "bvh": bvh_names,
    "glb": lambda joints: joints,
    "usda": lambda joints: tuple(plain_name(joint) for joint in joints),
}
MOTION_FORMATS = tuple(_READERS)
