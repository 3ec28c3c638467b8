"""Faces in pictures are hidden where keypoints tell of them, and a little before and after."""

import numpy as np
import pytest

from mv3d.data.poses import Poses2D
from mv3d.data.skeletons import COCO_18
from mv3d.viz.faces import blurred, blurred_views, face_regions

HEIGHT = 240
_AT = {"Nose": (100, 60), "REye": (94, 55), "LEye": (106, 55), "REar": (85, 58), "LEar": (115, 58), "Neck": (100, 95)}


def _poses(frames: int = 3, hidden: tuple[int, ...] = (), only: tuple[str, ...] = tuple(_AT)) -> Poses2D:
    xy, score = np.full((frames, 2, 18, 2), np.nan, np.float32), np.zeros((frames, 2, 18), np.float32)
    for frame in set(range(frames)) - set(hidden):
        for name in only:
            joint = COCO_18.keypoints.index(name)
            xy[frame, 1, joint], score[frame, 1, joint] = _AT[name], 0.5
    return Poses2D(COCO_18, xy, score, np.arange(frames) / 30)


def test_the_whole_head_is_inside() -> None:
    (circle,) = face_regions(_poses(1), HEIGHT)[0]
    ears = 30.0
    # A head is 1.6 times as high as the ears are apart: crown and chin are within 0.8 of that from its middle.
    assert circle[2] >= 0.8 * ears
    np.testing.assert_allclose(circle[:2], [100, 57], atol=2)


@pytest.mark.parametrize("only", [("Nose",), ("REar", "Nose"), ("LEye", "Neck")])
def test_one_point_is_enough(only: tuple[str, ...]) -> None:
    (circle,) = face_regions(_poses(1, only=only), HEIGHT)[0]
    assert circle[2] >= 0.03 * HEIGHT


def test_nobody_no_face() -> None:
    assert [len(r) for r in face_regions(_poses(2, only=("Neck",)), HEIGHT)] == [0, 0]


def test_a_face_that_is_not_found_for_a_moment_stays_hidden() -> None:
    regions = face_regions(_poses(40, hidden=tuple(range(5, 35))), HEIGHT)
    # Hidden for 0.4 s, 12 frames at 30 a second, after it was last seen and before it is seen again.
    counts = [len(r) for r in regions]
    assert counts[:16] == [1] * 16
    assert counts[18:22] == [0] * 4
    assert counts[24:] == [1] * 16


def test_only_the_face_changes() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (HEIGHT, 200, 3), dtype=np.uint8)
    before = image.copy()
    regions = face_regions(_poses(1), HEIGHT)[0]
    hidden = blurred(image, regions)
    np.testing.assert_array_equal(image, before)
    rows, columns = np.mgrid[:HEIGHT, :200]
    inside = np.hypot(columns - regions[0, 0], rows - regions[0, 1]) <= regions[0, 2]
    np.testing.assert_array_equal(hidden[~inside], image[~inside])
    # Six blocks across have few colours, and are not the noise that was there.
    assert len(np.unique(hidden[inside].reshape(-1, 3), axis=0)) <= 36
    assert hidden[inside].std() < 0.3 * image[inside].std()


def test_a_face_at_the_border() -> None:
    image = np.zeros((50, 50, 3), np.uint8)
    assert blurred(image, np.array([[0.0, 0.0, 20.0], [500.0, 500.0, 20.0]])).shape == image.shape


def test_each_view_by_its_own_frame() -> None:
    image = np.random.default_rng(1).integers(0, 255, (HEIGHT, 200, 3), dtype=np.uint8)
    poses = _poses(60, hidden=tuple(range(30, 60)))
    index = np.array([[0, 59], [59, 0], [59, 59]])
    shown = list(blurred_views([[image, image], [image, None], [image, image]], [poses, poses], index))
    changed = [[None if v is None else bool((v != image).any()) for v in views] for views in shown]
    assert changed == [[True, False], [False, None], [False, False]]
