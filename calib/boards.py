"""The YAML files that describe boards of all kinds."""

import difflib
import math
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from calib.board_set import BoardSet, two_sided_places
from calib.circle_grid import CircleGrid
from calib.square_board import Board
from calib.tag_grid import TagGrid
from calib.target import Target
from mv3d.errors import ConfigError

__all__ = [
    "Board", "BoardSet", "CircleGrid", "TagGrid", "Target", "board_fields", "each_board", "load_board",
    "load_square_board", "parse_board", "restore_board", "shipped_boards",
]  # fmt: skip

# A board file is ten lines.
_MAX_BYTES = 65_536
_SQUARE_KEYS = ("kind", "squares", "square_mm", "marker_mm", "dictionary", "inverted", "legacy", "first")
_TAG_KEYS = ("kind", "tags", "tag_mm", "spacing", "dictionary", "layout", "border_bits", "first", "inverted")
_CIRCLE_KEYS = ("kind", "circles", "spacing_mm", "diameter_mm", "asymmetric", "inverted")
_SEVERAL_KEYS = ("kind", "boards", "rigid")
_SIDES_KEYS = ("kind", "boards", "thickness_mm", "turned_about")
# Kalibr's own target files, e.g. target_type: 'aprilgrid'.
_KALIBR_KEYS = ("target_type", "tagCols", "tagRows", "tagSize", "tagSpacing", "codeOffset")


def shipped_boards() -> dict[str, Path]:
    """Name and file of the boards that come with the package."""
    installed = Path(str(files("calib"))) / "configs" / "boards"
    # A checkout keeps them at its top, where users look for them; the wheel carries them inside the package.
    folder = installed if installed.is_dir() else Path(__file__).resolve().parent.parent / "configs" / "boards"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_board(name_or_path: str | Path) -> Target:
    """A shipped board by name, or any board by the path of its YAML file.

    Raises:
        ConfigError: there is no such board, or the file does not describe one; says what to do.
    """
    path = Path(name_or_path)
    if path.suffix.lower() not in {".yaml", ".yml"} and not path.is_file():
        path = _shipped(str(name_or_path))
    document = _read(path)
    try:
        return parse_board(document)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def _shipped(name: str) -> Path:
    boards = shipped_boards()
    if name in boards:
        return boards[name]
    near = difflib.get_close_matches(name, boards, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(boards)}, or give the path of a .yaml file"
    raise ConfigError(f"no board {name[:80]!r}; {hint}")


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path}: too large for a board description; is it the right file?")
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read this board ({error.strerror}); check the path") from error
    # PyYAML lets the errors of impossible dates and numbers, and of lists nested too deep, through as they are.
    except (ValueError, OverflowError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: this board is not YAML: {' '.join(str(error).split())[:200]}") from error


def load_square_board(name_or_path: str | Path) -> Board:
    """A board of squares, as `load_board`; ConfigError if it is of another kind."""
    board = load_board(name_or_path)
    if not isinstance(board, Board):
        raise ConfigError(f"{name_or_path}: a board of squares is wanted, not a {board.describe()}")
    return board


def each_board(board: Target) -> tuple[Target, ...]:
    """The boards of a set; a single board by itself."""
    return board.parts if isinstance(board, BoardSet) else (board,)


def board_fields(board: Target) -> dict[str, Any]:
    """What a board is made of, ready for JSON."""
    if not is_dataclass(board):
        raise ValueError(f"a board is a dataclass, not a {type(board).__name__}")
    return asdict(board)


def restore_board(fields: dict[str, Any]) -> Target:
    """A board from its fields as `board_fields` gives them, perhaps by way of JSON."""
    fields = {key: _tuples(value) for key, value in fields.items()}
    if fields.get("kind") == "several":
        parts = tuple(restore_board(part) for part in fields["parts"])
        return BoardSet(parts, fields["rigid"], fields["places"])
    if fields.get("kind") not in _MADE_OF_FIELDS:
        return Board(**fields)
    return _MADE_OF_FIELDS[fields.pop("kind")](**fields)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def parse_board(document: Any) -> Target:
    """A board from what its YAML file holds; ValueError says what is wrong."""
    if not isinstance(document, dict):
        raise ValueError("a board is a mapping with kind and its sizes")
    if "target_type" in document:
        return _kalibr_target(document)
    kind = document.get("kind")
    if kind is None:
        raise ValueError("kind is missing")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(f"kind is {str(kind)[:80]!r}, one of {', '.join(_KINDS)} is wanted")
    keys, needed, parse = _KINDS[kind]
    _check_keys(document, keys, needed)
    return parse(document)


def _check_keys(document: dict[str, Any], keys: tuple[str, ...], needed: int) -> None:
    for key in document:
        if key not in keys:
            near = difflib.get_close_matches(str(key), keys, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(keys)}"
            raise ValueError(f"unknown key {str(key)[:80]!r}; {hint}")
    for key in keys[:needed]:
        if key not in document:
            raise ValueError(f"{key} is missing")


def _squares(document: dict[str, Any]) -> Board:
    return Board(
        str(document["kind"]),
        _pair(document, "squares"),
        _metres(document["square_mm"], "square_mm"),
        None if document.get("marker_mm") is None else _metres(document["marker_mm"], "marker_mm"),
        None if document.get("dictionary") is None else str(document["dictionary"]),
        _flag(document, "inverted"),
        _flag(document, "legacy"),
        _whole(document.get("first", 0), "first"),
    )


def _tags(document: dict[str, Any]) -> TagGrid:
    layout = str(document.get("layout", "kalibr"))
    return TagGrid(
        _pair(document, "tags"),
        _metres(document["tag_mm"], "tag_mm"),
        _number(document["spacing"], "spacing", "share of the tag"),
        str(document.get("dictionary", "DICT_APRILTAG_36h11")),
        layout,
        _whole(document.get("border_bits", 2 if layout == "kalibr" else 1), "border_bits"),
        _whole(document.get("first", 0), "first"),
        _flag(document, "inverted"),
    )


def _kalibr_target(document: dict[str, Any]) -> TagGrid:
    """Kalibr's own description of an AprilGrid, lengths in metres."""
    if document["target_type"] != "aprilgrid":
        raise ValueError(f"target_type is {str(document['target_type'])[:80]!r}; of Kalibr's targets aprilgrid is read")
    _check_keys(document, _KALIBR_KEYS, 5)
    tags = (_whole(document["tagCols"], "tagCols"), _whole(document["tagRows"], "tagRows"))
    size = _number(document["tagSize"], "tagSize", "number of metres")
    spacing = _number(document["tagSpacing"], "tagSpacing", "share of the tag")
    return TagGrid(tags, size, spacing, first=_whole(document.get("codeOffset", 0), "codeOffset"))


def _circles(document: dict[str, Any]) -> CircleGrid:
    return CircleGrid(
        _pair(document, "circles"),
        _metres(document["spacing_mm"], "spacing_mm"),
        _metres(document["diameter_mm"], "diameter_mm"),
        _flag(document, "asymmetric"),
        _flag(document, "inverted"),
    )


def _listed(document: dict[str, Any]) -> tuple[Target, ...]:
    """The boards of a list, by the names of shipped ones or described in place."""
    if not isinstance(document["boards"], list):
        raise ValueError("boards must be a list")
    parts = []
    for number, item in enumerate(document["boards"], 1):
        if isinstance(item, dict) and "boards" in item:
            raise ValueError(f"board {number} of the list is itself several boards; list them all side by side")
        try:
            # A name is no path: what a file describes does not depend on where it is read from.
            parts.append(load_board(_shipped(item)) if isinstance(item, str) else parse_board(item))
        except (ValueError, ConfigError) as error:
            raise ValueError(f"board {number} of the list: {error}") from error
    return tuple(parts)


def _several(document: dict[str, Any]) -> BoardSet:
    return BoardSet(_listed(document), _flag(document, "rigid"))


def _two_sided(document: dict[str, Any]) -> BoardSet:
    parts = _listed(document)
    if len(parts) != 2:
        raise ValueError(f"boards lists {len(parts)}, two are wanted: the front and the back")
    if document.get("thickness_mm") is None:
        if "turned_about" in document:
            raise ValueError("turned_about goes with thickness_mm; without both, the sides' places are estimated")
        return BoardSet(parts, rigid=True)
    thickness = _metres(document["thickness_mm"], "thickness_mm")
    return BoardSet(parts, True, two_sided_places(*parts, thickness, str(document.get("turned_about", "y"))))


# Kind: the keys of its file, how many of them are needed, and what makes a board of them.
_KINDS: dict[str, tuple[tuple[str, ...], int, Callable[[dict[str, Any]], Target]]] = {
    "checkerboard": (_SQUARE_KEYS, 3, _squares),
    "charuco": (_SQUARE_KEYS, 3, _squares),
    "aprilgrid": (_TAG_KEYS, 4, _tags),
    "circles": (_CIRCLE_KEYS, 4, _circles),
    "several": (_SEVERAL_KEYS, 2, _several),
    "two_sided": (_SIDES_KEYS, 2, _two_sided),
}


_MADE_OF_FIELDS: dict[str, Callable[..., Target]] = {"aprilgrid": TagGrid, "circles": CircleGrid}


def _pair(document: dict[str, Any], key: str) -> tuple[int, int]:
    value = document[key]
    if not isinstance(value, list) or len(value) != 2 or not all(type(n) is int for n in value):
        raise ValueError(f"{key} must be two whole numbers, e.g. [5, 8]")
    return value[0], value[1]


def _whole(value: Any, key: str) -> int:
    if type(value) is not int:
        raise ValueError(f"{key} must be a whole number")
    return value


def _number(value: Any, key: str, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key} must be a {what}")
    return float(value)


def _metres(value: Any, key: str) -> float:
    return _number(value, key, "number of millimetres") / 1e3


def _flag(document: dict[str, Any], key: str) -> bool:
    value = document.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key} must be true or false")
    return value
