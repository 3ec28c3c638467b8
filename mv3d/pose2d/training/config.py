"""Settings of a training run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How each picture differs from the one before.

    Attributes:
        person_share: (least, largest) height of the chosen person as a share of the input; a person of 280 px in 352 is
            what `mv3d run` looks at.
        rotation_deg: largest turn either way.
        shift: largest shift of the person from the middle, as a share of the input.
        flip: share of pictures that are mirrored.
        colour: largest change of brightness, contrast and each channel, as a share.
        blur_sigma: largest blur, px; half of the pictures have none.
        least_jpeg_quality: of pictures that went through JPEG; half of them have not.
    """

    person_share: tuple[float, float] = (0.35, 0.95)
    rotation_deg: float = 30.0
    shift: float = 0.12
    flip: float = 0.5
    colour: float = 0.25
    blur_sigma: float = 1.5
    least_jpeg_quality: int = 40


@dataclass(frozen=True, slots=True)
class Optimisation:
    """How the weights move.

    Attributes:
        steps: of the optimiser.
        batch: pictures a step.
        learning_rate: at its highest.
        warm_up: steps until then; it falls as a cosine to nothing afterwards.
        weight_decay: of AdamW.
        ema: share of the running mean of the weights that each step keeps; the mean is what is saved and judged.
        clip: largest norm of the gradient.
    """

    steps: int = 20_000
    batch: int = 8
    learning_rate: float = 1e-3
    warm_up: int = 500
    weight_decay: float = 1e-4
    ema: float = 0.999
    clip: float = 1.0


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """A training run.

    Attributes:
        data: folders of images/ and annotations.json, or images and their annotations as IMAGES:ANNOTATIONS.json, in
            COCO's form, with any keypoints that the file names.
        out: folder for checkpoints, the log and the weights.
        model: the network.
        weights: what it starts from, as far as it goes: a safetensors file or the name of a network; empty: the
            installed weights, "none": nothing.
        mix: how often each folder is drawn from, in proportion; empty: all alike.
        validation: a folder as those of `data` to judge by; empty: none.
        validation_images: only its first so many images.
        train: all; stages leaves the trunk as it is; new trains only what the starting weights lack.
        cached_variants: keep the features of so many variants of each image on disk and train on those; 0 makes new
            ones all the time. Only where the trunk is not trained.
        cached_window: side, in cells, of the squares of those features that are kept, most of them around a joint that
            is learnt; 0 keeps all of them.
        cached_windows: squares of each variant.
        size: side of the input px, a multiple of 8.
        precision: of the computations; bf16 and fp16 mix with fp32.
        device: auto or a torch device.
        log_every: steps between lines of the log.
        judge_every: steps between checkpoints with judgements.
        seed: of everything random.
        threads: that read pictures.
        augmentation: of pictures.
        optimisation: of the weights.
    """

    data: tuple[str, ...]
    out: Path
    model: str = "mv3d-body25"
    weights: str = ""
    mix: tuple[float, ...] = ()
    validation: str = ""
    validation_images: int = 200
    train: Literal["all", "stages", "new"] = "new"
    cached_variants: int = 0
    cached_window: int = 0
    cached_windows: int = 2
    size: int = 352
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    device: str = "auto"
    log_every: int = 50
    judge_every: int = 2000
    seed: int = 0
    threads: int = 2
    augmentation: Augmentation = field(default_factory=Augmentation)
    optimisation: Optimisation = field(default_factory=Optimisation)

    def __post_init__(self) -> None:
        if not self.data or (self.mix and len(self.mix) != len(self.data)):
            raise ValueError("data names at least one folder, and mix has a number for each")
        if self.size <= 0 or self.size % 8:
            raise ValueError(f"size is {self.size}; a positive multiple of 8 is wanted")
        if self.cached_variants and self.train == "all":
            raise ValueError("cached_variants wants a trunk that stays as it is; train stages or new")
        if self.cached_window < 0 or self.cached_windows < 1 or (self.cached_window and not self.cached_variants):
            raise ValueError("cached_window is 0 or a number of cells with cached_variants; cached_windows at least 1")

    @property
    def windows(self) -> int:
        """Squares of each variant; 1 where the whole of it is kept."""
        return self.cached_windows if self.cached_window else 1
