"""mv3d-body25: what mobilenet_thin knows stays, feet and mid-hip are added."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mv3d.data.skeletons import BODY_25, COCO_18
from mv3d.pose2d.assembly import AssemblyConfig, assemble
from mv3d.pose2d.estimator import PoseEstimator
from mv3d.pose2d.ideal_maps import ideal_maps
from mv3d.pose2d.models import MODELS, load_network
from mv3d.pose2d.networks.mobile_body_25 import LAYOUT, MobileBody25
from mv3d.pose2d.peaks import find_peaks
from mv3d.synthetic.performer import standing_person

MODEL = MODELS["mv3d-body25"]


def _with_mobilenets_weights() -> MobileBody25:
    """The head says nothing: its last layers are zero."""
    network = MobileBody25()
    network.load_state_dict(load_network(MODELS["mobilenet_thin"]).state_dict(), strict=False)
    with torch.no_grad():
        for stage in network.head:
            for branch in (stage.pafs, stage.heatmaps):
                branch.out.weight.zero_()
                branch.out.bias.zero_()
    return network.eval()


def test_the_layout_holds_the_limbs_of_both():
    names = {(LAYOUT.keypoints[a], LAYOUT.keypoints[b]) for a, b in LAYOUT.limbs}
    for skeleton in (COCO_18, BODY_25):
        assert {(skeleton.keypoints[a], skeleton.keypoints[b]) for a, b in skeleton.limbs} <= names
    assert len(names) == 28
    assert LAYOUT.keypoints == BODY_25.keypoints
    assert sorted(c for pair in LAYOUT.paf_channels for c in pair) == list(range(56))
    with pytest.raises(ValueError, match="limbs of its own"):
        MobileBody25(BODY_25)


def test_the_shared_joints_are_those_of_mobilenet_thin(tmp_path, draw_people):
    image = draw_people((256, 368), [(127.5, 70, 230)])
    path = tmp_path / "body.safetensors"
    save_file({name: value.contiguous() for name, value in _with_mobilenets_weights().state_dict().items()}, path)
    estimator = PoseEstimator(str(path))
    assert estimator.model is MODEL
    assert estimator.skeleton is BODY_25
    (ours,), (theirs,) = estimator.detect([image]), PoseEstimator().detect([image])
    assert len(ours) == len(theirs) == 1
    shared = [BODY_25.index(name) for name in COCO_18.keypoints]
    # The shipped weights are float16, both are run in float32.
    np.testing.assert_allclose(ours.xy[:, shared], theirs.xy, atol=1e-4)
    assert np.isnan(ours.xy[:, [j for j in range(25) if j not in shared]]).all()
    (maps,), (own,) = estimator.maps([image]), PoseEstimator().maps([image])
    torch.testing.assert_close(maps.heatmaps[-1], own.heatmaps[-1])
    torch.testing.assert_close(maps.pafs[:38], own.pafs)
    assert (maps.heatmaps[BODY_25.index("LHeel")] == 0).all()


def test_a_new_head_begins_with_what_the_last_stage_finds_inside():
    network = _with_mobilenets_weights()
    network.begin_as_last_stage()
    features = torch.rand(1, network.base_count, 6, 6)
    taught = network.stages[-1].heatmaps
    expected = taught.wide(taught.convs(features))
    second = torch.cat([torch.zeros(1, network._new_count, 6, 6), features], 1)
    for stage, seen in zip(network.head, (features, second), strict=True):
        found = stage.heatmaps.wide(stage.heatmaps.convs(seen))[:, : expected.shape[1]]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_people_with_feet_are_put_together_by_the_limbs_of_the_layout():
    xyz = standing_person((0.0, 0.0), 0.4, 1, fps=1.0)[0]
    flat = xyz[:, [1, 2]] * [-160, -160] + [100, 320]
    people = np.stack([flat, flat + np.array([90, 4])])
    heatmaps, pafs = ideal_maps(people, LAYOUT, (44, 40), MODEL.stride, MODEL.cell_offset)
    peaks = find_peaks(heatmaps[:25], 0.05, MODEL.stride, MODEL.cell_offset)
    found = assemble(peaks, pafs, LAYOUT, AssemblyConfig(), MODEL.stride, MODEL.cell_offset)
    assert len(found.xy) == 2
    order = np.argsort(found.xy[:, 0, 0])
    # Peaks of toes that are half a cell apart pull at each other.
    assert np.nanmedian(np.abs(found.xy[order] - people)) < 0.5
    assert np.isfinite(found.xy[..., 0]).mean() > 0.9
