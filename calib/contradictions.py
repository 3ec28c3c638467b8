"""Views that contradict the other cameras: found, named, and taken back where they fit after all."""

import numpy as np
from jaxtyping import Float, Int

from calib.config import OutlierConfig
from calib.joint import Joint, all_errors

# Between neighbouring frames hands do not turn a board farther, rad.
_LARGEST_TURN = np.deg2rad(45.0)
_CONTRADICTION_RAD = np.deg2rad(30.0)
# At the start, before the lenses are good, only this contradicts, in units of the usual disagreement.
_CONTRADICTION_SPREADS = 8.0
# A corner or its motion alone is matched by a time offset, whatever it is.
_FEWEST_TO_JOIN = 2
_BACKWARDS = "its corners are numbered backwards"


def find_contradictions(
    joint: Joint, apart: Float[np.ndarray, "camera frame"], segments: Int[np.ndarray, " frame"]
) -> None:
    """Views whose board lies otherwise than the others', before the joint fit; marks them as alone.

    Args:
        joint: the state; `alone` and `reasons` are filled in.
        apart: distance (rad) of each view's board pose from that of its frame.
        segments: recordings.
    """
    shared = joint.keep.any(-1)
    shared &= shared.sum(0) > 1
    if not shared.any():
        return
    usual = float(np.nanmedian(apart[shared]))
    limit = max(_CONTRADICTION_RAD, _CONTRADICTION_SPREADS * usual)
    wrong = shared & (np.nan_to_num(apart) > limit)
    for f in np.flatnonzero(wrong.any(0)):
        seen = np.flatnonzero(shared[:, f])
        culprits = [c for c in seen if wrong[c, f]]
        if len(seen) == 2:
            jumps = [c for c in seen if _jumps(joint, int(c), int(f), wrong, segments)]
            culprits = jumps if len(jumps) == 1 else list(seen)
        for c in culprits:
            _set_alone(joint, int(c), int(f), _turn_reason(float(np.rad2deg(apart[c, f]))))
    _replace_boards(joint)


def _jumps(joint: Joint, c: int, f: int, wrong: np.ndarray, segments: np.ndarray) -> bool:
    """Whether the board turned too far since the neighbouring frame, by this camera alone."""
    for other in (f - 1, f + 1):
        near = 0 <= other < len(segments) and segments[other] == segments[f]
        if near and joint.keep[c, other].any() and not wrong[c, other]:
            cosine = (np.trace(joint.own_R[c, f] @ joint.own_R[c, other].T) - 1) / 2
            if np.arccos(np.clip(cosine, -1, 1)) > _LARGEST_TURN:
                return True
    return False


def _turn_reason(degrees: float, certain: bool = True) -> str:
    if degrees > 120:
        return f"board turned about against the other camera{'s' if certain else ''}: {_BACKWARDS}"
    return f"board lies otherwise than for the other cameras (by {degrees:.0f} degrees)"


def _reason(joint: Joint, c: int, f: int, px: float) -> str:
    turn = joint.own_R[c, f].T @ joint.board_R[f]
    degrees = float(np.rad2deg(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))) if np.isfinite(turn).all() else 0.0
    return _turn_reason(degrees) if degrees > 120 else f"does not fit the other cameras (by {px:.1f} px)"


def readmit(joint: Joint) -> None:
    """Give every view that counts alone another chance to join, but for those that are known to be turned about."""
    for (c, f), reason in list(joint.reasons.items()):
        if _BACKWARDS not in reason:
            joint.alone[c, f] = False
            del joint.reasons[c, f]


def _set_alone(joint: Joint, c: int, f: int, reason: str) -> None:
    joint.alone[c, f] = True
    joint.reasons[c, f] = reason


def _replace_boards(joint: Joint) -> None:
    """The board pose of a frame that lost views, from the best view left."""
    weight = joint.keep.sum(-1) * ~joint.alone
    for f in np.flatnonzero(joint.alone.any(0) & (weight > 0).any(0)):
        c = int(np.argmax(weight[:, f]))
        joint.board_R[f], joint.board_t[f] = joint.own_R[c, f], joint.own_t[c, f]


def judge_views(joint: Joint, outliers: OutlierConfig) -> None:
    """Decide anew which corners count and which views count only for their own camera."""
    shared, own = all_errors(joint)
    seen = np.all(np.isfinite(joint.xy), axis=-1) & np.any(joint.trusted, axis=-1)[..., None]
    sigma = (joint.noise[:, None] * joint.unit)[..., None]
    for c in range(len(joint.lenses)):
        fits = seen[c] & (np.nan_to_num(shared[c], nan=np.inf) < outliers.corner * sigma[c])
        alone_fits = joint.trusted[c] & (np.nan_to_num(own[c], nan=np.inf) < 2 * outliers.corner * sigma[c])
        rms = _rms(shared[c], fits)
        typical = float(np.nanmedian(rms)) if np.isfinite(rms).any() else np.inf
        for f in np.flatnonzero(seen[c].any(-1)).tolist():
            if joint.timed and not joint.moves[c, f] and not joint.alone[c, f]:
                # Its motion is unknown: it counts for its own camera only, and is judged by that.
                joint.keep[c, f] = alone_fits[f]
                continue
            if joint.alone[c, f] and _BACKWARDS in joint.reasons[c, f]:
                continue
            enough = fits[f].sum() >= max(4, 0.5 * seen[c, f].sum()) and rms[f] <= outliers.view * typical
            if enough:
                joint.keep[c, f], joint.alone[c, f] = fits[f], False
                joint.reasons.pop((c, f), None)
            else:
                joint.keep[c, f] = alone_fits[f] if joint.alone[c, f] else joint.trusted[c, f]
                if not joint.alone[c, f]:
                    _move_alone(joint, c, f)
                off = float(np.nanmedian(shared[c, f][seen[c, f]])) if np.isfinite(shared[c, f]).any() else np.nan
                _set_alone(joint, c, f, _reason(joint, c, f, off))
    _replace_lost(joint)
    _join_few(joint, shared, sigma, outliers)


def _join_few(joint: Joint, shared: np.ndarray, sigma: np.ndarray, outliers: OutlierConfig) -> None:
    """Views of too few corners for a pose of their own count where they fit the pose that others give them."""
    solid = joint.keep.any(-1) & ~joint.few & ~joint.alone & (joint.moves | (not joint.timed))
    fits = np.isfinite(joint.xy).all(-1) & (np.nan_to_num(shared, nan=np.inf) < outliers.corner * sigma)
    enough = fits.sum(-1) >= np.maximum(_FEWEST_TO_JOIN, 0.5 * np.isfinite(joint.xy).all(-1).sum(-1))
    joins = joint.few & solid.any(0) & enough & (joint.moves | (not joint.timed))
    joint.keep[joint.few] = (fits & joins[..., None])[joint.few]


def _rms(error: np.ndarray, use: np.ndarray) -> np.ndarray:
    count = use.sum(1)
    total = np.where(use, np.nan_to_num(error) ** 2, 0.0).sum(1)
    return np.where(count > 0, np.sqrt(total / np.maximum(count, 1)), np.nan)


def _move_alone(joint: Joint, c: int, f: int) -> None:
    """A view that leaves its frame starts from the frame's pose."""
    if np.isfinite(joint.board_t[f]).all() and not np.isfinite(joint.own_t[c, f]).all():
        joint.own_R[c, f], joint.own_t[c, f] = joint.board_R[f], joint.board_t[f]


def _replace_lost(joint: Joint) -> None:
    weight = joint.keep.sum(-1) * ~joint.alone
    for f in np.flatnonzero((weight > 0).any(0) & ~np.all(np.isfinite(joint.board_t), axis=1)):
        c = int(np.argmax(weight[:, f]))
        joint.board_R[f], joint.board_t[f] = joint.own_R[c, f], joint.own_t[c, f]
