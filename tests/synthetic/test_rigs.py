import numpy as np
import pytest

from mv3d.synthetic.performer import standing_person, walking_person
from mv3d.synthetic.rigs import camera_ring


def test_all_cameras_look_at_the_target_with_a_level_horizon() -> None:
    rig = camera_ring(5, radius=4.0, height=2.0, target=(1.0, -1.0, 0.8))
    assert rig.names == ("cam01", "cam02", "cam03", "cam04", "cam05")
    np.testing.assert_allclose(rig.centers[:, 2], 2.0, atol=1e-12)
    np.testing.assert_allclose(np.hypot(*(rig.centers[:, :2] - [1, -1]).T), 4.0, atol=1e-12)
    for camera in rig:
        np.testing.assert_allclose(camera.project(np.array([1.0, -1, 0.8])), [959.5, 539.5], atol=1e-9)
        assert abs(camera.R[0, 2]) < 1e-12  # the image's x axis is horizontal


def test_neighbours_are_evenly_spaced() -> None:
    angles = np.arctan2(*camera_ring(6).centers[:, 1::-1].T)
    np.testing.assert_allclose(np.diff(np.unwrap(angles)), np.pi / 3, atol=1e-12)


def test_a_seed_moves_the_cameras_a_little_and_repeatably() -> None:
    perfect, a, b, c = (camera_ring(4, seed=seed) for seed in (None, 3, 3, 4))
    np.testing.assert_array_equal(a.centers, b.centers)
    assert np.abs(a.centers - c.centers).max() > 0.01
    assert 0.01 < np.abs(a.centers - perfect.centers).max() < 2.5  # an angle of 4.5 standard deviations at 5 m
    focal = [camera.lens.K[0, 0] for camera in a]
    assert len(set(focal)) == 4
    assert np.abs(np.array(focal) / 1100 - 1).max() < 0.05


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("distortion", [None, np.array([-0.12, 0.05, 3e-4, -3e-4, 0.0])], ids=["ideal", "distorted"])
def test_the_performer_stays_in_every_picture(seed: int, distortion: np.ndarray | None) -> None:
    rig = camera_ring(4, distortion=distortion, seed=seed)
    xyz, _ = walking_person(400, seed=seed)
    for camera in rig:
        pixels = camera.project(xyz)
        assert ((pixels >= 0) & (pixels <= np.array(camera.size) - 1)).all()


def test_distortion_moves_pixels() -> None:
    bent = camera_ring(1, distortion=np.array([-0.12, 0.05, 0, 0]))
    point = standing_person((0.5, 0.5), 0.0, 1)[0, 0]
    assert np.abs(bent[0].project(point) - camera_ring(1)[0].project(point)).max() > 0.1


def test_refuses_an_empty_ring() -> None:
    with pytest.raises(ValueError, match="at least one"):
        camera_ring(0)
