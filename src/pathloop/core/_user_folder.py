"""Where this program keeps what belongs to the user, not to a project."""

import os
import sys
from pathlib import Path

__all__ = ["cache_folder", "config_folder"]


def config_folder() -> Path:
    """The user's folder for settings of this program; ``PATHLOOP_CONFIG`` beats the system's usual place."""
    named = os.environ.get("PATHLOOP_CONFIG")
    if named:
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home())) / "pathloop"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "pathloop"
    return Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "pathloop"


def cache_folder() -> Path:
    """The user's folder for what can be made again; ``PATHLOOP_CACHE`` beats the system's usual place."""
    named = os.environ.get("PATHLOOP_CACHE")
    if named:
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "pathloop" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "pathloop"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pathloop"
