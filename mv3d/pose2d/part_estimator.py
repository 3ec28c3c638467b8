"""Keypoints of one hand or face in each square: crops at the network's size, several scales, the best wins."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mv3d.data.skeleton import Skeleton
from mv3d.errors import ConfigError
from mv3d.pose2d.config import EngineConfig, PartConfig
from mv3d.pose2d.engine import Engine, make_engine
from mv3d.pose2d.models import Model, model_named
from mv3d.pose2d.part_boxes import PartBox
from mv3d.pose2d.peaks import find_peaks

# Crops of a batch: a hand network's fields at 368 px take 70 MB each.
_BATCH = 8
_CORNERS = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))


class PartEstimator:
    """A hand or face network with its crops."""

    def __init__(self, model: Model, engine: Engine, config: PartConfig) -> None:
        """A network that is ready to run, and how its crops are made."""
        self._model, self._engine, self._config = model, engine, config

    @property
    def skeleton(self) -> Skeleton:
        """The part's keypoints."""
        return self._model.skeleton

    def look(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], boxes: Sequence[PartBox]
    ) -> tuple[Float[np.ndarray, "box joint 2"], Float[np.ndarray, "box joint"]]:
        """Keypoints in the square of each image, source px; NaN and score 0 where below the threshold.

        Args:
            images: BGR, one for each box; an image may stand for several.
            boxes: where to look.
        """
        joints, scales = len(self.skeleton), self._config.scales
        sized = [replace(box, side=box.side * scale) for box in boxes for scale in scales]
        sources = [image for image in images for _ in scales]
        xy, score = np.full((len(sized), joints, 2), np.nan), np.zeros((len(sized), joints))
        for at in range(0, len(sized), _BATCH):
            chunk = slice(at, at + _BATCH)
            crops = [crop_square(i, b, self._config.size) for i, b in zip(sources[chunk], sized[chunk], strict=True)]
            heatmaps, _ = self._engine.maps(np.stack(crops))
            for i, maps in enumerate(heatmaps.cpu().numpy(), start=at):
                xy[i], score[i] = self._keypoints(maps[:joints], sized[i])
        best = score.reshape(-1, len(scales), joints).mean(2).argmax(1) + len(scales) * np.arange(len(boxes))
        return xy[best], score[best]

    def _keypoints(self, maps: Float[np.ndarray, "joint h w"], box: PartBox) -> tuple[np.ndarray, np.ndarray]:
        """The highest peak of each map, in source px."""
        peaks = find_peaks(maps, self._config.threshold, self._model.stride, self._model.cell_offset, 1)
        xy, score = np.full((len(maps), 2), np.nan), np.zeros(len(maps))
        found = np.flatnonzero(peaks.count)
        if len(found):
            xy[found] = square_to_source(peaks.xy[found, 0].astype(float), box, self._config.size)
            score[found] = np.clip(peaks.score[found, 0], 0, 1)
        return xy, score


def load_part_estimator(name: str, device: str, engine: EngineConfig, config: PartConfig) -> PartEstimator:
    """The hand or face network of a name.

    Raises:
        ConfigError: the model finds people, or has no weights.
    """
    model = model_named(name)
    if model.finds_people:
        raise ConfigError(f"{name} finds people; hand_21 or face_70 is wanted for a part of them")
    return PartEstimator(model, make_engine(model, device, engine), config)


def square_to_source(xy: Float[np.ndarray, "*batch 2"], box: PartBox, size: int) -> Float[np.ndarray, "*batch 2"]:
    """Source px of crop px: pixel centres are integers, the crop spans the square from edge to edge."""
    offset = (np.asarray(xy, float) + 0.5) * (box.side / size) - box.side / 2
    if box.mirrored:
        offset = offset * np.array([-1.0, 1.0])
    return np.array(box.center) + offset


def crop_square(image: UInt8[np.ndarray, "h w 3"], box: PartBox, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """What is in the square at the network's size, in a mirror if the box says so; black where there is no image.

    A square larger than the crop is shrunk by area first, so that nothing aliases.
    """
    shrink = max(1, int(box.side / size))
    low = np.floor(np.array(box.center) - box.side / 2).astype(int) - shrink
    high = np.ceil(np.array(box.center) + box.side / 2).astype(int) + shrink
    low, high = np.clip(low, 0, image.shape[1::-1]), np.clip(high, 0, image.shape[1::-1])
    if (high <= low).any():
        return np.zeros((size, size, 3), np.uint8)
    region = image[low[1] : high[1], low[0] : high[0]]
    small = tuple(max(1, round(n / shrink)) for n in region.shape[1::-1])
    factor = np.array(small) / np.array(region.shape[1::-1])
    if shrink > 1:
        region = cv2.resize(region, small, interpolation=cv2.INTER_AREA)
    # Crop px of (0, 0), and of one step in x and y, in px of the region.
    origin, right, down = ((square_to_source(np.array(p), box, size) - low + 0.5) * factor - 0.5 for p in _CORNERS)
    matrix = np.stack([right - origin, down - origin, origin], axis=1)
    return cv2.warpAffine(region, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
