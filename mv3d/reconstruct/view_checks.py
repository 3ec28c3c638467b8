"""What makes a set of views useless, told before the long work: nobody in them, one picture twice, no depth."""

from itertools import combinations

import numpy as np

from mv3d.data.rig import Rig
from mv3d.errors import ReconstructionError

# A detector repeats itself on the same picture to rounding; two cameras never agree so on this share of the joints.
_SAME_PX, _SAME_SHARE, _LEAST_COMPARED = 0.01, 0.9, 30
# Cameras this close see no depth worth the name.
_LEAST_BASELINE_M = 1e-3


def check_views(
    rig: Rig, xy: np.ndarray, score: np.ndarray, by_hand: np.ndarray | None = None, allow_empty_views: bool = False
) -> None:
    """Refuse views from which no skeleton can come.

    Args:
        rig: cameras in view order.
        xy: (frame, view, joint, 2) px.
        score: (frame, view, joint); 0 where missing.
        by_hand: (frame, view, joint) whether a person decided on it.
        allow_empty_views: accept cameras that see nobody.

    Raises:
        ReconstructionError: names the cameras and what to do.
    """
    _check_baseline(rig)
    sees = np.any(score > 0, axis=(0, 2))
    if not sees.any():
        raise ReconstructionError("no person was found in any view; check the videos")
    if by_hand is not None:
        sees |= by_hand.any((0, 2))  # who emptied it by hand need not be told
    blind = [name for v, name in enumerate(rig.names) if not sees[v]]
    if blind and not allow_empty_views:
        raise ReconstructionError(
            f"camera {', '.join(blind)}: the performer was found in no frame; check its video and its calibration,"
            " or pass --allow-empty-views to go on with the others"
        )
    for a, b in combinations(range(len(rig)), 2):
        if _same_picture(xy[:, a], xy[:, b], score[:, a] * score[:, b] > 0):
            raise ReconstructionError(
                f"cameras {rig.names[a]} and {rig.names[b]} show the very same keypoints; one video was given twice:"
                " replace or remove one of them"
            )


def _check_baseline(rig: Rig) -> None:
    if len(rig) < 2:
        raise ReconstructionError(f"the rig has one camera ({rig.names[0]}); 3D needs two or more")
    if np.linalg.norm(rig.centers - rig.centers[0], axis=1).max() < _LEAST_BASELINE_M:
        raise ReconstructionError(
            f"all cameras of the rig ({', '.join(rig.names)}) stand in one place, which shows no depth;"
            " calibrate it again"
        )


def _same_picture(xy: np.ndarray, other: np.ndarray, both: np.ndarray) -> bool:
    """Whether two views' keypoints (frame, joint, 2) are the same wherever there are both."""
    if both.sum() < _LEAST_COMPARED:
        return False
    return bool((np.abs(xy[both] - other[both]).max(-1) < _SAME_PX).mean() > _SAME_SHARE)
