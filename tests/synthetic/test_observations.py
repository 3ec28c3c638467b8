import numpy as np
import pytest

from mv3d.data.poses import Poses2D
from mv3d.data.skeletons import BODY_25
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import standing_person, walking_person
from mv3d.synthetic.rigs import camera_ring

_RIG = camera_ring(4, distortion=np.array([-0.1, 0.03, 0, 0]), seed=0)
_XYZ, _TIMES = walking_person(200, seed=0)


def _exact(name: str) -> np.ndarray:
    return _RIG[name].project(_XYZ)


def _observe(**options: object) -> dict[str, Poses2D]:
    return observe(_RIG, _XYZ, _TIMES, BODY_25, **options)  # type: ignore[arg-type]


def test_exact_truth_without_disturbance() -> None:
    views = _observe(noise_px=0.0, missing=0.0, outliers=0.0)
    assert tuple(views) == _RIG.names
    for name, view in views.items():
        assert view.xy.shape == (200, 1, 25, 2)
        np.testing.assert_array_equal(view.xy[:, 0], _exact(name).astype(np.float32))
        np.testing.assert_array_equal(view.timestamps, _TIMES)
        assert ((view.score > 0) & (view.score <= 1)).all()


def test_noise_has_the_size_asked_for() -> None:
    views = _observe(noise_px=3.0, missing=0.0, outliers=0.0)
    error = np.stack([view.xy[:, 0] - _exact(name) for name, view in views.items()])
    # 40,000 coordinates: the standard deviation of their mean is 0.015 px, of their spread 0.011 px; five of each.
    assert abs(error.mean()) < 0.08
    assert error.std() == pytest.approx(3.0, abs=0.06)
    assert abs(np.corrcoef(error[..., 0].ravel(), error[..., 1].ravel())[0, 1]) < 0.04


def test_missing_and_outliers_have_the_shares_asked_for() -> None:
    views = _observe(noise_px=1.0, missing=0.2, outliers=0.1)
    far = np.stack([np.linalg.norm(view.xy[:, 0] - _exact(name), axis=-1) for name, view in views.items()])
    # 20,000 draws: five standard deviations of a share of 0.2 are 0.014.
    assert np.isnan(far).mean() == pytest.approx(0.2, abs=0.015)
    # Clipping at the image's border brings a few gross errors nearer than 30 px.
    assert (far[~np.isnan(far)] > 30).mean() == pytest.approx(0.1, abs=0.015)
    scores = np.stack([view.score[:, 0] for view in views.values()])
    np.testing.assert_array_equal(scores == 0, np.isnan(far))


def test_seeds_repeat_and_views_are_independent() -> None:
    a, b, c = _observe(seed=5), _observe(seed=5), _observe(seed=6)
    for name in _RIG.names:
        np.testing.assert_array_equal(a[name].xy, b[name].xy)
        assert not np.array_equal(a[name].xy, c[name].xy, equal_nan=True)
    fewer = observe(_RIG.subset(["cam01", "cam02"]), _XYZ, _TIMES, BODY_25, seed=5)
    np.testing.assert_array_equal(fewer["cam02"].xy, a["cam02"].xy)


def test_a_bystander_takes_either_slot_in_some_views() -> None:
    other = standing_person((1.2, 1.0), 0.0, 200)
    views = _observe(noise_px=0.0, missing=0.0, outliers=0.0, bystander=other, bystander_views=("cam01", "cam03"))
    for name, view in views.items():
        assert view.xy.shape == (200, 2, 25, 2)
        performer, stranger = (_RIG[name].project(person).astype(np.float32) for person in (_XYZ, other))
        in_first = (view.xy[:, 0] == performer).all((1, 2))
        in_second = (view.xy[:, 1] == performer).all((1, 2))
        assert (in_first ^ in_second).all()
        assert 0.3 < in_first.mean() < 0.7  # 200 tosses: 0.5 +- five times 0.035
        rest = np.where(in_first[:, None, None], view.xy[:, 1], view.xy[:, 0])
        if name in ("cam01", "cam03"):
            seen = ~np.isnan(rest)
            assert seen.mean() > 0.5
            np.testing.assert_array_equal(rest[seen], stranger[seen])
        else:
            assert np.isnan(rest).all()


def test_what_a_camera_cannot_see_is_missing() -> None:
    behind = np.array(_RIG[0].center) - 2 * _RIG[0].R[2]
    xyz = np.stack([np.tile(behind, (25, 1)), np.full((25, 3), np.nan), np.tile([0, 0, 90.0], (25, 1))])
    for view in observe(_RIG.subset(["cam01"]), xyz, np.arange(3.0), BODY_25).values():
        assert np.isnan(view.xy).all()
        assert (view.score == 0).all()
