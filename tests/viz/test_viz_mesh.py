import numpy as np
import pytest

from mv3d.viz.mesh import merged, shadow, spheres, tubes


def _volume(mesh) -> float:
    """Signed volume by the divergence theorem; positive where triangles face outwards."""
    a, b, c = (mesh.vertices[mesh.triangles[:, k]] for k in range(3))
    return float(np.einsum("ni,ni->n", a, np.cross(b, c)).sum() / 6)


def test_spheres_have_their_centre_radius_and_color() -> None:
    centers = np.array([[1.0, 2, 3], [-4, 0, 1]])
    radii, rgb = np.array([0.5, 2.0]), np.array([[1.0, 0, 0], [0, 0, 1]])
    mesh = spheres(centers, radii, rgb)
    half = len(mesh.vertices) // 2
    for k, part in enumerate((slice(0, half), slice(half, None))):
        offset = mesh.vertices[part] - centers[k]
        np.testing.assert_allclose(np.linalg.norm(offset, axis=1), radii[k], rtol=1e-12)
        np.testing.assert_allclose(mesh.normals[part], offset / radii[k], atol=1e-12)
        assert (mesh.rgb[part] == rgb[k]).all()
    # A polyhedron of 14 x 8 faces inside the sphere has 85 to 100 % of its volume.
    ball = 4 / 3 * np.pi * (radii**3).sum()
    assert 0.85 * ball < _volume(mesh) < ball


def test_tubes_run_between_their_ends() -> None:
    rng = np.random.default_rng(0)
    segments = rng.normal(0, 1, (20, 2, 3))
    segments[0] = [[0, 0, 0], [0, 0, 2]]  # along an axis: the helper direction must not be parallel
    radii = rng.uniform(0.01, 0.2, 20)
    mesh = tubes(segments, radii, np.tile([0.1, 0.2, 0.3], (20, 1)), sides=10)
    rings = mesh.vertices.reshape(20, 2, 10, 3)
    np.testing.assert_allclose(rings.mean(2), segments, atol=1e-12)
    np.testing.assert_allclose(
        np.linalg.norm(rings - segments[:, :, None], axis=-1), np.broadcast_to(radii[:, None, None], (20, 2, 10))
    )
    along = segments[:, 1] - segments[:, 0]
    np.testing.assert_allclose(np.einsum("tki,ti->tk", mesh.normals.reshape(20, 20, 3), along), 0, atol=1e-12)
    faces = mesh.vertices[mesh.triangles]
    facing = np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0])
    assert (np.einsum("ni,ni->n", facing, mesh.normals[mesh.triangles[:, 0]]) > 0).all()


def test_tubes_of_no_length_are_left_out() -> None:
    mesh = tubes(np.zeros((3, 2, 3)), np.ones(3), np.ones((3, 3)))
    assert mesh.vertices.shape == (0, 3)
    assert mesh.triangles.shape == (0, 3)


def test_merged_keeps_triangles_on_their_own_vertices() -> None:
    a = spheres(np.zeros((1, 3)), np.ones(1), np.ones((1, 3)))
    b = spheres(np.full((1, 3), 10.0), np.ones(1), np.zeros((1, 3)))
    both = merged([a, b])
    assert _volume(both) == pytest.approx(_volume(a) + _volume(b))
    assert both.triangles.max() == len(both.vertices) - 1
    assert merged([]).vertices.shape == (0, 3)


def test_shadow_lies_on_its_plane_below_the_body() -> None:
    up = np.array([0.0, 0.6, 0.8])
    body = spheres(np.array([[0.3, 0.1, 2.0]]), np.ones(1), np.ones((1, 3)))
    flat = shadow(body, 0.5, up, (0.8, 0.8, 0.8), lift=0.01)
    np.testing.assert_allclose(flat.vertices @ up, 0.51, atol=1e-12)
    moved = flat.vertices - body.vertices
    np.testing.assert_allclose(np.cross(moved, up), 0, atol=1e-12)
