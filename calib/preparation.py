"""The joint fit's state at its start, from the fits of single cameras."""

from collections.abc import Mapping

import numpy as np

from calib.contradictions import find_contradictions
from calib.intrinsics import CameraFit
from calib.joint import Joint
from calib.observations import BoardObservations
from calib.pose_graph import ViewPoses, choose_turns, place_boards, place_cameras
from calib.time_offsets import image_motion, usual_interval
from mv3d.data.camera import Camera

# Fewer corners fix no pose that is worth having.
FEWEST_CORNERS = 5


def prepare_joint(
    observations: BoardObservations,
    points: np.ndarray,
    sources: np.ndarray,
    fits: tuple[CameraFit, ...],
    poses: ViewPoses,
    turns: np.ndarray,
    known: Mapping[str, Camera],
) -> Joint:
    """Everything in frames of the same instant, cameras and boards placed, turned checkerboards turned back."""
    names = observations.cameras
    rows = np.arange(len(names))[:, None]
    absent = sources < 0
    motion, moves = image_motion(points, [fit.lens for fit in fits], poses, observations.times, observations.segments)
    keep = np.stack([fit.keep for fit in fits])[rows, sources] & ~absent[..., None]
    poses = ViewPoses(
        poses.R[rows, sources], poses.t[rows, sources], np.where(absent, 0.0, poses.weight[rows, sources])
    )
    fixed = {names.index(name): (camera.R, camera.t) for name, camera in known.items()}
    anchors = fixed or {int(np.argmax(poses.weight.sum(1))): (np.eye(3), np.zeros(3))}
    R, t = place_cameras(poses, names, turns, anchors)
    choice = choose_turns(poses, R, t, turns)
    order = observations.board.symmetries()[choice]
    corners = np.where(absent[..., None, None], np.nan, observations.xy[rows, sources])
    corners = np.take_along_axis(corners, order[..., None], 2)
    moved = np.take_along_axis(motion[rows, sources], order[..., None], 2)
    keep = np.take_along_axis(keep, order, 2)
    turned = turns[choice]
    poses = ViewPoses(
        poses.R @ turned[..., :3], np.einsum("cfij,cfj->cfi", poses.R, turned[..., 3]) + poses.t, poses.weight
    )
    held = np.isin(np.arange(len(names)), list(anchors))
    R, t, board_R, board_t, apart = place_boards(poses, R, t, held)
    sigma, count = observations.sigma_px[rows, sources], np.isfinite(corners).all(-1).sum(-1)
    own_R = np.swapaxes(R, 1, 2)[:, None] @ poses.R
    own_t = np.einsum("cji,cfj->cfi", R, poses.t - t[:, None])
    joint = Joint(
        points=points, xy=corners, unit=_relative_sigma(sigma), motion=moved,
        moves=moves[rows, sources] & ~absent, times=np.where(absent, np.nan, observations.times[rows, sources]),
        segments=observations.segments, sizes=observations.sizes, usual_s=usual_interval(observations.times),
        lenses=[fit.lens for fit in fits], R=R, t=t, board_R=board_R, board_t=board_t, own_R=own_R, own_t=own_t,
        keep=keep, alone=np.zeros(keep.shape[:2], bool), few=(count > 0) & (count < FEWEST_CORNERS),
        noise=np.array([fit.noise_px for fit in fits]),
        s=np.zeros(keep.shape[:2]), mean=np.zeros(len(names)), line=np.zeros(len(names)), spread=0.0,
        reference=min(anchors), fixed_lenses=frozenset(), fixed_poses=frozenset(anchors),
    )  # fmt: skip
    joint.trusted = keep.copy()
    find_contradictions(joint, apart, observations.segments)
    return joint


def _relative_sigma(sigma: np.ndarray) -> np.ndarray:
    """Each view's sigma over its camera's median; 1 where there is none."""
    with np.errstate(all="ignore"):
        typical = np.nanmedian(np.where(np.isfinite(sigma).any(1, keepdims=True), sigma, 1.0), axis=1, keepdims=True)
    return np.where(np.isfinite(sigma), sigma / typical, 1.0)
