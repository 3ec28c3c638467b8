"""Skeletons of the user's own: the shipped example, and files that contradict themselves."""

from pathlib import Path

import numpy as np
import pytest

from mv3d.data.skeletons import BODY_25B
from mv3d.errors import ConfigError
from mv3d.files.skeleton_yaml import find_skeleton

_GOOD = """
keypoints: [snout, eye_a, eye_b, tail]
bones: [[snout, tail], [eye_a, eye_b]]
mirror: [[eye_a, eye_b]]
groups: {head: [snout, eye_a, eye_b]}
"""


def test_by_name():
    assert find_skeleton("BODY_25B") is BODY_25B
    with pytest.raises(ConfigError, match="'BODY_26' is unknown, nearest is BODY_25"):
        find_skeleton("BODY_26")


def test_the_shipped_example(repository: Path):
    skeleton = find_skeleton(str(repository / "configs" / "skeletons" / "quadruped.yaml"))
    assert skeleton.name == "QUADRUPED_19"
    assert len(skeleton.bones) == 18
    # Left and right are told by the names: seven pairs, five joints on the midline.
    assert np.count_nonzero(skeleton.mirror != np.arange(19)) == 14
    assert skeleton.keypoints[skeleton.mirror[skeleton.index("left_hind_hock")]] == "right_hind_hock"


def test_every_entry(tmp_path):
    path = tmp_path / "mouse.yaml"
    path.write_text(_GOOD)
    skeleton = find_skeleton(str(path))
    assert skeleton.name == "mouse"
    assert skeleton.bones == ((0, 3), (1, 2))
    assert skeleton.mirror.tolist() == [0, 2, 1, 3]
    assert skeleton.groups == (("head", (0, 1, 2)),)
    path.write_text("keypoints: [a, b]")
    assert find_skeleton(str(path)).bones == ()


def test_pairs_that_are_told_stand_for_those_of_the_names(tmp_path):
    path = tmp_path / "mouse.yaml"
    path.write_text("keypoints: [left_a, right_a, left_b, right_b]\nmirror: [[left_a, right_b]]")
    assert find_skeleton(str(path)).mirror.tolist() == [3, 1, 2, 0]
    path.write_text("keypoints: [left_a, right_a]\nmirror: []")
    assert find_skeleton(str(path)).mirror.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "wanted keypoints"),
        ("[1, 2]", "wanted keypoints"),
        ("a: [", "cannot read this skeleton"),
        ("keypoints: [" * 5000, "cannot read this skeleton"),
        ("bones: []", "keypoints must be a list of names"),
        ("keypoints: [a, 1]", "keypoints must be a list of names"),
        ("keypoints: [a, no]", "keypoints must be a list of names.*'no'"),
        ("keypoints: []", "0 keypoints"),
        ("keypoints: [a, b, a]", "keypoint a is there twice"),
        ("keypoints: [a]\nbone: []", "key 'bone' is unknown, nearest is bones"),
        ("name: BODY_25\nkeypoints: [a]", "BODY_25 is taken"),
        ("keypoints: [tail, b]\nbones: [[tali, b]]", "bones 1: no keypoint tali, nearest is tail"),
        ("keypoints: [a, b]\nbones: [[a, b], [b]]", "bones 2 is .b."),
        ("keypoints: [a, b]\nbones: [[a, a]]", "bones 1 is .a, a."),
        ("keypoints: [a, b]\nbones: [[a, b], [b, a]]", "b and a are joined twice"),
        ("keypoints: [a, b]\nbones: {a: b}", "bones must be a list of pairs"),
        ("keypoints: [a, b, c]\nmirror: [[a, b], [b, c]]", "mirror: b is in two pairs"),
        ("keypoints: [a, b]\ngroups: [a]", "groups must map"),
        ("keypoints: [a, b]\ngroups: {x: [a], y: [a]}", "groups: a is named twice"),
        ("keypoints: [a, b]\ngroups: {x: [q]}", "group x: no keypoint q"),
        ("!!python/object/apply:os.system [ls]", "cannot read this skeleton"),
    ],
)
def test_a_file_that_contradicts_itself(tmp_path, text, problem):
    path = tmp_path / "mouse.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=problem) as caught:
        find_skeleton(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_such_file_and_one_that_is_too_large(tmp_path):
    with pytest.raises(ConfigError, match="check the path"):
        find_skeleton(str(tmp_path / "none.yaml"))
    (tmp_path / "large.yaml").write_text("keypoints: [a] #" + "x" * 1_000_000)
    with pytest.raises(ConfigError, match="too many for a skeleton"):
        find_skeleton(str(tmp_path / "large.yaml"))
