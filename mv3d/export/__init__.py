"""Files for other programs, one module a format; the writers by name, each loaded when it is first asked for."""

from importlib import import_module
from typing import Any

_WRITERS = {
    "write_angles_csv": "angles",
    "write_bvh": "bvh",
    "write_c3d": "c3d",
    "write_fbx": "fbx",
    "write_glb": "gltf",
    "write_json": "json_file",
    "write_openpose_json": "openpose_json",
    "write_tidy_csv": "tables",
    "write_trc": "trc",
    "write_usda": "usda",
    "write_wide_csv": "tables",
}


def __getattr__(name: str) -> Any:
    if name in _WRITERS:
        return getattr(import_module(f"{__name__}.{_WRITERS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_WRITERS])
