"""Rig files: round trips over lenses and poses, and what strangers' files can hold."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mv3d.data.camera import Camera
from mv3d.data.lens import Fisheye, Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError, ConfigError, SessionError
from mv3d.files.rigs import read_rig, write_rig
from mv3d.geometry.rotations import rotation_from_vector


def _floats(low: float, high: float):
    return st.floats(low, high, allow_nan=False, width=64)


_LENGTHS = st.sampled_from([0, 4, 5, 8, 12, 14])
_CAMERA = st.fixed_dictionaries(
    {
        "focal": st.tuples(_floats(100, 5000), _floats(100, 5000)),
        "centre": st.tuples(_floats(-100, 4000), _floats(-100, 4000)),
        "skew": _floats(-5, 5),
        "dist": _LENGTHS.flatmap(lambda n: arrays(float, n, elements=_floats(-0.5, 0.5))),
        "fisheye": st.booleans(),
        "rotation": arrays(float, 3, elements=_floats(-3, 3)),
        "t": arrays(float, 3, elements=_floats(-100, 100)),
        "size": st.tuples(st.integers(1, 8000), st.integers(1, 8000)),
    }
)


def _camera(name: str, focal, centre, skew, dist, fisheye, rotation, t, size) -> Camera:
    K = np.array([[focal[0], skew, centre[0]], [0, focal[1], centre[1]], [0, 0, 1]])
    lens = Fisheye(K, dist) if fisheye and len(dist) == 4 else Pinhole(K, dist)
    return Camera(name, size, lens, rotation_from_vector(rotation), t)


_NAMES = ["cam1", "Kamera 2", "c\u00e2m\u00e9ra's", "3", "-a_b.c"]


@pytest.mark.parametrize("name", ["cameras.yaml", "rig.toml"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(_CAMERA, min_size=1, max_size=3), names=st.permutations(_NAMES))
def test_round_trip(tmp_path: Path, name, entries, names):
    rig = Rig(tuple(_camera(n, **entry) for n, entry in zip(names, entries, strict=False)))
    write_rig(rig, tmp_path / name)
    _assert_same(read_rig(tmp_path / name), rig)


def test_native_to_aniposelib_and_back(tmp_path, rig):
    write_rig(rig, tmp_path / "a.toml")
    write_rig(read_rig(tmp_path / "a.toml"), tmp_path / "b.yaml")
    _assert_same(read_rig(tmp_path / "b.yaml"), rig)


def _assert_same(got: Rig, rig: Rig) -> None:
    assert got.names == rig.names
    for a, b in zip(got, rig, strict=True):
        assert (a.size, type(a.lens)) == (b.size, type(b.lens))
        np.testing.assert_array_equal(a.lens.K, b.lens.K)
        count = len(b.lens.dist)
        np.testing.assert_array_equal(a.lens.dist[:count], b.lens.dist)
        assert not a.lens.dist[count:].any()
        np.testing.assert_array_equal(a.t, b.t)
        # A rotation goes through its rotation vector: a few roundings of a double.
        np.testing.assert_allclose(a.R, b.R, atol=1e-14)


@pytest.mark.parametrize("name", ["cameras.yaml", "rig.toml"])
def test_units_scale_lengths(tmp_path, rig, name):
    write_rig(rig, tmp_path / name)
    scaled = read_rig(tmp_path / name, units="mm")
    np.testing.assert_allclose(scaled.centers, rig.centers / 1000, rtol=1e-12)
    with pytest.raises(ConfigError, match="units 'yard'"):
        read_rig(tmp_path / name, units="yard")


def test_format_by_name_or_as_told(tmp_path, rig):
    write_rig(rig, tmp_path / "rig.txt", format="aniposelib")
    assert read_rig(tmp_path / "rig.txt", format="aniposelib").names == rig.names
    with pytest.raises(ConfigError, match=r"rig\.txt.*does not tell"):
        read_rig(tmp_path / "rig.txt")
    with pytest.raises(ConfigError, match="there are mv3d, qualisys, aniposelib"):
        read_rig(tmp_path / "rig.txt", format="nonsense")
    with pytest.raises(ConfigError):
        write_rig(rig, tmp_path / "rig.qca.txt")


def test_a_rig_that_cannot_be_written_leaves_the_old_one(tmp_path, rig):
    (tmp_path / "file").write_text("old")
    with pytest.raises(SessionError, match="cannot be written"):
        write_rig(rig, tmp_path / "file" / "rig.toml")
    assert (tmp_path / "file").read_text() == "old"


_TOML = """
[cam_0]
name = "left"
size = [1280, 720]
matrix = [[900.0, 0.0, 640.0], [0.0, 900.0, 360.0], [0.0, 0.0, 1.0]]
distortions = [0.1, 0.0, 0.0, 0.0, 0.0]
rotation = [0.0, 0.0, 0.0]
translation = [0.0, 0.0, 0.0]
"""


def test_toml_of_other_programs(tmp_path):
    """Sizes written as floats, four coefficients, a fisheye flag, tables in any order, metadata."""
    path = tmp_path / "calib.toml"
    text = '[metadata]\nerror = 0.2\nadjusted = false\n[cam_02]\nname = "b"\nsize = [ 1088.0, 1920.0]\n'
    text += "matrix = [[1681.2, 0.0, 532.9], [0.0, 1681.0, 948.1], [0.0, 0.0, 1.0]]\nfisheye = false\n"
    text += "distortions = [-0.046, 0.14, 0.0006, 0.0007]\nrotation = [0.9, -1.3, 1.1]\ntranslation = [1, 0.2, 3]\n"
    path.write_text(text + _TOML.replace("[0.1, 0.0, 0.0, 0.0, 0.0]", "[0.1, 0.0, 0.0, 0.0]\nfisheye = true"))
    rig = read_rig(path)
    assert rig.names == ("b", "left")
    assert rig["b"].size == (1088, 1920)
    assert isinstance(rig["left"].lens, Fisheye)
    np.testing.assert_array_equal(rig["b"].t, [1, 0.2, 3])


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("[0.0, 0.0, 0.0]\n", "[nan, 0.0, 0.0]\n", "camera left: rotation holds a value that is not finite"),
        ("rotation = [0.0, 0.0, 0.0]\n", "", "camera left: it lacks rotation"),
        ("[1280, 720]", "[1280]", "camera left: size has 1 numbers"),
        ("[1280, 720]", "[0, 720]", "left"),
        ("[1280, 720]", "[1280.5, 720]", "whole pixels"),
        ("[[900.0,", "[[-900.0,", "left.*focal"),
        ("[[900.0,", '[["x",', "left: matrix is not a list of numbers"),
        ("[0.1, 0.0, 0.0, 0.0, 0.0]", "[0.1]", "left.*distortion"),
        ('"left"', '"../left"', "left"),
        ("[cam_0]", "", "no camera in it"),
        ("[cam_0]", "[cam_0", "not a TOML rig"),
        ("[cam_0]", _TOML + "[cam_1]", "repeat"),
    ],
)
def test_toml_that_is_wrong(tmp_path, before, after, message):
    path = tmp_path / "calib.toml"
    path.write_text(_TOML.replace(before, after, 1))
    with pytest.raises(CalibrationError, match=message) as caught:
        read_rig(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["cameras.yaml", "rig.toml", "rig.qca.txt"])
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"[[[[" * 20000, b"<a>"])
def test_what_is_not_a_rig_is_one_line(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CalibrationError, match=name) as caught:
        read_rig(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_huge_file_is_not_read(tmp_path):
    with (tmp_path / "rig.toml").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(CalibrationError, match="too many for a rig"):
        read_rig(tmp_path / "rig.toml")


def test_a_printed_rotation_is_made_exact(tmp_path, rig):
    rounded = Rig(tuple(dataclasses.replace(c, R=np.round(c.R, 6)) for c in rig))
    write_rig(rounded, tmp_path / "rig.toml")
    R = read_rig(tmp_path / "rig.toml").cameras[1].R
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(R, rig.cameras[1].R, atol=2e-6)  # six printed decimals
