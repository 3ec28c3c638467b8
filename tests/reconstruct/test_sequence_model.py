import numpy as np
import pytest

from mv3d.data.skeletons import BODY_25
from mv3d.reconstruct import state_kernels
from mv3d.reconstruct.bones import informed
from mv3d.reconstruct.errors_in_time import memory_of
from mv3d.reconstruct.observations import observe as undo_lenses
from mv3d.reconstruct.per_frame import TriangulationConfig, triangulate_frames
from mv3d.reconstruct.sequence import learn_model, smooth_sequence
from mv3d.reconstruct.sequence_fit import SequenceConfig
from mv3d.reconstruct.sequence_model import pull_factor
from mv3d.reconstruct.trajectories import RIDGE, Bones, conjugate_gradients
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring


def scene(frames=200, seed=2, **noise):
    rig = camera_ring(4, seed=seed)
    truth, times = walking_person(frames, seed=seed)
    poses = observe(rig, truth, times, BODY_25, seed=seed, **noise)
    xy = np.stack([poses[n].xy[:, 0] for n in rig.names], 1).astype(float)
    score = np.stack([poses[n].score[:, 0] for n in rig.names], 1).astype(float)
    return rig, truth, times, xy, score


def learnt(rig, times, xy, score):
    seen = undo_lenses(rig, xy, score)
    per_frame = triangulate_frames(seen, TriangulationConfig())
    return seen, per_frame, learn_model(seen, per_frame, BODY_25, times, SequenceConfig())


def test_bone_lengths_and_noise_are_learnt():
    rig, truth, times, xy, score = scene(noise_px=2.0, missing=0.1, outliers=0.05)
    seen, per_frame, model = learnt(rig, times, xy, score)
    ends = model.joints[model.bones.ends]
    true = np.linalg.norm(truth[0, ends[:, 0]] - truth[0, ends[:, 1]], axis=-1)
    # 200 frames of about 4 mm, some ten of them independent of each other: 1 mm; four of that for the worst bone.
    assert np.abs(model.bones.length - true).max() < 0.005
    noise = np.median(np.where(seen.seen, per_frame.noise_px, np.nan)[np.isfinite(per_frame.noise_px)])
    assert np.median(model.noise) * noise == pytest.approx(2.0, rel=0.1)
    # Blunders were drawn independently, one in twenty.
    assert 0.03 < model.enter < 0.08
    assert model.leave > 0.7
    assert model.memory < 1.5
    assert np.all(model.bias < 0.1)


def test_errors_that_last_are_noticed():
    rng = np.random.default_rng(0)
    white = rng.normal(size=(10, 400, 3, 2))
    lasting = np.zeros_like(white)
    for f in range(400):
        lasting[:, f] = (0.8 * lasting[:, f - 1] if f else 0) + 0.6 * white[:, f]
    good = np.ones(white.shape[:3])
    # 1 + 2 sum 0.8^k = 9; the mean that is taken off and the cut at 0.05 make it smaller.
    assert 6 < memory_of(lasting, good) < 10
    assert memory_of(white, good) < 1.2


def test_a_lasting_state_is_told_from_single_frames():
    ratio = np.full(100, 1.0)
    ratio[40:60] = -1.0  # weak evidence, twenty frames of it
    usual, counts = np.empty(100), np.zeros(4)
    state_kernels.smooth_chain(ratio, 0.01, 0.1, usual, counts)
    assert usual[45:55].max() < 0.01
    assert usual[:35].min() > 0.99
    # Every frame but the last passes to a next one.
    assert counts[0] + counts[2] == pytest.approx(99, abs=1e-6)
    ratio[40:60] = 1.0
    ratio[50] = -1.0  # the same weak evidence once
    state_kernels.smooth_chain(ratio, 0.01, 0.1, usual, np.zeros(4))
    assert usual[50] > 0.5


def test_messages_through_a_tree_equal_the_marginals_of_the_whole():
    rng = np.random.default_rng(1)
    ends = np.array([[0, 1], [1, 2], [1, 3]])
    x = rng.normal(size=(4, 1, 3))
    H = np.stack([A @ A.T for A in rng.normal(size=(4, 3, 3))])[:, None]
    bones = Bones(ends, np.linalg.norm(x[ends[:, 0], 0] - x[ends[:, 1], 0], axis=-1), np.array([0.5, 1.0, 2.0]))
    direction, _, weight = bones.rows(x)
    whole = np.zeros((12, 12))
    for j in range(4):
        whole[3 * j : 3 * j + 3, 3 * j : 3 * j + 3] = H[j, 0]
    for i, (a, b) in enumerate(ends):
        row = np.zeros(12)
        row[3 * a : 3 * a + 3], row[3 * b : 3 * b + 3] = direction[i, 0], -direction[i, 0]
        whole += weight[i, 0] * np.outer(row, row)
    marginal = np.linalg.inv(whole)
    shared = informed(bones, x, H)
    for j in range(4):
        # The messages' own ridge of 1e-3 beside information of about 1.
        np.testing.assert_allclose(
            np.linalg.inv(shared[j, 0]),
            marginal[3 * j : 3 * j + 3, 3 * j : 3 * j + 3],
            rtol=20 * RIDGE,
            atol=20 * RIDGE,
        )


def test_conjugate_gradients_solve_what_the_preconditioner_leaves():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(30, 30))
    A = A @ A.T + 30 * np.eye(30)
    right = rng.normal(size=30)
    found = conjugate_gradients(lambda p: A @ p, lambda r: r / np.diag(A), right)
    exact = np.linalg.solve(A, right)
    error = found - exact
    # The tolerance is 1e-2 of the preconditioned norm; a factor of ten for the condition of A.
    assert error @ A @ error < (0.1**2) * exact @ A @ exact


def test_views_that_are_late_by_a_known_time_do_not_shift_the_person():
    rig, truth, times, xy, score = scene(noise_px=1.0, missing=0.0, outliers=0.0)
    late = float(np.median(np.diff(times)))
    # Two of four views show the next frame's instant; the last frame stays.
    xy[:-1, 1:3] = xy[1:, 1:3]
    seen = undo_lenses(rig, xy, score)
    per_frame = triangulate_frames(seen, TriangulationConfig())
    delay = np.zeros((len(times), 4))
    delay[:, 1:3] = late
    plain = smooth_sequence(seen, per_frame, BODY_25, times, SequenceConfig())
    told = smooth_sequence(seen, per_frame, BODY_25, times, SequenceConfig(), delay=delay)
    error = [np.linalg.norm(r.xyz - truth, axis=-1).mean() for r in (plain, told)]
    # A frame of a walker (1.3 m/s at 60 frames/s) is 22 mm; half of it shifts the person, against 2 mm of noise.
    assert error[1] < 0.6 * error[0]


def test_constant_errors_are_told_from_chance():
    rig, _, times, xy, score = scene(frames=300, noise_px=2.0, missing=0.0, outliers=0.0)
    offsets = 2.0 * np.random.default_rng(5).normal(size=xy.shape[1:])
    _, _, clean = learnt(rig, times, xy, score)
    _, _, biased = learnt(rig, times, xy + offsets, score)
    # Half of the variance of 2 px noise with 2 px of bias is bias; over 25 joints of four views its mean scatters by
    # a tenth.
    assert np.mean(biased.bias) == pytest.approx(0.5, abs=0.15)
    assert np.mean(clean.bias) < 0.02


def test_ellipsoids_hold_the_truth_where_errors_are_constant():
    rig, truth, times, xy, score = scene(frames=300, noise_px=2.0, missing=0.0, outliers=0.0)
    xy = xy + 3.0 * np.random.default_rng(6).normal(size=xy.shape[1:])
    seen, per_frame, model = learnt(rig, times, xy, score)
    result = smooth_sequence(seen, per_frame, BODY_25, times, SequenceConfig(), model)
    error = result.xyz - truth
    distance2 = np.einsum("fji,fji->fj", error, np.linalg.solve(result.covariance, error[..., None])[..., 0])
    # Only 25 constant errors, so six or seven joints may lie outside by chance. Without the bias four fifths did.
    assert (distance2 < 7.815).mean() > 0.7


def test_the_pull_of_the_prior_is_as_expected_for_its_own_motions_and_less_for_smoother_ones():
    rng = np.random.default_rng(0)
    frames, order, strength, noise = 400, 3, 1e4, 1.0
    # A motion of the prior: three times integrated white noise of variance 1 / strength.
    expected = np.cumsum(np.cumsum(np.cumsum(rng.normal(0, strength**-0.5, (30, frames, 3)), 1), 1), 1)
    slow = np.sin(np.arange(frames) / 80)[None, :, None] * np.ones((30, 1, 3))
    factors = [_pull(motion + noise * rng.normal(size=motion.shape), strength, order) for motion in (expected, slow)]
    # Frames are correlated over some ten, so a joint's mean square has 120 independent parts, and thirty joints.
    assert np.mean(factors[0]) == pytest.approx(1.0, abs=0.03)
    # Noise that passed the smoother is pulled at as well: a factor of 5/6 would need a perfectly known motion.
    assert 5 / 6 < np.mean(factors[1]) < 0.96


def _pull(observed, strength, order):
    """The factor for trajectories smoothed with known noise of variance 1."""
    joints, frames, _ = observed.shape
    D = np.diff(np.eye(frames), order, axis=0)
    Q = strength * D.T @ D
    C = np.linalg.inv(np.eye(frames) + Q)
    found = np.einsum("fg,jgk->jfk", C, observed)
    covariance = np.diag(C)[None, :, None, None] * np.eye(3) * np.ones((joints, 1, 1, 1))
    return pull_factor(np.einsum("fg,jgk->jfk", C @ Q, found), covariance, order)
