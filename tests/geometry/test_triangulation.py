import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mv3d.geometry.rotations import rotation_from_vector
from mv3d.geometry.triangulation import covariances, pixel_residuals, triangulate_dlt, triangulate_robust
from mv3d.reconstruct.observations import observe
from mv3d.synthetic.rigs import camera_ring

DISTORTION = np.array([-0.15, 0.05, 1e-3, -1e-3])


def scene(views=5, points=40, noise_px=0.0, seed=0, distortion=DISTORTION, wrong_view=None):
    rng = np.random.default_rng(seed)
    rig = camera_ring(views, distortion=distortion, seed=seed)
    xyz = rng.uniform([-0.8, -0.8, 0.2], [0.8, 0.8, 1.8], (points, 3))
    xy = np.stack([camera.project(xyz) for camera in rig], axis=0)
    xy = xy + rng.normal(0, noise_px, xy.shape)
    if wrong_view is not None:
        xy[wrong_view] += (90.0, -120.0)
    seen = observe(rig, xy[None], np.ones((1, views, points)))
    return rig, xyz, np.swapaxes(seen.bearings[0], 0, 1), np.swapaxes(seen.pixel_jacobians[0], 0, 1)


def solve(rig, bearings, jacobians, weight=None, scale=10.0):
    weight = np.ones(bearings.shape[:2]) if weight is None else weight
    return triangulate_robust(rig.centers, bearings, jacobians, weight, np.full(weight.shape, scale))


@pytest.mark.parametrize("views", [2, 3, 5, 9])
def test_exact_through_distorted_lenses(views):
    rig, xyz, bearings, jacobians = scene(views)
    found, _, robust = solve(rig, bearings, jacobians)
    # Undistortion stops at 1e-10 of the normalised plane; at 5 m that is 5e-10 m.
    np.testing.assert_allclose(found, xyz, atol=1e-8)
    assert robust.min() > 1 - 1e-6


def test_one_gross_outlier_of_four_views_does_not_move_the_point():
    rig, xyz, bearings, jacobians = scene(4, noise_px=1.0)
    clean, _, _ = solve(rig, bearings, jacobians)
    found, _, robust = solve(rig, *scene(4, noise_px=1.0, wrong_view=2)[2:])
    assert robust[:, 2].max() < 0.01
    # Three good views are left of four: the error stays of the size of the noise (1 px is 5 mm here).
    assert np.median(np.linalg.norm(found - xyz, axis=1)) < 2 * np.median(np.linalg.norm(clean - xyz, axis=1))
    assert np.linalg.norm(found - xyz, axis=1).max() < 0.04


def test_covariance_is_that_of_the_errors():
    rig, xyz, bearings, jacobians = scene(4, points=4000, noise_px=1.0, seed=1)
    found, information, _ = solve(rig, bearings, jacobians, scale=1e4)
    error = found - xyz
    chi2 = np.einsum("pi,pij,pj->p", error, information, error)
    # Mean of chi-square with 3 degrees of freedom is 3, of 4000 of them within 3 +- 4 * sqrt(6 / 4000).
    assert chi2.mean() == pytest.approx(3.0, abs=0.16)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_view_order_and_world_frame_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    rig, _, bearings, jacobians = scene(4, points=5, noise_px=2.0, seed=seed)
    found, _, _ = solve(rig, bearings, jacobians)
    order = rng.permutation(4)
    again, _, _ = triangulate_robust(
        rig.centers[order], bearings[:, order], jacobians[:, order], np.ones((5, 4)), np.full((5, 4), 10.0)
    )
    np.testing.assert_allclose(again, found, atol=1e-6)
    R, t = rotation_from_vector(rng.normal(size=3)), rng.normal(size=3)
    moved, _, _ = triangulate_robust(
        rig.centers @ R.T + t, bearings @ R.T, jacobians @ R.T, np.ones((5, 4)), np.full((5, 4), 10.0)
    )
    np.testing.assert_allclose(moved, found @ R.T + t, atol=1e-6)


def test_too_few_or_parallel_rays_give_nan():
    rig, _, bearings, jacobians = scene(3, points=3)
    weight = np.ones((3, 3))
    weight[0, 1:] = 0
    bearings[1, 1:] = bearings[1, 0]
    found, information, _ = solve(rig, bearings, jacobians, weight)
    assert np.isnan(found[0]).all()
    assert (information[0] == 0).all()
    # Parallel rays from different centres meet nowhere, or behind a camera.
    assert np.isnan(found[1]).all() or not np.isfinite(found[1]).all() or np.linalg.norm(found[1]) > 2
    assert np.isfinite(found[2]).all()


def test_residual_jacobian_matches_differences():
    rig, xyz, bearings, jacobians = scene(3, points=1, noise_px=20.0)
    step = 1e-6
    residual, depth, _ = pixel_residuals(xyz, rig.centers, bearings, jacobians)
    analytic = (jacobians[0] - residual[0][..., None] * bearings[0][:, None]) / depth[0][:, None, None]
    for k in range(3):
        ahead, behind = (
            pixel_residuals(xyz + s * np.eye(3)[k], rig.centers, bearings, jacobians)[0] for s in (step, -step)
        )
        # Central differences of a function with second derivatives of order 100 px/m^2 are exact to 1e-6.
        np.testing.assert_allclose(analytic[..., k], (ahead - behind)[0] / (2 * step), atol=1e-4)


def test_tangent_residual_is_the_pixel_residual_to_first_order():
    rig, xyz, bearings, jacobians = scene(3, points=20)
    moved = xyz + 0.004  # some 1 px
    residual, _, _ = pixel_residuals(moved, rig.centers, bearings, jacobians)
    true = np.stack([c.project(moved) - c.project(xyz) for c in rig], axis=1)
    # The second order is about residual^2 / focal, a thousandth of a px.
    np.testing.assert_allclose(residual, true, atol=0.02)


def test_dlt_agrees_on_exact_data_and_needs_two_views():
    rig, xyz, _, _ = scene(3, distortion=None)
    P = np.stack([np.hstack([c.R, c.t[:, None]]) for c in rig])
    x_norm = np.stack([(lambda x: x[:, :2] / x[:, 2:])(c.to_camera(xyz)) for c in rig], axis=1)
    weight = np.ones(x_norm.shape[:2])
    weight[0, :2] = 0
    found = triangulate_dlt(P, x_norm, weight)
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1:], xyz[1:], atol=1e-9)


def test_covariances_are_inverses_and_nan_where_singular():
    J = np.random.default_rng(0).normal(size=(5, 7, 4, 3))
    information = np.swapaxes(J, -1, -2) @ J
    information[2, 3] = np.diag([1.0, 1.0, 0.0])
    found = covariances(information)
    assert np.isnan(found[2, 3]).all()
    information[2, 3], found[2, 3] = np.eye(3), np.eye(3)
    # Four random rows condition the matrices to 1e6 at worst.
    np.testing.assert_allclose(found @ information, np.broadcast_to(np.eye(3), found.shape), atol=1e-9)
