"""Following one person between the frames that the network sees: Lucas-Kanade flow at each joint, in one view.

OpenPose's `--tracking N`: the network looks at every (N + 1)th frame and the flow carries the joints through the
others; where the network looks, a joint near its carried place is drawn to it. Unlike OpenPose's, scores stay the
detector's, falling a little with each carried frame, a joint whose flow does not lead back to where it came from is
dropped, and when half of them are lost the network looks at once.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mv3d.data.skeleton import Skeleton
from mv3d.pose2d.config import TrackingConfig
from mv3d.pose2d.detections import Detections
from mv3d.pose2d.detector import WholeImageDetector
from mv3d.pose2d.preprocess import as_bgr

# Images are brought to this width for the flow, as OpenPose does; windows and levels are its own.
_WIDTH = 640
_WINDOW, _LEVELS = 31, 2
# Flow there and back must end this near the start (px at 640 wide).
_BACK_PX = 1.0
# Nearer than the first, a joint stays where the flow carried it; nearer than the second, halfway (px at 640 wide).
_SAME_PX, _NEAR_PX = 5.0, 10.0

_LEAST_KEPT = 0.5


class FlowTracker:
    """The most prominent person of one video; frames are given one after the other."""

    def __init__(self, detector: WholeImageDetector, config: TrackingConfig) -> None:
        """Track what a detector finds."""
        self._detector, self._config = detector, config
        self._previous: np.ndarray | None = None
        self._xy, self._score = np.zeros((0, 2)), np.zeros(0)
        self._carried = 0

    @property
    def skeleton(self) -> Skeleton:
        """The joints that are tracked."""
        return self._detector.skeleton

    def next(
        self, image: UInt8[np.ndarray, "height width 3"]
    ) -> tuple[Float[np.ndarray, "joint 2"], Float[np.ndarray, " joint"]]:
        """Joints in the next frame, source px, and their scores; NaN and 0 where missing."""
        image = as_bgr(image)
        grey, scale = _for_flow(image)
        carried = self._carry(grey, scale)
        kept, known = np.isfinite(carried).all(-1).sum(), (self._score > 0).sum()
        due = self._carried >= self._config.frames_between or kept <= _LEAST_KEPT * known
        self._previous = grey
        if due:
            found = self._detector.detect([image])[0]
            self._xy, self._score = _merged(found, carried, scale, len(self.skeleton))
            self._carried = 0
        else:
            self._xy = carried
            self._score = np.where(np.isfinite(carried).all(-1), self._score * self._config.fading, 0.0)
            self._carried += 1
        return self._xy, self._score

    def _carry(self, grey: np.ndarray, scale: float) -> Float[np.ndarray, "joint 2"]:
        """Where the flow brings the joints of the last frame; NaN where it does not lead back."""
        out = np.full((len(self.skeleton), 2), np.nan)
        known = np.flatnonzero(self._score > 0)
        if self._previous is None or self._previous.shape != grey.shape or not len(known):
            return out
        start = ((self._xy[known] + 0.5) * scale - 0.5).astype(np.float32)[:, None]
        window = {"winSize": (_WINDOW, _WINDOW), "maxLevel": _LEVELS}
        there, found, _ = cv2.calcOpticalFlowPyrLK(self._previous, grey, start, np.empty(0, np.float32), **window)
        back, returned, _ = cv2.calcOpticalFlowPyrLK(grey, self._previous, there, np.empty(0, np.float32), **window)
        returns = np.linalg.norm(back - start, axis=-1).ravel() < _BACK_PX
        true = (np.ravel(found) > 0) & (np.ravel(returned) > 0) & returns
        out[known[true]] = (there[true, 0].astype(float) + 0.5) / scale - 0.5
        return out


def _for_flow(image: UInt8[np.ndarray, "height width 3"]) -> tuple[UInt8[np.ndarray, "h w"], float]:
    scale = min(1.0, _WIDTH / image.shape[1])
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    if scale < 1:
        grey = cv2.resize(grey, (_WIDTH, max(1, round(image.shape[0] * scale))), interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8), scale


def _merged(
    found: Detections, carried: Float[np.ndarray, "joint 2"], scale: float, joints: int
) -> tuple[np.ndarray, np.ndarray]:
    """The person who is nearest to the carried joints, or the most prominent; its joints drawn to the carried ones."""
    if not len(found):
        return np.full((joints, 2), np.nan), np.zeros(joints)
    distance = np.linalg.norm(found.xy - carried, axis=-1) * scale
    shared = np.isfinite(distance)
    typical = [np.median(d[s]) if s.any() else np.inf for d, s in zip(distance, shared, strict=True)]
    person = int(np.argmin(typical))
    xy, apart = found.xy[person].copy(), np.where(shared[person], distance[person], np.inf)
    same, near = apart < _SAME_PX, (apart >= _SAME_PX) & (apart < _NEAR_PX)
    xy[same] = carried[same]
    xy[near] = (xy[near] + carried[near]) / 2
    return xy, found.score[person]


def track(
    images: Sequence[UInt8[np.ndarray, "height width 3"]], detector: WholeImageDetector, config: TrackingConfig
) -> tuple[Float[np.ndarray, "frame joint 2"], Float[np.ndarray, "frame joint"]]:
    """Joints and scores of one person in the frames of one video; see `FlowTracker`."""
    tracker = FlowTracker(detector, config)
    pairs = [tracker.next(image) for image in images]
    joints = len(detector.skeleton)
    xy = np.array([p[0] for p in pairs]).reshape(-1, joints, 2)
    return xy, np.array([p[1] for p in pairs]).reshape(-1, joints)
