"""CSV and JSON tables read back with the standard library."""

import csv
import json

import numpy as np

from mv3d.export.json_file import write_json
from mv3d.export.tables import write_tidy_csv, write_wide_csv


def _number(cell: str) -> float:
    return float(cell) if cell else np.nan


def test_wide_csv(tmp_path, poses):
    write_wide_csv(poses, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:7] == ["time", "Nose_x", "Nose_y", "Nose_z", "Nose_score", "Nose_state", "Neck_x"]
    np.testing.assert_allclose([float(row["time"]) for row in rows], poses.timestamps, atol=5e-7)
    for j, joint in enumerate(poses.skeleton.keypoints):
        xyz = [[_number(row[f"{joint}_{axis}"]) for axis in "xyz"] for row in rows]
        np.testing.assert_allclose(xyz, poses.xyz[:, 0, j], atol=5.1e-7)  # printed to the micrometre
        states = ["missing", "measured", "filled"]
        assert [states.index(row[f"{joint}_state"]) for row in rows] == poses.state[:, 0, j].tolist()
        np.testing.assert_allclose([float(row[f"{joint}_score"]) for row in rows], poses.score[:, 0, j])


def test_tidy_csv(tmp_path, poses):
    write_tidy_csv(poses, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 * 18
    by_key = {(int(row["frame"]), row["joint"]): row for row in rows}
    assert by_key[2, "Nose"]["state"] == "missing"
    assert by_key[2, "Nose"]["x"] == by_key[2, "Nose"]["reprojection_error_px"] == ""
    row = by_key[3, "Neck"]
    np.testing.assert_allclose([float(row[axis]) for axis in "xyz"], poses.xyz[3, 0, 1], atol=5.1e-7)
    assert (row["person"], row["n_views"], float(row["reprojection_error_px"])) == ("0", "2", 2.5)


def test_json(tmp_path, poses):
    write_json(poses, tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text(), parse_constant=lambda name: 1 / 0)
    assert document["units"] == {"xyz": "m", "timestamps": "s"}
    assert document["keypoints"] == list(poses.skeleton.keypoints)
    (person,) = document["people"]
    assert person["xyz"][2][0] is None
    xyz = [[point or [np.nan] * 3 for point in frame] for frame in person["xyz"]]
    np.testing.assert_allclose(xyz, poses.xyz[:, 0], atol=5.1e-7)
    assert person["state"] == poses.state[:, 0].tolist()
