import numpy as np

from mv3d.data.skeletons import BODY_25
from mv3d.synthetic.performer import BONES
from mv3d.synthetic.steps import stepping_person


def test_bones_are_constant_and_resting_feet_stand_still() -> None:
    xyz, times, resting = stepping_person(240)
    for a, b in BONES:
        lengths = np.linalg.norm(xyz[:, BODY_25.index(a)] - xyz[:, BODY_25.index(b)], axis=-1)
        if not {a, b} & {"RShoulder", "LShoulder"}:
            assert np.ptp(lengths) < 1e-9, (a, b)
    for i, side in enumerate("LR"):
        for name in ("Heel", "BigToe", "SmallToe"):
            moved = np.linalg.norm(np.diff(xyz[:, BODY_25.index(side + name)], axis=0), axis=-1)
            assert moved[resting[1:, i] & resting[:-1, i]].max() < 1e-9
    assert xyz[..., 2].min() > 0
    assert np.all(resting.any(axis=1))
    assert times[-1] == 239 / 60
