import numpy as np
import pytest

from mv3d.data.poses import FILLED, MEASURED
from mv3d.data.skeletons import BODY_25, COCO_18
from mv3d.viz.colors import VIDEO, bgr
from mv3d.viz.overlay import draw_view
from mv3d.viz.strokes import draw_line

_GREY = 90


def _image(height: int = 480, width: int = 640) -> np.ndarray:
    return np.full((height, width, 3), _GREY, np.uint8)


def _joints(**xy: tuple[float, float]) -> np.ndarray:
    """Joints of COCO_18 at the places given, the others missing."""
    joints = np.full((len(COCO_18), 2), np.nan)
    for name, at in xy.items():
        joints[COCO_18.index(name)] = at
    return joints


def _draw(image, people=(), outline=None, reprojected=None, state=None, label=""):
    xy = np.stack(people) if len(people) else np.zeros((0, len(COCO_18), 2))
    scores = np.where(np.isnan(xy[..., 0]), 0.0, 0.9)
    reprojected = None if reprojected is None else reprojected[None]
    return draw_view(image, xy, scores, outline, reprojected, None if state is None else state[None], COCO_18, label)


def _near(image: np.ndarray, x: float, y: float, radius: int = 5) -> np.ndarray:
    return image[int(y) - radius : int(y) + radius + 1, int(x) - radius : int(x) + radius + 1].reshape(-1, 3)


def test_joints_appear_where_they_are_in_the_color_of_their_side() -> None:
    drawn = _draw(_image(), [_joints(LKnee=(100, 200), RKnee=(300, 250))])
    assert drawn[200, 100].tolist() == list(bgr(VIDEO.left))
    assert drawn[250, 300].tolist() == list(bgr(VIDEO.right))
    changed = np.argwhere((drawn != _GREY).any(-1))[:, ::-1]
    # Nothing but two dots: with their dark edge they have a radius below 6 px here.
    distance = np.minimum(np.hypot(*(changed - [100, 200]).T), np.hypot(*(changed - [300, 250]).T))
    assert distance.max() < 6


def test_a_bone_joins_its_joints() -> None:
    drawn = _draw(_image(), [_joints(LKnee=(100, 100), LAnkle=(100, 300))])
    # A line of one pixel is smoothed at its edges, so the colour is not exact; grey or dark would be 100 off.
    assert np.abs(drawn[105:295, 100].astype(int) - bgr(VIDEO.left)).max() < 50


def test_the_input_image_is_left_alone() -> None:
    image = _image()
    _draw(image, [_joints(LKnee=(100, 200))], label="cam")
    assert (image == _GREY).all()


def test_nothing_to_draw_changes_nothing() -> None:
    nobody = np.full((len(COCO_18), 2), np.nan)
    for people in ((), (nobody,)):
        drawn = _draw(_image(), people, np.full((4, 2), np.nan), nobody, np.zeros(len(COCO_18), np.uint8))
        assert (drawn == _GREY).all()


def test_the_performer_is_more_colorful_than_others() -> None:
    drawn = _draw(_image(), [_joints(LKnee=(100, 200)), _joints(LKnee=(300, 200))])
    performer, other = (np.ptp(drawn[200, x].astype(int)) for x in (100, 300))
    assert performer > 1.5 * other > 0


def test_the_3d_skeleton_is_wider_than_the_detection() -> None:
    bone = _joints(LKnee=(100, 100), LAnkle=(100, 300))
    thin = (_draw(_image(), [bone])[200] != _GREY).any(-1).sum()
    wide = (_draw(_image(), (), reprojected=bone)[200] != _GREY).any(-1).sum()
    assert wide >= 1.5 * thin


def test_filled_bones_are_dashed_and_their_joints_hollow() -> None:
    bone = _joints(LKnee=(100, 100), LAnkle=(100, 300))
    state = np.full(len(COCO_18), MEASURED)
    whole = _draw(_image(), (), reprojected=bone, state=state)
    state[COCO_18.index("LAnkle")] = FILLED
    dashed = _draw(_image(), (), reprojected=bone, state=state)
    assert ((whole[120:280, 100] != _GREY).any(-1)).all()
    gaps = (dashed[120:280, 100] == _GREY).all(-1)
    assert 0.1 < gaps.mean() < 0.6
    # The dashed band ends inside the ring; a joint's own colour does not fill it.
    assert dashed[300, 100].tolist() != list(bgr(VIDEO.left))
    assert (_near(dashed, 100, 300, 8) == bgr(VIDEO.left)).all(-1).any()


def test_the_crop_outline_is_drawn_and_nan_corners_left_out() -> None:
    square = np.array([[100.0, 100], [300, 100], [300, 300], [100, 300]])
    drawn = _draw(_image(), outline=square)
    assert (drawn[200, 100] != _GREY).any()
    assert (drawn[300, 200] != _GREY).any()
    square[3] = np.nan
    drawn = _draw(_image(), outline=square)
    assert (drawn[100, 200] != _GREY).any()
    assert (drawn[200, 100] == _GREY).all()


def test_lines_grow_with_the_image() -> None:
    bone = _joints(LKnee=(100, 100), LAnkle=(100, 300))
    small = (_draw(_image(), [bone])[200] != _GREY).any(-1).sum()
    large = (_draw(_image(1920, 2560), [bone])[200] != _GREY).any(-1).sum()
    assert large > 1.7 * small


@pytest.mark.parametrize("far", [1e5, 1e12, -1e30])
def test_absurd_points_are_left_out(far: float) -> None:
    person = _joints(LKnee=(100, 100), LAnkle=(far, 300))
    drawn = _draw(_image(), [person], reprojected=person)
    changed = np.argwhere((drawn != _GREY).any(-1))
    assert np.abs(changed - [100, 100]).max() < 12


@pytest.mark.parametrize("size", [(17, 9), (200, 3000), (1920, 1080)])
def test_any_image_size(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, size[::-1], (2, len(BODY_25), 2)).astype(np.float32)
    drawn = draw_view(_image(*size), xy, np.ones((2, 25), np.float32), None, xy[:1], None, BODY_25, "a camera")
    assert drawn.shape == (*size, 3)
    assert (drawn != _GREY).any()


def test_dashes_begin_and_end_the_segment() -> None:
    image = np.zeros((20, 200, 3), np.uint8)
    draw_line(image, np.array([10.0, 10]), np.array([190.0, 10]), (255, 255, 255), 1, dash_px=10.0)
    lit = image[10, :, 0] > 128
    assert lit[12]
    assert lit[188]
    # As many gaps as dashes less one, all of about one length: half of the line, and its rounded ends, is lit.
    assert 0.4 < lit[10:190].mean() < 0.65
