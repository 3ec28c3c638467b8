import json
from contextlib import suppress

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mv3d.cli import main
from mv3d.data.skeletons import BODY_25, COCO_17, COCO_18, FACE_70
from mv3d.errors import ConfigError, FormatError
from mv3d.pose2d.detections import Detections
from mv3d.pose2d.evaluation import evaluate_on_coco, to_coco_17

# A person of 100 px: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles in COCO's order.
_POSE = np.array(
    [
        *((50, 10), (53, 7), (47, 7), (57, 9), (43, 9), (65, 25), (35, 25), (72, 42), (28, 42), (75, 58), (25, 58)),
        *((59, 58), (41, 58), (60, 80), (40, 80), (61, 98), (39, 98)),
    ],
    float,
)
_BESIDE = np.array([150.0, 0.0])


def _annotation(image_id: int, xy: np.ndarray, **changes) -> dict:
    keypoints = np.concatenate([xy, np.full((17, 1), 2.0)], axis=1)
    low, size = xy.min(0), np.ptp(xy, axis=0)
    return {
        "id": 10 * image_id + len(changes),
        "image_id": image_id,
        "category_id": 1,
        "keypoints": keypoints.ravel().tolist(),
        "num_keypoints": 17,
        "bbox": [*low.tolist(), *size.tolist()],
        "area": float(size.prod()),
        "iscrowd": 0,
        **changes,
    }


@pytest.fixture
def benchmark(tmp_path):
    """Four images, of which three are there; each holds one person, the second also another one."""
    (tmp_path / "images").mkdir()
    annotations = [_annotation(i, _POSE + 20 * i) for i in range(4)]
    annotations.append(_annotation(1, _POSE + _BESIDE, id=99))
    names = [f"{i:012d}.png" for i in range(4)]
    for i in range(3):
        cv2.imwrite(str(tmp_path / "images" / names[i]), np.full((200, 300, 3), i, np.uint8))
    document = {"images": [{"id": i, "file_name": n} for i, n in enumerate(names)], "annotations": annotations}
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(document))
    return tmp_path / "images", path


class _Answers:
    """Finds in each image, told by its grey, the people that were given."""

    def __init__(self, people: list[np.ndarray], skeleton=COCO_17) -> None:
        self._people, self.skeleton = people, skeleton

    def detect(self, images):
        return [self._detections(self._people[int(image[0, 0, 0])]) for image in images]

    def detect_in_crops(self, images, crops):
        raise AssertionError("whole images are evaluated")

    def _detections(self, xy: np.ndarray) -> Detections:
        score = np.isfinite(xy).all(-1) * np.linspace(0.9, 0.8, len(xy))[:, None]
        joints = len(self.skeleton)
        return Detections(xy, score, np.ones(len(xy)), np.zeros((joints, 0, 2)), np.zeros((joints, 0)))


def _truth() -> list[np.ndarray]:
    return [_POSE[None], np.stack([_POSE + 20, _POSE + _BESIDE]), (_POSE + 40)[None]]


def test_the_truth_scores_one_on_a_subset_of_the_images(benchmark):
    evaluation = evaluate_on_coco(_Answers(_truth()), *benchmark)
    assert (evaluation.images, evaluation.people) == (3, 4)
    assert evaluation.statistics["AP"] == evaluation.statistics["AP50"] == pytest.approx(1)
    assert set(evaluation.pck.values()) == {1.0}
    assert evaluate_on_coco(_Answers(_truth()), *benchmark, limit=1).people == 1


def test_body_25_and_coco_18_are_mapped_by_name(benchmark):
    for skeleton in (COCO_18, BODY_25):
        people = []
        for truth in _truth():
            xy = np.full((len(truth), len(skeleton), 2), np.nan)
            for i, name in enumerate(COCO_17.keypoints):
                xy[:, skeleton.index(name)] = truth[:, i]
            people.append(xy)
        evaluation = evaluate_on_coco(_Answers(people, skeleton), *benchmark)
        assert evaluation.statistics["AP"] == pytest.approx(1)
        assert evaluation.mean_pck == 1
    xy, score = to_coco_17(np.zeros((1, 25, 2)), np.ones((1, 25)), BODY_25)
    assert np.isfinite(xy).all()
    assert (score == 1).all()


def test_a_wrong_joint_lowers_its_own_pck_and_the_precision(benchmark):
    people = _truth()
    for xy in people:
        xy[:, COCO_17.index("LWrist")] += 12  # the box is 91 px high: PCK reaches 9.1 px
        xy[:, COCO_17.index("RWrist")] += 6
    evaluation = evaluate_on_coco(_Answers(people), *benchmark)
    assert evaluation.pck["LWrist"] == 0
    assert evaluation.pck["RWrist"] == 1
    assert 0.5 < evaluation.statistics["AP"] < 1
    # 15 of 17 joints at similarity 1: still far beyond the 0.5 of AP50.
    assert evaluation.statistics["AP50"] == pytest.approx(1)


def test_a_missed_person_counts_and_so_does_nobody(benchmark):
    people = _truth()
    people[1] = people[1][:1]
    evaluation = evaluate_on_coco(_Answers(people), *benchmark)
    assert evaluation.pck["Nose"] == 0.75
    # Recall levels beyond 3 of 4 have precision 0: 76 of 101 levels are reached.
    assert evaluation.statistics["AP"] == pytest.approx(76 / 101)
    none = evaluate_on_coco(_Answers([np.zeros((0, 17, 2))] * 3), *benchmark)
    assert none.statistics["AP"] == none.mean_pck == 0


def test_what_cannot_be_evaluated_is_said(benchmark, tmp_path):
    images, annotations = benchmark
    with pytest.raises(FormatError, match="names no image"):
        evaluate_on_coco(_Answers([]), tmp_path / "nowhere", annotations)
    with pytest.raises(ConfigError, match="no joint of COCO"):
        evaluate_on_coco(_Answers([np.zeros((1, 70, 2))] * 3, FACE_70), images, annotations)
    broken = tmp_path / "broken.json"
    for text in ('{"images": []}', '{"images": [3], "annotations": []}', "[]", "{"):
        broken.write_text(text)
        with pytest.raises(FormatError, match=r"broken\.json"):
            evaluate_on_coco(_Answers([]), images, broken)
    short = json.loads(annotations.read_text())
    short["annotations"][0]["keypoints"].pop()
    broken.write_text(json.dumps(short))
    with pytest.raises(FormatError, match="17 keypoints"):
        evaluate_on_coco(_Answers([]), images, broken)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_changed_annotations_never_fail_otherwise(benchmark, tmp_path, data):
    """Any value of any field may be anything that JSON can hold."""
    document = json.loads(benchmark[1].read_text())
    entry = data.draw(st.sampled_from([*document["images"], *document["annotations"]]))
    odd = st.one_of(
        *(st.none(), st.text(max_size=5), st.integers(-(2**70), 2**70), st.floats(), st.booleans()),
        *(st.lists(st.floats(), max_size=5), st.just({}), st.just([None] * 51), st.just(["x"] * 4)),
    )
    entry[data.draw(st.sampled_from(sorted(entry)))] = data.draw(odd)
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(document))
    with suppress(FormatError):
        evaluate_on_coco(_Answers(_truth()), benchmark[0], path)


def test_the_command_writes_its_figures(benchmark, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mv3d.detection.PoseEstimator", lambda *_, **__: _Answers(_truth()))
    images, annotations = map(str, benchmark)
    main(["eval", "coco", images, annotations, "--json", str(tmp_path / "out.json")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3 images, 4 annotated people"
    assert lines[1].startswith("AP 1.000  AP50 1.000")
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures["model"] == "mobilenet_thin"
    assert figures["AP"] == pytest.approx(1)
    assert figures["PCK"]["LAnkle"] == 1
    with pytest.raises(SystemExit):
        main(["eval", "coco", images, annotations, "--limit", "0"])
    assert "--limit is 0" in capsys.readouterr().err
