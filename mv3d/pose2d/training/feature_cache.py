"""Features of the frozen trunk on disk: each picture goes through it once."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mv3d.files.progress import Progress
from mv3d.files.writing import whole_file
from mv3d.pose2d.networks.mobilenet_thin import MobilenetThin
from mv3d.pose2d.training.config import TrainingConfig
from mv3d.pose2d.training.optimiser import mixed
from mv3d.pose2d.training.pictures import Choice, Pictures


class FeatureCache:
    """Features of so many pictures, or squares of pictures, of every image, float16, in one file."""

    def __init__(self, path: Path, pictures: Pictures, each: int) -> None:
        self._each = each
        counts = [len(source) for source in pictures.sources]
        self._first = np.concatenate([[0], np.cumsum(counts)])
        self._features = np.load(path, mmap_mode="r")

    def of(self, choices: list[Choice]) -> Float[Tensor, "batch features h w"]:
        """The features of some pictures."""
        rows = [(self._first[c.source] + c.image) * self._each + c.variant for c in choices]
        found = torch.from_numpy(np.stack([self._features[row] for row in rows]))
        return found.to(torch.float32, memory_format=torch.channels_last)


def cached_features(
    config: TrainingConfig, network: MobilenetThin, pictures: Pictures, device: torch.device, progress: Progress
) -> FeatureCache:
    """The cache of these pictures and this trunk, made if it is not there; its name tells what it is of."""
    path = config.out / f"features-{_fingerprint(config, network, pictures)}.npy"
    if not path.is_file():
        config.out.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as part:
            _fill(part, config, network, pictures, device, progress)
    return FeatureCache(path, pictures, config.cached_variants * config.windows)


def _fill(
    path: Path,
    config: TrainingConfig,
    network: MobilenetThin,
    pictures: Pictures,
    device: torch.device,
    progress: Progress,
) -> None:
    images = [(s, i) for s, source in enumerate(pictures.sources) for i in range(len(source))]
    out, each = None, config.cached_variants * config.windows
    for first, (source, image) in enumerate(progress(images, len(images), "features of the trunk")):
        choices = [Choice(source, image, variant) for variant in range(each)]
        made = np.stack([pictures.picture(choice) for choice in choices[:: config.windows]])
        with mixed(config.precision, device):
            features = trunk_features(network, made, device).cpu().to(torch.float16).numpy()
        for choice in choices:
            kept = pictures.window(choice).of(features[choice.variant // config.windows])
            if out is None:
                out = np.lib.format.open_memmap(path, "w+", np.float16, (len(images) * each, *kept.shape))
            out[first * each + choice.variant] = kept
    assert out is not None
    out.flush()


@torch.no_grad()
def trunk_features(
    network: MobilenetThin, images: np.ndarray, device: torch.device
) -> Float[Tensor, "batch features h w"]:
    """What the stages see of a batch of pictures."""
    x = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float()
    return network.features(x)


def _fingerprint(config: TrainingConfig, network: MobilenetThin, pictures: Pictures) -> str:
    digest = hashlib.sha256()
    numbers = (config.precision, config.seed, config.size, config.cached_variants, config.cached_window, config.windows)
    facts = [numbers, asdict(config.augmentation)]
    paths = [[str(image.path), image.xy.shape[0]] for source in pictures.sources for image in source]
    digest.update(json.dumps([facts, paths]).encode())
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            digest.update(name.encode() + parameter.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
