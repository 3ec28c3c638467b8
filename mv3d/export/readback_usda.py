"""A reader of what a UsdSkel animation needs, by the text of usda; in the tests USD's own library reads the same."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mv3d.errors import FormatError
from mv3d.export.readback_motion import MotionRead

_TOKENS = re.compile(r'"((?:[^"\\]|\\.)*)"')
_NUMBERS = re.compile(r"[-+0-9.e]+")
_BLANK = str.maketrans("()[],", "     ")


def read_usda_motions(path: Path) -> list[MotionRead]:
    """The animation of every skeleton, in the order of the file.

    Raises:
        FormatError: not such a file.
    """
    with path.open(encoding="utf-8") as file:
        if not file.readline().startswith("#usda 1.0"):
            raise FormatError(f"{path}: not a usda file; export it again")
        lines, rate, found = iter(file), 1.0, []
        for line in lines:
            word = line.strip()
            if word.startswith("timeCodesPerSecond"):
                rate = float(word.split("=")[1])
            elif word.startswith('def Skeleton "'):
                found.append(_skeleton(lines, rate))
    return found


def _skeleton(lines: Iterator[str], rate: float) -> MotionRead:
    names, paths, offsets, samples = (), (), np.zeros((0, 3)), {}
    for line in lines:
        word = line.strip()
        if word.startswith("uniform token[] jointNames"):
            names = tuple(json.loads(f'"{token}"') for token in _TOKENS.findall(word))
        elif word.startswith("uniform token[] joints"):
            paths = tuple(_TOKENS.findall(word))
        elif word.startswith("uniform matrix4d[] restTransforms"):
            offsets = np.array(_NUMBERS.findall(word.split("=")[1]), float).reshape(-1, 4, 4)[:, 3, :3]
        elif word.endswith(".timeSamples = {"):
            samples[word.split()[1].split(".")[0]] = _samples(lines)
        if len(samples) == 2:
            break
    parents = tuple(paths.index(path.rpartition("/")[0]) if "/" in path else -1 for path in paths)
    codes, turns = samples["rotations"]
    _, places = samples["translations"]
    quaternions = np.roll(turns.reshape(len(codes), -1, 4), -1, axis=-1)
    return MotionRead(names, parents, offsets, quaternions, places.reshape(len(codes), -1, 3)[:, 0], codes / rate)


def _samples(lines: Iterator[str]) -> tuple[np.ndarray, np.ndarray]:
    """Time codes, and the numbers of each in a row."""
    codes, rows = [], []
    for line in lines:
        if line.strip() == "}":
            break
        code, _, values = line.partition(":")
        codes.append(float(code))
        rows.append(np.fromstring(values.translate(_BLANK), np.float32, sep=" "))
    return np.array(codes), np.array(rows)
