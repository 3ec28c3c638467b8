import numpy as np

from mv3d.synthetic import boards
from mv3d.synthetic.rigs import camera_ring

POINTS = np.stack([*np.meshgrid(np.arange(5) * 0.1, np.arange(4) * 0.1), np.zeros((4, 5))], -1).reshape(-1, 3)
RIG = camera_ring(4, seed=1)


def test_without_noise_the_corners_are_exact_projections() -> None:
    film = boards.film_board(RIG, POINTS, frames=140, noise_px=0.0)
    x_world = POINTS @ np.swapaxes(film.R, 1, 2) + film.t[:, None]
    for c, camera in enumerate(RIG):
        error = camera.project(x_world) - film.xy[c]
        assert np.isfinite(error).any()
        assert np.nanmax(np.abs(error)) < 1e-9


def test_a_lag_is_the_same_world_later() -> None:
    still = boards.film_board(RIG, POINTS, frames=30, fps=10.0, noise_px=0.0)
    late = boards.film_board(RIG, POINTS, frames=30, fps=10.0, noise_px=0.0, lag=np.array([0.2, 0, 0, 0]))
    np.testing.assert_allclose(late.xy[0, :-2], still.xy[0, 2:], atol=1e-9)
    np.testing.assert_allclose(late.xy[1], still.xy[1])


def test_under_a_rolling_shutter_every_corner_is_where_it_was_when_its_line_was_read() -> None:
    line_time = 3e-5
    rolled = boards.film_board(RIG, POINTS, frames=20, noise_px=0.0, speed=2.0, line_time=line_time)
    still = boards.film_board(RIG, POINTS, frames=20, noise_px=0.0, speed=2.0)
    assert np.nanmax(np.abs(rolled.xy - still.xy)) > 1
    instants = np.arange(20) / 10.0
    for c, camera in enumerate(RIG):
        later = line_time * (rolled.xy[c, ..., 1] - (camera.size[1] - 1) / 2)
        R, t = boards.carried_board(instants[:, None] + np.nan_to_num(later), speed=2.0)
        exact = camera.project(np.einsum("fnij,nj->fni", R, POINTS - POINTS.mean(0)) + t)
        seen = np.isfinite(later)
        # What the fixed point leaves after its last sweep is rounding.
        np.testing.assert_allclose(rolled.xy[c][seen], exact[seen], atol=1e-8)


def test_a_delayed_camera_has_the_matching_truth() -> None:
    film = boards.film_board(RIG, POINTS, frames=30, fps=10.0, noise_px=0.0)
    delayed = boards.delay_camera(film, 1, 2)
    same = boards.film_board(RIG, POINTS, frames=30, fps=10.0, noise_px=0.0, lag=np.array([0, -0.2, 0, 0]))
    np.testing.assert_allclose(delayed.xy[1, 2:], same.xy[1, 2:], atol=1e-9)
    np.testing.assert_allclose(delayed.offsets, same.offsets)


def test_corruptions_hit_the_share_they_should() -> None:
    film = boards.film_board(RIG, POINTS, frames=60)
    seen = np.isfinite(film.xy[..., 0])
    moved = np.linalg.norm(boards.displace_corners(film, 0.05, 50.0).xy - film.xy, axis=-1)[seen]
    # 5 standard deviations of a share among a few thousand corners.
    assert abs((moved > 49).mean() - 0.05) < 0.02
    assert abs(np.isfinite(boards.lose_corners(film, 0.5).xy[..., 0]).sum() / seen.sum() - 0.5) < 0.05
    turned, hit = boards.reverse_corners(film, 0.3)
    np.testing.assert_array_equal(turned.xy[hit], film.xy[hit][:, ::-1])
    spoilt, bad = boards.spoil_views(film, 0.3, 10.0)
    changed = np.nan_to_num(np.abs(spoilt.xy - film.xy)).max((2, 3)) > 0
    np.testing.assert_array_equal(changed, bad & seen.any(-1))
    np.testing.assert_allclose(boards.mirror_camera(film, 2, 1920).xy[2, ..., 0], 1919 - film.xy[2, ..., 0])
    assert np.nanstd(boards.blur_camera(film, 0, 2.0).xy[0] - film.xy[0]) > 1.5
