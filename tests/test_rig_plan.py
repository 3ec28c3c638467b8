"""The plan of a rig against trials, and what must hold of any plan."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mv3d.cli import main
from mv3d.data.rig import Rig
from mv3d.errors import ConfigError
from mv3d.geometry.triangulation import triangulate_robust
from mv3d.rig_plan import PlanConfig, Ring, plan_rig, ring_of
from mv3d.synthetic.rigs import camera_ring

_COARSE = PlanConfig(area=(2.0, 2.0), spacing=1.0, noise_px=2.0)


def test_expected_errors_are_those_of_trials() -> None:
    rig = camera_ring(4, radius=3.6, size=(640, 480), focal=500.0, distortion=np.array([-0.12, 0.05, 0, 0]), seed=2)
    plan = plan_rig(rig, _COARSE)
    rng, trials = np.random.default_rng(0), 3000
    for x, y, z in ((1, 1, 1), (0, 1, 0)):
        place = np.array([plan.axes[0][x], plan.axes[1][y], plan.axes[2][z]])
        seen = [c for c in rig if np.isfinite(c.project(place)).all() and np.all(c.project(place) > 5)]
        seen = [c for c in seen if np.all(c.project(place) < np.array(c.size) - 6)]
        assert len(seen) == plan.seen[x, y, z]
        xy = np.stack([c.project(place) + 2.0 * rng.normal(size=(trials, 2)) for c in seen], axis=1)
        bearings = np.stack([c.rays(xy[:, v]) for v, c in enumerate(seen)], axis=1)
        # Projection's derivative by the point, as seen from a unit away along each bearing.
        steps = 1e-4 * np.concatenate([np.eye(3), -np.eye(3)])
        moved = [c.project(c.center + bearings[:, v, None] + steps) for v, c in enumerate(seen)]
        jacobians = np.stack([np.swapaxes(m[:, :3] - m[:, 3:], 1, 2) / 2e-4 for m in moved], axis=1)
        weight = np.full((trials, len(seen)), 1 / 2.0**2)
        centers = np.stack([c.center for c in seen])
        found, _, _ = triangulate_robust(centers, bearings, jacobians, weight, np.full(weight.shape, 1e3))
        rms = 1e3 * np.sqrt(np.mean(np.sum((found - place) ** 2, axis=1)))
        # 3000 trials tell a root mean square to one part in a hundred.
        assert plan.error_mm[x, y, z] == pytest.approx(rms, rel=0.04)


def test_error_grows_with_noise_and_falls_with_cameras() -> None:
    four, eight = (plan_rig(ring_of(Ring(cameras=n)), _COARSE) for n in (4, 8))
    noisy = plan_rig(ring_of(Ring()), replace(_COARSE, noise_px=4.0))
    for a, b, c in zip(four.joints, eight.joints, noisy.joints, strict=True):
        assert b.median_mm < 0.85 * a.median_mm
        assert c.median_mm == pytest.approx(2 * a.median_mm)
        assert a.hidden_mm > a.median_mm
    assert [j.seen_by_two for j in four.joints] == [1.0] * len(four.joints)


def test_what_fewer_than_two_cameras_see_has_no_error() -> None:
    rig = Rig(tuple(camera_ring(2, radius=3.6, span=0.3, size=(640, 480), focal=1500.0)))
    plan = plan_rig(rig, replace(_COARSE, area=(6.0, 6.0)))
    assert plan.seen.min() == 0
    np.testing.assert_array_equal(np.isfinite(plan.error_mm), plan.seen >= 2)
    assert all(np.isnan(j.median_mm) or j.median_mm > 0 for j in plan.joints)
    assert len(plan.lines()) == len(plan.joints) + 4


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="positive"):
        PlanConfig(noise_px=0.0)
    with pytest.raises(ConfigError, match="larger one"):
        PlanConfig(area=(1000.0, 1000.0))
    with pytest.raises(ConfigError, match="field of view"):
        Ring(field_of_view_deg=180.0)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "plan"
    main(["rig", "plan", "--out", str(out), "--cameras", "3", "--size", "640", "480", "--area", "2", "2"])
    said = capsys.readouterr().out
    assert "Wrist" in said
    assert len(Rig.load(out / "cameras.yaml")) == 3
    assert json.loads((out / "plan.json").read_text())["config"]["noise_px"] == pytest.approx(3.0)
    assert (out / "plan.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit):
        main(["rig", "plan", "--out", str(out)])
    assert "overwrite" in capsys.readouterr().err
    main(["rig", "plan", str(out / "cameras.yaml"), "--out", str(tmp_path / "again"), "--area", "2", "2"])
    again = json.loads((tmp_path / "again" / "plan.json").read_text())
    assert again["joints"] == json.loads((out / "plan.json").read_text())["joints"]
