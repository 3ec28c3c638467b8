import numpy as np
import pytest

from mv3d.data.lens import Fisheye
from mv3d.synthetic.families import FAMILIES, make_trial, miscalibrated
from mv3d.synthetic.rigs import camera_ring


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_family_makes_usable_trials(name: str) -> None:
    family = FAMILIES[name]
    for views in family.views or (4,):
        trial = make_trial(family, views, 120, seed=1)
        assert trial.xy.shape == (120, views, 25, 2)
        assert np.isfinite(trial.truth).all()
        assert len(trial.bones) == 24  # a tree of 25 joints
        for a, b in trial.bones:
            # Products of a few rotations and sums of a dozen vectors of 2 m in doubles.
            assert np.ptp(np.linalg.norm(trial.truth[:, a] - trial.truth[:, b], axis=-1)) < 1e-12
        assert np.array_equal(np.isnan(trial.xy).any(-1), trial.score == 0)
        assert 1 / np.median(np.diff(trial.timestamps)) == pytest.approx(family.fps)
        # A blackout of 1.5 s takes three quarters of two seconds; in all other families most is seen.
        assert (trial.score > 0).mean() > (0.15 if family.faults.blackout_s > 1 else 0.6)
        error = np.linalg.norm(np.stack([c.project(trial.truth) for c in trial.rig], axis=1) - trial.xy, axis=-1)
        assert np.nanmedian(error) < 10  # px: keypoints and cameras belong together


def test_trials_repeat_and_bodies_differ_in_size() -> None:
    family = FAMILIES["correlated"]
    a, b = (make_trial(family, 4, 20, seed=2) for _ in range(2))
    np.testing.assert_array_equal(a.xy, b.xy)
    np.testing.assert_array_equal(a.rig.centers, b.rig.centers)
    sizes = [np.ptp(make_trial(FAMILIES["wave"], 2, 1, seed).truth[0, :, 2]) for seed in range(6)]
    assert max(sizes) > 1.2 * min(sizes)


def test_calibration_errors_have_their_size() -> None:
    rig = camera_ring(40, seed=0)
    wrong = miscalibrated(rig, 1.5, np.random.default_rng(0))
    point = np.array([0.0, 0.0, 0.95])
    off = np.stack([b.project(point) - a.project(point) for a, b in zip(rig, wrong, strict=True)])
    # Rotation and position, 1.5 px each, on 80 numbers (8 %); the focal length hardly moves the image's middle.
    assert off.std() == pytest.approx(1.5 * np.sqrt(2), rel=0.25)
    assert [c.name for c in wrong] == [c.name for c in rig]


def test_an_arc_spans_its_angle_and_fisheyes_keep_it() -> None:
    arc = camera_ring(4, span=np.pi / 2)
    angles = np.arctan2(*arc.centers[:, 1::-1].T)
    np.testing.assert_allclose(np.diff(angles), np.pi / 6, atol=1e-12)
    fisheye = camera_ring(2, fisheye=True, focal=600.0)[0]
    assert isinstance(fisheye.lens, Fisheye)
    # An ideal fisheye shows a direction 0.3 rad off the axis at 0.3 focal lengths from the middle.
    ahead = fisheye.R.T @ [np.sin(0.3), 0, np.cos(0.3)]
    np.testing.assert_allclose(fisheye.project(fisheye.center + ahead) - [959.5, 539.5], [180.0, 0], atol=1e-9)
