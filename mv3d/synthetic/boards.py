"""A board carried through a ring of cameras, seen with noise and with what goes wrong in real rooms; exact truth."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.geometry.rotations import rotation_from_vector

# A detector loses a board that it sees at a flatter angle: cosine between the board's normal and the line of sight.
_FLATTEST = 0.35
# Fewer corners than this are no detection.
_FEWEST_CORNERS = 6
# Hands turn a board through these angles (rad) and through these periods (s); no two periods are in step.
_PERIODS = np.array([7.3, 5.9, 4.7, 11.0, 8.1, 6.7])
# A corner crosses at most some hundred lines in the 30 ms of a frame: each sweep gains a digit or more.
_LINE_SWEEPS = 12


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticBoard:
    """What a rig saw of a moving board, and the truth.

    Attributes:
        xy: (camera, frame, corner, 2) px; NaN where not seen.
        times: (camera, frame) s by each camera's clock; NaN for stills.
        segments: (frame,) frames of one recording share a number.
        offsets: (camera, frame) s: what a camera stamps t is the world at t + offset.
        R, t: (frame, 3, 3), (frame, 3) m: x_world = R x_board + t at the frame's instant.
        noise_px: standard deviation of a coordinate.
    """

    xy: np.ndarray
    times: np.ndarray
    segments: np.ndarray
    offsets: np.ndarray
    R: np.ndarray
    t: np.ndarray
    noise_px: float


def carried_board(
    seconds: Float[np.ndarray, "*batch"],
    *,
    center: tuple[float, float, float] = (0.0, 0.0, 0.95),
    reach: tuple[float, float, float] = (0.9, 0.9, 0.45),
    toward: Float[np.ndarray, "3"] | None = None,
    speed: float = 1.0,
    seed: int = 0,
) -> tuple[Float[np.ndarray, "*batch 3 3"], Float[np.ndarray, "*batch 3"]]:
    """Smooth motion of a board in hands: its pose (R, t) in the world at each time.

    Args:
        seconds: times.
        center: around which it is carried, m.
        reach: how far along each axis, m.
        toward: the board faces this place more or less; None lets it turn round all the time, for a ring of cameras.
        speed: 1 is a calm hand, about 0.5 m/s.
        seed: of the phases.
    """
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, 8)
    waves = np.sin(2 * np.pi * speed * seconds[..., None] / _PERIODS + phase[:6])
    t = np.array(center) + np.array(reach) * waves[..., :3]
    # Board axes in the world while it faces along the world's x: x to the side, y down, z into the board.
    facing = np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]])
    if toward is None:
        yaw = phase[6] + 2 * np.pi * speed * seconds / 13.0
    else:
        ahead = toward - np.array(center)
        yaw = np.full(seconds.shape, np.arctan2(ahead[1], ahead[0]))
    turn = rotation_from_vector(yaw[..., None] * np.array([0.0, 0, 1]))
    return turn @ facing @ rotation_from_vector(waves[..., 3:] * np.array([0.5, 0.6, 0.5])), t


def film_board(
    rig: Rig,
    points: Float[np.ndarray, "corner 3"],
    *,
    frames: int = 100,
    fps: float = 10.0,
    noise_px: float = 0.2,
    lag: Float[np.ndarray, " camera"] | None = None,
    jitter_s: float = 0.0,
    line_time: float = 0.0,
    stills: bool = False,
    speed: float = 1.0,
    toward: Float[np.ndarray, "3"] | None = None,
    center: tuple[float, float, float] = (0.0, 0.0, 0.95),
    normals: Float[np.ndarray, "corner 3"] | None = None,
    seed: int = 0,
) -> SyntheticBoard:
    """Let every camera take `frames` pictures of the moving board.

    Args:
        rig: the cameras.
        points: corners on the board, m.
        frames: number of frames.
        fps: frames per second.
        noise_px: of each coordinate.
        lag: s that each camera's pictures are late by its own stamps: its offset. None for none.
        jitter_s: standard deviation of what comes on top in every view.
        line_time: s from one image line to the next, counted from the middle line: a rolling shutter.
        stills: no times, and no frame is a neighbour of another.
        speed, toward, center: of the motion, see `carried_board`.
        normals: on the board, into it, at each corner; of a body each side has its own. None: z, of a flat board.
        seed: of motion and noise.
    """
    rng = np.random.default_rng([seed, 1])
    count = len(rig)
    instants = np.arange(frames) / fps
    offsets = np.zeros((count, frames)) if lag is None else np.repeat(lag[:, None], frames, 1)
    offsets = offsets + jitter_s * rng.normal(size=offsets.shape)
    motion = {"speed": speed, "toward": toward, "seed": seed, "center": center}
    middle = points.mean(0)
    inward = np.tile([0.0, 0.0, 1.0], (len(points), 1)) if normals is None else normals
    xy = np.full((count, frames, len(points), 2), np.nan)
    for c, camera in enumerate(rig):
        exact, R, t = _exposed(camera, points - middle, instants + offsets[c], line_time, motion)
        sight = t - camera.center
        facing = np.einsum("fij,nj,fi->fn", R, inward, sight) / np.linalg.norm(sight, axis=1, keepdims=True)
        inside = ((exact >= 0) & (exact <= np.array(camera.size) - 1)).all(-1) & (facing > _FLATTEST)
        inside &= inside.sum(1, keepdims=True) >= _FEWEST_CORNERS
        xy[c] = np.where(inside[..., None], exact + noise_px * rng.normal(size=exact.shape), np.nan)
    R, t = carried_board(instants, **motion)
    times = np.full((count, frames), np.nan) if stills else np.repeat(instants[None], count, 0)
    segments = np.arange(frames) if stills else np.zeros(frames, np.int64)
    return SyntheticBoard(xy, times, segments, offsets, R, t - (R @ middle), noise_px)


def _exposed(
    camera: Camera, points: np.ndarray, instants: np.ndarray, line_time: float, motion: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels (frame, corner, 2) of the corners, each at the instant of the line on which it falls; pose in mid-image.

    The line depends on the instant and the instant on the line: a fixed point, which contracts by line_time times the
    corner's speed in lines per second.
    """
    R, t = carried_board(instants, **motion)
    exact = camera.project(points @ np.swapaxes(R, 1, 2) + t[:, None])
    for _ in range(_LINE_SWEEPS if line_time else 0):
        later = line_time * (exact[..., 1] - (camera.size[1] - 1) / 2)
        turn, place = carried_board(instants[:, None] + later, **motion)
        exact = camera.project(np.einsum("fnij,nj->fni", turn, points) + place)
    return exact, R, t


def displace_corners(board: SyntheticBoard, share: float, px: float, seed: int = 0) -> SyntheticBoard:
    """Move a share of the corners by `px` in a random direction."""
    rng = np.random.default_rng([seed, 2])
    angle = rng.uniform(0, 2 * np.pi, board.xy.shape[:-1])
    hit = rng.random(angle.shape) < share
    return replace(board, xy=board.xy + px * hit[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1))


def lose_corners(board: SyntheticBoard, share: float, seed: int = 0) -> SyntheticBoard:
    """Leave a share of the corners out."""
    lost = np.random.default_rng([seed, 3]).random(board.xy.shape[:-1]) < share
    return replace(board, xy=np.where(lost[..., None], np.nan, board.xy))


def reverse_corners(board: SyntheticBoard, share: float, seed: int = 0) -> tuple[SyntheticBoard, np.ndarray]:
    """Number the corners backwards in a share of the views; also returns which, (camera, frame)."""
    hit = np.random.default_rng([seed, 4]).random(board.xy.shape[:2]) < share
    return replace(board, xy=np.where(hit[..., None, None], board.xy[:, :, ::-1], board.xy)), hit


def spoil_views(board: SyntheticBoard, share: float, px: float, seed: int = 0) -> tuple[SyntheticBoard, np.ndarray]:
    """Displace every corner of a share of the views by normal errors of `px`; also returns which."""
    rng = np.random.default_rng([seed, 5])
    hit = rng.random(board.xy.shape[:2]) < share
    return replace(board, xy=board.xy + px * hit[..., None, None] * rng.normal(size=board.xy.shape)), hit


def delay_camera(board: SyntheticBoard, camera: int, frames: int) -> SyntheticBoard:
    """Shift a camera's pictures by whole frames against its stamps: frame f shows what frame f - `frames` did."""
    xy, offsets = board.xy.copy(), board.offsets.copy()
    shifted = np.full_like(xy[camera], np.nan)
    source = np.arange(len(shifted)) - frames
    valid = (source >= 0) & (source < len(shifted))
    shifted[valid] = xy[camera, source[valid]]
    xy[camera] = shifted
    step = float(np.nanmedian(np.diff(board.times[camera])))
    offsets[camera] -= frames * step
    return replace(board, xy=xy, offsets=offsets)


def mirror_camera(board: SyntheticBoard, camera: int, width: int) -> SyntheticBoard:
    """Flip a camera's pictures from left to right."""
    xy = board.xy.copy()
    xy[camera, ..., 0] = width - 1 - xy[camera, ..., 0]
    return replace(board, xy=xy)


def blur_camera(board: SyntheticBoard, camera: int, px: float, seed: int = 0) -> SyntheticBoard:
    """Add noise of `px` to all corners of one camera."""
    xy = board.xy.copy()
    xy[camera] += px * np.random.default_rng([seed, 6]).normal(size=xy[camera].shape)
    return replace(board, xy=xy)


def rescale_camera(board: SyntheticBoard, camera: int, factor: float) -> SyntheticBoard:
    """Record one camera's pictures at another size: `factor` times as wide and high."""
    xy = board.xy.copy()
    xy[camera] = (xy[camera] + 0.5) * factor - 0.5
    return replace(board, xy=xy)
