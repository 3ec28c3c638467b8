"""Configuration: nested frozen dataclasses are the only home of defaults; a YAML file holds only what differs."""

import dataclasses
import difflib
import math
import reprlib
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from mv3d.errors import ConfigError
from mv3d.export.registry import export_paths
from mv3d.guidance import GuidanceConfig
from mv3d.pose2d.config import EngineConfig, PartConfig, ResolutionConfig, TrackingConfig
from mv3d.reconstruct.reconstruction import ReconstructConfig
from mv3d.reconstruct.rig_check import RigCheckConfig
from mv3d.reconstruct.sync_refinement import SyncConfig
from mv3d.reconstruct.views import ViewsConfig

_TYPE_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


@dataclass(frozen=True, slots=True)
class Pose2DConfig:
    """The 2D stage.

    Attributes:
        model: name of the network, see `mv3d models list`; or a file of weights, .safetensors or .onnx.
        device: torch device; "auto" takes the GPU if there is one.
        long_sides: px of the longer side of whole images in the network, one pass each. People between 150 and 220 px
            tall in one of them are found best.
        hands: look at hands as well, by the network hand_21.
        face: look at faces as well, by the network face_70.
        maximize_positives: OpenPose's laxer thresholds: more people, and more that is none.
        assembly: all_limbs or limb_by_limb, OpenPose's orders on a GPU and on a CPU.
        resolution: OpenPose's rules for the size of whole images, in place of `long_sides`.
        track: follow one person by optical flow between the frames that the network sees (`mv3d pose2d`).
        tracking: how often the network looks then.
        engine: precision, backend and the like of all networks.
        parts: crops of hands and faces.
    """

    model: str = "mobilenet_thin"
    device: str = "auto"
    long_sides: tuple[int, ...] = (368, 736)
    hands: bool = False
    face: bool = False
    maximize_positives: bool = False
    assembly: Literal["all_limbs", "limb_by_limb"] = "all_limbs"
    resolution: ResolutionConfig = field(default_factory=ResolutionConfig)
    track: bool = False
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    parts: PartConfig = field(default_factory=PartConfig)

    def __post_init__(self) -> None:
        if not self.long_sides or min(self.long_sides) < 8:
            raise ValueError(f"long_sides is {list(self.long_sides)}; one or more numbers of at least 8 are wanted")


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """What `mv3d run` leaves in the session besides the skeletons.

    Attributes:
        formats: files in export/.
        overlay: write overlay.mp4.
        scene: write scene.mp4 (needs Open3D to open a hidden window).
        report: write report.html.
        blur_faces: make faces unrecognisable in pictures and videos, where the keypoints say that they are.
    """

    formats: tuple[str, ...] = ("csv", "trc", "openpose")
    overlay: bool = True
    scene: bool = True
    report: bool = True
    blur_faces: bool = False

    def __post_init__(self) -> None:
        export_paths(".", self.formats, "name")  # names an unknown format before hours of work, not after


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of the chain.

    Attributes:
        pose2d: the 2D stage.
        guidance: crops around the performer.
        reconstruct: triangulation and smoothing.
        sync: time offsets from motion.
        rig_check: does the rig fit the videos, and is it to be corrected?
        output: files and pictures.
    """

    pose2d: Pose2DConfig = field(default_factory=Pose2DConfig)
    guidance: GuidanceConfig = field(default_factory=GuidanceConfig)
    reconstruct: ReconstructConfig = field(default_factory=ReconstructConfig)
    sync: SyncConfig = field(default_factory=SyncConfig)
    rig_check: RigCheckConfig = field(default_factory=RigCheckConfig)
    output: OutputConfig = field(default_factory=OutputConfig)

    @property
    def views(self) -> ViewsConfig:
        """What leads from detections to the skeleton."""
        return ViewsConfig(self.reconstruct, self.sync, self.rig_check)


def load_config(path: str | Path) -> Config:
    """Defaults with the differences of a YAML file.

    Raises:
        ConfigError: the file cannot be read, or a key or a value does not fit; says which and what is near.
    """
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    # PyYAML lets the errors of impossible dates and numbers, and of lists nested too deep, through as they are.
    except (OSError, ValueError, OverflowError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot read this configuration: {' '.join(str(error).split())}") from error
    try:
        return _merged(Config(), {} if document is None else document, "")
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def differences(config: Any, default: Any | None = None) -> dict[str, Any]:
    """What differs from the defaults, as plain values for YAML."""
    default = type(config)() if default is None else default
    out: dict[str, Any] = {}
    for item in dataclasses.fields(config):
        value, usual = getattr(config, item.name), getattr(default, item.name)
        if dataclasses.is_dataclass(value):
            inner = differences(value, usual)
            if inner:
                out[item.name] = inner
        elif value != usual:
            out[item.name] = list(value) if isinstance(value, tuple) else value
    return out


def _merged(section: Any, changes: Any, path: str) -> Any:
    if not isinstance(changes, dict):
        raise ConfigError(f"{path or 'the file'} must be a mapping of settings")
    names = [item.name for item in dataclasses.fields(section)]
    hints = get_type_hints(type(section))
    updates = {}
    for key, value in changes.items():
        where = f"{path}.{key}" if path else str(key)
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
            raise ConfigError(f"unknown setting {where!r}; {hint}")
        current = getattr(section, key)
        nested = dataclasses.is_dataclass(current)
        updates[key] = _merged(current, value, where) if nested else _checked(value, hints[key], where)
    try:
        return dataclasses.replace(section, **updates)
    except ValueError as error:
        raise ConfigError(f"{path or 'the file'}: {error}") from error


def _checked(value: Any, wanted: Any, where: str) -> Any:
    """The value as the annotated type; whole numbers serve as floats, lists as tuples."""
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        return (
            value if value is None else _checked(value, next(a for a in get_args(wanted) if a is not type(None)), where)
        )
    if origin is Literal:
        if value in get_args(wanted):
            return value
        raise ConfigError(f"{where} is {reprlib.repr(value)}; one of {', '.join(map(str, get_args(wanted)))} is wanted")
    if origin is tuple:
        if isinstance(value, list):
            return tuple(_checked(item, get_args(wanted)[0], where) for item in value)
        raise ConfigError(f"{where} is {reprlib.repr(value)}; a list is wanted")
    if wanted is float:
        value = _as_float(value)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise ConfigError(f"{where} is {reprlib.repr(value)}; {_TYPE_NAMES[wanted]} is wanted")
    if wanted in (int, float) and not 0 <= value < math.inf:
        raise ConfigError(f"{where} is {value}; a number of at least 0 is wanted")
    return value


def _as_float(value: Any) -> Any:
    """Whole numbers as floats, and texts of numbers: YAML takes 1e-3 for a text, for want of a dot."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    try:
        return float(value)
    except (ValueError, OverflowError):
        return value
