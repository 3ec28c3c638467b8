import numpy as np
import pytest

from mv3d.data.skeletons import BODY_25, COCO_18, SKELETONS
from mv3d.viz.colors import PAPER, VIDEO, bgr, bone_colors, bone_side, joint_colors, mixed, side_of


def _luminance(rgb: tuple[int, int, int]) -> float:
    return float(np.dot(rgb, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize(
    ("name", "side"),
    [("RKnee", "right"), ("LBigToe", "left"), ("Nose", "middle"), ("LHand_Wrist", "left"), ("Ring2", "middle")],
)
def test_side_of_a_name(name: str, side: str) -> None:
    assert side_of(name) == side


def test_bone_takes_the_side_of_its_limb() -> None:
    assert bone_side("Neck", "RShoulder") == "right"
    assert bone_side("LHip", "RHip") == "middle"
    assert bone_side("Neck", "MidHip") == "middle"


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_tables_cover_every_joint_and_bone(skeleton) -> None:
    assert joint_colors(skeleton).shape == (len(skeleton), 3)
    assert bone_colors(skeleton).shape == (len(skeleton.bones), 3)


@pytest.mark.parametrize("skeleton", [COCO_18, BODY_25], ids=lambda s: s.name)
@pytest.mark.parametrize("palette", [PAPER, VIDEO])
def test_mirrored_joints_have_the_other_color(skeleton, palette) -> None:
    colors = joint_colors(skeleton, palette)
    sided = np.flatnonzero(skeleton.mirror != np.arange(len(skeleton)))
    assert len(sided) >= 16
    assert (colors[sided] != colors[skeleton.mirror[sided]]).any(axis=1).all()


@pytest.mark.parametrize("palette", [PAPER, VIDEO])
def test_left_and_right_differ_in_the_blue_yellow_direction(palette) -> None:
    # Red and green weak eyes still tell blue from yellow: blue minus the mean of red and green must differ by much.
    blueness = [rgb[2] - (rgb[0] + rgb[1]) / 2 for rgb in (palette.left, palette.right)]
    assert blueness[0] - blueness[1] > 150


def test_states_differ_without_color() -> None:
    from mv3d.viz.colors import STATE_RGB

    light = sorted(_luminance(rgb) for rgb in STATE_RGB.values())
    # Twenty of 255 steps of grey can be told apart in a printed legend.
    assert np.diff(light).min() > 20


def test_mixed_and_bgr() -> None:
    assert mixed((0, 100, 200), (100, 100, 100), 0.5) == (50, 100, 150)
    assert bgr((1, 2, 3)) == (3, 2, 1)
