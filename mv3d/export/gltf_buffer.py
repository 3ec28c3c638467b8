"""The numbers of a glTF file: arrays one after the other, with their descriptions, some of them made when written."""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_TARGETS = {"vertex": 34962, "index": 34963}
_COMPONENTS = {"<f4": 5126, "<u2": 5123, "<u4": 5125}


class GltfBuffer:
    """Collects arrays and gives each an accessor; the bytes follow in `chunks`, each in its own view."""

    def __init__(self) -> None:
        self.length = 0
        self._views: list[dict] = []
        self._accessors: list[dict] = []
        self._makers: list[Callable[[], bytes]] = []

    def add(
        self, values: np.ndarray, kind: str, target: Literal["vertex", "index"] | None = None, bounds: bool = False
    ) -> int:
        """Index of a new accessor.

        Args:
            values: (count, width); floats become 32-bit ones.
            kind: SCALAR, VEC3, VEC4 or MAT4.
            target: what a view of a mesh is for.
            bounds: state the least and the largest values.
        """
        form = "<f4" if values.dtype.kind == "f" else values.dtype.newbyteorder("<").str
        data = np.ascontiguousarray(values, form)
        limits = {"min": data.min(0).tolist(), "max": data.max(0).tolist()} if bounds else {}
        return self._register(data.tobytes, len(data), kind, form, target, limits)

    def add_later(self, make: Callable[[], np.ndarray], count: int, kind: str) -> int:
        """As `add`, of floats (count, width) that are made when they are written."""
        return self._register(lambda: np.ascontiguousarray(make(), "<f4").tobytes(), count, kind, "<f4", None, {})

    def description(self) -> dict:
        """The document's buffers, views and accessors."""
        return {"buffers": [{"byteLength": self.length}], "bufferViews": self._views, "accessors": self._accessors}

    def chunks(self) -> Iterator[bytes]:
        """The bytes, a view at a time, each filled up to four."""
        for make in self._makers:
            data = make()
            yield data + b"\0" * (-len(data) % 4)

    def _register(
        self, make: Callable[[], bytes], count: int, kind: str, form: str, target: str | None, limits: dict
    ) -> int:
        size = count * _WIDTHS[kind] * np.dtype(form).itemsize
        view = {"buffer": 0, "byteOffset": self.length, "byteLength": size}
        self._views.append(view | ({"target": _TARGETS[target]} if target else {}))
        shape = {"componentType": _COMPONENTS[form], "count": count, "type": kind}
        self._accessors.append({"bufferView": len(self._views) - 1, **shape, **limits})
        self._makers.append(make)
        self.length += size + -size % 4
        return len(self._accessors) - 1
