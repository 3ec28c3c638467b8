"""A drawn person that the network finds, so that the 2D stage is tested on pixels without any photograph."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from mv3d.pose2d.estimator import PoseEstimator

_SKIN, _SHIRT, _TROUSERS, _DARK = (125, 155, 205), (40, 50, 160), (90, 60, 40), (30, 30, 30)
_WALL = (170, 165, 150)
# cv2 draws to a sixteenth of a pixel.
_SHIFT = 4


def _draw_person(image: np.ndarray, x: float, y: float, height: float) -> None:
    """A frontal person, mirror-symmetric about x = `x`, the top of the head at `y`, in hundredths of `height`."""
    unit = height / 100

    def at(a: float, b: float) -> tuple[int, int]:
        return round((x + a * unit) * 2**_SHIFT), round((y + b * unit) * 2**_SHIFT)

    def stroke(a, b, width, color):
        cv2.line(image, at(*a), at(*b), color, max(1, int(width * unit)), cv2.LINE_AA, _SHIFT)

    def polygon(points, color):
        cv2.fillConvexPoly(image, np.array([at(*p) for p in points]), color, cv2.LINE_AA, _SHIFT)

    def oval(center, half, color, start=0):
        axes = tuple(int(h * unit * 2**_SHIFT) for h in half)
        cv2.ellipse(image, at(*center), axes, 0, start, 360, color, -1, cv2.LINE_AA, _SHIFT)

    for side in (-1, 1):
        stroke((side * 6, 52), (side * 7, 74), 10, _TROUSERS)
        stroke((side * 7, 74), (side * 7.5, 94), 7.5, _TROUSERS)
        stroke((side * 7.5, 95), (side * 9.5, 98), 5, _DARK)
    polygon([(-12, 20), (12, 20), (9, 38), (10, 54), (-10, 54), (-9, 38)], _SHIRT)
    for side in (-1, 1):
        stroke((side * 12, 21.5), (side * 16, 38), 7, _SHIRT)
        stroke((side * 16, 38), (side * 17.5, 54), 4.5, _SKIN)
    stroke((0, 14), (0, 20), 5, _SKIN)
    oval((0, 8), (5.2, 7.5), _SKIN)
    oval((0, 4), (5.5, 4), _DARK, 180)
    for side in (-1, 1):
        oval((side * 2, 7), (0.8, 0.8), _DARK)
    stroke((0, 8), (0, 10.5), 1, (90, 115, 170))
    stroke((-1.8, 12.3), (1.8, 12.3), 0.9, (70, 70, 150))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Weights that the developer has added play no part in the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def draw_people() -> Callable[..., np.ndarray]:
    """`draw_people((width, height), [(x, y, person height), ...])` makes an image."""

    def draw(size: tuple[int, int], people: list[tuple[float, float, float]]) -> np.ndarray:
        image = np.full((size[1], size[0], 3), _WALL, np.uint8)
        for person in people:
            _draw_person(image, *person)
        return image

    return draw


@pytest.fixture(scope="session")
def estimator() -> PoseEstimator:
    return PoseEstimator()
