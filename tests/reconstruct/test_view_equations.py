"""The equations of the views against dense least squares with the points among the unknowns."""

import numpy as np

from mv3d.reconstruct.view_equations import linearize, view_equations
from mv3d.synthetic.rigs import camera_ring


def test_eliminating_points_gives_what_dense_least_squares_gives() -> None:
    rng = np.random.default_rng(0)
    rig = camera_ring(3, seed=1)
    xyz = rng.normal(0, 0.5, (4, 2, 3)) + np.array([0.0, 0, 1])
    xy = np.stack([camera.project(xyz) for camera in rig], axis=1) + rng.normal(0, 1, (4, 3, 2, 2))
    precision = rng.uniform(0.2, 1, (4, 3, 2))
    precision[0, 1, 0] = 0.0
    linear = linearize(rig, xy, precision, xyz, 1e6)
    design = rng.normal(0, 1, (4, 3, 2, 2, 2))
    equations = view_equations(linear, design, np.array([0, 0, 1, 1]))
    theta = np.linalg.solve(equations.H.sum((0, 1)) + 0.1 * np.eye(6), equations.g.sum((0, 1)))

    rows, right = [np.sqrt(0.1) * np.eye(6, 6 + 24)], [np.zeros(6)]
    for f, v, j in np.ndindex(4, 3, 2):
        block = np.zeros((2, 6 + 24))
        block[:, 2 * v : 2 * v + 2] = design[f, v, j]
        point = 6 + 3 * (2 * f + j)
        block[:, point : point + 3] = linear.by_point[f, v, j]
        weight = np.sqrt(linear.weight[f, v, j])
        rows.append(weight * block)
        right.append(weight * linear.residual[f, v, j])
    dense = np.linalg.lstsq(np.concatenate(rows), np.concatenate(right), rcond=None)[0]
    # The ridge on points is 1e-9 of their own weight.
    assert np.abs(theta - dense[:6]).max() < 1e-6 * max(1, np.abs(dense[:6]).max())


def test_a_joint_of_one_view_says_nothing() -> None:
    rig = camera_ring(3)
    xyz = np.array([[[0.0, 0, 1]]])
    xy = np.stack([camera.project(xyz) for camera in rig], axis=1) + 1.0
    precision = np.array([[[1.0], [0.0], [0.0]]])
    linear = linearize(rig, xy, precision, xyz, 4.0)
    assert not linear.weight.any()
    equations = view_equations(linear, np.ones((1, 3, 1, 2, 1)), np.zeros(1, int))
    assert not equations.H.any()
    assert not equations.g.any()
