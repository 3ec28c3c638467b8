"""TRC read back by a small parser of its own."""

from pathlib import Path

import numpy as np
import pytest

from mv3d.export.options import place
from mv3d.export.trc import write_trc


def parse_trc(path: Path) -> tuple[dict[str, str], list[str], np.ndarray, np.ndarray]:
    """Header fields, joint names, times (frame,) and points (frame, joint, 3); empty cells become NaN."""
    lines = path.read_text().split("\n")
    assert lines[0].split("\t") == ["PathFileType", "4", "(X/Y/Z)", path.name]
    header = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    names = [cell for cell in lines[3].split("\t")[2:] if cell]
    assert lines[3].split("\t")[:2] == ["Frame#", "Time"]
    assert lines[4].split("\t")[2:] == [f"{axis}{i + 1}" for i in range(len(names)) for axis in "XYZ"]
    assert lines[5] == ""
    rows = [line.split("\t") for line in lines[6:] if line]
    # Number, time, three cells a joint, and the empty cell after the trailing tab.
    assert {len(row) for row in rows} == {2 + 3 * len(names) + 1}
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    cells = [[float(cell) if cell else np.nan for cell in row[2:-1]] for row in rows]
    return header, names, np.array([float(row[1]) for row in rows]), np.array(cells).reshape(len(rows), -1, 3)


@pytest.mark.parametrize(("units", "factor"), [("mm", 1000), ("cm", 100), ("m", 1)])
def test_round_trip(tmp_path, poses, units, factor):
    write_trc(poses, tmp_path / "walk.trc", place(units=units))
    header, names, times, points = parse_trc(tmp_path / "walk.trc")
    assert header["Units"] == units
    assert (header["NumFrames"], header["NumMarkers"]) == ("6", "18")
    assert header["DataRate"] == header["CameraRate"] == header["OrigDataRate"] == "60"
    assert tuple(names) == poses.skeleton.keypoints
    np.testing.assert_allclose(times, poses.timestamps, atol=5e-7)  # printed to the microsecond
    np.testing.assert_allclose(points / factor, poses.xyz[:, 0], atol=5.1e-8)  # printed to 0.1 micrometre
    assert np.isnan(points[4]).all()


def test_y_up_in_the_file(tmp_path, poses):
    placement = place("y_up", "m")
    write_trc(poses, tmp_path / "a.trc", placement)
    np.testing.assert_allclose(parse_trc(tmp_path / "a.trc")[3], placement.points(poses.xyz[:, 0]), atol=5.1e-8)
