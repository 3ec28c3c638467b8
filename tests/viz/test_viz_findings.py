"""The diagnosis in sentences and as JSON."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mv3d.data.diagnosis import CameraMove, Correction, Diagnosis, RigCheck, Span, Sync
from mv3d.viz.findings import clock, diagnosis_reasons, words
from mv3d.viz.sync_plots import sync_curves
from mv3d.viz.verdict import judge
from mv3d.viz.verdict_json import write_verdict_json

CAMERAS = ("cam01", "cam02", "cam03", "cam04")


def a_sync(**changes) -> Sync:
    sync = Sync(
        time_offsets=np.array([0.0, 0.0, -2.6, 0.0]) / 60,
        time_offsets_sd=np.full(4, 0.05) / 60,
        drift=np.zeros(4),
        drift_sd=np.zeros(4),
        applied=True,
        middle=5.0,
        interval=1 / 60,
        left_out_px=np.full(4, 12.0),
        left_out_synced_px=np.full(4, 4.0),
        lags=np.linspace(-1, 1, 21),
        lag_cost=np.abs(np.linspace(-1, 1, 21)) * np.ones((4, 1)),
    )
    return replace(sync, **changes)


def a_check(**changes) -> RigCheck:
    check = RigCheck(
        cameras=CAMERAS,
        left_out_px=np.full(4, 20.0),
        corrections=(
            Correction("image-shift", np.array([[1.0, 0], [16, 8], [0, 0], [0, 0]]), np.ones((4, 2)), np.full(4, 8.0)),
        ),
        moves=(),
    )
    return replace(check, **changes)


def texts(diagnosis: Diagnosis, scenario) -> list[str]:
    return [reason.text for reason in diagnosis_reasons(diagnosis, scenario.quality)]


def test_a_late_camera_is_named_with_frames_and_milliseconds(scenario) -> None:
    (late, gain) = diagnosis_reasons(Diagnosis(sync=a_sync()), scenario.quality)
    assert late.text == "cam03 is 2.6 frames late (-43 +- 0.8 ms); this was corrected."
    assert (late.fault, late.camera, late.level) == ("sync", "cam03", "good")
    assert "from 12.0 to 4.0 px" in gain.text


def test_a_drifting_clock_and_cameras_in_sync(scenario) -> None:
    drift = np.array([0.0, 1e-4, 0, 0])
    found = texts(Diagnosis(sync=a_sync(time_offsets=np.array([0, 1e-3, 0, 0]), drift=drift)), scenario)
    assert "cam02 is 0.1 frames early" in found[0]
    assert "drifts by +6.0 ms a minute" in found[0]
    (in_sync,) = texts(Diagnosis(sync=a_sync(applied=False, time_offsets=np.array([0, 1e-3, 0, 0]))), scenario)
    assert in_sync.startswith("The cameras are in sync")
    assert "0.1 frames (+- 0.1)" in in_sync


def test_a_rig_that_does_not_fit_names_the_gain_and_the_flag(scenario) -> None:
    (reason,) = diagnosis_reasons(Diagnosis(rig_check=a_check()), scenario.quality)
    assert (reason.level, reason.fault) == ("usable", "calibration")
    assert "20.0 px: an image shift of each camera to 8.0 px (--refine-rig image-shift)" in reason.text
    assert "cam02 most: +16, +8 px" in reason.text
    (fits,) = diagnosis_reasons(Diagnosis(rig_check=a_check(left_out_px=np.full(4, 8.5))), scenario.quality)
    assert fits.level == "good"
    (refined,) = texts(Diagnosis(rig_check=a_check(refined="image-shift")), scenario)
    assert "corrected by an image shift of each camera, as asked" in refined
    assert "cameras.yaml was not changed" in refined


def test_a_moved_camera_asks_to_look(scenario) -> None:
    move = CameraMove(1, 42.0, 0.05, np.array([10.0, 0]), 0.011, np.deg2rad(0.4), 0.9)
    verdict = judge(scenario.rig, scenario.quality, Diagnosis(rig_check=a_check(moves=(move,))))
    assert verdict.level == "look at this"
    assert verdict.reasons[0].text.startswith("cam02 moved 11 mm and turned 0.4 degrees at 0:42")
    assert verdict.reasons[0].camera == "cam02"


def test_unseen_joints_and_swapped_legs(scenario) -> None:
    unseen = tuple(Span(name, None, 12.0, 3.1) for name in ("RWrist", "LAnkle", "RKnee", "LKnee"))
    swapped = (Span("legs", "cam01", 72.5, 0.8), Span("legs", "cam01", 3.0, 0.4))
    found = texts(Diagnosis(unseen=unseen, swapped=swapped), scenario)
    assert found[0] == "Right wrist seen alike by fewer than two cameras for 3.1 s from 0:12."
    assert len(found) == 4  # three of the four joints, and one sentence for the camera
    assert found[-1] == "Left and right legs swapped in cam01 for 1.2 s in all, longest from 1:12.5."


@pytest.mark.parametrize(
    ("seconds", "text"), [(42.0, "0:42"), (72.5, "1:12.5"), (0.0, "0:00"), (59.97, "1:00"), (-2.0, "-0:02")]
)
def test_moments(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_names_as_words() -> None:
    assert [words(name) for name in ("RWrist", "LBigToe", "Nose", "MidHip")] == [
        "Right wrist",
        "Left big toe",
        "Nose",
        "Mid hip",
    ]


def test_the_json_says_what_the_sentences_say(scenario, tmp_path: Path) -> None:
    move = CameraMove(1, 42.0, 0.05, np.array([10.0, 0]), 0.011, 0.007, 0.9)
    diagnosis = Diagnosis(
        a_sync(left_out_px=np.array([1.0, np.nan, 1, 1])),
        a_check(moves=(move,)),
        (Span("RWrist", None, 12.0, 3.1),),
        (Span("legs", "cam01", 3.0, 0.4),),
    )
    path = tmp_path / "verdict.json"
    write_verdict_json(path, scenario.rig, scenario.quality, diagnosis)
    document = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    verdict = judge(scenario.rig, scenario.quality, diagnosis)
    assert document["level"] == verdict.level
    assert [reason["text"] for reason in document["reasons"]] == [reason.text for reason in verdict.reasons]
    assert document["sync"]["left_out_px"] == [1.0, None, 1.0, 1.0]
    assert document["sync"]["time_offsets"][2] == pytest.approx(-2.6 / 60)
    assert document["rig"]["moves"][0]["camera"] == "cam02"
    assert document["rig"]["corrections"][0]["change"][1] == [16.0, 8.0]
    assert document["unseen"] == [{"joint": "RWrist", "start": 12.0, "duration": 3.1}]
    assert document["swapped"] == [{"limbs": "legs", "camera": "cam01", "start": 3.0, "duration": 0.4}]
    write_verdict_json(path, scenario.rig, scenario.quality, Diagnosis())
    assert json.loads(path.read_text())["sync"] is None


def test_curves_of_the_scan_have_a_line_for_each_camera() -> None:
    figure = sync_curves(CAMERAS, a_sync(lag_cost=np.full((4, 21), np.nan)))
    assert [line.get_label() for line in figure.axes[0].lines[:4]] == list(CAMERAS)
