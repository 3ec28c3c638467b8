"""Names and addresses of cameras, and what of them may be seen."""

import pytest

from mv3d.capture.addresses import credentials, parse_cameras, without_password
from mv3d.capture.frames import SourceSettings
from mv3d.capture.sources import open_source, parse_size, with_own_settings
from mv3d.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("0", "0"),
        ("/dev/video2", "/dev/video2"),
        ("rtsp://cam.local:554/live", "rtsp://cam.local:554/live"),
        ("rtsp://me@cam.local/live", "rtsp://me@cam.local/live"),
        ("rtsp://me:secret@cam.local:554/live", "rtsp://me:***@cam.local:554/live"),
        ("rtsp://:secret@cam.local/live", "rtsp://:***@cam.local/live"),
        ("http://me:se/cr@et?@cam/live?x=1", "http://me:***@cam/live?x=1"),
        ("http://cam/live?user=me&pwd=secret&n=2", "http://cam/live?user=me&pwd=***&n=2"),
        ("http://cam/live?Access_Token=secret#a", "http://cam/live?Access_Token=***#a"),
        ("maker:12?password=secret", "maker:12?password=***"),
    ],
)
def test_passwords_are_hidden(given: str, shown: str) -> None:
    assert without_password(given) == shown


def test_login_of_an_address() -> None:
    assert credentials("http://me:p%40ss@cam:80/a?b=c") == ("http://cam:80/a?b=c", "me", "p@ss")
    assert credentials("http://me:p@/ss@cam/a") == ("http://cam/a", "me", "p@/ss")
    assert credentials("http://cam/a@b") == ("http://cam/a@b", "", "")


def test_cameras_of_the_command_line() -> None:
    cameras = parse_cameras(["front=0", "left=http://u:p@host/x?a=b"])
    assert [(c.name, c.source) for c in cameras] == [("front", "0"), ("left", "http://u:p@host/x?a=b")]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "no cameras; give each"),
        (["front"], "--camera front: NAME=SOURCE is wanted"),
        (["=0"], "NAME=SOURCE"),
        (["rtsp://u:secret@host/x?a=1"], r"NAME=SOURCE"),
        (["a/b=0"], "no file can be called a/b"),
        (["front=0", "Front=1"], "front=0 and Front=1 have the same name"),
        (["a=http://u:secret@h", "b=http://u:secret@h"], "have the same source"),
    ],
)
def test_cameras_that_cannot_be(given: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        parse_cameras(given)
    assert "secret" not in str(caught.value)


def test_settings_of_one_device() -> None:
    settings = with_own_settings(SourceSettings(fps=30.0), "size=1280x720&exposure=-6&white_balance=4500", "0?")
    assert settings == SourceSettings((1280, 720), 30.0, exposure=-6.0, white_balance=4500.0)


@pytest.mark.parametrize("query", ["size=big", "size=0x10", "exposure=dark", "gamma=2"])
def test_settings_that_do_not_exist(query: str) -> None:
    with pytest.raises(ConfigError, match=r"^0\?"):
        with_own_settings(SourceSettings(), query, f"0?{query}")


def test_sources_that_do_not_exist() -> None:
    for source in ("nowhere.mp4", "maker:1", "C:\\camera"):
        with pytest.raises(ConfigError, match="no such file or folder, and no camera number"):
            open_source(source, SourceSettings())
    for source in ("0?password=geheim", "maker:1?token=geheim"):
        with pytest.raises(ConfigError) as caught:
            open_source(source, SourceSettings())
        assert "geheim" not in str(caught.value)
    with pytest.raises(ValueError, match="WIDTHxHEIGHT"):
        parse_size("1280*720")
