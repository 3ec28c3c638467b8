from dataclasses import replace

import numpy as np
import pytest

from calib.recheck import compare_rigs, recheck_lines
from calib.result import Uncertainty
from mv3d.data.lens import Pinhole
from mv3d.data.rig import Rig
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.synthetic.rigs import camera_ring

RIG = camera_ring(5, radius=4.0, seed=2)
PARAMETERS = ("fx", "fy", "cx", "cy", "rx", "ry", "rz", "tx", "ty", "tz")
# px, rad, m of one calibration; the centre and the turn that imitates it go together.
SD = np.array([0.3, 0.3, 1.0, 1.0, 1e-3, 1e-3, 2e-4, 1e-3, 1e-3, 1e-3])


def covariance() -> np.ndarray:
    """A principal point that is off by a pixel is made up for by a turn of 1 / 1100 rad, but for a tenth of it."""
    one = np.diag(SD**2)
    for c, r, sign in ((2, 4, 1.0), (3, 5, -1.0)):
        one[c, r] = one[r, c] = sign * 0.99 * SD[c] * SD[r]
    return np.kron(np.eye(len(RIG)), one)


def uncertainty() -> Uncertainty:
    return Uncertainty(RIG.names, PARAMETERS, covariance(), np.zeros((5, 5)), np.zeros((5, 5)))


def found(rig: Rig, seed: int) -> Rig:
    """A calibration of the rig with errors of that covariance, in a world of its own."""
    rng = np.random.default_rng(seed)
    errors = rng.multivariate_normal(np.zeros(50), covariance()).reshape(5, 10)
    turn, shift = rotation_from_vector(rng.normal(size=3)), rng.normal(size=3)
    cameras = []
    for camera, e in zip(rig, errors, strict=True):
        K = camera.lens.K + np.array([[e[0], 0, e[2]], [0, e[1], e[3]], [0, 0, 0]])
        E = rotation_from_vector(e[4:7])
        R, t = E @ camera.R, E @ camera.t + e[7:]
        cameras.append(replace(camera, lens=Pinhole(K, camera.lens.dist), R=R @ turn, t=R @ shift + t))
    return Rig(tuple(cameras))


def moved(degrees: float, metres: float) -> Rig:
    camera = RIG[3]
    R = rotation_from_vector(np.deg2rad(degrees) * np.array([0.0, 1, 0])) @ camera.R
    return Rig((*RIG.cameras[:3], replace(camera, R=R, t=-R @ (camera.center + np.array([metres, 0.0, 0.0]))), RIG[4]))


@pytest.mark.parametrize(("degrees", "metres"), [(0.2, 0.0), (0.0, 0.02)])
def test_a_camera_that_was_moved_is_named_and_no_other(degrees: float, metres: float) -> None:
    for seed in range(10):
        check = compare_rigs(found(RIG, seed), found(moved(degrees, metres), 100 + seed), uncertainty(), uncertainty())
        assert [m.camera for m in check.moves if m.named] == ["cam04"]
        move = check.moves[3]
        assert abs(move.turned - np.deg2rad(degrees)) < 4 * move.turned_sd
        assert abs(move.moved - metres) < 4 * max(move.moved_sd, 1e-3)
        assert not check.untold
    assert "cam04 has moved: turned by" in recheck_lines(check)[0]


def test_a_rig_that_stands_still_is_left_alone() -> None:
    checks = [compare_rigs(found(RIG, s), found(RIG, 100 + s), uncertainty(), uncertainty()) for s in range(60)]
    # Three in a hundred may be named: six of sixty are one case in a hundred.
    assert sum(any(m.named for m in check.moves) for check in checks) <= 6
    assert "still holds" in recheck_lines(checks[0])[0]


def test_what_would_have_been_seen_is_seen() -> None:
    """A move of the size that is called detectable, in any direction, is named in 95 of 100 cases or more."""
    still = compare_rigs(found(RIG, 0), found(RIG, 100), uncertainty(), uncertainty()).moves[3]
    assert 0 < still.least_turn < np.deg2rad(0.2)
    assert 0 < still.least_move < 0.02
    for degrees, metres in ((np.rad2deg(still.least_turn), 0.0), (0.0, still.least_move)):
        rigs = [(found(RIG, seed), found(moved(degrees, metres), 100 + seed)) for seed in range(40)]
        checks = [compare_rigs(old, new, uncertainty(), uncertainty()) for old, new in rigs]
        # Of 40 at 95 % fewer than 34 are a case in a hundred.
        assert sum(check.moves[3].named for check in checks) >= 34
    lines = recheck_lines(compare_rigs(found(RIG, 0), found(RIG, 100), uncertainty(), uncertainty()))
    assert f"or a move of {1e3 * still.least_move:.0f} mm would have been seen" in lines[4]


def test_of_two_cameras_either_may_have_moved() -> None:
    two = ("cam01", "cam04")
    old, new = found(RIG, 1).subset(two), found(moved(1.0, 0.0), 2).subset(two)
    check = compare_rigs(old, new, uncertainty(), uncertainty())
    assert check.untold
    assert "it is not told which" in recheck_lines(check)[0]


def test_lenses_of_other_models_do_not_compare() -> None:
    other = replace(uncertainty(), parameters=("fx", "fy", "cx", "k1", *PARAMETERS[4:]))
    with pytest.raises(ValueError, match="different models"):
        compare_rigs(RIG, RIG, uncertainty(), other)
