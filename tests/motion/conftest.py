"""Skeletons of a synthetic performer as a reconstruction would give them."""

from collections.abc import Callable

import numpy as np
import pytest

from mv3d.data.poses import MEASURED, MISSING, Poses3D
from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BODY_25

NOISE_M = 0.005


def poses_of(
    xyz: np.ndarray, timestamps: np.ndarray, skeleton: Skeleton = BODY_25, noise: float = NOISE_M, seed: int = 0
) -> Poses3D:
    """One person with independent errors of `noise` m a coordinate; NaN in `xyz` is missing."""
    xyz = (xyz + np.random.default_rng(seed).normal(0, noise, xyz.shape))[:, None]
    state = np.where(np.isfinite(xyz).all(-1), MEASURED, MISSING)
    xyz[state == MISSING] = np.nan
    return Poses3D(
        skeleton=skeleton,
        xyz=xyz,
        score=np.where(state == MEASURED, 0.8, 0),
        reprojection_error=np.where(state == MEASURED, 1.0, np.nan),
        n_views=np.where(state == MEASURED, 4, 0),
        covariance=np.where(state[..., None, None] == MEASURED, max(noise, 1e-3) ** 2 * np.eye(3), np.nan),
        state=state,
        xyz_per_frame=xyz,
        timestamps=timestamps,
        cameras=("cam1", "cam2"),
    )


@pytest.fixture
def make_poses() -> Callable[..., Poses3D]:
    return poses_of
