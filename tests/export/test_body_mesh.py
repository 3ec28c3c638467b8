"""The body around an armature: closed, outwards, and moved by the right joints."""

import numpy as np
import pytest

from mv3d.data.motion import Armature
from mv3d.export.body_mesh import body_mesh
from mv3d.export.surface_nets import zero_surface


def volume(vertices: np.ndarray, triangles: np.ndarray) -> float:
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    return float((np.cross(a, b) * c).sum() / 6)


def edges_of(triangles: np.ndarray) -> np.ndarray:
    return np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])


def assert_closed(triangles: np.ndarray) -> None:
    """Every directed edge has its opposite as often: a surface without a hole, one way round."""
    edges, counts = np.unique(edges_of(triangles), axis=0, return_counts=True)
    known = {tuple(edge): n for edge, n in zip(edges.tolist(), counts.tolist(), strict=True)}
    assert all(known.get((b, a)) == n for (a, b), n in known.items())


def test_a_ball():
    grid = np.stack(np.meshgrid(*[np.linspace(-1.2, 1.2, 25)] * 3, indexing="ij"), axis=-1)
    vertices, triangles = zero_surface(np.linalg.norm(grid, axis=-1) - 1, np.full(3, -1.2), 0.1)
    # Vertices are means of points on the surface: inside the chord's height, 0.1^2 / 8.
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 1, atol=0.006)
    assert volume(vertices, triangles) == pytest.approx(4 / 3 * np.pi, rel=0.02)
    assert_closed(triangles)


def test_a_human_looks_like_one(human):
    body = body_mesh(human)
    assert_closed(body.triangles)
    assert 2000 < len(body.triangles) < 20_000
    # An adult of these bones: 60 to 80 litres, as tall as from sole to crown.
    assert 0.055 < volume(body.vertices, body.triangles) < 0.085
    heights = body.vertices[:, 2]
    assert heights.max() == pytest.approx(human.rest[4, 2] + 0.2, abs=0.03)
    assert heights.min() == pytest.approx(-0.93, abs=0.05)
    np.testing.assert_allclose(np.linalg.norm(body.normals, axis=1), 1, atol=1e-9)


def test_left_and_right_alike_but_for_the_grid(human):
    body = body_mesh(human)
    left, right = body.vertices[body.vertices[:, 0] > 0.3], body.vertices[body.vertices[:, 0] < -0.3]
    assert len(left) == pytest.approx(len(right), rel=0.1)
    np.testing.assert_allclose(np.ptp(left, axis=0), np.ptp(right, axis=0), atol=0.02)


def test_vertices_move_with_their_own_limb(human):
    """Weights sum to one, use the joint of the part that is nearest, and never the other leg or arm."""
    body = body_mesh(human)
    np.testing.assert_allclose(body.weights.sum(1), 1)
    assert body.joints.max() < len(human)
    names = np.array(human.joints)
    for side, sign in (("L", 1), ("R", -1)):
        far_out = body.vertices[:, 0] * sign > 0.55
        moved_by = set(names[body.joints[far_out][body.weights[far_out] > 0]])
        assert moved_by <= {f"{side}Elbow", f"{side}Wrist", f"{side}Shoulder"}
        shank = (body.vertices[:, 2] < -0.6) & (body.vertices[:, 0] * sign > 0.02)
        assert set(names[body.joints[shank][body.weights[shank] > 0]]) <= {f"{side}Knee", f"{side}Ankle", f"{side}Hip"}


@pytest.mark.parametrize("size", [0.01, 1.0, 40.0])
def test_any_tree_of_any_size(size):
    """An animal with thin legs: tubes where the skin would have holes."""
    offsets = size * np.array([[0, 0, 0], [0.5, 0, 0], [0, 0.1, -0.3], [0, -0.1, -0.3], [0.0, 0.0, 0.04]])
    ends = np.full((5, 3), np.nan)
    ends[4] = [0, 0, 0.03 * size]
    animal = Armature("animal", ("tail", "snout", "paw_L", "paw_R", "ear"), (-1, 0, 0, 0, 1), offsets, ends)
    body = body_mesh(animal)
    assert_closed(body.triangles)
    assert volume(body.vertices, body.triangles) > 0
    assert np.abs(body.vertices).max() < size
    assert {0, 1, 4} <= set(body.joints[body.weights > 0.5].tolist())
    assert 50 < len(body.triangles) < 30_000
