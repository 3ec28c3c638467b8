"""Cameras that were knocked in mid-session: which, when, and by how much.

Each camera is held against what the others predict. The median over joints of its error is the image's shift at each
instant; it wanders with the person where the rig does not fit, but a camera that was knocked makes it jump, and the
jump stays. The camera with the clearest jump is named, its detections are put back, and the search goes on: what a
moved camera did to the others' predictions is gone then.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.data.diagnosis import CameraMove
from mv3d.data.rig import Rig
from mv3d.reconstruct.observations import observe
from mv3d.reconstruct.per_frame import TriangulationConfig, triangulate_frames
from mv3d.reconstruct.rig_refinement import RefinementConfig, refine_rig

# Turns a median absolute deviation into a standard deviation for normal errors.
_MAD_TO_SD = 1.4826
# Standard error of a median against that of a mean, for normal errors.
_MEDIAN_LOSS = 1.25


@dataclass(frozen=True, slots=True)
class MoveConfig:
    """Search for moved cameras.

    Attributes:
        frames: instants looked at, spread evenly.
        fewest_joints: an instant counts for a view if it sees as many of them.
        side: instants compared on either side of a possible move, at most.
        fewest: and at least.
        correlation: neighbouring instants whose errors are alike.
        significance: standard deviations of a jump that is believed.
        least_share: smallest jump, as a share of the image's longer side: less is within what a detector may do.
        outstanding: a jump must be as many times the median of all differences in that view.
        most: moves that are sought.
    """

    frames: int = 240
    fewest_joints: int = 4
    side: int = 40
    fewest: int = 8
    correlation: int = 3
    significance: float = 6.0
    least_share: float = 0.003
    outstanding: float = 4.0
    most: int = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Jump:
    view: int
    after: int
    shift: np.ndarray
    sigmas: float


def find_moves(
    rig: Rig,
    xy: Float[np.ndarray, "frame view joint 2"],
    score: Float[np.ndarray, "frame view joint"],
    timestamps: Float[np.ndarray, " frame"],
    triangulation: TriangulationConfig,
    refinement: RefinementConfig,
    config: MoveConfig,
) -> tuple[CameraMove, ...]:
    """Moves in order of time; none with fewer than three views, where nothing tells which camera it was.

    Args:
        rig: cameras in view order.
        xy: keypoints of the joints to be used, px; NaN where missing.
        score: 0 where missing.
        timestamps: s.
        triangulation: of the points.
        refinement: how a camera's turn and displacement are found.
        config: settings.
    """
    chosen = np.unique(np.linspace(0, len(xy) - 1, min(config.frames, len(xy))).astype(int))
    xy, score, times = xy[chosen].copy(), score[chosen], timestamps[chosen]
    found: list[CameraMove] = []
    while len(rig) >= 3 and len(found) < config.most:
        shift = np.stack([_shift_over_time(rig, xy, score, v, triangulation, config) for v in range(len(rig))])
        jumps = [j for v, c in enumerate(rig) if (j := _jump(shift[v], v, max(c.size), config)) is not None]
        if not jumps:
            break
        jump = _most_telling(rig, xy, score, jumps, triangulation, config)
        found.append(_measured(rig, xy, score, times, jump, shift[jump.view], triangulation, refinement))
        xy[jump.after :, jump.view] -= jump.shift
    return tuple(sorted(found, key=lambda move: move.time))


def _most_telling(
    rig: Rig,
    xy: np.ndarray,
    score: np.ndarray,
    jumps: list[_Jump],
    triangulation: TriangulationConfig,
    config: MoveConfig,
) -> _Jump:
    """Of jumps at about the clearest one's time, the one that leaves least in all views when it is put back.

    A camera that moved drags the others' predictions along, so several views jump at once.
    """
    clearest = max(jumps, key=lambda jump: jump.sigmas)
    left = {}
    for jump in (j for j in jumps if abs(j.after - clearest.after) <= config.side // 2):
        back = xy.copy()
        back[jump.after :, jump.view] -= jump.shift
        shift = [_shift_over_time(rig, back, score, v, triangulation, config) for v in range(len(rig))]
        near = slice(max(0, jump.after - config.side), jump.after), slice(jump.after, jump.after + config.side)
        left[jump.view] = sum(float(np.linalg.norm(_median(s[near[1]]) - _median(s[near[0]]))) for s in shift)
    return min((j for j in jumps if j.view in left), key=lambda jump: left[jump.view])


def _median(values: np.ndarray) -> np.ndarray:
    """Median of the known rows; 0 where there are none."""
    known = values[np.isfinite(values).all(-1)]
    return np.median(known, axis=0) if len(known) else np.zeros(values.shape[-1])


def _shift_over_time(
    rig: Rig, xy: np.ndarray, score: np.ndarray, view: int, triangulation: TriangulationConfig, config: MoveConfig
) -> Float[np.ndarray, "frame 2"]:
    """Median over joints of a view's error against the other views; NaN where too few joints are known.

    Each joint's own median over time is taken off first: which joints are seen changes, and each has its bias.
    """
    others = observe(rig, xy, score).without_view(view)
    error = xy[:, view] - rig[view].project(triangulate_frames(others, triangulation).xyz)
    error[~(score[:, view] > 0)] = np.nan
    for j in range(error.shape[1]):
        known = np.isfinite(error[:, j]).all(-1)
        if known.any():
            error[:, j] -= np.median(error[known, j], axis=0)
    enough = np.isfinite(error).all(-1).sum(1) >= config.fewest_joints
    out = np.full((len(xy), 2), np.nan)
    out[enough] = np.nanmedian(error[enough], axis=1)
    return out


def _jump(shift: np.ndarray, view: int, side_px: int, config: MoveConfig) -> _Jump | None:
    """The clearest jump of a view; None if there is none that stays and stands out."""
    held = np.flatnonzero(np.isfinite(shift).all(-1))
    values = shift[held]
    cuts = np.arange(config.fewest, len(held) - config.fewest + 1)
    if not len(cuts):
        return None
    steps = [_difference(values[max(0, c - config.side) : c], values[c : c + config.side], config) for c in cuts]
    sizes, sds = np.array([np.linalg.norm(s) for s, _ in steps]), np.array([sd for _, sd in steps])
    best = int((sizes / sds).argmax())
    cut = _sharpened(values, int(cuts[best]), config)
    whole, _ = _difference(values[:cut], values[cut:], config)
    step = steps[best][0]
    least = max(config.significance * sds[best], config.least_share * side_px, _ordinary(sizes, cuts, cut, config))
    # A jump that does not stay was a person's pose, not a camera.
    if sizes[best] < least or whole @ step < 0.5 * sizes[best] ** 2:
        return None
    return _Jump(view, int(held[cut]), step, float(sizes[best] / sds[best]))


def _sharpened(values: np.ndarray, cut: int, config: MoveConfig) -> int:
    """The cut nearby that parts the values best: least absolute deviations from the medians of either side."""
    first, last = max(0, cut - config.side), min(len(values), cut + config.side)
    near = range(max(first + 2, cut - config.side // 2), min(last - 2, cut + config.side // 2) + 1)

    def cost(c: int) -> float:
        sides = values[first:c], values[c:last]
        return sum(float(np.abs(side - np.median(side, axis=0)).sum()) for side in sides)

    return min(near, key=cost, default=cut)


def _ordinary(sizes: np.ndarray, cuts: np.ndarray, cut: int, config: MoveConfig) -> float:
    """What a jump must exceed to stand out from the differences away from it; 0 where it leaves none."""
    away = np.abs(cuts - cut) >= config.side
    return config.outstanding * float(np.median(sizes[away])) if away.any() else 0.0


def _difference(before: np.ndarray, after: np.ndarray, config: MoveConfig) -> tuple[np.ndarray, float]:
    """Difference of medians (2,) px and its standard deviation."""
    middles = np.median(before, axis=0), np.median(after, axis=0)
    spread = [_MAD_TO_SD * np.median(np.abs(a - m)) for a, m in zip((before, after), middles, strict=True)]
    variance = sum(
        (s * _MEDIAN_LOSS) ** 2 * config.correlation / len(a) for s, a in zip(spread, (before, after), strict=True)
    )
    # A tenth of a pixel: exact data would divide by zero.
    return middles[1] - middles[0], float(np.sqrt(2 * variance + 0.01))


def _measured(
    rig: Rig,
    xy: np.ndarray,
    score: np.ndarray,
    times: np.ndarray,
    jump: _Jump,
    shift: np.ndarray,
    triangulation: TriangulationConfig,
    refinement: RefinementConfig,
) -> CameraMove:
    """Turn and displacement of the camera: its pose after the move against its pose before."""
    sides = slice(0, jump.after), slice(jump.after, None)
    poses = [
        refine_rig(rig, xy[s], score[s], "extrinsics", triangulation, refinement, only_view=jump.view).change[jump.view]
        for s in sides
    ]
    change = poses[1] - poses[0]
    after = shift[jump.after :]
    squares = np.nansum(after**2), np.nansum((after - np.nanmedian(after, axis=0)) ** 2)
    previous = np.flatnonzero(np.isfinite(shift[: jump.after]).all(-1))[-1]
    return CameraMove(
        view=jump.view,
        time=float(times[previous] + times[jump.after]) / 2,
        time_sd=float(times[jump.after] - times[previous]) / 2,
        shift_px=jump.shift,
        translation=float(np.linalg.norm(change[3:])),
        rotation=float(np.linalg.norm(change[:3])),
        gain=float(1 - squares[1] / max(squares[0], 1e-12)),
    )
