from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mv3d.data.camera import Camera
from mv3d.data.lens import Fisheye, Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError
from mv3d.geometry.rotations import rotation_from_vector

_K = np.array([[900.0, 0, 640], [0, 910.0, 360], [0, 0, 1]])
_finite = st.floats(-1e6, 1e6)


def _rig(*names: str) -> Rig:
    cameras = [
        Camera(n, (1280, 720), Pinhole(_K, np.zeros(5)), np.eye(3), np.array([i, 0, 5.0])) for i, n in enumerate(names)
    ]
    return Rig(tuple(cameras))


@st.composite
def _numbers_of_a_camera(
    draw: st.DrawFn,
) -> tuple[int, tuple[int, int], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Number of distortion coefficients (-4: fisheye), size, K, dist, rotation vector, t."""
    focal = draw(st.tuples(st.floats(1e-3, 1e5), st.floats(1e-3, 1e5)))
    K = np.array([[focal[0], draw(_finite), draw(_finite)], [0, focal[1], draw(_finite)], [0, 0, 1]])
    count = draw(st.sampled_from([0, 4, 5, 8, 12, 14, -4]))
    dist = draw(hnp.arrays(np.float64, abs(count), elements=_finite))
    size = draw(st.tuples(st.integers(1, 9999), st.integers(1, 9999)))
    vector = draw(hnp.arrays(np.float64, 3, elements=st.floats(-3, 3)))
    return count, size, K, dist, vector, draw(hnp.arrays(np.float64, 3, elements=_finite))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_what_is_saved_is_loaded_bit_by_bit(tmp_path: Path, data: st.DataObject) -> None:
    names = data.draw(
        st.lists(st.sampled_from(["cam01", "left cam", "7", "no", "ä", "1e3", "~"]), min_size=1, unique=True)
    )
    cameras = []
    for name in names:
        count, size, K, dist, vector, t = data.draw(_numbers_of_a_camera())
        lens = Fisheye(K, dist) if count < 0 else Pinhole(K, dist)
        cameras.append(Camera(name, size, lens, rotation_from_vector(vector), t))
    rig = Rig(tuple(cameras))
    rig.save(tmp_path / "cameras.yaml")
    back = Rig.load(tmp_path / "cameras.yaml")
    assert back.names == rig.names
    for a, b in zip(rig, back, strict=True):
        assert (a.size, type(a.lens)) == (b.size, type(b.lens))
        for x, y in ((a.R, b.R), (a.t, b.t), (a.lens.K, b.lens.K), (a.lens.dist, b.lens.dist)):
            assert x.tobytes() == y.tobytes()


def test_order_and_look_up() -> None:
    rig = _rig("b", "a", "c")
    assert rig.names == ("b", "a", "c")
    assert rig["a"] is rig[1]
    assert rig.subset(["c", "b"]).names == ("c", "b")
    assert rig.centers.shape == (3, 3)
    assert len(rig) == 3
    with pytest.raises(KeyError, match="there are b, a, c"):
        rig["d"]


def test_refuses_repeated_names_and_emptiness() -> None:
    with pytest.raises(ValueError, match="repeat: a, a"):
        _rig("a", "a")
    with pytest.raises(ValueError, match="at least one"):
        Rig(())


def test_saving_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    _rig("a").save(tmp_path / "new" / "cameras.yaml")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["cameras.yaml"]


def test_a_failing_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cameras.yaml"
    _rig("old").save(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mv3d.data.camera_entries.os.replace", full)
    with pytest.raises(OSError, match="No space"):
        _rig("new").save(path)
    monkeypatch.undo()
    assert Rig.load(path).names == ("old",)
    assert [p.name for p in tmp_path.iterdir()] == ["cameras.yaml"]


_GOOD = """
cameras:
- name: a
  size: [1280, 720]
  lens: {model: pinhole, K: [[900, 0, 640], [0, 1e3, 360], [0, 0, 1]], dist: []}
  R: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
  t: [0, 0, 1]
"""


def test_a_file_written_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text(_GOOD)
    rig = Rig.load(path)
    assert rig["a"].lens.K[1, 1] == 1000  # 1e3 is a text to YAML


_BOMB = "x0: &x0 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]\n" + "".join(
    f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 10)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no list named 'cameras'"),
        ("just words", "no list named"),
        ("cameras: 3", "no list named"),
        ("cameras: []", "at least one camera"),
        ("cameras: [1]", "not a mapping"),
        ("cameras: [{}]", "lacks name, size, lens, R, t"),
        ("format_version: 2\n" + _GOOD, "format_version is 2"),
        ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        (_GOOD.replace("name: a", "name: !!python/name:os.system"), "could not determine a constructor"),
        (_GOOD.replace("name: a", "name: ../../etc/x"), "cannot be a file name"),
        (_GOOD.replace("name: a", "name: [a]"), "name must be a text"),
        (_GOOD.replace("name: a", "name: null"), "name must be a text"),
        (_GOOD.replace("name: a", f"name: {'9' * 200}"), "cannot be a file name"),
        (_GOOD.replace("name: a", f"name: {'9' * 6000}"), "cameras.yaml: "),
        (_GOOD.replace("name: a", "name: 2024-99-99"), "month"),
        (_GOOD.replace("[1280, 720]", "[1280]"), "size must be"),
        (_GOOD.replace("[1280, 720]", "[true, true]"), "size must be"),
        (_GOOD.replace("[1280, 720]", "[1280, 720000000]"), "image size"),
        (_GOOD.replace("[1280, 720]", "{w: 1}"), "size must be"),
        (_GOOD.replace("pinhole", "plenoptic"), "'plenoptic' is unknown; there are pinhole, fisheye"),
        (_GOOD.replace("pinhole", "[pinhole]"), "a list is unknown"),
        (_GOOD.replace("pinhole", "fisheye"), "4 distortion coefficients"),
        (_GOOD.replace("dist: []", "dist: [1, 2]"), "distortion coefficients"),
        (_GOOD.replace("dist: []", "dist: {}"), "dist of camera a is not a list"),
        (_GOOD.replace("dist: []", "dist: [a, b, c, d]"), "could not convert"),
        (_GOOD.replace("dist: []", f"dist: [{'0, ' * 5000}]"), "dist of camera a is not a list"),
        (_GOOD.replace("K:", "k:"), "lens needs model, K and dist"),
        (_GOOD.replace("900, 0", "-900, 0"), "focal lengths"),
        (_GOOD.replace("900, 0", f"{'9' * 400}, 0"), "too large"),
        (_GOOD.replace("R: [[1,", "R: [[2,"), "R of camera a is not a rotation"),
        (_GOOD.replace("R: [[1,", "R: [[.nan,"), "not finite"),
        (_GOOD.replace("R: [[1, 0, 0],", "R: [[1, 0],"), "inhomogeneous"),
        (_GOOD.replace("t: [0", "t: [.inf"), "not finite"),
        (_GOOD.replace("t: [0", "t: [null"), "not a number"),
        (_GOOD.replace("t: [0, 0, 1]", "t: [0, 0]"), "shape"),
        (_GOOD + _GOOD.split("cameras:\n")[1], "camera names repeat: a, a"),
        ("[" * 20_000, "cameras.yaml: "),
        ("a: &a [*a]", "no list named"),
        (_BOMB + _GOOD.replace("[0, 0, 1]\n", "*x11\n"), "not a list of numbers|not a number"),
        (_BOMB + _GOOD.replace("pinhole", "*x11"), "a list is unknown"),
        (_BOMB + "format_version: *x11\n" + _GOOD, "format_version is a list"),
        (_BOMB + "cameras: [{name: *x11}]", "camera a list lacks"),
        ("cameras: [\x00]", "cameras.yaml: "),
    ],
)
def test_hostile_and_broken_files_give_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text(text)
    with pytest.raises(CalibrationError, match=message) as caught:
        Rig.load(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert "\n" not in said
    assert len(said) < 500 + len(str(path))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"cameras: " + b"x" * 6_000_000], ids=["not UTF-8", "huge"])
def test_files_that_are_no_text_or_too_large(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_bytes(content)
    with pytest.raises(CalibrationError, match=r"utf-8|too large"):
        Rig.load(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="No such file"):
        Rig.load(tmp_path / "none.yaml")
    with pytest.raises(CalibrationError, match="cannot read"):
        Rig.load(tmp_path)


def test_the_file_says_its_convention(tmp_path: Path) -> None:
    _rig("a").save(tmp_path / "cameras.yaml")
    document = yaml.safe_load((tmp_path / "cameras.yaml").read_text())
    assert document["format_version"] == 1
    assert "x_cam = R @ x_world + t" in document["convention"]
