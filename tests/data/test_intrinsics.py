from pathlib import Path

import numpy as np
import pytest

from mv3d.data.intrinsics import Intrinsics, load_intrinsics, save_intrinsics
from mv3d.data.lens import Fisheye, Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError
from mv3d.synthetic.rigs import camera_ring

K = np.array([[1100.25, 0, 959.5], [0, 1099.75, 539.5], [0, 0, 1]])


def test_round_trip_to_the_last_bit(tmp_path: Path) -> None:
    lenses = (
        Intrinsics("cam01", (1920, 1080), Pinhole(K, np.array([-0.1, 0.05, 1e-3, 1 / 3]))),
        Intrinsics("cam02", (1280, 720), Fisheye(K, np.array([0.1, 0, 0, 0.2]))),
    )
    save_intrinsics(tmp_path / "calibration" / "lenses.yaml", lenses)
    read = load_intrinsics(tmp_path / "calibration" / "lenses.yaml")
    assert [(c.name, c.size, type(c.lens)) for c in read] == [(c.name, c.size, type(c.lens)) for c in lenses]
    for a, b in zip(read, lenses, strict=True):
        np.testing.assert_array_equal(a.lens.K, b.lens.K)
        np.testing.assert_array_equal(a.lens.dist, b.lens.dist)


def test_the_lenses_of_a_rig_are_read_and_lenses_are_no_rig(tmp_path: Path) -> None:
    rig = camera_ring(2, seed=0, distortion=np.array([-0.1, 0.05, 0, 0]))
    rig.save(tmp_path / "cameras.yaml")
    read = load_intrinsics(tmp_path / "cameras.yaml")
    assert [c.name for c in read] == ["cam01", "cam02"]
    np.testing.assert_array_equal(read[1].lens.dist, rig[1].lens.dist)
    save_intrinsics(tmp_path / "lenses.yaml", read)
    with pytest.raises(CalibrationError, match="camera 'cam01' lacks R, t"):
        Rig.load(tmp_path / "lenses.yaml")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{name: a, size: [4, 3]}", "lacks lens"),
        ("{name: a, size: [0, 3], lens: {K: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}}", "size is not positive"),
        ("{name: a, size: [4, 3], lens: {K: [[.nan, 0, 0], [0, 1, 0], [0, 0, 1]]}}", "K"),
        ("{name: a, size: [4, 3], lens: {K: [[1, 0], [0, 1]]}}", "K"),
        ("{name: a, size: [4, 3], lens: {K: [[1, 0, 0], [0, 1, 0], [0, 0, 1]], dist: [1, 2, 3]}}", "not 3"),
        ("*again", "lens"),
    ],
)
def test_what_is_no_lens_is_named_with_its_file(tmp_path: Path, entry: str, said: str) -> None:
    path = tmp_path / "lenses.yaml"
    path.write_text("x: &again {name: a, size: [4, 3], lens: 3}\n" + f"cameras: [{entry}]\n")
    with pytest.raises(CalibrationError, match=said) as caught:
        load_intrinsics(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_cameras_of_one_name(tmp_path: Path) -> None:
    lens = Intrinsics("cam01", (1920, 1080), Pinhole(K, np.zeros(0)))
    save_intrinsics(tmp_path / "lenses.yaml", (lens, lens))
    with pytest.raises(CalibrationError, match="repeat: cam01, cam01"):
        load_intrinsics(tmp_path / "lenses.yaml")
