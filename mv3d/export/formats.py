"""What each format is: its files, what its readers expect of axes and units, and who writes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mv3d.data.motion import Motion
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.errors import ConfigError
from mv3d.export.angles import write_angles_csv
from mv3d.export.bvh import write_bvh
from mv3d.export.c3d import check_c3d, write_c3d
from mv3d.export.fbx import blender_program, write_fbx
from mv3d.export.fitted import fitted_body
from mv3d.export.gltf import write_glb
from mv3d.export.json_file import write_json
from mv3d.export.openpose_json import write_openpose_json
from mv3d.export.options import Axes, ExportOptions, Placement, Units, place
from mv3d.export.person_views import views_used
from mv3d.export.tables import write_tidy_csv, write_wide_csv
from mv3d.export.trc import write_trc
from mv3d.export.usda import write_usda
from mv3d.files.writing import whole_file
from mv3d.motion.angles import joint_angles


@dataclass(frozen=True, slots=True)
class Job:
    """One file to write.

    Attributes:
        poses: the skeletons, at the rate of the file.
        person: index of the person in a file of one.
        path: the file, or the folder of a format of many files.
        name: stem of the files in a folder.
        placement: axes and unit.
        rig: the cameras, where known.
        poses2d: keypoints by camera name, where known.
        motions: of all people, for a format that holds them.
        rotation_order: of angles in the file, where the format leaves it open.
    """

    poses: Poses3D
    person: int
    path: Path
    name: str
    placement: Placement
    rig: Rig | None
    poses2d: Mapping[str, Poses2D] | None
    motions: tuple[Motion, ...] = ()
    rotation_order: str = "ZXY"


@dataclass(frozen=True, slots=True)
class Format:
    """A format's file and habits.

    Attributes:
        file: pattern of the path in the folder of exports.
        write: writes a job.
        axes: what its readers expect.
        units: what its readers expect.
        fixed: whether it is always in these axes and units, because its definition or its reader says so.
        constant_rate: whether it holds frames at a constant rate only.
        one_person: whether a file holds one person; each further person has a file.
        motion: whether it holds a moving body and not points.
        retargets: whether the body can have the names and rest pose of another rig.
        check: raises FormatError where the format cannot hold the skeletons, or cannot be written here.
    """

    file: str
    write: Callable[[Job], None]
    axes: Axes = "world"
    units: Units = "m"
    fixed: bool = False
    constant_rate: bool = False
    one_person: bool = False
    motion: bool = False
    retargets: bool = False
    check: Callable[[Poses3D], None] | None = None

    def placement(self, name: str, options: ExportOptions, up: tuple[float, float, float]) -> Placement:
        """Axes and unit of the file.

        Raises:
            ConfigError: others were asked for than the format has.
        """
        axes = self.axes if options.axes == "auto" else options.axes
        units = self.units if options.units == "auto" else options.units
        for option, value, own in (("axes", axes, self.axes), ("units", units, self.units)):
            if self.fixed and value != own:
                raise ConfigError(
                    f"{name} files are always in {option} {own}, not {value}; leave --{option} out for them"
                )
        return place(axes, units, up)


def _npz(job: Job) -> None:
    with whole_file(job.path) as part:
        job.poses.save(part)


def _c3d(job: Job) -> None:
    views = None if job.rig is None or job.poses2d is None else views_used(job.poses, job.rig, job.poses2d)
    write_c3d(job.poses, job.path, job.placement, views)


def _bvh(job: Job) -> None:
    write_bvh(job.path, job.motions[job.person], job.placement, order=job.rotation_order)


def _angles(job: Job) -> None:
    write_angles_csv(job.path, joint_angles(fitted_body(job.poses, job.person)))


def _check_fbx(poses: Poses3D) -> None:
    blender_program()


def _fbx(job: Job) -> None:
    write_fbx(job.motions[job.person], job.path, job.placement)


FORMATS = {
    "trc": Format(
        "{name}.trc", lambda job: write_trc(job.poses, job.path, job.placement, job.person), units="mm", one_person=True
    ),
    "c3d": Format("{name}.c3d", _c3d, units="mm", constant_rate=True, check=check_c3d),
    "csv": Format(
        "{name}.csv", lambda job: write_wide_csv(job.poses, job.path, job.placement, job.person), one_person=True
    ),
    "csv_tidy": Format("{name}_tidy.csv", lambda job: write_tidy_csv(job.poses, job.path, job.placement)),
    "json": Format("{name}.json", lambda job: write_json(job.poses, job.path, job.placement)),
    "npz": Format("{name}.npz", _npz, fixed=True),
    "bvh": Format(
        "{name}.bvh", _bvh, axes="y_up", units="cm", constant_rate=True, one_person=True, motion=True, retargets=True
    ),
    "glb": Format(
        "{name}.glb", lambda job: write_glb(job.motions, job.path, job.placement), axes="y_up", fixed=True, motion=True
    ),
    "usda": Format(
        "{name}.usda", lambda job: write_usda(job.motions, job.path, job.placement), axes="z_up", motion=True
    ),
    "fbx": Format(
        "{name}.fbx",
        _fbx,
        axes="y_up",
        fixed=True,
        constant_rate=True,
        one_person=True,
        motion=True,
        check=_check_fbx,
    ),
    "angles": Format("{name}_angles.csv", _angles, fixed=True, one_person=True),
    "openpose": Format(
        "openpose",
        lambda job: write_openpose_json(job.poses, job.path, job.name, job.rig, job.poses2d, job.placement),
    ),
}
