"""The board's way through the world by all cameras, and the motion in every image that follows from it.

What one camera sees of a board tells its distance and tilt poorly, and its neighbouring frames may be missing. Once the
joint fit has placed the boards, the board's way between two frames is told by all cameras that see it in both, and a
view has a motion as soon as any camera saw the board in the frames around it. Cameras that see only one of two frames
must not have a say: what is wrong with their places would pass for a motion.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from calib.bundle import Bundle
from calib.joint import Joint, project_board
from calib.time_offsets import STEPS, fit_paths, neighbours
from mv3d.geometry import se3_kernels
from mv3d.geometry.rotations import rotation_from_vector, vector_from_rotation

# Neighbours that the way is taken from, the best set first. Joint poses are sure enough to go by the two frames ahead
# or behind where a recording begins or ends; with one the board is taken to go on as it does.
_STENCILS = ((-2, -1, 1, 2), (-2, -1, 1), (-1, 1, 2), (-1, 1), (1, 2), (-2, -1), (1,), (-1,))
# Share of the usual interval over which the image path is differentiated: short against any bend of the polynomial.
_DIFFERENCE_STEP = 0.05
# Corners, of all cameras that see both frames, from which a way between them is taken.
_FEWEST_CORNERS = 5


@dataclass(frozen=True, slots=True, eq=False)
class _Track:
    """The board in every frame, and what each camera says of its pose.

    Attributes:
        R, t: (frame, ...) poses.
        instants: (frame,) s by the reference camera's clock; NaN without a pose.
        information, pull: (camera, frame, 6, 6), (camera, frame, 6) of a change of pose from the left; zero where a
            camera does not see the board.
        corners: (camera, frame) number of corners behind that.
    """

    R: np.ndarray
    t: np.ndarray
    instants: np.ndarray
    information: np.ndarray
    pull: np.ndarray
    corners: np.ndarray


def follow_board(joint: Joint, bundle: Bundle, *, anew: bool) -> None:
    """Give the views of `joint` the motion that the board's way tells.

    Args:
        joint: the state.
        bundle: its last problem, solved.
        anew: for all views; else only for those that have none. Joint poses depend on the motion that they were found
            with, and what is wrong with it grows when it is taken from them again and again.
    """
    known = joint.moves & (not anew)
    motion, moves = track_motion(joint, bundle)
    joint.motion, joint.moves = np.where(known[..., None, None], joint.motion, motion), known | moves


def track_motion(
    joint: Joint, bundle: Bundle
) -> tuple[Float[np.ndarray, "camera frame corner 4"], Bool[np.ndarray, "camera frame"]]:
    """Velocity and half acceleration of every corner in every image, px/s and px/s2; and which views have them.

    They are taken at the instant of the view, by its offset as it is known, or as its camera's mean lets expect.

    Args:
        joint: the state.
        bundle: its last problem, solved.
    """
    usual = float(np.nanmedian(joint.usual_s))
    track, middle = _track(joint, bundle), joint.points.mean(0)
    near, dt = neighbours(np.isfinite(track.instants), track.instants, joint.segments, usual)
    ways = [_way(track, step, middle) for step in STEPS]
    path, known = fit_paths(np.stack([w[0] for w in ways]), near & np.stack([w[1] for w in ways]), dt, _STENCILS)
    s, h = np.where(joint.meets, joint.s, joint.expected), _DIFFERENCE_STEP * usual
    motion = np.zeros_like(joint.motion)
    for c in range(len(joint.lenses)):
        before, here, after = (
            project_board(joint, c, *_moved(track, middle, path, s[c] + k * h)) for k in (-1.0, 0.0, 1.0)
        )
        motion[c, ..., :2] = (after - before) / (2 * h)
        motion[c, ..., 2:] = (after + before - 2 * here) / (2 * h * h)
    moves = known & np.isfinite(joint.xy).all(-1).any(-1)
    return np.where(moves[..., None, None], np.nan_to_num(motion), 0.0), moves


def _moved(track: _Track, middle: np.ndarray, path: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Board poses a time s (frame,) after the frames' instants."""
    way = np.einsum("pfk,pf->fk", path, s ** np.arange(1, len(path) + 1)[:, None])
    turned = rotation_from_vector(way[:, :3]) @ track.R
    return turned, track.t + track.R @ middle + way[:, 3:] - turned @ middle


def _way(track: _Track, step: int, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn and move (frame, 6) of the board to the frame `step` later by the cameras that see both; and where known."""
    other = np.clip(np.arange(len(track.t)) + step, 0, len(track.t) - 1)
    both = (track.corners > 0) & (track.corners[:, other] > 0)
    fewest = np.minimum((track.corners * both).sum(0), (track.corners[:, other] * both).sum(0))
    R0, center0 = _pose_by(track, np.arange(len(other)), both, middle)
    R1, center1 = _pose_by(track, other, both, middle)
    turn = vector_from_rotation(R1 @ np.swapaxes(R0, 1, 2))
    return np.concatenate([turn, center1 - center0], axis=1), fewest >= _FEWEST_CORNERS


def _pose_by(
    track: _Track, frames: np.ndarray, cameras: np.ndarray, middle: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Orientation and centre of the board as some of the cameras have it: a Gauss-Newton step from where all do."""
    information = np.einsum("cf,cfij->fij", cameras, track.information[:, frames])
    pull = np.einsum("cf,cfi->fi", cameras, track.pull[:, frames])
    scale = 1 / np.sqrt(np.maximum(np.einsum("fii->fi", information), 1e-30))
    scaled = information * scale[:, :, None] * scale[:, None]
    step = -scale * np.einsum("fij,fj->fi", np.linalg.pinv(scaled, hermitian=True), scale * pull)
    turn = rotation_from_vector(step[:, :3])
    center = track.t[frames] + track.R[frames] @ middle
    return turn @ track.R[frames], np.einsum("fij,fj->fi", turn, center) + step[:, 3:]


def _track(joint: Joint, bundle: Bundle) -> _Track:
    """What the solution says of the board's pose in every frame.

    A frame that no views share has the pose of its best view. A frame's instant is told by every view of a shared pose,
    by its own clock and offset; their mean is taken.
    """
    views, state, (count, frames) = bundle.views, bundle.state, joint.keep.shape[:2]
    best = np.full(frames, -1)
    size = np.bincount(views.board, np.diff(views.starts))
    alone = joint.alone[views.camera, views.frame]
    for v in np.flatnonzero(~alone):
        if best[views.frame[v]] < 0 or size[views.board[v]] > size[best[views.frame[v]]]:
            best[views.frame[v]] = views.board[v]
    has = best >= 0
    R, t = np.where(has[:, None, None], state.Rb[best], np.eye(3)), np.where(has[:, None], state.tb[best], 0.0)
    information, pull = np.zeros((count, frames, 6, 6)), np.zeros((count, frames, 6))
    corners, told = np.zeros((count, frames)), np.zeros((count, frames), bool)
    H, g, pose = bundle.normal_matrices(), bundle.gradients(), 4 + state.dist.shape[1]
    A = np.empty((6, 6))
    for v in np.flatnonzero(views.board == best[views.frame]):
        c, f = views.camera[v], views.frame[v]
        se3_kernels.adjoint(state.Rc[c], state.tc[c], A)
        information[c, f] = A.T @ H[v, pose : pose + 6, pose : pose + 6] @ A
        pull[c, f] = A.T @ g[v, pose : pose + 6]
        corners[c, f], told[c, f] = views.starts[v + 1] - views.starts[v], True
    votes = np.where(told, _stamps(joint) - np.where(joint.meets, joint.s, 0.0), 0.0).sum(0)
    return _Track(R, t, np.where(has, votes / np.maximum(told.sum(0), 1), np.nan), information, pull, corners)


def _stamps(joint: Joint) -> Float[np.ndarray, "camera frame"]:
    """When each view was taken by the reference camera's clock, but for what its own frame adds, s."""
    reference = joint.times[joint.reference]
    both = np.isfinite(joint.times - reference)
    apart = [np.median((row - reference)[ok]) if ok.any() else 0.0 for row, ok in zip(joint.times, both, strict=True)]
    return joint.times - np.array(apart)[:, None] + joint.mean[:, None]
