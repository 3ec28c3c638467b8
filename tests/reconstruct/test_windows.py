from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mv3d.data.skeletons import BODY_25
from mv3d.reconstruct.reconstruction import ReconstructConfig, reconstruct_person
from mv3d.reconstruct.windows import WindowConfig, sample, windows
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring


@given(st.integers(1, 5000), st.integers(1, 700), st.integers(1, 90))
def test_windows_keep_every_frame_once(count, frames, margin):
    parts = windows(count, WindowConfig(frames=frames, margin=margin))
    kept = [f for part in parts for f in range(count)[part.solved][part.kept]]
    assert kept == list(range(count))
    for part in parts:
        # A margin on each side, but where the recording ends.
        assert part.kept.start in (min(margin, part.solved.start + part.kept.start), 0)
        assert part.kept.stop - part.kept.start <= frames


def test_the_sample_of_a_long_recording_is_spread_over_it():
    frames, starts = sample(100_000, WindowConfig(pieces=5, piece_frames=100))
    assert len(frames) == 500
    assert starts == (100, 200, 300, 400)
    assert (frames[0], frames[-1]) == (0, 99_999)
    whole, starts = sample(800, WindowConfig())
    assert np.array_equal(whole, np.arange(800))
    assert starts == ()


@pytest.mark.parametrize("mode", ["frame", "sequence"])
def test_the_result_does_not_depend_on_the_windows(mode):
    rig = camera_ring(4, seed=4)
    truth, times = walking_person(700, seed=4)
    poses = observe(rig, truth, times, BODY_25, noise_px=2.0, missing=0.1, outliers=0.05, seed=4)
    xy = np.stack([poses[n].xy[:, 0] for n in rig.names], 1).astype(float)
    score = np.stack([poses[n].score[:, 0] for n in rig.names], 1).astype(float)
    config = ReconstructConfig(mode=mode)
    # The model is learnt from the same frames: six pieces of 400 are more than there are.
    whole = reconstruct_person(rig, BODY_25, xy, score, times, config)
    cut = replace(config, windows=WindowConfig(frames=200))
    parts = reconstruct_person(rig, BODY_25, xy, score, times, cut)
    assert np.array_equal(whole.timestamps, parts.timestamps)
    both = (whole.state > 0) & (parts.state > 0)
    assert both.sum() > 0.999 * (whole.state > 0).sum()
    # Wanted: a tenth of a millimetre.
    assert np.linalg.norm(whole.xyz - parts.xyz, axis=-1)[both].max() < 1e-4
    assert np.mean(whole.state != parts.state) < 1e-3
