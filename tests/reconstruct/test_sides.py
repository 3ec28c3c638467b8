import numpy as np

from mv3d.data.skeletons import BODY_25, COCO_18
from mv3d.reconstruct.observations import observe as undo_lenses
from mv3d.reconstruct.per_frame import TriangulationConfig, triangulate_frames
from mv3d.reconstruct.sequence import smooth_sequence
from mv3d.reconstruct.sequence_fit import SequenceConfig
from mv3d.reconstruct.sides import paired_groups
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring

LEGS = [BODY_25.index(s + n) for s in ("R", "L") for n in ("Hip", "Knee", "Ankle", "BigToe", "SmallToe", "Heel")]


def test_groups_are_limbs_of_one_side_and_its_mirror():
    for skeleton in (BODY_25, COCO_18):
        groups = [{skeleton.keypoints[j] for pair in group for j in pair} for group in paired_groups(skeleton)]
        assert {"RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist"} in groups
        assert any({"RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle"} <= group for group in groups)
        assert any({"REye", "LEye", "REar", "LEar"} == group for group in groups)


def swapped_walk(first, last, view):
    rig = camera_ring(4, seed=1)
    truth, times = walking_person(160, seed=1)
    poses = observe(rig, truth, times, BODY_25, noise_px=2.0, missing=0.05, outliers=0.02, seed=1)
    xy = np.stack([poses[n].xy[:, 0] for n in rig.names], 1).astype(float)
    score = np.stack([poses[n].score[:, 0] for n in rig.names], 1).astype(float)
    mirror = BODY_25.mirror[LEGS]
    xy[first:last, view, LEGS], score[first:last, view, LEGS] = (
        xy[first:last, view][:, mirror],
        score[first:last, view][:, mirror],
    )
    seen = undo_lenses(rig, xy, score)
    per_frame = triangulate_frames(seen, TriangulationConfig())
    return truth, rig, smooth_sequence(seen, per_frame, BODY_25, times, SequenceConfig())


def test_legs_that_one_view_swaps_for_a_while_are_found_and_used():
    truth, rig, result = swapped_walk(50, 90, 2)
    projected = rig[2].project(truth)
    apart = np.linalg.norm(projected[:, LEGS] - projected[:, BODY_25.mirror[LEGS]], axis=-1).max(1)
    # Where the legs pass each other (below 10 px, five standard deviations) nothing tells, and nothing is lost.
    clear = np.arange(160)[(apart > 10)]
    inside, outside = clear[(clear >= 50) & (clear < 90)], clear[(clear < 48) | (clear >= 92)]
    found = result.swapped[:, 2, LEGS].all(-1)
    assert found[inside].mean() > 0.95
    assert not found[outside].any()
    assert not result.swapped[:, [0, 1, 3]].any()
    # Four views of 2 px (9 mm each at 5 m): as good there as elsewhere.
    error = np.linalg.norm(result.xyz - truth, axis=-1)[:, LEGS]
    assert error[50:90].mean() < 1.3 * np.delete(error, np.s_[40:100], 0).mean()


def test_nothing_is_swapped_where_nothing_was():
    _, _, result = swapped_walk(0, 0, 0)
    assert not result.swapped.any()
