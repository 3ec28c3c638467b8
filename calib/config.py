"""Settings of the calibration: the only home of its defaults."""

from dataclasses import dataclass, field

from calib.layout import LENS_MODELS, LensPrior
from mv3d.errors import ConfigError


@dataclass(frozen=True, slots=True)
class LensConfig:
    """Which lens model each camera gets.

    Attributes:
        model: auto (by held-out error), pinhole0, pinhole4, pinhole5, pinhole8, pinhole12, pinhole14,
            double-sphere or fisheye.
        per_camera: models of single cameras by name, over `model`.
        candidates: what auto chooses from, simplest first.
        gain: relative fall of the held-out error that a richer model must bring.
        prior: what is known of any lens.
    """

    model: str = "auto"
    per_camera: dict[str, str] = field(default_factory=dict)
    candidates: tuple[str, ...] = ("pinhole4", "pinhole5", "pinhole8", "double-sphere", "fisheye")
    gain: float = 0.03
    prior: LensPrior = field(default_factory=LensPrior)

    def __post_init__(self) -> None:
        for model in (self.model, *self.per_camera.values(), *self.candidates):
            if model not in LENS_MODELS and not (model == "auto" and model not in self.candidates):
                raise ConfigError(f"lens model {model!r} is unknown; there are auto, {', '.join(LENS_MODELS)}")

    def of(self, camera: str) -> str:
        """The model asked for a camera."""
        return self.per_camera.get(camera, self.model)


@dataclass(frozen=True, slots=True)
class OutlierConfig:
    """What is left out.

    Attributes:
        corner: residual of a corner in robust standard deviations of its camera.
        view: rms of a view in units of the median view of its camera.
        turn_deg: angle by which a view may contradict the other cameras.
        rounds: of leaving out and taking back in.
    """

    corner: float = 5.0
    view: float = 4.0
    turn_deg: float = 25.0
    rounds: int = 3


@dataclass(frozen=True, slots=True)
class TimeConfig:
    """Cameras that do not take their pictures at the same instant.

    Attributes:
        enabled: estimate offsets of videos; stills have none.
        spread_s: standard deviation of a view's offset around its camera's mean to start with; then it is estimated.
        largest_s: no offset is larger, integer frames included.
        rolling_shutter: estimate the time between lines too; None where the pictures hint at a rolling shutter.
    """

    enabled: bool = True
    spread_s: float = 0.1
    largest_s: float = 2.0
    rolling_shutter: bool | None = None


@dataclass(frozen=True, slots=True)
class BoardShapeConfig:
    """A board that is not what its description says: bent, or printed out of true.

    Attributes:
        enabled: estimate where each corner is.
        sd_m: standard deviation of each coordinate of a corner around where it is described, m.
        rounds: most rounds of solving for corners and cameras in turn.
    """

    enabled: bool = False
    sd_m: float = 0.5e-3
    rounds: int = 20


@dataclass(frozen=True, slots=True)
class CalibrationConfig:
    """All settings of a calibration."""

    lens: LensConfig = field(default_factory=LensConfig)
    outliers: OutlierConfig = field(default_factory=OutlierConfig)
    time: TimeConfig = field(default_factory=TimeConfig)
    board_shape: BoardShapeConfig = field(default_factory=BoardShapeConfig)
    max_iterations: int = 50
