"""The pages under docs/ name what there is."""

import dataclasses
import re
from pathlib import Path

import pytest

from mv3d.data.poses import Poses2D, Poses3D
from mv3d.export.registry import EXPORT_FORMATS
from mv3d.files.rigs import READ_FORMATS

_PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/architecture.md",
    "docs/conventions.md",
    "docs/formats.md",
)


@pytest.mark.parametrize("page", _PAGES)
def test_links_lead_somewhere(repository: Path, page: str) -> None:
    path = repository / page
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [t for t in targets if "://" not in t and not (path.parent / t).exists()] == []


def test_formats_lists_every_array_and_export(repository: Path) -> None:
    text = (repository / "docs/formats.md").read_text(encoding="utf-8")
    fields = {f.name for kind in (Poses2D, Poses3D) for f in dataclasses.fields(kind)}
    assert [name for name in sorted(fields | set(EXPORT_FORMATS)) if f"`{name}`" not in text] == []
    assert [f for f in READ_FORMATS if f"| `{f}`" not in text] == []


def test_architecture_lists_every_room(repository: Path) -> None:
    text = (repository / "docs/architecture.md").read_text(encoding="utf-8")
    entries = [p for p in (repository / "mv3d").iterdir() if p.name != "__init__.py"]
    rooms = [p.name for p in entries if p.suffix == ".py" or (p / "__init__.py").exists()]
    assert [room for room in rooms if f"`{room}`" not in text] == []
