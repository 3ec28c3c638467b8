"""Settings of the command line that most commands share."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tqdm import tqdm

from mv3d.errors import ConfigError

if TYPE_CHECKING:
    from mv3d.config import Config


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings that most commands share.

    Attributes:
        config: YAML file with the settings that differ from the defaults.
        model: 2D network of `mv3d models list`, blazepose, or an .onnx file of the RTMPose family.
        device: where the network runs: auto, cpu, cuda, cuda:1, ...
        hands: look at hands as well; needs the network hand_21 (`mv3d models add`).
        face: look at faces as well; needs the network face_70.
        mode: sequence smooths over time, frame keeps every frame's own triangulation, causal smooths by the past alone.
        people: how many people: a number, or all; 1 is the performer.
        refine_rig: correct the cameras by the skeletons before the reconstruction, in cameras.refined.yaml:
            image-shift, extrinsics or focal.
        allow_empty_views: go on when a camera never sees the performer.
        blur_faces: make faces unrecognisable in overlay and report, where the keypoints say that they are.
        quiet: no progress bars and no summary.
    """

    config: Path | None = None
    model: str | None = None
    device: str | None = None
    hands: bool = False
    face: bool = False
    mode: Literal["frame", "sequence", "causal"] | None = None
    people: int | Literal["all"] | None = None
    refine_rig: Literal["image-shift", "extrinsics", "focal"] | None = None
    allow_empty_views: bool = False
    blur_faces: bool = False
    quiet: bool = False

    def load(self) -> "Config":
        """The configuration: defaults, then the file, then the flags."""
        from mv3d.config import Config, load_config

        config = load_config(self.config) if self.config else Config()
        pose2d, reconstruct = config.pose2d, config.reconstruct
        pose2d = replace(pose2d, model=self.model or pose2d.model, device=self.device or pose2d.device)
        pose2d = replace(pose2d, hands=self.hands or pose2d.hands, face=self.face or pose2d.face)
        reconstruct = replace(
            reconstruct,
            mode=self.mode or reconstruct.mode,
            allow_empty_views=self.allow_empty_views or reconstruct.allow_empty_views,
        )
        if self.people is not None:
            reconstruct = reconstruct.of_people(self._count(self.people))
        rig_check = replace(config.rig_check, refine=self.refine_rig or config.rig_check.refine)
        output = replace(config.output, blur_faces=self.blur_faces or config.output.blur_faces)
        return replace(config, output=output, pose2d=pose2d, reconstruct=reconstruct, rig_check=rig_check)

    @staticmethod
    def _count(people: int | Literal["all"]) -> int | None:
        if people == "all":
            return None
        if people < 1:
            raise ConfigError(f"--people is {people}; a number of at least 1, or all, is wanted")
        return people

    def progress(self, items: Iterable[Any], length: int, description: str) -> Iterable[Any]:
        """A progress bar, unless it was asked not to."""
        return tqdm(items, total=length, desc=description, unit="frame", disable=self.quiet)

    def unless_quiet(self, lines: list[str]) -> list[str]:
        """The lines, unless silence was asked for."""
        return [] if self.quiet else lines
