"""Settings of the 2D stage's networks; without torch, so that reading a configuration does not wait for it."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

_RESOLUTION = re.compile(r"(-1|\d{1,5})x(-1|\d{1,5})")


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How the network is run.

    Attributes:
        precision: fp32, fp16 or bf16; peaks and people are always found in fp32.
        compile: off; fuse lets torch.compile fuse layers (a minute at the first image of each size); graphs records
            CUDA graphs as well and needs a GPU. For many images of one size.
        backend: torch, or openvino on a CPU (extra `openvino`), which is faster there.
        decode: where peaks are found and limbs are scored: host, device, or auto, which is the device if it is a GPU.
    """

    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    compile: Literal["off", "fuse", "graphs"] = "off"
    backend: Literal["torch", "openvino"] = "torch"
    decode: Literal["auto", "host", "device"] = "auto"


@dataclass(frozen=True, slots=True)
class ResolutionConfig:
    """The network input of whole images as OpenPose chooses it, in place of `long_sides`.

    Attributes:
        net_resolution: WIDTHxHEIGHT px, -1 for the side that keeps the image's aspect ("-1x368" is OpenPose's
            default); empty: `long_sides` rules.
        dynamic: the side of -1 is at most this times 16/9 of the other; 0 sets no limit.
        scale_number: how many scales are averaged.
        scale_gap: what each scale is smaller than the one before, as a share of the first.
    """

    net_resolution: str = ""
    dynamic: float = 1.0
    scale_number: int = 1
    scale_gap: float = 0.25

    def __post_init__(self) -> None:
        match = _RESOLUTION.fullmatch(self.net_resolution)
        if self.net_resolution and (match is None or set(match.groups()) <= {"-1", "0"}):
            raise ValueError(f"net_resolution is {self.net_resolution!r}; WIDTHxHEIGHT is wanted, -1x368 for instance")
        if not 1 <= self.scale_number <= 1 + int(1 / max(self.scale_gap, 1e-9)) or not 0 < self.scale_gap < 1:
            raise ValueError(f"scale_number {self.scale_number} and scale_gap {self.scale_gap} leave no image at last")


@dataclass(frozen=True, slots=True)
class PartConfig:
    """Crops of hands and faces.

    Attributes:
        size: side of the network's input px, a multiple of 8.
        scale_number: how many sizes of the square are tried; the one of the best mean score wins.
        scale_range: by how much they differ in all, as a share of the square.
        threshold: least score of a keypoint; below it is missing.
    """

    size: int = 368
    scale_number: int = 1
    scale_range: float = 0.4
    threshold: float = 0.05

    def __post_init__(self) -> None:
        if self.size <= 0 or self.size % 8:
            raise ValueError(f"size is {self.size}; a positive multiple of 8 is wanted")
        if self.scale_number < 1 or not 0 <= self.scale_range < 2 or not 0 < self.threshold < 1:
            raise ValueError("scale_number is at least 1, scale_range below 2, threshold between 0 and 1")

    @property
    def scales(self) -> Float[np.ndarray, " scale"]:
        """Sizes of the square that are tried, as shares of it."""
        if self.scale_number == 1:
            return np.ones(1)
        return np.linspace(1 - self.scale_range / 2, 1 + self.scale_range / 2, self.scale_number)
