"""The performer through a whole recording of keypoints with several people."""

import logging
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float

from mv3d.data.rig import Rig
from mv3d.errors import ReconstructionError
from mv3d.reconstruct.association import AssociationConfig, Sighting, chosen_keypoints, find_performer, follow

_log = logging.getLogger(__name__)

Frame = tuple[Sequence[np.ndarray], Sequence[np.ndarray]]
"""One instant: for each view xy (detection, joint, 2) and score (detection, joint)."""


# Fewer joints do not tell one person from another.
_FEWEST_JOINTS = 3


class Expectation:
    """Where the joints are expected next: where they were last seen, moved on with the body as a whole."""

    def __init__(self, joints: int, hold_s: float) -> None:
        self._xyz = np.full((joints, 3), np.nan)
        self._seen_at = np.full(joints, -np.inf)
        self._velocity = np.zeros(3)
        self._hold_s = hold_s

    def update(self, xyz: Float[np.ndarray, "joint 3"], time: float) -> None:
        """Take over the joints that were found at this time."""
        found = np.isfinite(xyz[:, 0])
        if not found.any():
            return
        passed = time - self._seen_at
        again = found & (np.abs(passed) <= self._hold_s) & (passed != 0)
        # The median over joints is the body's velocity, whatever the arms do or one wrong joint says.
        enough = again.sum() >= _FEWEST_JOINTS
        self._velocity = np.median((xyz - self._xyz)[again] / passed[again, None], axis=0) if enough else np.zeros(3)
        self._xyz[found], self._seen_at[found] = xyz[found], time

    def at(self, time: float) -> Float[np.ndarray, "joint 3"] | None:
        """Expected joints, NaN where unknown; None when too few are left to recognise the person by."""
        passed = time - self._seen_at
        fresh = np.abs(passed) <= self._hold_s
        moved = self._xyz + self._velocity * np.where(fresh, passed, 0.0)[:, None]
        return np.where(fresh[:, None], moved, np.nan) if fresh.sum() >= _FEWEST_JOINTS else None


def track_performer(
    rig: Rig, frames: Sequence[Frame], timestamps: Float[np.ndarray, " frame"], config: AssociationConfig
) -> tuple[Float[np.ndarray, "frame view joint 2"], Float[np.ndarray, "frame view joint"]]:
    """Keypoints of the performer in every frame and view; NaN and 0 where a view does not see them.

    The clearest first sight is sought in frames spread over the recording; from there the person is followed to both
    ends. A person who was lost is searched for anew.

    Raises:
        ReconstructionError: in no frame do two views see a common person.
    """
    start, first = _clearest_start(rig, frames, config)
    chosen: dict[int, Sighting] = {start: first}
    for order in (range(start + 1, len(frames)), range(start - 1, -1, -1)):
        chosen.update(_follow_through(rig, frames, timestamps, order, first, timestamps[start], config))
    keypoints = [chosen_keypoints(*frames[f], chosen[f].detections) for f in range(len(frames))]
    return np.stack([xy for xy, _ in keypoints]), np.stack([score for _, score in keypoints])


def _clearest_start(rig: Rig, frames: Sequence[Frame], config: AssociationConfig) -> tuple[int, Sighting]:
    tried = np.unique(np.linspace(0, len(frames) - 1, min(config.start_frames, len(frames))).astype(int))
    found = _sights(rig, frames, tried.tolist(), config)
    if not found:
        found = next((s for f in range(len(frames)) if (s := _sights(rig, frames, [f], config))), {})
    if not found:
        raise ReconstructionError(
            "no person is seen by two cameras at once; check the videos and the rig's calibration"
        )
    best = max(found, key=lambda f: found[f].support)
    return best, found[best]


def _sights(rig: Rig, frames: Sequence[Frame], tried: list[int], config: AssociationConfig) -> dict[int, Sighting]:
    sightings = {f: find_performer(rig, xy, score, config) for f in tried for xy, score in [frames[f]]}
    return {f: sighting for f, sighting in sightings.items() if sighting is not None}


def _follow_through(
    rig: Rig,
    frames: Sequence[Frame],
    timestamps: np.ndarray,
    order: Iterable[int],
    first: Sighting,
    first_time: float,
    config: AssociationConfig,
) -> dict[int, Sighting]:
    expected = Expectation(len(first.xyz), config.hold_s)
    expected.update(first.xyz, float(first_time))
    out = {}
    for f in order:
        predicted = expected.at(float(timestamps[f]))
        if predicted is None:
            _log.info("performer lost before frame %d, searching", f)
        xy, score = frames[f]
        sighting = follow(rig, xy, score, predicted, config) if predicted is not None else None
        if sighting is None or not np.isfinite(sighting.xyz).any():
            again = find_performer(rig, xy, score, config) if predicted is None else None
            sighting = again or Sighting((None,) * len(rig), np.full_like(first.xyz, np.nan), 0.0)
        expected.update(sighting.xyz, float(timestamps[f]))
        out[f] = sighting
    return out
