from dataclasses import replace

import numpy as np
import pytest

from mv3d.data.quality import Quality
from mv3d.data.rig import Rig
from mv3d.data.skeletons import BODY_25, LIMB_BONES, LIMB_JOINTS
from mv3d.summary import quality_lines, shift_lines
from mv3d.synthetic.rigs import camera_ring

VIEWS, FRAMES, JOINTS = 3, 4, len(BODY_25)
NAMES = ("left", "right", "a_name_that_is_too_long")
# What is worth telling is half a per cent of the image's longer side: 5 px of 1000.
RIG = Rig(tuple(replace(c, name=n) for c, n in zip(camera_ring(3, size=(1000, 800)), NAMES, strict=True)))


@pytest.fixture
def quality() -> Quality:
    limbs = BODY_25.indices(LIMB_JOINTS)
    filled = np.zeros(JOINTS)
    filled[limbs[0]] = 0.12
    return Quality(
        cameras=NAMES,
        keypoints=BODY_25.keypoints,
        limb_joints=limbs,
        bones=LIMB_BONES,
        reprojection_px=np.full((FRAMES, VIEWS, JOINTS), 4.0) * np.array([1, 2, 3])[:, None],
        left_out_px=np.array([20.0, 26.0, 14.0]),
        shift_px=np.array([[12.0, -16.0], [0.2, -0.4], [3.0, 3.9]]),
        left_out_without_shift_px=np.array([8.0, 10.0, 9.0]),
        coverage_2d=np.full((VIEWS, JOINTS), 0.75),
        measured=1 - filled,
        filled=filled,
        bone_length=np.ones((FRAMES, len(LIMB_BONES))),
        bone_cv=np.full(len(LIMB_BONES), 0.021),
        bone_cv_per_frame=np.full(len(LIMB_BONES), 0.084),
        jitter_mm=1.234,
    )


def test_a_line_for_each_camera(quality: Quality) -> None:
    table = quality_lines(RIG, quality)[2:5]
    assert table[0].split() == ["left", "20.0", "4.0", "+12,", "-16", "75.0%"]
    # Rounded to nothing is plain zero, not minus zero.
    assert table[1].split() == ["right", "26.0", "8.0", "+0,", "+0", "75.0%"]
    assert table[2].startswith("a_name_that_i ")
    assert len({len(line) for line in table}) == 1


def test_the_figures(quality: Quality) -> None:
    text = "\n".join(quality_lines(RIG, quality))
    assert "20.0 px  (9.0 px with each camera's shift taken off)" in text
    assert "limb joints reconstructed           100.0%  (filled over gaps 1.0%)" in text
    assert "2.1%  (per frame 8.4%)" in text
    assert "1.23 mm" in text


def test_a_shifted_camera_is_named(quality: Quality) -> None:
    line = "left is inconsistent by 20 px with the others: check its calibration"
    assert shift_lines(RIG, quality) == [line], "the third is off by less than 5 px"
    assert quality_lines(RIG, quality)[-1] == line


def test_a_shift_that_explains_nothing_is_not(quality: Quality) -> None:
    assert shift_lines(RIG, replace(quality, left_out_without_shift_px=np.array([19.0, 24.0, 13.0]))) == []


def test_nothing_known(quality: Quality) -> None:
    """Two cameras have no left-out error; a strange skeleton has no limbs."""
    nothing = replace(
        quality,
        limb_joints=(),
        left_out_px=np.full(VIEWS, np.nan),
        left_out_without_shift_px=np.full(VIEWS, np.nan),
        bone_cv=np.full(len(LIMB_BONES), np.nan),
        jitter_mm=float("nan"),
    )
    lines = quality_lines(RIG, nothing)
    assert shift_lines(RIG, nothing) == []
    assert any("nan" in line for line in lines)
