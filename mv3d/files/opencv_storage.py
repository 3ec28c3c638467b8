"""OpenCV's FileStorage files, YAML and XML, without OpenCV's parser: what they hold as plain values and arrays.

Matrices are `!!opencv-matrix` (rows, cols, dt, data) or `!!opencv-nd-matrix` (sizes, dt, data), in XML a `type_id`.
"""

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import cv2
import numpy as np
import yaml
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from mv3d.errors import CalibrationError
from mv3d.files.rig_entries import numbers, read_limited
from mv3d.files.writing import whole_file

_ROOT = "opencv_storage"


class _StorageLoader(yaml.SafeLoader):
    """Safe YAML with OpenCV's matrices and without aliases, which would unfold to any size."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it refers to itself (aliases)")
        return super().compose_node(parent, index)


def _matrix_node(loader: yaml.SafeLoader, node: yaml.Node) -> np.ndarray:
    if not isinstance(node, yaml.MappingNode):
        raise ValueError("a matrix is not a mapping")
    return _matrix(loader.construct_mapping(node, deep=True))


for _kind in ("matrix", "nd-matrix"):
    _StorageLoader.add_constructor(f"tag:yaml.org,2002:opencv-{_kind}", _matrix_node)


def load_yaml(text: str) -> Any:
    """What a YAML text of OpenCV's or any other holds; yaml.YAMLError or ValueError if it cannot be read."""
    if text.startswith("%YAML"):
        text = text.partition("\n")[2]
    return yaml.load(text, Loader=_StorageLoader)  # a SafeLoader


def read_storage(path: Path) -> dict[str, Any]:
    """The nodes of a file at its top, by name: texts, numbers, lists, mappings, and arrays for matrices.

    Raises:
        CalibrationError: missing, or not such a file.
    """
    content = read_limited(path)
    try:
        if content.lstrip().startswith(b"<"):
            root = ElementTree.fromstring(content)
            found = {child.tag: _xml_value(child) for child in root} if root.tag == _ROOT else None
        else:
            found = load_yaml(content.decode("utf-8"))
    except (ParseError, DefusedXmlException, yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise CalibrationError(f"{path}: not a file of OpenCV's: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(found, dict):
        raise CalibrationError(f"{path}: not a file of OpenCV's: it has no named nodes")
    return {str(key): value for key, value in found.items()}


def _xml_value(element: Element) -> Any:
    if element.get("type_id", "").startswith("opencv-"):
        return _matrix({child.tag: (child.text or "").split() for child in element})
    if len(element):
        named = {child.tag: _xml_value(child) for child in element}
        return [_xml_value(child) for child in element] if set(named) == {"_"} else named
    return (element.text or "").strip().strip('"')


def _plain(value: Any) -> Any:
    """A text of YAML's or XML's, where a matrix's entries are lists of texts."""
    return value[0].strip('"') if isinstance(value, list) and value and isinstance(value[0], str) else value


def _matrix(entry: dict[Any, Any]) -> np.ndarray:
    if "sizes" in entry:
        shape = numbers(entry["sizes"], "sizes of a matrix").ravel()
    else:
        shape = numbers([entry.get(key, 0) for key in ("rows", "cols")], "size of a matrix").ravel()
    # "3d" is three doubles an element: what OpenCV makes of the last axis of an array from Python.
    channels = "".join(c for c in str(_plain(entry.get("dt", "d"))) if c.isdigit())
    shape = np.append(shape, int(channels)) if channels else shape
    data = entry.get("data", [])
    if not isinstance(data, list) or any(isinstance(value, list | dict) for value in data):
        raise ValueError("the data of a matrix are not a list of numbers")
    values, sides = numbers(data, "data of a matrix"), [int(n) for n in shape]
    if not sides or min(sides) < 0 or len(values) != np.prod(sides):
        raise ValueError(f"a matrix of {' x '.join(map(str, sides))} has {len(values)} numbers")
    return values.reshape(sides)


def write_storage(path: Path, nodes: dict[str, Any]) -> None:
    """Write texts, whole numbers, lists of texts and arrays, all digits; XML or YAML by the path's suffix."""
    suffix = ".xml" if path.suffix.lower() == ".xml" else ".yml"
    with whole_file(path) as part:
        made = part.with_name(f"{part.name}{suffix}")
        try:
            storage = cv2.FileStorage(str(made), cv2.FILE_STORAGE_WRITE)
            for name, value in nodes.items():
                storage.write(name, np.array(value) if isinstance(value, np.ndarray) else value)
            storage.release()
            made.replace(part)
        finally:
            made.unlink(missing_ok=True)
