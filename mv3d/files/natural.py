"""The order in which a person would list names: cam2 before cam10."""

import re
from pathlib import Path


def natural_key(name: str | Path) -> list[tuple[int, int, str]]:
    """Sort key of a file name: runs of digits compare as numbers, letters without regard to case."""
    text = name.name if isinstance(name, Path) else name
    return [
        (0, int(part), part) if part.isdecimal() else (1, 0, part.casefold())
        for part in re.split(r"(\d+)", text)
        if part
    ]
