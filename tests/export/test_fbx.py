"""FBX without Blender: what is said when it is not there, fails or hangs. With Blender: tests/consumers."""

import stat
from pathlib import Path

import pytest

from mv3d.errors import FormatError
from mv3d.export import fbx
from mv3d.export.fbx import write_fbx


def stand_in(folder: Path, body: str) -> None:
    """A program called blender that runs some lines of shell."""
    path = folder / "blender"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)


@pytest.fixture
def programs(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_no_blender(tmp_path, programs, dance, monkeypatch):
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(FormatError, match="no `blender` is on the PATH; install it, or export glb"):
        write_fbx(dance, tmp_path / "a.fbx")
    assert not (tmp_path / "a.fbx").exists()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("echo out of memory >&2; exit 3", r"exit 3.*out of memory"),
        ("exit 0", "ended without writing"),
        ("exec sleep 20", "did not finish the FBX file within 1 s"),
    ],
)
def test_a_blender_that_does_not_deliver(tmp_path, programs, dance, monkeypatch, body, message):
    monkeypatch.setattr(fbx, "_START_SECONDS", 0.5)
    stand_in(programs, body)
    with pytest.raises(FormatError, match=message):
        write_fbx(dance, tmp_path / "a.fbx")
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_what_blender_is_asked(tmp_path, programs, dance):
    """It gets the script, a GLB file, the rate and the number of frames, and its file is taken whole."""
    stand_in(programs, 'while [ "$1" != -- ]; do shift; done; head -c 4 "$2" > "$3"; echo " $4 $5" >> "$3"')
    write_fbx(dance, tmp_path / "a.fbx")
    assert (tmp_path / "a.fbx").read_text() == "glTF 50.000000 12\n"
