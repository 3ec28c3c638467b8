"""The pages under docs/ name what there is."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mv3d.data.poses import Poses2D, Poses3D
from mv3d.export.registry import EXPORT_FORMATS
from mv3d.files.rigs import READ_FORMATS

_PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(f"docs/{page.name}" for page in sorted((Path(__file__).resolve().parent.parent / "docs").glob("*.md"))),
)


@pytest.mark.parametrize("page", _PAGES)
def test_links_lead_somewhere(repository: Path, page: str) -> None:
    path = repository / page
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [t for t in targets if "://" not in t and not (path.parent / t).exists()] == []


def test_the_site_has_every_page(repository: Path) -> None:
    text = (repository / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in (repository / "docs").glob("*.md") if f": {page.name}\n" not in text] == []


def test_what_other_programs_users_type_exists(repository: Path) -> None:
    """Commands and options in the guide pages are those of the help."""
    shown: dict[str, str] = {}
    for page in ("guide-reconstruct", "guide-export", "coming-from", "troubleshooting"):
        for line in re.findall(r"mv3d [a-z][^`\n|]*", (repository / f"docs/{page}.md").read_text(encoding="utf-8")):
            words = line.split()
            deep = 3 if words[1] in ("rig", "models", "session", "eval") else 2
            command = " ".join(words[1:deep])
            if command not in shown:
                asked = [sys.executable, "-m", "mv3d.cli", *words[1:deep], "--help"]
                shown[command] = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
            for option in (word.rstrip(",;.") for word in words[deep:] if word.startswith("--")):
                assert re.search(rf"{re.escape(option)}\b", shown[command]), f"{page}: {option} of mv3d {command}"


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
