"""Session: where everything of one recording lies."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Session:
    """A session folder. Only names its files; reading and writing them is the work of the stages."""

    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root))

    @property
    def videos(self) -> Path:
        """Folder of `<camera>.mp4` or `.mkv`."""
        return self.root / "videos"

    @property
    def rig(self) -> Path:
        """The calibrated rig, `cameras.yaml`."""
        return self.root / "cameras.yaml"

    @property
    def corrections(self) -> Path:
        """What was corrected by hand, `corrections.yaml`; optional."""
        return self.root / "corrections.yaml"

    @property
    def refined_rig(self) -> Path:
        """The rig corrected by the skeletons, where that was asked for, `cameras.refined.yaml`."""
        return self.root / "cameras.refined.yaml"

    @property
    def calibration_uncertainty(self) -> Path:
        """Covariance of the rig's parameters, where mv3d calibrated it."""
        return self.root / "calibration" / "uncertainty.npz"

    @property
    def pose2d(self) -> Path:
        """Folder of `<camera>.npz`."""
        return self.root / "pose2d"

    @property
    def pose3d(self) -> Path:
        """The reconstructed skeletons."""
        return self.root / "pose3d.npz"

    @property
    def export(self) -> Path:
        """Folder of exported files."""
        return self.root / "export"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.root / "report.html"

    @property
    def verdict(self) -> Path:
        """The verdict for programs, `verdict.json`."""
        return self.root / "verdict.json"

    @property
    def overlay_video(self) -> Path:
        """All cameras side by side with what was found in them."""
        return self.root / "overlay.mp4"

    @property
    def scene_video(self) -> Path:
        """The skeleton in 3D."""
        return self.root / "scene.mp4"
