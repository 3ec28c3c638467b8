"""Joints carried by optical flow on textured pictures whose movement is known."""

import cv2
import numpy as np
import pytest

from mv3d.data.skeletons import COCO_18
from mv3d.pose2d.config import TrackingConfig
from mv3d.pose2d.detections import Detections
from mv3d.pose2d.tracking import FlowTracker, track

_STEP = np.array([3.0, -2.0])
_START = np.random.default_rng(0).uniform((120, 120), (260, 200), (18, 2))


def _texture(size=(480, 360)) -> np.ndarray:
    noise = np.random.default_rng(1).integers(0, 256, (size[1] // 6, size[0] // 6), dtype=np.uint8)
    return cv2.cvtColor(cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2BGR)


def _frames(count: int) -> list[np.ndarray]:
    texture = _texture()
    shifts = (np.float32([[1, 0, _STEP[0] * f], [0, 1, _STEP[1] * f]]) for f in range(count))
    return [cv2.warpAffine(texture, m, (480, 360), borderMode=cv2.BORDER_REFLECT) for m in shifts]


class _Detector:
    """Knows where the joints are in the frames that it sees, with an error; counts them."""

    skeleton = COCO_18

    def __init__(self, every: int, error: float = 0.0, bystander: bool = False) -> None:
        self.calls, self._every, self._error, self._bystander = 0, every, error, bystander

    def detect(self, images):
        frame = self.calls * self._every
        self.calls += 1
        own = (_START + _STEP * frame + (self._error if frame else 0.0))[None]
        xy = np.concatenate([own + 90, own]) if self._bystander and frame else own
        n = len(xy)
        return [Detections(xy, np.full((n, 18), 0.8), np.ones(n), np.zeros((18, 0, 2)), np.zeros((18, 0)))]


def test_joints_are_carried_between_the_networks_frames():
    detector = _Detector(every=3)
    xy, score = track(_frames(7), detector, TrackingConfig(2))
    assert detector.calls == 3
    truth = _START + _STEP * np.arange(7)[:, None, None]
    # Flow on a smooth texture that moves by whole pixels.
    assert np.abs(xy - truth).max() < 0.3
    np.testing.assert_allclose(score[:, 0], [0.8, 0.76, 0.722, 0.8, 0.76, 0.722, 0.8])


def test_the_network_is_drawn_to_the_flow_when_near():
    """2 px of error go away, 7 px are halved, 30 px are believed: the thresholds are 5 and 10 px at 640 wide."""
    for error, left in ((2.0, 0.0), (5.5, 2.75), (30.0, 30.0)):
        xy, _ = track(_frames(2), _Detector(1, error), TrackingConfig(0))
        assert xy[1] - (_START + _STEP) == pytest.approx(np.full((18, 2), left), abs=0.4)


def test_the_same_person_is_followed_where_another_is_more_prominent():
    xy, _ = track(_frames(4), _Detector(1, bystander=True), TrackingConfig(0))
    assert np.abs(xy[3] - (_START + 3 * _STEP)).max() < 0.5


def test_a_cut_makes_the_network_look_at_once():
    """In another picture the flow does not lead back; most joints are lost, whenever the network was due."""
    detector = _Detector(1)
    tracker = FlowTracker(detector, TrackingConfig(5))
    tracker.next(_texture())
    other = np.random.default_rng(9).integers(0, 256, (360, 480, 3), dtype=np.uint8)
    for image, calls in ((other, 2), (other, 2), (other[:100, :120], 3)):
        _, score = tracker.next(image)
        assert (score > 0).all()
        assert detector.calls == calls


def test_settings_are_checked():
    with pytest.raises(ValueError, match="frames_between"):
        TrackingConfig(-1)
    assert track([], _Detector(1), TrackingConfig())[0].shape == (0, 18, 2)
