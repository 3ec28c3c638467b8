"""Every annotated array of the packages is checked for shape and type while the tests run."""

import pkgutil
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

_ROOT = Path(__file__).resolve().parent.parent


def _modules(package: str) -> list[str]:
    """Leaf modules of a package; numba's kernels are left out, since numba cannot compile a wrapped function."""
    found = pkgutil.walk_packages([str(_ROOT / package)], prefix=f"{package}.", onerror=lambda _: None)
    return [m.name for m in found if not m.ispkg and not m.name.endswith("_kernels")]


install_import_hook([*_modules("mv3d"), *_modules("calib")], "beartype.beartype")


@pytest.fixture(scope="session")
def repository() -> Path:
    return _ROOT
