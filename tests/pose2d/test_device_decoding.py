"""The decoding that runs on a GPU, run here on a CPU: the same candidates, limb scores and people as the kernels'."""

import numpy as np
import pytest
import torch

from mv3d.data.skeletons import BODY_25, COCO_18
from mv3d.pose2d.assembly import AssemblyConfig, assemble, assemble_scored
from mv3d.pose2d.benchmark import standing_people
from mv3d.pose2d.device_decoding import decode_on_device
from mv3d.pose2d.ideal_maps import ideal_maps
from mv3d.pose2d.peaks import find_peaks

_OFFSET = (3.0, 2.5)
# float32 against float64 in the interpolation of fields of up to 1; peaks are fitted in float64 by both.
_EQUAL = 1e-4


def _maps(people: int, noise: float, skeleton=COCO_18) -> tuple[np.ndarray, np.ndarray]:
    xy, shape = standing_people(people)
    if skeleton is not COCO_18:
        names = [COCO_18.index(n) if n in COCO_18.keypoints else -1 for n in skeleton.keypoints]
        xy = np.where(np.array(names)[:, None] < 0, np.nan, xy[:, names])
    rng = np.random.default_rng(people)
    heatmaps, pafs = ideal_maps(xy, skeleton, shape, 8, _OFFSET)
    return tuple((m + rng.normal(0, noise, m.shape)).astype(np.float32) for m in (heatmaps, pafs))


@pytest.mark.parametrize(("people", "noise"), [(1, 0.0), (3, 0.02), (7, 0.02)])
@pytest.mark.parametrize("skeleton", [COCO_18, BODY_25], ids=lambda s: s.name)
def test_the_same_candidates_and_people_as_on_the_cpu(people, noise, skeleton):
    config = AssemblyConfig()
    maps = [_maps(people, noise, skeleton), _maps(people, 2 * noise, skeleton)]
    heatmaps, pafs = (np.stack([m[i] for m in maps]) for i in (0, 1))
    decoded = decode_on_device(torch.from_numpy(heatmaps), torch.from_numpy(pafs), skeleton, config, 8, _OFFSET)
    for (heat, paf), found in zip(maps, decoded, strict=True):
        peaks = find_peaks(heat[: len(skeleton)], config.peak_threshold, 8, _OFFSET)
        np.testing.assert_array_equal(found.peaks.count, peaks.count)
        for joint, count in enumerate(peaks.count):
            np.testing.assert_allclose(found.peaks.xy[joint, :count], peaks.xy[joint, :count], atol=1e-2)
            np.testing.assert_allclose(found.peaks.score[joint, :count], peaks.score[joint, :count], atol=_EQUAL)
        host = assemble(peaks, paf, skeleton, config, 8, _OFFSET)
        ours = assemble_scored(found.peaks, found.limb_scores, skeleton, config)
        np.testing.assert_allclose(ours.xy, host.xy, atol=1e-2)
        np.testing.assert_allclose(ours.score, host.score, atol=_EQUAL)
        np.testing.assert_allclose(ours.person_score, host.person_score, atol=_EQUAL)


def test_nothing_and_a_single_cell():
    for shape in ((4, 6), (1, 1), (1, 5)):
        heatmaps, pafs = torch.zeros(2, 19, *shape), torch.zeros(2, 38, *shape)
        decoded = decode_on_device(heatmaps, pafs, COCO_18, AssemblyConfig(), 8, _OFFSET)
        assert [len(assemble_scored(d.peaks, d.limb_scores, COCO_18, AssemblyConfig()).xy) for d in decoded] == [0, 0]
        assert all(d.peaks.count.sum() == 0 for d in decoded)


def test_a_plateau_is_one_peak_at_its_first_cell():
    heatmaps = torch.zeros(1, 19, 6, 8)
    heatmaps[0, 0, 2:4, 3:5] = 0.8
    (found,) = decode_on_device(heatmaps, torch.zeros(1, 38, 6, 8), COCO_18, AssemblyConfig(), 8, _OFFSET)
    peaks = find_peaks(heatmaps[0, :18].numpy(), 0.05, 8, _OFFSET)
    assert found.peaks.count[0] == peaks.count[0] == 1
    np.testing.assert_allclose(found.peaks.xy[0, :1], peaks.xy[0, :1], atol=1e-3)
