"""Faces made unrecognisable where the keypoints say that they are: for pictures that leave the session."""

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from mv3d.data.poses import Poses2D

_HEAD = frozenset({"Nose", "REye", "LEye", "REar", "LEar", "Head", "HeadTop", "UpperNeck"})
# Radius of what is hidden as a multiple of lengths that a detector finds: heads are 15 cm wide and 24 cm high, ears
# 15 cm apart, nose and neck 20 cm, shoulders 35 cm. Hair and chin are to be inside, and keypoints are off by a few cm.
_OF_SPREAD, _OF_NECK, _OF_SHOULDERS = 1.2, 0.8, 0.5
# A head is an eighth of a person; what is seen of them may be less than all.
_OF_PERSON = 0.08
# Where nothing but one point is known: this share of the image's height.
_LEAST = 0.03
# A face that is not found for a moment is where it was: so long before and after, s.
_HOLD = 0.4
# Blocks across a face: too few for anybody's features.
_BLOCKS = 6


def face_regions(poses: Poses2D, height: int) -> list[Float[np.ndarray, "face 3"]]:
    """Circles over the faces of each frame.

    Args:
        poses: detections of one view; every one of them has a face.
        height: of the image, px.

    Returns:
        For each frame x, y and radius, px. A frame also has the faces of frames around it that it lacks itself.
    """
    own = [_regions_in(poses, frame, height) for frame in range(len(poses))]
    regions = []
    for frame, time in enumerate(poses.timestamps):
        first, stop = np.searchsorted(poses.timestamps, [time - _HOLD, time + _HOLD])
        kept = list(own[frame])
        others = sorted(range(int(first), int(stop)), key=lambda other, frame=frame: abs(other - frame))
        for other in others:
            kept += [r for r in own[other] if not any(np.hypot(*(r - k)[:2]) < k[2] for k in kept)]
        regions.append(np.array(kept, float).reshape(-1, 3))
    return regions


def blurred(
    image: UInt8[np.ndarray, "height width 3"], regions: Float[np.ndarray, "face 3"]
) -> UInt8[np.ndarray, "height width 3"]:
    """A copy of the image with the circles turned to coarse blocks; the image itself if there are none."""
    if not len(regions):
        return image
    image = image.copy()
    height, width = image.shape[:2]
    for x, y, radius in regions:
        x0, x1 = (int(np.clip(at, 0, width)) for at in (np.floor(x - radius), np.ceil(x + radius) + 1))
        y0, y1 = (int(np.clip(at, 0, height)) for at in (np.floor(y - radius), np.ceil(y + radius) + 1))
        if x1 <= x0 or y1 <= y0:
            continue
        part = image[y0:y1, x0:x1]
        coarse = cv2.resize(part, (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA)
        blocks = cv2.resize(coarse, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)
        rows, columns = np.mgrid[y0:y1, x0:x1]
        inside = np.hypot(columns - x, rows - y) <= radius
        part[inside] = blocks[inside]
    return image


def blurred_views(
    images: Iterable[Sequence[UInt8[np.ndarray, "_ _ 3"] | None]],
    poses2d: Sequence[Poses2D],
    index: Int[np.ndarray, "frame view"],
) -> Iterator[list[np.ndarray | None]]:
    """The images of all views at each instant, faces blurred.

    Args:
        images: for each instant one BGR image per view, None where a view has none.
        poses2d: detections of each view at its own frames.
        index: which frame of its own a view shows at each instant.
    """
    regions: list[list[np.ndarray] | None] = [None] * len(poses2d)
    for frame, views in enumerate(images):
        shown: list[np.ndarray | None] = []
        for view, image in enumerate(views):
            if image is None:
                shown.append(None)
                continue
            known = regions[view]
            if known is None:
                known = regions[view] = face_regions(poses2d[view], image.shape[0])
            own = int(index[frame, view])
            shown.append(blurred(image, known[own]) if own < len(known) else image)
        yield shown


def _regions_in(poses: Poses2D, frame: int, height: int) -> list[np.ndarray]:
    names = poses.skeleton.keypoints
    head = [j for j, name in enumerate(names) if name in _HEAD or name.startswith("Face_")]
    found = []
    for xy, score in zip(poses.xy[frame], poses.score[frame], strict=True):
        seen = [j for j in head if score[j] > 0 and np.isfinite(xy[j]).all()]
        if seen:
            found.append(_circle(xy, score, seen, names, height))
    return found


def _circle(xy: np.ndarray, score: np.ndarray, seen: list[int], names: Sequence[str], height: int) -> np.ndarray:
    points = xy[seen].astype(float)
    centre = points.mean(0)
    radii = [_LEAST * height, _OF_SPREAD * float(np.linalg.norm(points[:, None] - points, axis=-1).max())]
    known = xy[(score > 0) & np.isfinite(xy).all(1)]
    radii.append(_OF_PERSON * float(np.ptp(known, axis=0).max()))
    for first, second, factor in (("Nose", "Neck", _OF_NECK), ("RShoulder", "LShoulder", _OF_SHOULDERS)):
        if first in names and second in names:
            a, b = names.index(first), names.index(second)
            if score[a] > 0 and score[b] > 0:
                radii.append(factor * float(np.linalg.norm(xy[a] - xy[b])))
    return np.array([*centre, max(radii)])
