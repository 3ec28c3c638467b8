"""Where cameras are: NAME=SOURCE of the command line, and addresses without their passwords."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from mv3d.data.camera import is_file_stem
from mv3d.errors import ConfigError

_SECRET = re.compile(r"([?&;][^=&;]*(?:pass|pwd|token|key|secret|auth)[^=&;]*=)[^&;#]*", re.IGNORECASE)
_LOGIN = re.compile(r"^(?P<user>[^:@/?#]*):(?P<password>.*)@")
HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class CameraAddress:
    """A camera to record.

    Attributes:
        name: names its files.
        source: number or path of a device, URL, file, folder, or PLUGIN:ADDRESS; may hold a password.
    """

    name: str
    source: str

    @property
    def shown(self) -> str:
        """The source as it may be printed and stored."""
        return without_password(self.source)


def without_password(source: str) -> str:
    """An address with the password, and what else looks like a secret in its query, hidden."""
    head, at, rest = source.partition("://")
    if not at:
        return _SECRET.sub(rf"\g<1>{HIDDEN}", source)
    # Up to the last @: a password may hold an @ or a / that nobody escaped, and hiding too much does no harm.
    rest = _LOGIN.sub(rf"\g<user>:{HIDDEN}@", rest)
    return _SECRET.sub(rf"\g<1>{HIDDEN}", f"{head}://{rest}")


def credentials(url: str) -> tuple[str, str, str]:
    """The URL without user and password, the user, the password; empty where there are none."""
    scheme, _, rest = url.partition("://")
    login = _LOGIN.match(rest)
    if login is None:
        return url, "", ""
    return f"{scheme}://{rest[login.end() :]}", unquote(login["user"]), unquote(login["password"])


def parse_cameras(texts: Sequence[str]) -> tuple[CameraAddress, ...]:
    """Cameras of NAME=SOURCE texts.

    Raises:
        ConfigError: none, one that is no NAME=SOURCE, a name that no file can have, or the same name or source twice.
    """
    if not texts:
        raise ConfigError("no cameras; give each with --camera NAME=SOURCE, e.g. --camera front=0 (see `mv3d cameras`)")
    cameras = tuple(_camera(text) for text in texts)
    for what, values in (("name", [c.name.casefold() for c in cameras]), ("source", [c.source for c in cameras])):
        twice = next((i for i, value in enumerate(values) if value in values[:i]), None)
        if twice is not None:
            first, second = cameras[values.index(values[twice])], cameras[twice]
            raise ConfigError(
                f"--camera {first.name}={first.shown} and {second.name}={second.shown} have the same {what};"
                " give every camera its own"
            )
    return cameras


def _camera(text: str) -> CameraAddress:
    name, separator, source = text.partition("=")
    if not (name and separator and source) or "://" in name:
        raise ConfigError(
            f"--camera {without_password(text)}: NAME=SOURCE is wanted, e.g. front=0 or left=rtsp://host/path"
        )
    if not is_file_stem(name):
        raise ConfigError(
            f"--camera {name}={without_password(source)}: no file can be called {name}; take another name"
        )
    return CameraAddress(name, source)
