import numpy as np
import pytest

from mv3d.data.camera import Camera
from mv3d.data.lens import Fisheye, Lens, Pinhole
from mv3d.geometry.rotations import look_along, rotation_from_vector

_K = np.array([[900.0, 0, 640], [0, 910.0, 360], [0, 0, 1]])
_PINHOLE = Pinhole(_K, np.array([-0.1, 0.02, 1e-3, 1e-3, 0]))
_FISHEYE = Fisheye(_K, np.array([0.02, -0.01, 0, 0]))


def _camera(lens: Lens = _PINHOLE, name: str = "cam", size: tuple[int, int] = (1280, 720)) -> Camera:
    center = np.array([3.0, -2.0, 1.5])
    R = look_along(-center + [0, 0, 1.0], np.array([0.0, 0, 1]))
    return Camera(name, size, lens, R, -R @ center)


def test_frames() -> None:
    camera = _camera()
    np.testing.assert_allclose(camera.center, [3, -2, 1.5], atol=1e-12)
    np.testing.assert_allclose(camera.to_camera(camera.center), 0, atol=1e-12)
    target = np.array([0.0, 0, 1])
    np.testing.assert_allclose(camera.project(target), _K[:2, 2], atol=1e-9)
    above, right = camera.project(target + np.array([0, 0, 0.1])), camera.project(target + camera.R[0] * 0.1)
    assert above[1] < _K[1, 2]  # up in the world is up in the image: smaller y
    assert right[0] > _K[0, 2]


@pytest.mark.parametrize("lens", [_PINHOLE, _FISHEYE, Pinhole(_K, np.zeros(0))], ids=lambda x: type(x).__name__)
def test_rays_go_through_the_points(lens: Lens) -> None:
    camera = _camera(lens)
    points = np.random.default_rng(0).uniform([-1, -1, 0], [1, 1, 2], (50, 3))
    rays = camera.rays(camera.project(points))
    np.testing.assert_allclose(np.linalg.norm(rays, axis=-1), 1, atol=1e-12)
    # The lens is inverted to 1e-10 and points are 5 m away.
    np.testing.assert_allclose(np.cross(points - camera.center, rays), 0, atol=5e-9)
    assert (((points - camera.center) * rays).sum(-1) > 0).all()


@pytest.mark.parametrize("lens", [_PINHOLE, _FISHEYE], ids=lambda x: type(x).__name__)
def test_lens_jacobian_comes_with_its_pixels(lens: Lens) -> None:
    x_cam = np.random.default_rng(1).uniform([-1, -1, 2], [1, 1, 4], (20, 3))
    x_image, by_cam = lens.project_with_jacobian(x_cam)
    np.testing.assert_allclose(x_image, lens.project(x_cam), atol=1e-9)
    shift = np.full(3, 1e-7)
    np.testing.assert_allclose(by_cam @ shift, lens.project(x_cam + shift) - x_image, atol=1e-9)


@pytest.mark.parametrize(
    ("lens", "folded"),
    [(Pinhole(_K, np.array([-0.3, 0, 0, 0])), [2.0, 0, 1]), (Fisheye(_K, np.array([-0.1, 0, 0, 0])), [1.0, 0, -2])],
    ids=["pinhole", "fisheye"],
)
def test_nothing_is_seen_beyond_the_fold(lens: Lens, folded: list[float]) -> None:
    # The bare polynomials would put these points into the picture, as ghosts.
    x_cam = np.array([folded, [0.1, 0, 1]])
    assert np.isnan(lens.project(x_cam)).all(-1).tolist() == [True, False]
    assert np.isnan(lens.project_with_jacobian(x_cam)[0]).all(-1).tolist() == [True, False]
    assert np.isnan(lens.project(x_cam[0])).all()


def test_behind_the_camera() -> None:
    camera = _camera()
    behind = camera.center - camera.R[2]
    assert np.isnan(camera.project(behind)).all()


@pytest.mark.parametrize("lens", [_PINHOLE, _FISHEYE], ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("size", [(640, 360), (2560, 1440), (1000, 700)])
def test_resized_shows_the_same_at_the_same_place(lens: Lens, size: tuple[int, int]) -> None:
    camera = _camera(lens)
    small = camera.resized(size)
    points = np.random.default_rng(2).uniform([-1, -1, 0], [1, 1, 2], (20, 3))
    # Pixel centres at integers: the image's edge lies at -0.5, so it is x + 0.5 that scales.
    expected = (camera.project(points) + 0.5) * np.array(size) / camera.size - 0.5
    np.testing.assert_allclose(small.project(points), expected, atol=1e-9)
    assert small.size == size


def test_arrays_are_read_only_copies() -> None:
    R = np.eye(3)
    camera = Camera("a", (10, 10), _PINHOLE, R, np.zeros(3))
    R[0, 0] = 5
    assert camera.R[0, 0] == 1
    for array in (camera.R, camera.t, camera.lens.K, camera.lens.dist):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a:b", "a\0", "a\nb", "a\tb", "x" * 101, "a*", "a ", "a.", " a"],
)
def test_refuses_names_that_are_no_file_names(name: str) -> None:
    with pytest.raises(ValueError, match="file name"):
        _camera(name=name)


@pytest.mark.parametrize("name", ["cam01", "left camera", "Kamera_ä", "17", "a.b-c", "カメラ"])
def test_takes_ordinary_names(name: str) -> None:
    assert _camera(name=name).name == name


@pytest.mark.parametrize("size", [(0, 10), (10, -1), (10, 10**9)])
def test_refuses_impossible_sizes(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="image size"):
        _camera(size=size)


@pytest.mark.parametrize(
    ("R", "message"),
    [
        (np.diag([1, 1, -1.0]), "rotation"),
        (np.eye(3) * 1.001, "rotation"),
        (np.eye(3) + 0.01 * np.eye(3, k=1), "rotation"),
        (np.zeros((3, 3)), "rotation"),
        (np.full((3, 3), np.nan), "finite"),
        (np.eye(4), "shape"),
    ],
)
def test_refuses_what_is_no_rotation(R: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Camera("a", (10, 10), _PINHOLE, R, np.zeros(3))


def test_takes_a_rotation_with_six_decimals() -> None:
    R = np.round(rotation_from_vector(np.array([0.3, -1.2, 0.7])), 6)
    assert Camera("a", (10, 10), _PINHOLE, R, np.zeros((3, 1))).t.shape == (3,)


@pytest.mark.parametrize("t", [[0, 0, np.inf], [0, 0]])
def test_refuses_bad_translations(t: list[float]) -> None:
    with pytest.raises(ValueError, match="t of camera a"):
        Camera("a", (10, 10), _PINHOLE, np.eye(3), np.array(t))


@pytest.mark.parametrize("count", [1, 3, 6, 9, 13, 15])
def test_refuses_other_numbers_of_coefficients(count: int) -> None:
    with pytest.raises(ValueError, match="coefficients"):
        Pinhole(_K, np.zeros(count))
    with pytest.raises(ValueError, match="coefficients"):
        Fisheye(_K, np.zeros(count))


@pytest.mark.parametrize(
    "K",
    [
        np.diag([0.0, 900, 1]),
        np.diag([900.0, -900, 1]),
        np.diag([900.0, 900, 2]),
        _K.T,
        np.full((3, 3), np.nan),
        np.eye(2),
    ],
)
def test_refuses_what_is_no_camera_matrix(K: np.ndarray) -> None:
    with pytest.raises(ValueError, match="K"):
        Pinhole(K, np.zeros(0))
