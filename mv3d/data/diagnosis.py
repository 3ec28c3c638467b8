"""Diagnosis: what a recording shows of its cameras and detections; made by `reconstruct`, told by `viz`."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Sync:
    """Clocks of the cameras, as the movement tells them.

    Attributes:
        time_offsets: (view,) s: what camera v stamps t is the world at t + offset, in the middle of the recording.
        time_offsets_sd: (view,) s.
        drift: (view,) s per s by which the offset grows with time.
        drift_sd: (view,) s per s.
        applied: whether offsets and drift were used; if not, the cameras are taken to be in sync.
        middle: s, the instant that `time_offsets` are of.
        interval: s between frames of the fastest camera.
        left_out_px: (view,) left-out error with each joint's constant error removed, before.
        left_out_synced_px: (view,) the same with the offsets.
        lags: (lag,) s tried for every camera against the others.
        lag_cost: (view, lag) disagreement at each lag, 0 to 1; NaN where too little overlaps.
    """

    time_offsets: np.ndarray
    time_offsets_sd: np.ndarray
    drift: np.ndarray
    drift_sd: np.ndarray
    applied: bool
    middle: float
    interval: float
    left_out_px: np.ndarray
    left_out_synced_px: np.ndarray
    lags: np.ndarray
    lag_cost: np.ndarray

    def shift_at(self, timestamps: np.ndarray, view: int) -> np.ndarray:
        """Seconds to be added to a camera's own times; zeros where nothing was applied."""
        if not self.applied:
            return np.zeros(len(timestamps))
        return self.time_offsets[view] + self.drift[view] * (timestamps - self.middle)


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """One kind of change of the cameras that would make them fit.

    Attributes:
        kind: "image-shift", "extrinsics" or "focal".
        change: (view, parameter): dx, dy px; or rotation vector (rad) and translation (m) of the camera in its own
            axes; or the logarithm of the factor on the focal length.
        change_sd: (view, parameter) standard deviations.
        left_out_px: (view,) left-out error with the change.
    """

    kind: str
    change: np.ndarray
    change_sd: np.ndarray
    left_out_px: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class CameraMove:
    """A camera that was knocked in mid-session.

    Attributes:
        view: index of the camera.
        time: s, when.
        time_sd: s, half the time between the frames that show it.
        shift_px: (2,) how far the image of the performer jumped against what the others see.
        translation: m, length of the camera's displacement that fits best, with the rotation.
        rotation: rad, angle of the turn.
        gain: share of the view's squared error after the move that the change explains.
    """

    view: int
    time: float
    time_sd: float
    shift_px: np.ndarray
    translation: float
    rotation: float
    gain: float


@dataclass(frozen=True, slots=True, eq=False)
class RigCheck:
    """Does the rig fit the videos?

    Attributes:
        cameras: names of the views.
        left_out_px: (view,) left-out error of the rig as it is.
        corrections: what each kind of change would gain, best first.
        moves: cameras that moved in mid-session, by time.
        refined: kind of the correction that was made to the rig; None: the rig is as the user gave it.
    """

    cameras: tuple[str, ...]
    left_out_px: np.ndarray
    corrections: tuple[Correction, ...]
    moves: tuple[CameraMove, ...]
    refined: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time: something seen by too few cameras, or swapped in one.

    Attributes:
        what: joint, or group of limbs.
        camera: name; None where it is a matter of all cameras.
        start: s.
        duration: s.
    """

    what: str
    camera: str | None
    start: float
    duration: float


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosis:
    """All findings.

    Attributes:
        sync: None where it was not looked at or cannot be told (fewer than three views, nobody moves).
        rig_check: None likewise.
        unseen: limb joints that fewer than two cameras saw for a while, longest first.
        swapped: left and right exchanged in one camera, longest first.
    """

    sync: Sync | None = None
    rig_check: RigCheck | None = None
    unseen: tuple[Span, ...] = ()
    swapped: tuple[Span, ...] = ()
