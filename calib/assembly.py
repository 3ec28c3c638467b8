"""What was found in each source, put side by side as the observations of all cameras."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from calib.board_sources import Alignment, BoardSource
from calib.boards import BoardSet, Target
from calib.detection_cache import Detections
from calib.observations import BoardObservations
from calib.view_selection import choose_views
from mv3d.errors import CalibrationError
from mv3d.files.natural import natural_key

# Sides of two sizes of images that differ by less than this share keep the aspect of the picture.
_SAME_ASPECT = 0.005


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Frames of a source to look at.

    Attributes:
        source: the pictures.
        frames: their numbers, increasing.
        kind: "intrinsics" or "extrinsics", also the folder of the cache.
        names: of all frames of the source.
    """

    source: BoardSource
    frames: np.ndarray
    kind: str
    names: list[str]


def assemble(
    board: Target, tasks: list[Task], found: list[Detections], alignment: Alignment | None, most_views: int
) -> BoardObservations:
    """Put what was found side by side: frames of all cameras first, then those of single cameras.

    Args:
        board: the board.
        tasks: what was looked at.
        found: what was found, in the order of the tasks.
        alignment: of the tasks of kind "extrinsics"; None if there are none.
        most_views: of a video of a single camera.

    Raises:
        CalibrationError: pictures of one camera differ in shape.
    """
    cameras = sorted({task.source.camera for task in tasks}, key=natural_key)
    sizes = np.array([_size_of(name, tasks, found) for name in cameras])
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, list[str], np.ndarray]] = []
    if alignment is not None:
        parts.append(_together(board, cameras, sizes, tasks, found, alignment))
    for task, detections in zip(tasks, found, strict=True):
        if task.kind == "intrinsics":
            parts.append(_alone(board, cameras, sizes, task, detections, most_views))
    offsets = np.cumsum([0] + [int(part[4].max(initial=-1)) + 1 for part in parts])
    return BoardObservations(
        board,
        tuple(cameras),
        sizes,
        np.concatenate([part[0] for part in parts], axis=1),
        np.concatenate([part[1] for part in parts], axis=1),
        np.concatenate([part[2] for part in parts], axis=1),
        tuple(name for part in parts for name in part[3]),
        np.concatenate([part[4] + offset for part, offset in zip(parts, offsets[:-1], strict=True)]),
    )


def _together(
    board: Target,
    cameras: Sequence[str],
    sizes: np.ndarray,
    tasks: list[Task],
    found: list[Detections],
    alignment: Alignment,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str], np.ndarray]:
    count = len(alignment.names)
    xy = np.full((len(cameras), count, board.corner_count, 2), np.nan)
    sigma, times = np.full((len(cameras), count), np.nan), np.full((len(cameras), count), np.nan)
    shared = [(task, seen) for task, seen in zip(tasks, found, strict=True) if task.kind == "extrinsics"]
    for column, (task, detections) in enumerate(shared):
        c = cameras.index(task.source.camera)
        there = np.flatnonzero(alignment.index[:, column] >= 0)
        at = np.searchsorted(detections.frames, alignment.index[there, column])
        scaled, sigmas = _scaled(detections, sizes[c], task)
        xy[c, there], sigma[c, there] = scaled[at], sigmas[at]
        times[c] = alignment.times[:, column]
    return xy, sigma, times, [f"extrinsics/{name}" for name in alignment.names], alignment.segments


def _alone(
    board: Target, cameras: Sequence[str], sizes: np.ndarray, task: Task, detections: Detections, most_views: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str], np.ndarray]:
    c = cameras.index(task.source.camera)
    scaled, sigmas = _scaled(detections, sizes[c], task)
    keep = np.flatnonzero(np.isfinite(sigmas))
    if task.source.video is not None:
        keep = keep[_chosen(scaled[keep], sigmas[keep], board, most_views)]
    xy = np.full((len(cameras), len(keep), board.corner_count, 2), np.nan)
    sigma = np.full((len(cameras), len(keep)), np.nan)
    xy[c], sigma[c] = scaled[keep], sigmas[keep]
    names = [f"intrinsics/{task.source.camera}/{task.names[i]}" for i in detections.frames[keep]]
    return xy, sigma, np.full_like(sigma, np.nan), names, np.arange(len(keep))


def _chosen(xy: np.ndarray, sigma: np.ndarray, board: Target, most: int) -> np.ndarray:
    """Views worth keeping; of several boards those of each."""
    if not isinstance(board, BoardSet):
        return choose_views(xy, sigma, board, most)
    chosen: list[np.ndarray] = []
    for k, part in enumerate(board.parts):
        own = xy[:, board.members(k)]
        seen = np.flatnonzero(np.isfinite(own[..., 0]).sum(1))
        chosen.append(seen[choose_views(own[seen], sigma[seen], part, most)])
    return np.unique(np.concatenate(chosen))


def _size_of(camera: str, tasks: list[Task], found: list[Detections]) -> tuple[int, int]:
    """The size that a camera is calibrated for: of what all cameras recorded together, else its most frequent."""
    own = [(task.kind, seen) for task, seen in zip(tasks, found, strict=True) if task.source.camera == camera]
    chosen = [seen for kind, seen in own if kind == "extrinsics"] or [seen for _, seen in own]
    sizes, counts = np.unique(np.concatenate([seen.sizes for seen in chosen]), axis=0, return_counts=True)
    width, height = sizes[np.argmax(counts)]
    return int(width), int(height)


def _scaled(
    detections: Detections, size: Int[np.ndarray, "2"], task: Task
) -> tuple[Float[np.ndarray, "frame corner 2"], Float[np.ndarray, " frame"]]:
    """Corners and sigmas as in images of the given size."""
    factors = size / detections.sizes
    odd = np.flatnonzero(np.abs(factors[:, 0] / factors[:, 1] - 1) > _SAME_ASPECT)
    if len(odd):
        width, height = detections.sizes[odd[0]]
        raise CalibrationError(
            f"{task.source.path}: {task.names[detections.frames[odd[0]]]} is {width}x{height}, another shape than the"
            f" {size[0]}x{size[1]} of camera {task.source.camera}'s other pictures; record all with the same settings"
        )
    xy = (detections.xy + 0.5) * factors[:, None] - 0.5
    return xy, detections.sigma_px * np.sqrt(factors.prod(1))
