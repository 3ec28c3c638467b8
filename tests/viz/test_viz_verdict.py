from dataclasses import replace

import numpy as np
import pytest

from mv3d.viz.verdict import inconsistent_cameras, judge


def _with(scenario, **changes):
    return judge(scenario.rig, replace(scenario.quality, **changes))


def _texts(verdict) -> str:
    return "\n".join(reason.text for reason in verdict.reasons)


def test_a_clean_session_is_good(scenario) -> None:
    verdict = judge(scenario.rig, scenario.quality)
    assert verdict.level == "good"
    assert verdict.headline.startswith("Good")
    assert inconsistent_cameras(scenario.rig, scenario.quality) == ()


def test_a_shifted_camera_is_named_with_its_px_and_the_gain(scenario) -> None:
    # The images are 640 px tall: 6 px are 0.9 % of that, above what a detector's bias explains.
    shift = np.array([[0.0, 0], [0, 0], [5.3, -2.8], [1, 1]])
    quality = replace(
        scenario.quality,
        shift_px=shift,
        left_out_px=np.array([3.0, 3, 5, 3]),
        left_out_without_shift_px=np.array([2.0, 2, 2.5, 2]),
    )
    verdict = judge(scenario.rig, quality)
    assert verdict.level == "usable"
    assert "cam03 is inconsistent by 6 px with the others (+5, -3)" in _texts(verdict)
    assert "5.0 px, and 2.5 px once the shifts are taken off" in _texts(verdict)
    assert "from 3.5 to 2.1 px" in _texts(verdict)
    assert inconsistent_cameras(scenario.rig, quality) == ("cam03",)
    assert not any(f"cam0{k} is inconsistent" in _texts(verdict) for k in (1, 2, 4))


def test_the_same_shift_in_a_larger_image_is_nothing(scenario, scenario_of) -> None:
    large = scenario_of(size=(1920, 2560), frames=2)
    shift = np.tile([5.0, 0.0], (4, 1))
    assert len(inconsistent_cameras(scenario.rig, replace(scenario.quality, shift_px=shift))) == 4
    assert inconsistent_cameras(large.rig, replace(large.quality, shift_px=shift)) == ()


def test_a_camera_that_was_moved_asks_to_look(scenario) -> None:
    shift = np.zeros((4, 2))
    shift[1] = [0, 40]
    verdict = _with(scenario, shift_px=shift)
    assert verdict.level == "look at this"
    assert verdict.reasons[0].text.startswith("cam02 is inconsistent by 40 px")


@pytest.mark.parametrize(("left_out", "level"), [(3.0, "good"), (8.0, "usable"), (20.0, "look at this")])
def test_left_out_error_grades(scenario, left_out: float, level: str) -> None:
    assert _with(scenario, left_out_px=np.full(4, left_out)).level == level


def test_one_bad_camera_is_named(scenario) -> None:
    verdict = _with(scenario, left_out_px=np.array([1.0, 1.2, 4.0, 1.1]))
    assert "cam03 fits worst" in _texts(verdict)


def test_too_few_cameras_to_check(scenario) -> None:
    unknown = np.full(4, np.nan)
    verdict = _with(scenario, left_out_px=unknown, left_out_without_shift_px=unknown, shift_px=np.full((4, 2), np.nan))
    assert verdict.level == "usable"
    assert "three cameras" in _texts(verdict)
    assert "nan" not in _texts(verdict)


@pytest.mark.parametrize(("measured", "level"), [(0.99, "good"), (0.93, "usable"), (0.6, "look at this")])
def test_coverage_grades(scenario, measured: float, level: str) -> None:
    joints = len(scenario.quality.keypoints)
    assert _with(scenario, measured=np.full(joints, measured), filled=np.zeros(joints)).level == level


def test_a_poorly_seen_joint_is_named(scenario) -> None:
    quality = scenario.quality
    measured, filled = np.ones(len(quality.keypoints)), np.zeros(len(quality.keypoints))
    wrist = quality.keypoints.index("RWrist")
    measured[wrist], filled[wrist] = 0.6, 0.4
    assert "Poorly seen, often filled or missing: RWrist (60%)" in _texts(
        _with(scenario, measured=measured, filled=filled)
    )
    filled[wrist] = measured[wrist] = 0.1
    verdict = _with(scenario, measured=measured, filled=filled)
    assert verdict.level == "look at this"
    assert "Missing in most frames: RWrist (20%)" in _texts(verdict)


def test_joints_of_the_face_are_not_held_against_it(scenario) -> None:
    measured = np.ones(len(scenario.quality.keypoints))
    measured[scenario.quality.keypoints.index("LEar")] = 0.0
    assert _with(scenario, measured=measured, filled=np.zeros(25)).level == "good"


@pytest.mark.parametrize(("cv", "level"), [(0.02, "good"), (0.05, "usable"), (0.2, "look at this")])
def test_bone_grades(scenario, cv: float, level: str) -> None:
    cvs = np.full(10, cv)
    cvs[3] += 0.001
    verdict = _with(scenario, bone_cv=cvs)
    assert verdict.level == level
    assert "worst: LElbow to LWrist" in _texts(verdict)


def test_a_result_that_leans_on_smoothing_says_so(scenario) -> None:
    assert "leans heavily" in _texts(_with(scenario, bone_cv_per_frame=np.full(10, 0.3)))


def test_a_blind_camera_is_named(scenario) -> None:
    coverage = np.ones((4, 25))
    coverage[3] = 0.2
    assert "cam04 sees only 20% of the limb joints" in _texts(_with(scenario, coverage_2d=coverage))


def test_worst_reason_comes_first(scenario) -> None:
    verdict = _with(scenario, bone_cv=np.full(10, 0.2), left_out_px=np.full(4, 8.0))
    order = [("look at this", "usable", "good").index(reason.level) for reason in verdict.reasons]
    assert order == sorted(order)
    assert len(set(order)) == 3
