import io
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import COCO_18, MPI_15
from mv3d.errors import FormatError

_Kind = type[Poses2D] | type[Poses3D]


def _poses2d(frames: int = 3, people: int = 2, seed: int = 0) -> Poses2D:
    rng = np.random.default_rng(seed)
    shape = (frames, people, len(COCO_18))
    return Poses2D(COCO_18, rng.uniform(0, 1000, (*shape, 2)), rng.uniform(0.1, 1, shape), np.arange(frames) / 30)


def _fields3d(frames: int = 3, joints: int = 18) -> dict[str, Any]:
    shape = (frames, 1, joints)
    return {
        "skeleton": COCO_18,
        "xyz": np.random.default_rng(0).normal(size=(*shape, 3)),
        "score": np.full(shape, 0.5),
        "reprojection_error": np.full(shape, 2.0),
        "n_views": np.full(shape, 4),
        "covariance": np.tile(np.eye(3) * 1e-4, (*shape, 1, 1)),
        "state": np.full(shape, 1),
        "xyz_per_frame": np.random.default_rng(1).normal(size=(*shape, 3)),
        "timestamps": np.arange(frames) / 60,
        "cameras": ("cam01", "cam02"),
    }


def _made(kind: _Kind) -> Poses2D | Poses3D:
    return _poses2d() if kind is Poses2D else Poses3D(**_fields3d())


def _arrays(kind: _Kind) -> tuple[str, ...]:
    if kind is Poses2D:
        return ("xy", "score", "timestamps")
    return tuple(name for name in Poses3D.__dataclass_fields__ if name not in ("skeleton", "cameras"))


_KINDS = pytest.mark.parametrize("kind", [Poses2D, Poses3D])


@_KINDS
def test_arrays_are_read_only(kind: _Kind) -> None:
    poses = _made(kind)
    for name in _arrays(kind):
        with pytest.raises(ValueError, match="read-only"):
            getattr(poses, name)[...] = 0
    with pytest.raises(AttributeError):
        poses.timestamps = np.zeros(3)  # type: ignore[misc]


@_KINDS
def test_what_is_saved_is_loaded(kind: _Kind, tmp_path: Path) -> None:
    poses = _made(kind)
    poses.save(tmp_path / "new" / "poses.npz")
    back = kind.load(tmp_path / "new" / "poses.npz")
    assert back.skeleton is COCO_18
    for name in _arrays(kind):
        a, b = getattr(poses, name), getattr(back, name)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["poses.npz"]


@_KINDS
def test_files_hold_plain_arrays(kind: _Kind, tmp_path: Path) -> None:
    _made(kind).save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert int(file["format_version"]) == 1
        assert str(file["skeleton"]) == "COCO_18"
        assert tuple(file["keypoints"]) == COCO_18.keypoints
        assert all(file[name].dtype != object for name in file.files)
        assert set(_arrays(kind)) <= set(file.files)


@_KINDS
def test_a_failing_save_keeps_the_old_file(kind: _Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "poses.npz"
    _made(kind).save(path)
    before = path.read_bytes()

    def full(file: io.BufferedWriter, **_: object) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mv3d.data.poses.np.savez_compressed", full)
    with pytest.raises(OSError, match="No space"):
        _made(kind).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["poses.npz"]


@_KINDS
def test_no_frames_and_unknown_skeletons_survive(kind: _Kind, tmp_path: Path) -> None:
    skeleton = Skeleton("mine", tuple(f"j{i}" for i in range(18)), ())
    empty: Poses2D | Poses3D
    if kind is Poses2D:
        empty = Poses2D(skeleton, np.zeros((0, 0, 18, 2)), np.zeros((0, 0, 18)), np.zeros(0))
    else:
        empty = Poses3D(**{**_fields3d(frames=0), "skeleton": skeleton})
    empty.save(tmp_path / "a.npz")
    back = kind.load(tmp_path / "a.npz")
    assert len(back) == 0
    assert (back.skeleton.name, back.skeleton.keypoints) == ("mine", skeleton.keypoints)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_2d_round_trip_and_invariants_with_anything_in_it(tmp_path: Path, data: st.DataObject) -> None:
    frames, people = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 2))
    number = st.floats(width=32, allow_nan=True, allow_infinity=True)
    xy = data.draw(hnp.arrays(np.float32, (frames, people, 15, 2), elements=number))
    score = data.draw(hnp.arrays(np.float32, (frames, people, 15), elements=number))
    poses = Poses2D(MPI_15, xy, score, np.arange(frames) * 0.1)
    missing = np.isnan(poses.xy).any(-1)
    np.testing.assert_array_equal(np.isnan(poses.xy).all(-1), missing)
    np.testing.assert_array_equal(poses.score == 0, missing)
    assert np.isfinite(poses.xy[~missing]).all()
    assert np.isfinite(poses.score).all()
    np.testing.assert_array_equal(poses.xy[~missing], xy[~missing])
    poses.save(tmp_path / "a.npz")
    back = Poses2D.load(tmp_path / "a.npz")
    assert poses.xy.tobytes() == back.xy.tobytes()
    assert poses.score.tobytes() == back.score.tobytes()


def test_2d_copies_what_it_is_given() -> None:
    xy, score = np.ones((1, 1, 18, 2), np.float32), np.zeros((1, 1, 18), np.float32)
    poses = Poses2D(COCO_18, xy, score, np.zeros(1))
    assert np.isnan(poses.xy).all()
    assert (xy == 1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"xy": np.zeros((2, 1, 17, 2))}, "xy has shape"),
        ({"xy": np.zeros((2, 18, 2))}, "xy has shape"),
        ({"xy": np.zeros((2, 1, 18, 3))}, "xy has shape"),
        ({"score": np.zeros((2, 1, 17))}, "score has shape"),
        ({"timestamps": np.zeros(2)}, "must increase"),
        ({"timestamps": np.array([0.1, 0.0])}, "must increase"),
        ({"timestamps": np.array([0, np.nan])}, "not finite"),
        ({"timestamps": np.arange(3.0)}, "timestamps has shape"),
        ({"peaks_xy": np.zeros((2, 18, 3, 2))}, "belong together"),
        ({"peaks_xy": np.zeros((2, 18, 3, 2)), "peaks_score": np.zeros((2, 18, 2))}, "peaks_xy has shape"),
        ({"peaks_xy": np.zeros((2, 18, 3, 2)), "peaks_score": np.zeros((1, 18, 3))}, "peaks_score has shape"),
    ],
)
def test_2d_refuses(change: dict[str, np.ndarray], message: str) -> None:
    fields = {"xy": np.zeros((2, 1, 18, 2)), "score": np.ones((2, 1, 18)), "timestamps": np.arange(2.0)}
    with pytest.raises(ValueError, match=message):
        Poses2D(COCO_18, **{**fields, **change})


def test_2d_peaks_are_kept(tmp_path: Path) -> None:
    peaks_xy, peaks_score = np.full((1, 18, 2, 2), np.nan), np.zeros((1, 18, 2))
    peaks_xy[0, 3, 0], peaks_score[0, 3, 0] = (10, 20), 0.4
    poses = Poses2D(COCO_18, np.zeros((1, 0, 18, 2)), np.zeros((1, 0, 18)), np.zeros(1), peaks_xy, peaks_score)
    poses.save(tmp_path / "a.npz")
    back = Poses2D.load(tmp_path / "a.npz")
    np.testing.assert_array_equal(back.peaks_xy, peaks_xy.astype(np.float32))
    np.testing.assert_array_equal(back.peaks_score, peaks_score.astype(np.float32))


def test_3d_fills_in_what_was_not_said() -> None:
    poses = Poses3D(**_fields3d())
    np.testing.assert_array_equal(poses.person_id, [0])
    np.testing.assert_array_equal(poses.time_offsets, [0, 0])
    assert poses.fps == pytest.approx(60)
    assert Poses3D(**_fields3d(frames=1)).fps == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"xyz": np.zeros((3, 1, 17, 3))}, "xyz has shape"),
        ({"score": np.full((3, 1, 18), np.nan)}, "not finite"),
        ({"score": np.zeros((3, 2, 18))}, "score has shape"),
        ({"covariance": np.zeros((3, 1, 18, 3))}, "covariance has shape"),
        ({"xyz_per_frame": np.zeros((3, 1, 18))}, "xyz_per_frame has shape"),
        ({"state": np.zeros((3, 1, 18))}, "finite exactly where state"),
        ({"xyz": np.full((3, 1, 18, 3), np.nan)}, "finite exactly where state"),
        ({"state": np.full((3, 1, 18), 3)}, "other than 0, 1 and 2"),
        ({"timestamps": np.zeros(3)}, "must increase"),
        ({"person_id": np.arange(2)}, "person_id has shape"),
        ({"time_offsets": np.zeros(3)}, "time_offsets has shape"),
    ],
)
def test_3d_refuses(change: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Poses3D(**{**_fields3d(), **change})


def _npz(path: Path, **changes: object) -> None:
    """A good Poses2D file with some arrays replaced, or left out where None."""
    fields: dict[str, object] = {
        "format_version": np.int64(1),
        "skeleton": np.array("COCO_18"),
        "keypoints": np.array(COCO_18.keypoints),
        "xy": np.zeros((2, 1, 18, 2), np.float32),
        "score": np.ones((2, 1, 18), np.float32),
        "timestamps": np.arange(2.0),
    }
    arrays = {k: v for k, v in {**fields, **changes}.items() if v is not None}
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def _truncated(path: Path) -> None:
    _npz(path)
    path.write_bytes(path.read_bytes()[:700])


def _damaged(path: Path) -> None:
    """A member's compressed bytes are wrong, while the archive's directory is whole."""
    _npz(path, xy=np.random.default_rng(0).normal(size=(2, 1, 18, 2)))
    content = bytearray(path.read_bytes())
    at = content.index(b"xy.npy") + 60
    content[at : at + 40] = bytes(40)
    path.write_bytes(content)


def _lying(path: Path) -> None:
    """The header of an array promises far more than the file holds."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**58, 1, 18, 2)})
    _npz(path, xy=None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xy.npy", header.getvalue() + bytes(64))


def _single_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda p: None, "No such file"),
        (lambda p: p.mkdir(), "directory"),
        (lambda p: p.write_bytes(b""), "not a zip"),
        (lambda p: p.write_text("hello"), "not a zip"),
        (_single_array, "not a zip"),
        (lambda p: p.write_bytes(pickle.dumps([1])), "not a zip"),
        (_truncated, "not a zip|truncated|cannot read"),
        (_damaged, "cannot read"),
        (_lying, "cannot read"),
        (lambda p: _npz(p, xy=None), "lacks xy"),
        (lambda p: _npz(p, format_version=None), "lacks format_version"),
        (lambda p: _npz(p, format_version=np.int64(2)), "format_version 2, this program reads 1"),
        (lambda p: _npz(p, format_version=np.array([1, 1])), "cannot read"),
        (lambda p: _npz(p, format_version=np.array("one")), "cannot read"),
        (lambda p: _npz(p, keypoints=np.array("Nose")), "cannot read"),
        (lambda p: _npz(p, keypoints=np.array(["Nose"] * 18)), "names repeat"),
        (lambda p: _npz(p, keypoints=np.array(["a", "b"])), "xy has shape"),
        (lambda p: _npz(p, xy=np.array([{}, {}], dtype=object)), "allow_pickle"),
        (lambda p: _npz(p, xy=np.array(["a", "b"])), "could not convert|has shape"),
        (lambda p: _npz(p, xy=np.zeros((2, 1, 18, 2), [("a", "f4"), ("b", "f4")])), "a.npz: "),
        (lambda p: _npz(p, timestamps=np.zeros(2)), "must increase"),
        (lambda p: _npz(p, score=np.zeros((2, 1))), "score has shape"),
    ],
)
def test_2d_files_that_are_wrong_give_one_line(tmp_path: Path, write: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "a.npz"
    write(path)
    with pytest.raises(FormatError, match=message) as caught:
        Poses2D.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"cameras": np.array("cam")},
        {"state": np.array(["a"])},
        {"xyz": np.zeros((1, 1, 18, 3))},
        {"timestamps": np.array(0.0)},
    ],
)
def test_3d_files_that_are_wrong_give_one_line(tmp_path: Path, change: dict[str, np.ndarray]) -> None:
    path = tmp_path / "a.npz"
    Poses3D(**_fields3d()).save(path)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, **change})  # type: ignore[arg-type]
    with pytest.raises(FormatError, match=r"a\.npz: ") as caught:
        Poses3D.load(path)
    assert "\n" not in str(caught.value)


def test_a_2d_file_is_no_3d_file(tmp_path: Path) -> None:
    _poses2d().save(tmp_path / "a.npz")
    with pytest.raises(FormatError, match="lacks xyz"):
        Poses3D.load(tmp_path / "a.npz")


def test_files_that_unpack_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _poses2d().save(tmp_path / "a.npz")
    monkeypatch.setattr("mv3d.data.npz._LARGEST_CONTENT", 1000)
    with pytest.raises(FormatError, match="unpacks to more"):
        Poses2D.load(tmp_path / "a.npz")


@_KINDS
def test_a_skeleton_of_ones_own_keeps_its_bones(kind: _Kind, tmp_path: Path) -> None:
    names = tuple(f"j{i}" for i in range(18))
    own = Skeleton("dog", names, ((0, 1), (1, 2)), groups=(("head", (0, 1)),), mirror_pairs=((3, 4),))
    poses = _made(kind)
    replace(poses, skeleton=own).save(tmp_path / "a.npz")
    back = kind.load(tmp_path / "a.npz").skeleton
    assert (back.keypoints, back.bones, back.groups) == (own.keypoints, own.bones, own.groups)
    np.testing.assert_array_equal(back.mirror, own.mirror)
    # What an older program reads is there as before.
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert int(file["format_version"]) == 1
        assert tuple(file["keypoints"]) == names
    poses.save(tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz", allow_pickle=False) as file:
        assert not {"bones", "mirror", "groups"} & set(file.files)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bones", np.array([[0, 18]])),
        ("bones", np.array([0, 1])),
        ("bones", np.array([["a", "b"]])),
        ("mirror", np.zeros(18, int)),
        ("mirror", np.full(18, 99)),
        ("mirror", np.full(18, np.nan)),
        ("mirror", np.int64(3)),
        ("groups", np.array(["a"])),
    ],
)
def test_a_skeleton_that_contradicts_itself(name: str, value: np.ndarray, tmp_path: Path) -> None:
    own = Skeleton("dog", tuple(f"j{i}" for i in range(18)), ((0, 1),))
    replace(_poses2d(), skeleton=own).save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        arrays = dict(file)
    np.savez(tmp_path / "a.npz", **{**arrays, name: value})
    with pytest.raises(FormatError, match=r"a\.npz"):
        Poses2D.load(tmp_path / "a.npz")
