"""PoseEstimator: images in, people in source pixels out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mv3d.data.skeleton import Skeleton
from mv3d.errors import ConfigError
from mv3d.pose2d.assembly import AssemblyConfig, People, assemble, assemble_scored, openpose_thresholds
from mv3d.pose2d.config import EngineConfig, ResolutionConfig
from mv3d.pose2d.crops import VirtualCamera, render, to_source
from mv3d.pose2d.detections import Detections, merge, no_detections
from mv3d.pose2d.device_decoding import decode_on_device
from mv3d.pose2d.engine import make_engine
from mv3d.pose2d.fusion import fuse_maps
from mv3d.pose2d.models import Model
from mv3d.pose2d.peaks import Peaks, find_peaks
from mv3d.pose2d.preprocess import Fit, as_bgr, batch_images, fit, resize
from mv3d.pose2d.recognition import model_called
from mv3d.pose2d.resolution import average_scales, placements_of

ToSource = Callable[[np.ndarray], np.ndarray]
"""Source px of network input px; NaN for NaN."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageMaps:
    """The network's answer to one image, or to the crops of one.

    Attributes:
        heatmaps: (maps, h, w) at the network's stride, the background last.
        pafs: (pafs, h, w).
        to_source: source px of network input px.
        placement: where a whole image lay in the input; None for crops.
    """

    heatmaps: Tensor
    pafs: Tensor
    to_source: ToSource
    placement: Fit | None = None


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
        engine: EngineConfig | None = None,
        resolution: ResolutionConfig | None = None,
    ) -> None:
        """Load the network.

        Args:
            model: name of the network, or a safetensors file of one.
            device: "auto" (a GPU if there is one) or a torch device: "cpu", "cuda", "cuda:1", ...
            weights: a safetensors file; None takes the installed weights.
            config: thresholds of peaks and people; None takes OpenPose's.
            long_sides: px of the longer side of whole images in the network, one pass for each; a person should be
                150 to 220 px tall in one of them.
            candidates: how many peaks of each joint `Detections` keeps.
            engine: precision, backend and the like.
            resolution: OpenPose's rules for the size of whole images, in place of `long_sides`, if it names one.

        Raises:
            ConfigError: no such model, no weights, or a model of hands or faces.
            FormatError: the weights do not fit.
            ValueError: no long side, or one that is not positive; no candidates.
        """
        if not long_sides or min(long_sides) <= 0 or candidates < 1:
            raise ValueError(f"long_sides {tuple(long_sides)} and candidates {candidates} must be positive")
        self._model, own_weights = model_called(model)
        if not self._model.finds_people:
            raise ConfigError(f"{model} looks at hands or faces, not at people; choose a model of the body")
        self._engine_config = engine or EngineConfig()
        self._engine = make_engine(self._model, device, self._engine_config, weights or own_weights)
        self._config = config or openpose_thresholds(self._model.name)
        self._resolution = resolution or ResolutionConfig()
        self._long_sides = tuple(long_sides)
        self._candidates = candidates

    @property
    def model(self) -> Model:
        """The kind of network."""
        return self._model

    @property
    def skeleton(self) -> Skeleton:
        """The joints of every detection."""
        return self._model.skeleton

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """People in whole images, one result per image; the images make one batch per scale.

        Args:
            images: BGR, of any sizes; grey, alpha and 16 bits are accepted.
        """
        if not images:
            return []
        images = [as_bgr(image) for image in images]
        by_scale = [self._decode(self._maps(images, scales)) for scales in self._scales(images)]
        return [merge(found, self._config.max_people) for found in zip(*by_scale, strict=True)]

    def maps(self, images: Sequence[np.ndarray]) -> list[ImageMaps]:
        """Heatmaps and PAFs of whole images, at the first of `long_sides` or by the rules of `resolution`."""
        images = [as_bgr(image) for image in images]
        return self._maps(images, self._scales(images)[0]) if images else []

    def decode(self, maps: Sequence[ImageMaps]) -> list[Detections]:
        """People by given maps, which need not be this network's."""
        return self._decode(list(maps))

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
        heatmaps, pafs = self._engine.maps(np.stack(flat))
        found, at = [], 0
        for own in crops:
            if own:
                found.append(self._fused(heatmaps[at : at + len(own)], pafs[at : at + len(own)], tuple(own)))
                at += len(own)
        decoded = iter(self._decode(found))
        nobody = no_detections(len(self.skeleton), self._candidates)
        return [next(decoded) if own else nobody for own in crops]

    def peaks_in_crops(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], crops: Sequence[VirtualCamera]
    ) -> tuple[Float[np.ndarray, "crop joint candidate 2"], Float[np.ndarray, "crop joint candidate"]]:
        """Candidates of every joint in one crop of each image, best first; nobody is put together from them.

        Args:
            images: BGR, each of its camera's size; one for each crop.
            crops: all of one size.

        Returns:
            Source px, NaN for no candidate, and scores, 0 for none.
        """
        xy = np.full((len(crops), len(self.skeleton), self._candidates, 2), np.nan)
        score = np.zeros(xy.shape[:-1])
        if crops:
            batch = np.stack([render(image, crop) for image, crop in zip(images, crops, strict=True)])
            heatmaps = self._engine.maps(batch)[0].cpu().numpy()
            for i, crop in enumerate(crops):
                at, score[i] = self._best(self._peaks(heatmaps[i]))
                xy[i] = to_source(crop, at)
        return xy, score

    def _scales(self, images: Sequence[np.ndarray]) -> list[list[list[Fit]]]:
        """For each pass and each of its scales, where each image lies in the network's input."""
        sizes = [(image.shape[1], image.shape[0]) for image in images]
        if self._resolution.net_resolution:
            by_image = [placements_of(size, self._resolution) for size in sizes]
            return [[list(scale) for scale in zip(*by_image, strict=True)]]
        return [[[fit(size, side) for size in sizes]] for side in self._long_sides]

    def _maps(self, images: Sequence[np.ndarray], scales: Sequence[Sequence[Fit]]) -> list[ImageMaps]:
        """The maps of each image, averaged over the scales."""
        stride, offset = self._model.stride, self._model.cell_offset
        by_scale = []
        for placements in scales:
            resized = [resize(image, placement) for image, placement in zip(images, placements, strict=True)]
            both = torch.cat(self._engine.maps(batch_images(resized, stride)), 1)
            sizes = [tuple(-(-n // stride) for n in placement.size) for placement in placements]
            by_scale.append([both[i, :, :rows, :columns] for i, (columns, rows) in enumerate(sizes)])
        out = []
        for i in range(len(images)):
            placements = [scale[i] for scale in scales]
            maps = [scale[i] for scale in by_scale]
            mean = maps[0] if len(maps) == 1 else average_scales(maps, placements, stride, offset)
            count = self._model.layout.heatmap_count
            out.append(ImageMaps(mean[:count], mean[count:], placements[0].to_source, placements[0]))
        return out

    def _fused(self, heatmaps: Tensor, pafs: Tensor, crops: tuple[VirtualCamera, ...]) -> ImageMaps:
        fused = fuse_maps(heatmaps, pafs, crops, self._model.stride, self._model.cell_offset)
        return ImageMaps(*fused, lambda xy: to_source(crops[0], xy))

    def _decode(self, maps: list[ImageMaps]) -> list[Detections]:
        """People by maps, on the host or, all maps of one size at once, on the device."""
        decode = self._engine_config.decode
        if decode == "host" or (decode == "auto" and self._engine.device.type == "cpu"):
            return [self._detections(*self._on_host(m), m.to_source) for m in maps]
        out: dict[int, Detections] = {}
        sizes = [m.pafs.shape for m in maps]
        for size in set(sizes):
            own = [i for i, other in enumerate(sizes) if other == size]
            heatmaps, pafs = (torch.stack([getattr(maps[i], n) for i in own]) for n in ("heatmaps", "pafs"))
            rules = self._model.layout, self._config
            decoded = decode_on_device(heatmaps, pafs, *rules, self._model.stride, self._model.cell_offset)
            for i, found in zip(own, decoded, strict=True):
                people = assemble_scored(found.peaks, found.limb_scores, *rules)
                out[i] = self._detections(found.peaks, people, maps[i].to_source)
        return [out[i] for i in range(len(maps))]

    def _on_host(self, maps: ImageMaps) -> tuple[Peaks, People]:
        model = self._model
        heatmaps, pafs = (m.cpu().numpy() for m in (maps.heatmaps, maps.pafs))
        peaks = self._peaks(heatmaps)
        return peaks, assemble(peaks, pafs, model.layout, self._config, model.stride, model.cell_offset)

    def _peaks(self, heatmaps: np.ndarray) -> Peaks:
        joints, threshold = heatmaps[: len(self.skeleton)], self._config.peak_threshold
        return find_peaks(joints, threshold, self._model.stride, self._model.cell_offset)

    def _best(self, peaks: Peaks) -> tuple[np.ndarray, np.ndarray]:
        """As many candidates of each joint as are kept: network input px, NaN for none, and scores in 0 to 1."""
        xy = np.full((len(self.skeleton), self._candidates, 2), np.nan)
        score = np.zeros(xy.shape[:-1])
        n = min(self._candidates, peaks.xy.shape[1])
        real = np.arange(n) < peaks.count[:, None]
        xy[:, :n] = np.where(real[..., None], peaks.xy[:, :n], np.nan)
        score[:, :n] = np.where(real, np.clip(peaks.score[:, :n], 0, 1), 0)
        return xy, score

    def _detections(self, peaks: Peaks, people: People, to_source_px: ToSource) -> Detections:
        peaks_xy, peaks_score = self._best(peaks)
        xy = to_source_px(people.xy)
        score = np.where(np.isfinite(xy).all(-1), people.score, 0.0)
        return Detections(xy, score, people.person_score, to_source_px(peaks_xy), peaks_score)
