import numpy as np
import pytest

from mv3d.pose2d.detections import Detections, merge, no_detections


def _person(x: float, y: float, size: float) -> np.ndarray:
    return np.array([[x, y], [x + size, y], [x, y + size], [x + size, y + size]])


def _found(people: list[np.ndarray], scores: list[float]) -> Detections:
    xy = np.array(people).reshape(-1, 4, 2)
    score = np.repeat(np.array(scores, float)[:, None], 4, 1)
    peaks = np.swapaxes(xy, 0, 1)
    padded = np.full((4, 3, 2), np.nan)
    padded[:, : len(xy)] = peaks
    padded_score = np.zeros((4, 3))
    padded_score[:, : len(xy)] = score.T
    return Detections(xy, score, np.array(scores, float), padded, padded_score)


def test_the_better_finding_of_each_person_is_kept():
    near, far = _person(0, 0, 100), _person(400, 0, 30)
    coarse = _found([near, far + 1], [0.9, 0.4])
    fine = _found([near + 3, far], [0.5, 0.8])
    merged = merge([coarse, fine], max_people=8)
    np.testing.assert_array_equal(merged.xy, [near, far])
    np.testing.assert_array_equal(merged.person_score, [0.9, 0.8])
    # Of candidates within a few px the higher is left.
    np.testing.assert_array_equal(merged.peaks_score[0], [0.9, 0.8, 0])
    np.testing.assert_array_equal(merged.peaks_xy[:, :2], np.swapaxes([near, far], 0, 1))


def test_at_most_so_many_people():
    found = _found([_person(0, 0, 50), _person(200, 0, 50)], [0.3, 0.9])
    assert merge([found, no_detections(4, 3)], max_people=1).person_score.tolist() == [0.9]


def test_nobody_at_any_scale():
    merged = merge([no_detections(4, 3)] * 2, max_people=8)
    assert len(merged) == 0
    assert merged.peaks_xy.shape == (4, 3, 2)
    assert np.isnan(merged.peaks_xy).all()


def test_arrays_are_checked_and_read_only():
    found = no_detections(4, 3)
    with pytest.raises(ValueError, match="read-only"):
        found.peaks_score[0, 0] = 1
    with pytest.raises(ValueError, match="xy has shape"):
        Detections(np.zeros((1, 4, 2)), np.zeros((2, 4)), np.zeros(2), found.peaks_xy, found.peaks_score)
