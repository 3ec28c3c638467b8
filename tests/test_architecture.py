"""Who may import whom, and how long things may be; the rules of docs/architecture.md, read from the syntax trees."""

import ast
from pathlib import Path, PurePosixPath

import pytest

# From the ground up: a room imports rooms of lower floors and itself, never one of its own floor or above.
_FLOORS = (
    ("errors",),
    ("geometry",),
    ("data",),
    ("files",),
    ("capture", "pose2d", "reconstruct", "motion", "viz", "synthetic", "calib"),
    ("export",),
    ("guidance",),
    ("config",),
    ("pipeline", "live"),
    ("cli",),
)
_FLOOR_OF = {room: floor for floor, rooms in enumerate(_FLOORS) for room in rooms}
# Modules that belong to the room of another name.
_ROOM_OF_MODULE = {
    **dict.fromkeys(
        # One a line, in order: branches that add one each then merge by themselves.
        (
            "api",
            "blurring",
            "board_watch",
            "calibration",
            "calibration_check",
            "detection",
            "image_outputs",
            "keypoint_pictures",
            "outputs",
            "person_check",
            "pictures",
            "result",
            "rig_alignment",
            "rig_comparison",
            "rig_placing",
            "rig_plan",
            "scene_markers",
            "studio",
            "studio_truth",
            "summary",
            "viewing",
        ),
        "pipeline",
    ),
    "people_guidance": "guidance",
    "close_looks": "guidance",
    **dict.fromkeys(
        (
            "commands",
            "demo",
            "demo_calibration",
            "demonstration",
            "studio_demo",
        ),
        "cli",
    ),
}
_ONLY_IN = {"torch": {"pose2d"}, "open3d": {"viz", "synthetic"}, "av": {"files", "capture"}}
_KNOW_CALIB = {"calib", "pipeline", "cli"}
_EXCEPTIONS = {(f"calib/{module}.py", "viz") for module in ("judgement", "lens_report", "report")}
_MAY_PRINT = "mv3d/cli"
_VAGUE_NAMES = {"utils", "util", "common", "helpers", "helper", "misc"}
_MODULE_LINES, _FUNCTION_LINES, _SCRIPT_LINES = 300, 80, 60


def _room(dotted: str) -> str | None:
    """Room of a dotted module name; None for what is not ours and for the bare package (its version only)."""
    parts = dotted.split(".")
    if parts[0] == "calib":
        return "calib"
    if parts[0] == "mv3d" and len(parts) > 1 and not parts[1].startswith("__"):
        return _ROOM_OF_MODULE.get(parts[1], parts[1])
    return None


def _imported(tree: ast.AST, package: list[str]) -> list[tuple[int, str]]:
    """(line, dotted name) of every import at any depth, also `import_module("...")`; "from a import b" gives a.b."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            found += [(node.lineno, f"{stem}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
                found.append((node.lineno, node.args[0].value))
    return found


def _import_violation(path: PurePosixPath, room: str | None, target: str) -> str | None:
    top, wanted = target.split(".")[0], _room(target)
    if top in _ONLY_IN and room not in _ONLY_IN[top]:
        return f"{top} is imported only in {', '.join(sorted(_ONLY_IN[top]))}"
    if wanted is None or wanted == room or (str(path), wanted) in _EXCEPTIONS:
        return None
    if wanted not in _FLOOR_OF:
        return f"room {wanted} is not in docs/architecture.md"
    if wanted == "calib" and room not in _KNOW_CALIB:
        return f"{room} must not know calib"
    if room is None or _FLOOR_OF[wanted] >= _FLOOR_OF.get(room, -1):
        return f"{room} must not import {wanted}, which is not below it"
    return None


def _length_violations(source: str, tree: ast.AST) -> list[str]:
    lines = len(source.splitlines())
    found = [f"{lines} lines, at most {_MODULE_LINES}"] if lines > _MODULE_LINES else []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > _FUNCTION_LINES:
                found.append(f"{node.lineno}: {node.name} has {length} lines, at most {_FUNCTION_LINES}")
    return found


def violations(path: str, source: str) -> list[str]:
    """What a module at `path` (relative to the repository, with slashes) does against the rules."""
    where, tree = PurePosixPath(path), ast.parse(source)
    parts = list(where.with_suffix("").parts)
    package, module = parts[:-1], [p for p in parts if p != "__init__"]
    room = _room(".".join(module))
    found = [f"{part} says nothing about its content" for part in parts if part in _VAGUE_NAMES]
    imports = [(line, _import_violation(where, room, target)) for line, target in _imported(tree, package)]
    found += dict.fromkeys(f"{line}: {problem}" for line, problem in imports if problem)
    if not (path.startswith(_MAY_PRINT) and room == "cli"):
        called = (n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name))
        found += [f"{node.lineno}: print only in cli" for node in called if node.func.id == "print"]
    return [f"{path}:{problem}" for problem in found + _length_violations(source, tree)]


def _sources(repository: Path, *folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (repository / folder).rglob("*.py"))


def test_packages_keep_the_rules(repository: Path) -> None:
    found = [
        problem
        for path in _sources(repository, "mv3d", "calib")
        for problem in violations(path.relative_to(repository).as_posix(), path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_every_room_has_a_floor(repository: Path) -> None:
    entries = (repository / "mv3d").iterdir()
    modules = {p.stem for p in entries if p.suffix == ".py" or (p / "__init__.py").exists()} - {"__init__"}
    rooms = {_ROOM_OF_MODULE.get(name, name) for name in modules}
    assert rooms <= set(_FLOOR_OF), f"no floor for {rooms - set(_FLOOR_OF)}; see docs/architecture.md"


def test_scripts_are_thin(repository: Path) -> None:
    scripts = [p for p in _sources(repository, "scripts") if not p.name.startswith("bench_")]
    lengths = {p.name: len(p.read_text(encoding="utf-8").splitlines()) for p in scripts}
    assert not {name: n for name, n in lengths.items() if n > _SCRIPT_LINES}


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("mv3d/geometry/a.py", "from mv3d.data.rig import Rig"),
        ("mv3d/geometry/a.py", "from mv3d import data"),
        ("mv3d/data/a.py", "import mv3d.files.video"),
        ("mv3d/pose2d/a.py", "from mv3d.reconstruct import x"),
        ("mv3d/pose2d/networks/a.py", "from ...viz import x"),
        ("mv3d/reconstruct/a.py", "def f():\n    import mv3d.viz.scene"),
        ("mv3d/viz/a.py", "from mv3d.pipeline import run"),
        ("mv3d/viz/a.py", "import importlib\nimportlib.import_module('mv3d.export.trc')"),
        ("mv3d/export/a.py", "from mv3d.config import Config"),
        ("mv3d/pose2d/a.py", "from mv3d.guidance import Guide"),
        ("mv3d/guidance.py", "from mv3d.config import Config, load_config"),
        ("mv3d/pipeline.py", "from mv3d.cli import main"),
        ("mv3d/pipeline.py", "from mv3d.demo import fetch_demo"),
        ("mv3d/reconstruct/a.py", "import calib"),
        ("mv3d/export/a.py", "from calib.boards import Board"),
        ("mv3d/config.py", "import calib.boards"),
        ("calib/boards.py", "from mv3d.viz import x"),
        ("calib/boards.py", "from mv3d.pose2d import x"),
        ("mv3d/reconstruct/a.py", "import torch"),
        ("mv3d/pipeline.py", "from torch.nn import Module"),
        ("mv3d/pose2d/a.py", "if True:\n    import open3d as o3d"),
        ("mv3d/viz/a.py", "import av"),
        ("mv3d/viz/a.py", "from mv3d.attic import x"),
        ("mv3d/viz/a.py", "def f():\n    print('x')"),
        ("mv3d/demo.py", "print('x')"),
        ("mv3d/viz/utils.py", ""),
        ("mv3d/files/common/a.py", ""),
        ("mv3d/viz/a.py", "x = 1\n" * 301),
        ("mv3d/viz/a.py", "class A:\n    def f(self):\n" + "        x = 1\n" * 80),
    ],
)
def test_checker_catches(path: str, source: str) -> None:
    assert len(violations(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("mv3d/geometry/a.py", "import numba\nimport numpy as np\nfrom mv3d.geometry import rotations"),
        ("mv3d/geometry/a.py", "from . import rotations\nfrom .pinhole import project"),
        ("mv3d/data/a.py", "from mv3d.errors import FormatError\nfrom mv3d.geometry import pinhole"),
        ("mv3d/pose2d/networks/a.py", "import torch\nfrom ..peaks import x\nfrom mv3d.files.video import x"),
        ("mv3d/export/a.py", "from mv3d.motion import filters"),
        ("mv3d/synthetic/a.py", "import open3d\nfrom mv3d import __version__"),
        ("mv3d/files/video.py", "import av\n# print('x')\nlog = 'print(x)'"),
        ("mv3d/cli.py", "from calib import boards\nfrom mv3d.demo import fetch_demo\nprint('done')"),
        ("mv3d/demo.py", "from mv3d.pipeline import run"),
        ("mv3d/guidance.py", "from mv3d.pose2d import crops\nfrom mv3d.reconstruct import tracking"),
        ("mv3d/pictures.py", "from mv3d.pipeline import run\nfrom mv3d.result import Result"),
        ("mv3d/pipeline.py", "import calib.bundle\nfrom mv3d.config import Config\nimport mv3d.viz.scene"),
        ("calib/report.py", "from mv3d.viz import x\nfrom calib.boards import Board\nfrom mv3d.data.rig import Rig"),
        ("mv3d/viz/a.py", "def f():\n" + "    x = 1\n" * 79),
    ],
)
def test_checker_allows(path: str, source: str) -> None:
    assert violations(path, source) == []
