"""What a person corrected by hand, applied to the performer's keypoints before they become 3D."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mv3d.data.correction import Correction, Drop, Ignore, Point, Swap
from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import joints_of
from mv3d.files.multiview import Timeline
from mv3d.reconstruct.keypoints import Keypoints


def apply_corrections(
    keypoints: Keypoints, cameras: Sequence[str], timeline: Timeline, corrections: Sequence[Correction]
) -> Keypoints:
    """Keypoints with the corrections applied one after the other; the arrays given are left as they are.

    Candidate peaks follow: a swap exchanges them, what is dropped has none, and a point is the only one of its joint.
    All but swaps also mark their keypoints as `by_hand`, so that re-association leaves them alone.

    Args:
        keypoints: the performer on the timeline.
        cameras: names in view order.
        timeline: which of its own frames each view shows when.
        corrections: their frames count in each camera's own video; frames that the timeline lacks are passed over.
    """
    if not corrections:
        return keypoints
    by_hand = np.zeros(keypoints.score.shape, bool) if keypoints.by_hand is None else keypoints.by_hand.copy()
    out = replace(
        keypoints,
        xy=keypoints.xy.copy(),
        score=keypoints.score.copy(),
        peaks_xy=None if keypoints.peaks_xy is None else keypoints.peaks_xy.copy(),
        peaks_score=None if keypoints.peaks_score is None else keypoints.peaks_score.copy(),
        by_hand=by_hand,
    )
    for correction in corrections:
        view = list(cameras).index(correction.camera)
        first, last = correction.frames
        own = timeline.index[:, view]
        frames = np.flatnonzero(timeline.present[:, view] & (own >= first) & (own <= last))
        _apply(out, frames, view, correction)
    return out


def correction_notes(corrections: Sequence[Correction]) -> tuple[str, ...]:
    """A sentence on how many corrections were applied to which cameras; nothing if there are none."""
    if not corrections:
        return ()
    cameras = dict.fromkeys(c.camera for c in corrections)
    plural = "s" if len(corrections) > 1 else ""
    return (f"{len(corrections)} correction{plural} by hand applied ({', '.join(cameras)})",)


def _apply(keypoints: Keypoints, frames: np.ndarray, view: int, correction: Correction) -> None:
    """Write one correction into the arrays of `keypoints`."""
    skeleton = keypoints.skeleton
    match correction.change:
        case Ignore():
            _remove(keypoints, frames, view, list(range(len(skeleton))))
        case Drop(joints):
            _remove(keypoints, frames, view, list(skeleton.indices(joints)))
        case Swap(what):
            order = _swapped(skeleton, joints_of(skeleton, what))
            for array in _arrays(keypoints):
                array[frames, view] = array[frames, view][:, order]
        case Point(joint, xy):
            at = skeleton.index(joint)
            _remove(keypoints, frames, view, [at])
            keypoints.xy[frames, view, at], keypoints.score[frames, view, at] = xy, 1.0
            if keypoints.peaks_xy is not None and keypoints.peaks_score is not None:
                keypoints.peaks_xy[frames, view, at, 0], keypoints.peaks_score[frames, view, at, 0] = xy, 1.0


def _arrays(keypoints: Keypoints) -> list[np.ndarray]:
    """All that belongs to joints: each (frame, view, joint, ...)."""
    arrays = (keypoints.xy, keypoints.score, keypoints.peaks_xy, keypoints.peaks_score, keypoints.by_hand)
    return [array for array in arrays if array is not None]


def _remove(keypoints: Keypoints, frames: np.ndarray, view: int, joints: list[int]) -> None:
    at = (frames[:, None], view, joints)
    keypoints.xy[at], keypoints.score[at] = np.nan, 0.0
    if keypoints.peaks_xy is not None and keypoints.peaks_score is not None:
        keypoints.peaks_xy[at], keypoints.peaks_score[at] = np.nan, 0.0
    if keypoints.by_hand is not None:
        keypoints.by_hand[at] = True


def _swapped(skeleton: Skeleton, joints: tuple[int, ...]) -> np.ndarray:
    """Which joint each joint takes its keypoint from."""
    order = np.arange(len(skeleton))
    order[list(joints)] = skeleton.mirror[list(joints)]
    return order
