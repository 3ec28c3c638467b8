"""Time from the board's motion: how fast each corner moves in the image, and cameras that are whole frames apart.

To second order a corner that is seen at z with velocity v (px/s) and half acceleration a (px/s2) was at z - v s + a s^2
a time s earlier. v and a come from the same camera's neighbouring frames, so no clock is shared between cameras. They
are taken from the board's pose in those frames, not from the corners: then v is the image of a rigid motion, which a
board's pose can follow exactly, and the noise of neighbouring corners cannot pass for a time offset.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from calib.pose_graph import ViewPoses, mean_reach, relative
from mv3d.data.lens import Lens
from mv3d.geometry.rotations import vector_from_rotation

# A gap longer than this many usual intervals is not bridged.
_LONGEST_GAP = 2.5
# A board that turns farther between frames (rad) was put into the wrong one of a plane's two poses.
_LARGEST_TURN = 0.7
# Neighbours that a motion is taken from, the best set first. Five frames halve the error of three where hands change
# their way within a few frames.
STEPS = (-2, -1, 1, 2)
_STENCILS = ((-2, -1, 1, 2), (-1, 1), (1,), (-1,))
# Share of the usual interval over which the second difference of the image path is taken.
_DIFFERENCE_STEP = 0.25
# A shift must lower the spread by this over the root of the number of frames: by chance it falls by half as much.
_CLEAR_GAIN = 1.2
# Pairs that share fewer frames are not asked.
_FEWEST_FRAMES = 8
_MOST_SHIFT = 30
# No pair is believed to agree better than this, rad.
_SHARPEST = 0.004


def image_motion(
    points: Float[np.ndarray, "corner 3"],
    lenses: list[Lens],
    poses: ViewPoses,
    times: Float[np.ndarray, "camera frame"],
    segments: Int[np.ndarray, " frame"],
) -> tuple[Float[np.ndarray, "camera frame corner 4"], Bool[np.ndarray, "camera frame"]]:
    """Velocity and half acceleration of every corner: vx, vy (px/s), ax, ay (px/s2); and which views have them.

    The board's centre and its rotation vector are polynomials in time through their values in five frames, in three
    where there are no more, and uniform with one neighbour.
    """
    usual = usual_interval(times)
    motion = np.zeros((*times.shape, len(points), 4))
    known = np.zeros(times.shape, bool)
    middle = points.mean(0)
    for c, lens in enumerate(lenses):
        center = poses.t[c] + poses.R[c] @ middle
        path, known[c] = _local_paths(poses.R[c], center, poses.weight[c] > 0, times[c], segments, float(usual[c]))
        f = known[c]
        arm = (points - middle) @ np.swapaxes(poses.R[c, f], 1, 2)
        y = arm + center[f, None]
        w1, w2 = path[0, f, None, :3], path[1, f, None, :3]
        speed = np.cross(w1, arm) + path[0, f, None, 3:]
        bend = 2 * np.cross(w2, arm) + np.cross(w1, np.cross(w1, arm)) + 2 * path[1, f, None, 3:]
        here, by_cam = lens.project_with_jacobian(y)
        h = _DIFFERENCE_STEP * usual[c]
        ahead, behind = (lens.project(y + k * h * speed + 0.5 * h * h * bend) for k in (1, -1))
        motion[c, f, :, :2] = np.einsum("fnij,fnj->fni", by_cam, speed)
        motion[c, f, :, 2:] = (ahead + behind - 2 * here) / (2 * h * h)
    return np.nan_to_num(motion), known


def _local_paths(
    R: np.ndarray, center: np.ndarray, has: np.ndarray, times: np.ndarray, segments: np.ndarray, usual: float
) -> tuple[np.ndarray, np.ndarray]:
    """Way of a board around each frame, see `fit_paths`, and where it is known."""
    way = np.zeros((len(STEPS), len(times), 6))
    near, dt = neighbours(has, times, segments, usual)
    for i, step in enumerate(STEPS):
        other = np.clip(np.arange(len(times)) + step, 0, len(times) - 1)
        way[i, :, :3] = vector_from_rotation(R[other] @ np.swapaxes(R, 1, 2))
        way[i, :, 3:] = center[other] - center
    return fit_paths(way, near, dt, _STENCILS)


def neighbours(
    has: Bool[np.ndarray, " frame"],
    times: Float[np.ndarray, " frame"],
    segments: Int[np.ndarray, " frame"],
    usual: float,
) -> tuple[Bool[np.ndarray, "step frame"], Float[np.ndarray, "step frame"]]:
    """Which of the frames STEPS away show how a board moved since, and the time to them, s.

    Args:
        has: frames that have a pose.
        times: of the frames, s.
        segments: recordings.
        usual: time between frames, s.
    """
    frames = np.arange(len(times))
    near, dt = np.zeros((len(STEPS), len(times)), bool), np.ones((len(STEPS), len(times)))
    for i, step in enumerate(STEPS):
        other = np.clip(frames + step, 0, len(times) - 1)
        gap = times[other] - times
        ok = has & has[other] & (segments[other] == segments) & (other == frames + step)
        ok &= np.isfinite(gap) & (gap * step > 0) & (np.abs(gap) < _LONGEST_GAP * abs(step) * usual)
        near[i], dt[i] = ok, np.where(ok, gap, float(step))
    return near, dt


def fit_paths(
    way: Float[np.ndarray, "step frame 6"],
    near: Bool[np.ndarray, "step frame"],
    dt: Float[np.ndarray, "step frame"],
    stencils: tuple[tuple[int, ...], ...],
) -> tuple[Float[np.ndarray, "power frame 6"], Bool[np.ndarray, " frame"]]:
    """How a board moves around each frame: polynomials in time through where it was in the frames STEPS away.

    Args:
        way: rotation vector of the turn since the frame (rad) and move of the centre (m).
        near, dt: see `neighbours`.
        stencils: sets of neighbours, the best first; a frame gets the first that it has.

    Returns:
        Coefficients of the powers 1 to 4 of time, zero where unknown; and where they are known.
    """
    limit = _LARGEST_TURN * np.abs(STEPS)[:, None]
    near = near & (np.linalg.norm(way[..., :3], axis=-1) < limit)
    path, done = np.zeros_like(way), np.zeros(way.shape[1], bool)
    for stencil in stencils:
        rows = [STEPS.index(step) for step in stencil]
        f = np.flatnonzero(np.all(near[rows], axis=0) & ~done)
        powers = dt[rows][:, f].T[..., None] ** np.arange(1, len(rows) + 1)
        path[: len(rows), f] = np.swapaxes(np.linalg.solve(powers, np.swapaxes(way[rows][:, f], 0, 1)), 0, 1)
        done[f] = True
    return path, done


def usual_interval(times: Float[np.ndarray, "camera frame"]) -> Float[np.ndarray, " camera"]:
    """Median time between frames of each camera, s; NaN for stills."""
    steps = np.diff(times, axis=1)
    out = np.full(len(times), np.nan)
    for c, row in enumerate(steps):
        row = row[np.isfinite(row) & (row > 0)]
        out[c] = np.median(row) if len(row) else np.nan
    return out


def whole_frame_shifts(
    poses: ViewPoses,
    segments: Int[np.ndarray, " frame"],
    turns: Float[np.ndarray, "k 3 4"],
    largest: int,
) -> Int[np.ndarray, " camera"]:
    """How many frames later each camera shows what the first one shows; zero unless the boards say so clearly.

    For every pair and shift the relative pose should be the same in all frames; its spread is least at the right one.
    """
    count, frames = poses.weight.shape
    largest = int(min(largest, _MOST_SHIFT, frames // 3))
    shifts = np.arange(-largest, largest + 1)
    reach = mean_reach(poses)
    edges: dict[tuple[int, int], tuple[float, float]] = {}
    for a in range(count):
        for b in range(a + 1, count):
            found = [_agreement(poses, segments, a, b, int(d), reach, turns) for d in shifts]
            spread, shared = np.array([f[0] for f in found]), np.array([f[1] for f in found])
            # A pair that shares too little without a shift could be made to fit anything.
            if np.isfinite(spread[shifts == 0][0]):
                edges[a, b] = _clear_shift(spread, shared, shifts)
    result, placed = np.zeros(count), {0}
    while True:
        open_edges = [e for e in edges if (e[0] in placed) != (e[1] in placed)]
        if not open_edges:
            break
        a, b = max(open_edges, key=lambda e: edges[e][0])
        shift = edges[a, b][1]
        new, value = (b, result[a] + shift) if a in placed else (a, result[b] - shift)
        result[new] = value
        placed.add(new)
    return rounded_shifts(result)


def rounded_shifts(shifts: Float[np.ndarray, " camera"]) -> Int[np.ndarray, " camera"]:
    """Whole numbers that leave the least of the shifts against each other; most cameras' frames keep their numbers."""
    starts = np.arange(0.0, 1.0, 0.05)
    left = [float(((shifts - g - np.rint(shifts - g)) ** 2).sum()) for g in starts]
    whole = np.rint(shifts - starts[int(np.argmin(left))]).astype(np.int64)
    return whole - (int(np.median(whole)) if len(whole) > 2 else whole[0])


def shifted_sources(shift: int, segments: Int[np.ndarray, " frame"]) -> Int[np.ndarray, " frame"]:
    """For each frame the frame of the same recording that lies `shift` later; -1 where there is none."""
    source = np.arange(len(segments)) + shift
    inside = (source >= 0) & (source < len(segments))
    same = inside & (segments[np.where(inside, source, 0)] == segments)
    return np.where(same, source, -1)


def _agreement(
    poses: ViewPoses, segments: np.ndarray, a: int, b: int, shift: int, reach: float, turns: np.ndarray
) -> tuple[float, int]:
    """Spread of the relative pose if b is `shift` frames later, and over how many frames; NaN with too few."""
    source = shifted_sources(shift, segments)
    weight = np.stack([poses.weight[a], np.where(source >= 0, poses.weight[b, source], 0.0)])
    if (weight > 0).all(0).sum() < _FEWEST_FRAMES:
        return float("nan"), 0
    pair = ViewPoses(np.stack([poses.R[a], poses.R[b, source]]), np.stack([poses.t[a], poses.t[b, source]]), weight)
    found = relative(pair, 0, 1, reach, turns)
    return (found.spread, found.inliers) if found is not None else (float("nan"), 0)


def _clear_shift(spread: np.ndarray, shared: np.ndarray, shifts: np.ndarray) -> tuple[float, float]:
    """Information of the best shift, and that shift with its fraction; 0 if it is not clearly better than none.

    Away from the right shift the spread grows in proportion, so its minimum is the tip of a V.
    """
    best = int(np.nanargmin(spread))
    none = spread[shifts == 0][0]
    information = float(shared[best] / max(spread[best], _SHARPEST) ** 2)
    if not spread[best] < (1 - _CLEAR_GAIN / np.sqrt(shared[best])) * none and shifts[best] != 0:
        return information, 0.0
    fraction = 0.0
    if 0 < best < len(spread) - 1 and np.isfinite(spread[best - 1 : best + 2]).all():
        left, right = spread[best - 1] - spread[best], spread[best + 1] - spread[best]
        # A flat bottom: the board hardly moves, and says nothing finer than a frame.
        if max(left, right) > spread[best]:
            fraction = 0.5 * (left - right) / max(left, right)
    return information, float(shifts[best] + fraction)
