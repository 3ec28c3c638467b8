import numpy as np
import pytest

from calib.bundle import Bundle, solve_bundle, start_state
from calib.layout import LensPrior, make_layout
from calib.views import make_views
from mv3d.data.lens import Fisheye, Lens, Pinhole
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.synthetic.boards import film_board
from mv3d.synthetic.rigs import camera_ring

POINTS = np.stack([*np.meshgrid(np.arange(7) * 0.08, np.arange(5) * 0.08), np.zeros((5, 7))], -1).reshape(-1, 3)
LOOSE = LensPrior(1e3, 1e3, 1e3, 1e3)
DIST5 = np.array([-0.2, 0.05, 1e-3, -2e-3, 0.01])


def lenses() -> list[Lens]:
    K = [np.array([[f, 0, 960.0], [0, f + 3, 540.0], [0, 0, 1]]) for f in (1100.0, 1150.0, 1050.0)]
    return [Pinhole(K[0], np.array([-0.1, 0.05, 1e-3, -1e-3])), Pinhole(K[1], DIST5), Fisheye(K[2], np.full(4, 0.01))]


def scene(frames: int = 30):
    """Three cameras side by side with mixed lenses, and a board turned before them."""
    ring = camera_ring(9, radius=3.0, seed=3)
    cameras = [ring[i] for i in (0, 1, 2)]
    from dataclasses import replace

    from mv3d.data.rig import Rig

    rig = Rig(tuple(replace(c, lens=lens) for c, lens in zip(cameras, lenses(), strict=True)))
    toward = rig[1].center
    return rig, lambda **k: film_board(rig, POINTS, frames=frames, toward=toward, **k)


def problem(rig, film, *, disturb: float, timed: bool = False, motion=None, **layout_options):
    rng = np.random.default_rng(0)
    sizes = np.array([c.size for c in rig])
    views = make_views(film.xy, POINTS, np.isfinite(film.xy).all(-1), np.full(film.xy.shape[:2], 0.2), motion)
    layout = make_layout([c.lens for c in rig], sizes, prior=LOOSE, timed=timed, **layout_options)
    R, t = np.stack([c.R for c in rig]), np.stack([c.t for c in rig])
    frames = views.board_frames
    noise = lambda *shape: disturb * rng.normal(size=shape)  # noqa: E731
    Rc, tc = rotation_from_vector(noise(3, 3)) @ R, t + noise(3, 3)
    Rc[0], tc[0] = R[0], t[0]
    Rb = rotation_from_vector(noise(len(frames), 3)) @ film.R[frames]
    state = start_state(
        [c.lens for c in rig], (Rc, tc), (Rb, film.t[frames] + noise(len(frames), 3)), len(views), layout.count
    )
    state.K *= 1 + noise(3, 4)
    return Bundle(views, layout, state, sizes, np.full(len(views), 1.0) if timed else None), views


def test_exact_corners_give_back_the_truth_with_mixed_lenses() -> None:
    rig, film = scene()
    exact = film(noise_px=0.0)
    bundle, _ = problem(rig, exact, disturb=0.01)
    outcome = solve_bundle(bundle, tolerance=1e-13)
    assert outcome.cost < 1e-6
    # Newton-like steps at a zero-residual optimum: the residual falls to rounding, which needs right derivatives.
    assert np.abs(bundle.residuals()).max() < 1e-5
    for c, camera in enumerate(rig):
        np.testing.assert_allclose(bundle.state.K[c, 0], camera.lens.K[0, 0], rtol=1e-5)
        np.testing.assert_allclose(bundle.state.tc[c], camera.t, atol=1e-5)


def test_the_gradient_is_that_of_the_cost() -> None:
    rig, film = scene(6)
    noisy = film(noise_px=0.5)
    motion = np.random.default_rng(1).normal(0, 200, (*noisy.xy.shape[:3], 4))
    bundle, _ = problem(rig, noisy, disturb=1e-3, timed=True, motion=motion, line_time=True)
    bundle.state.s[:] = np.random.default_rng(2).normal(0, 0.01, len(bundle.state.s))
    bundle.linearise()
    g = bundle._normal[0][1]
    n = bundle.layout.size
    views = bundle.views
    expected = np.zeros((3, n))
    np.add.at(expected, views.camera, g)
    for c in range(3):
        for j in range(4 + bundle.layout.used[c]):
            array, k = (bundle.state.K, j) if j < 4 else (bundle.state.dist, j - 4)
            step = 1e-4 if j < 4 else 1e-7
            cost = []
            for sign in (1, -1):
                array[c, k] += sign * step
                cost.append(bundle._linearise(bundle.state, 1))
                array[c, k] -= sign * step
            # The cost is a sum of squares: its derivative is twice J^T r. Priors are loose.
            assert expected[c, j] == pytest.approx((cost[0] - cost[1]) / (4 * step), rel=1e-3, abs=1e-1)


def test_offsets_are_recovered_from_the_motion() -> None:
    rig, film = scene(20)
    exact = film(noise_px=0.0)
    # Corners that are shifted along an artificial motion by known times: the model holds exactly.
    rng = np.random.default_rng(3)
    motion = np.concatenate([rng.normal(0, 300, (*exact.xy.shape[:3], 2)), np.zeros((*exact.xy.shape[:3], 2))], -1)
    s = rng.normal(0, 0.02, exact.xy.shape[:2])
    from dataclasses import replace

    shifted = replace(exact, xy=exact.xy + motion[..., :2] * s[..., None, None])
    bundle, views = problem(rig, shifted, disturb=1e-3, timed=True, motion=motion)
    bundle.precision[:] = 1e-4
    solve_bundle(bundle, tolerance=1e-13)
    np.testing.assert_allclose(bundle.state.s, s[views.camera, views.frame], atol=1e-5)


def test_the_covariance_is_that_of_repeated_trials() -> None:
    rig, film = scene(15)
    estimates, sds = [], []
    for seed in range(40):
        bundle, _ = problem(rig, _noisy(film, seed), disturb=0.0)
        solve_bundle(bundle)
        covariance = bundle.covariance()
        assert covariance is not None
        size = bundle.layout.size
        at = size + bundle.layout.names().index("tx")
        # The change from the left that leads from the truth to the estimate: exp(w) t + u.
        turn = bundle.state.Rc[1] @ rig[1].R.T
        estimates.append((bundle.state.tc[1] - turn @ rig[1].t)[0])
        sds.append(np.sqrt(covariance[at, at]))
    # Forty trials tell a standard deviation to 11 %; three of them.
    assert np.std(estimates) == pytest.approx(np.mean(sds), rel=0.35)


def _noisy(film, seed: int):
    from dataclasses import replace

    exact = film(noise_px=0.0)
    return replace(exact, xy=exact.xy + 0.2 * np.random.default_rng(seed).normal(size=exact.xy.shape))


def test_a_view_alone_does_not_move_the_others() -> None:
    _, film = scene()
    exact = film(noise_px=0.0)
    alone = np.zeros(exact.xy.shape[:2], bool)
    alone[0, 5] = True
    views = make_views(exact.xy, POINTS, np.isfinite(exact.xy).all(-1), np.full(alone.shape, 1.0), None, alone)
    assert (views.board_frames == 5).sum() == 2
    assert len(views) == np.isfinite(exact.xy[..., 0]).any(-1).sum()
