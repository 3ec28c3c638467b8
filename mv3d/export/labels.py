"""Names of joints, people and files as other programs can read them."""

import re
from collections.abc import Sequence
from pathlib import Path

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_NOT_IDENTIFIER = re.compile(r"[^A-Za-z0-9_]+")


def plain_name(name: str) -> str:
    """The name without control characters, which would end a cell or a line; spaces and all letters stay."""
    return _CONTROL.sub(" ", name).strip() or "joint"


def identifiers(names: Sequence[str]) -> list[str]:
    """ASCII letters, digits and underscores in place of the names, none twice and none beginning with a digit."""
    found: list[str] = []
    for name in names:
        plain = _NOT_IDENTIFIER.sub("_", name).strip("_") or "joint"
        plain = f"_{plain}" if plain[0].isdigit() else plain
        known, number = plain, 1
        while plain in found:
            number += 1
            plain = f"{known}_{number}"
        found.append(plain)
    return found


def person_path(path: Path, person: int) -> Path:
    """The file of one person where a format holds one only: `walk.trc`, then `walk_person1.trc` and so on."""
    return path if person == 0 else path.with_name(f"{path.stem}_person{person}{path.suffix}")
