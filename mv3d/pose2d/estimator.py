"""PoseEstimator: images in, people in source pixels out."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mv3d.data.skeleton import Skeleton
from mv3d.pose2d.assembly import AssemblyConfig, assemble
from mv3d.pose2d.crops import VirtualCamera, render, to_source
from mv3d.pose2d.detections import Detections, merge, no_detections
from mv3d.pose2d.device import choose_device
from mv3d.pose2d.fusion import fuse_maps
from mv3d.pose2d.models import load_network, model_named
from mv3d.pose2d.peaks import find_peaks
from mv3d.pose2d.preprocess import batch_images, fit, resize

_ToSource = Callable[[np.ndarray], np.ndarray]


class PoseEstimator:
    """A network with what comes before and after it. It sets no threads: callers do."""

    def __init__(
        self,
        model: str = "mobilenet_thin",
        *,
        device: str = "cpu",
        weights: Path | None = None,
        config: AssemblyConfig | None = None,
        long_sides: Sequence[int] = (368,),
        candidates: int = 6,
    ) -> None:
        """Load the network.

        Args:
            model: name of the network.
            device: "auto" (a GPU if there is one) or a torch device: "cpu", "cuda", "cuda:1", ...
            weights: a safetensors file; None takes the weights that ship with the package.
            config: thresholds of peaks and people; None takes OpenPose's.
            long_sides: px of the longer side of whole images in the network, one pass for each; a person should be
                150 to 220 px tall in one of them.
            candidates: how many peaks of each joint `Detections` keeps.

        Raises:
            ConfigError: no such model.
            FormatError: the weights do not fit.
            ValueError: no long side, or one that is not positive; no candidates.
        """
        if not long_sides or min(long_sides) <= 0 or candidates < 1:
            raise ValueError(f"long_sides {tuple(long_sides)} and candidates {candidates} must be positive")
        self._model = model_named(model)
        self._device = choose_device(device)
        self._network = load_network(self._model, weights).to(self._device)
        self._config = config or AssemblyConfig()
        self._long_sides = tuple(long_sides)
        self._candidates = candidates

    @property
    def skeleton(self) -> Skeleton:
        """The joints of every detection."""
        return self._model.skeleton

    def detect(self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> list[Detections]:
        """People in whole images, one result per image; the images make one batch per long side.

        Args:
            images: BGR, of any sizes.
        """
        if not images:
            return []
        by_scale = [self._detect_at(images, side) for side in self._long_sides]
        return [merge(found, self._config.max_people) for found in zip(*by_scale, strict=True)]

    def detect_in_crops(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], crops: Sequence[Sequence[VirtualCamera]]
    ) -> list[Detections]:
        """People in virtual crops, in source pixels; all crops of all images make one batch.

        Args:
            images: BGR, each of its camera's size.
            crops: for each image none, one or several crops of its camera, all of one size. The maps of the second
                and later ones are averaged onto the first, and people are sought in the mean.

        Raises:
            ValueError: as many lists of crops as images are needed, crops of one size, images of their camera's size.
        """
        if len(images) != len(crops):
            raise ValueError(f"{len(images)} images but crops for {len(crops)}")
        flat = [render(image, crop) for image, own in zip(images, crops, strict=True) for crop in own]
        if len({image.shape for image in flat}) > 1:
            raise ValueError("all crops of one call have one size")
        if not flat:
            return [no_detections(len(self.skeleton), self._candidates) for _ in images]
        heatmaps, pafs = self._run(np.stack(flat))
        out, at = [], 0
        for own in crops:
            out.append(self._detect_fused(heatmaps[at : at + len(own)], pafs[at : at + len(own)], tuple(own)))
            at += len(own)
        return out

    def _detect_at(self, images: Sequence[np.ndarray], long_side: int) -> list[Detections]:
        stride = self._model.stride
        placements = [fit((image.shape[1], image.shape[0]), long_side) for image in images]
        resized = [resize(image, placement) for image, placement in zip(images, placements, strict=True)]
        heatmaps, pafs = (maps.cpu().numpy() for maps in self._run(batch_images(resized, stride)))
        out = []
        for i, placement in enumerate(placements):
            columns, rows = (-(-n // stride) for n in placement.size)
            out.append(self._decode(heatmaps[i, :, :rows, :columns], pafs[i, :, :rows, :columns], placement.to_source))
        return out

    def _detect_fused(self, heatmaps: Tensor, pafs: Tensor, crops: tuple[VirtualCamera, ...]) -> Detections:
        if not crops:
            return no_detections(len(self.skeleton), self._candidates)
        heatmap, paf = fuse_maps(heatmaps, pafs, crops, self._model.stride, self._model.cell_offset)
        return self._decode(heatmap.cpu().numpy(), paf.cpu().numpy(), lambda xy: to_source(crops[0], xy))

    @torch.inference_mode()
    def _run(
        self, images: UInt8[np.ndarray, "batch height width 3"]
    ) -> tuple[Float[Tensor, "batch maps h w"], Float[Tensor, "batch pafs h w"]]:
        """Heatmaps and PAFs of a batch. Images are channels-last in memory already, as the network likes them."""
        x = torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2).float()
        return self._network(x)

    def _decode(
        self, heatmaps: Float[np.ndarray, "maps h w"], pafs: Float[np.ndarray, "pafs h w"], to_source_px: _ToSource
    ) -> Detections:
        model, config = self._model, self._config
        joints = len(model.skeleton)
        peaks = find_peaks(heatmaps[:joints], config.peak_threshold, model.stride, model.cell_offset)
        people = assemble(peaks, pafs, model.skeleton, config, model.stride, model.cell_offset)
        peaks_xy = np.full((joints, self._candidates, 2), np.nan)
        peaks_score = np.zeros((joints, self._candidates))
        n = min(self._candidates, peaks.xy.shape[1])
        real = np.arange(n) < peaks.count[:, None]
        peaks_xy[:, :n] = np.where(real[..., None], peaks.xy[:, :n], np.nan)
        peaks_score[:, :n] = np.where(real, np.clip(peaks.score[:, :n], 0, 1), 0)
        xy = to_source_px(people.xy)
        score = np.where(np.isfinite(xy).all(-1), people.score, 0.0)
        return Detections(xy, score, people.person_score, to_source_px(peaks_xy), peaks_score)
