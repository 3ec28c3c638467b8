"""TRC with gaps in OpenSim: every marker where it belongs, every gap a gap."""

import dataclasses

import numpy as np
import pytest

from mv3d.data.skeleton import Skeleton
from mv3d.export.options import place
from mv3d.export.trc import write_trc


@pytest.mark.parametrize(("axes", "units", "scale"), [("world", "mm", 1000), ("y_up", "m", 1)])
def test_markers_and_gaps(tmp_path, opensim, poses, axes, units, scale):
    placement = place(axes, units)
    write_trc(poses, tmp_path / "a.trc", placement)
    read = opensim(tmp_path / "a.trc")
    assert read["labels"] == list(poses.skeleton.keypoints)
    assert (read["units"], read["rate"]) == (units, 60)
    np.testing.assert_allclose(read["times"], poses.timestamps, atol=1e-6)
    # 0.1 mm is wanted, a tenth of a micrometre is printed.
    np.testing.assert_allclose(read["points"] / scale, placement.points(poses.xyz[:, 0]) / scale, atol=1e-7)


def test_one_frame_and_names_with_spaces_and_letters(tmp_path, opensim, poses):
    names = ("left ear", "Schädel", "関節", *(f"J{i}" for i in range(15)))
    odd = dataclasses.replace(poses, skeleton=Skeleton("ODD", names, ()))
    write_trc(odd, tmp_path / "a.trc")
    assert opensim(tmp_path / "a.trc")["labels"] == list(names)
