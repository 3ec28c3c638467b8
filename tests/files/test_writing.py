"""Files that appear whole or not at all; folders that cannot take them."""

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from mv3d.errors import SessionError
from mv3d.files.writing import check_output_folder, whole_file, write_text


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_text(path, "one\n")
    write_text(path, "two\n")
    assert path.read_bytes() == b"two\n"
    with pytest.raises(RuntimeError):
        _write_half(path)
    assert path.read_text() == "two\n"
    assert os.listdir(path.parent) == ["a.txt"]


def _write_half(path):
    with whole_file(path) as part:
        part.write_text("half")
        raise RuntimeError


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_said_so(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "a.txt.part").symlink_to("/dev/full")
    with pytest.raises(SessionError, match=r"a\.txt: cannot be written, the disk is full"):
        write_text(tmp_path / "a.txt", "x" * 100_000)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_output_folder_is_made_and_left_clean(tmp_path):
    check_output_folder(tmp_path / "a" / "b")
    assert os.listdir(tmp_path / "a" / "b") == []


def test_output_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(SessionError, match="cannot take results") as caught:
            check_output_folder(path)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_output_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SessionError, match="no permission"):
        check_output_folder(tmp_path)


def test_read_only_disk_and_full_disk(tmp_path, monkeypatch):
    """The same for every user: the system's answers are played."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 99, 1_000_000))
    with pytest.raises(SessionError, match="1 MB free"):
        check_output_folder(tmp_path)

    def refuse(self, data):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(SessionError, match="read-only"):
        check_output_folder(tmp_path)
