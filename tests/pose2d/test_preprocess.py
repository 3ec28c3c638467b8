import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mv3d.pose2d.preprocess import PAD_VALUE, batch_images, fit, resize

_sides = st.integers(1, 4000)


@given(_sides, _sides, st.integers(8, 1400))
def test_there_and_back(width, height, long_side):
    placement = fit((width, height), long_side)
    assert max(placement.size) == long_side
    xy = np.array([[0.0, 0.0], [width - 1, height - 1], [12.25, -3.5]])
    np.testing.assert_allclose(placement.to_source(placement.to_input(xy)), xy, atol=1e-9)


@given(st.integers(64, 4000), st.integers(64, 4000))
def test_the_aspect_is_kept_to_the_rounding_of_one_side(width, height):
    placement = fit((width, height), 368)
    factor = 368 / max(width, height)
    assert np.abs(placement.factors / factor - 1).max() <= 0.5 / (min(placement.size) - 0.5) + 1e-9


@pytest.mark.parametrize("size", [(1080, 1920), (640, 480), (200, 123), (368, 368)])
def test_a_spot_lands_where_the_map_says(size):
    width, height = size
    at = np.array([0.3 * width, 0.6 * height])
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    spot = 200 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * (0.02 * width) ** 2))
    placement = fit(size, 368)
    small = resize(np.repeat(spot[..., None], 3, 2).astype(np.uint8), placement)[..., 0].astype(float)
    rows, columns = np.indices(small.shape)
    found = np.array([(columns * small).sum(), (rows * small).sum()]) / small.sum()
    # Eight-bit rounding moves the centroid of a spot this wide by hundredths of a pixel; half a pixel would be 0.5.
    np.testing.assert_allclose(placement.to_source(found[None])[0], at, atol=0.1 * width / placement.size[0] + 0.05)


def test_images_of_many_sizes_make_one_batch():
    images = [np.full((30, 17, 3), 7, np.uint8), np.full((9, 40, 3), 9, np.uint8)]
    batch = batch_images(images, 8)
    assert batch.shape == (2, 32, 40, 3)
    assert (batch[0, :30, :17] == 7).all()
    assert (batch[1, :9] == 9).all()
    assert (batch[0, 30:] == PAD_VALUE).all()
    assert (batch[0, :, 17:] == PAD_VALUE).all()


@pytest.mark.parametrize(("size", "side"), [((0, 4), 368), ((4, 4), 0)])
def test_nonsense_sizes(size, side):
    with pytest.raises(ValueError, match="cannot fit"):
        fit(size, side)
