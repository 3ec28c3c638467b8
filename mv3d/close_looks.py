"""A second, closer look at the wrists, which the network finds least exactly.

It sees a whole person at about 280 px, so a forearm at 40. Once it is known where the arms are, crops about the
forearms show them larger, and a wrist lies at the mean of both answers, weighted by their scores.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.data.skeleton import Skeleton
from mv3d.pose2d.crops import VirtualCamera, make_crop, source_pixels_per_metre
from mv3d.pose2d.detector import PeakDetector

# The crop's middle is that of the forearm: the network knows a wrist by it. Ankles gain nothing (docs/accuracy.md).
_FOREARMS = (("RWrist", "RElbow"), ("LWrist", "LElbow"))


@dataclass(frozen=True, slots=True)
class CloseLookConfig:
    """The second look.

    Attributes:
        enabled: whether there is one.
        zoom: how much larger the arm is shown than in the first look.
        crop_px: side of the square crop, a multiple of 8.
        reach_m: the second answer counts if it is this close to the first.
    """

    enabled: bool = True
    zoom: float = 1.8
    crop_px: int = 224
    reach_m: float = 0.08

    def __post_init__(self) -> None:
        if self.crop_px <= 0 or self.crop_px % 8:
            raise ValueError(f"crop_px is {self.crop_px}; a positive multiple of 8 is wanted")
        if self.zoom <= 0:
            raise ValueError(f"zoom is {self.zoom}; a positive number is wanted")


def look_closer(
    detector: PeakDetector,
    images: Sequence[np.ndarray | None],
    first: Sequence[VirtualCamera],
    xyz: Float[np.ndarray, "joint 3"],
    xy: Float[np.ndarray, "view joint 2"],
    score: Float[np.ndarray, "view joint"],
    peaks_xy: Float[np.ndarray, "view joint candidate 2"],
    config: CloseLookConfig,
) -> None:
    """Move the wrists to where both looks together say they are.

    Args:
        detector: the network of the first look.
        images: one for each view; None where it has none.
        first: the crops of the first look.
        xyz: where the joints are expected, m; arms of NaN are left alone.
        xy: what the first look found, source px; changed in place.
        score: its scores; what it did not find is left alone.
        peaks_xy: candidates of the first look; that of a wrist moves with it, in place.
        config: settings.
    """
    shown, crops, arms = [], [], []
    for view, wrist, middle in _arms(detector.skeleton, xyz, score):
        image, whole = images[view], first[view]
        if image is not None:
            scale = config.zoom * whole.pixels_per_metre
            shown.append(image)
            crops.append(make_crop(whole.camera, middle, -whole.R[1], scale, config.crop_px))
            arms.append((view, wrist))
    seen = detector.peaks_in_crops(shown, crops)
    for (view, wrist), crop, at, weight in zip(arms, crops, *seen, strict=True):
        near = np.linalg.norm(at[wrist] - xy[view, wrist], axis=-1) < config.reach_m * source_pixels_per_metre(crop)
        best = int(np.where(near, weight[wrist], 0.0).argmax())
        if near[best]:
            share = weight[wrist, best] / (weight[wrist, best] + score[view, wrist])
            both = xy[view, wrist] + share * (at[wrist, best] - xy[view, wrist])
            peaks_xy[view, wrist, (peaks_xy[view, wrist] == xy[view, wrist]).all(-1)] = both
            xy[view, wrist] = both


def _arms(skeleton: Skeleton, xyz: np.ndarray, score: np.ndarray) -> Iterator[tuple[int, int, Float[np.ndarray, "3"]]]:
    """View, wrist and the forearm's middle (m) of every wrist that was found."""
    for names in _FOREARMS:
        if set(names) <= set(skeleton.keypoints):
            ends = list(skeleton.indices(names))
            middle = xyz[ends].mean(0)
            if np.isfinite(middle).all():
                yield from ((int(view), ends[0], middle) for view in np.flatnonzero(score[:, ends[0]] > 0))
