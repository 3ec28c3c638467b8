"""Where downloads and weights are kept for all sessions of a user."""

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """The user's cache of mv3d: XDG_CACHE_HOME, or the place that the operating system has for caches."""
    chosen = os.environ.get("XDG_CACHE_HOME")
    if chosen and Path(chosen).is_absolute():
        return Path(chosen) / "mv3d"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "mv3d" / "Cache"
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "mv3d"
