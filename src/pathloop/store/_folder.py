"""The folder of a project, made whole or not at all."""

import contextlib
import shutil
import sqlite3
import tempfile
import uuid
from pathlib import Path

from pathloop.core import ProjectError
from pathloop.store._clock import now
from pathloop.store._schema import create_tables

__all__ = ["DATABASE", "LOCK", "is_free", "is_project", "make_folder"]

DATABASE = "project.db"
LOCK = "project.lock"


def is_project(path: Path) -> bool:
    """Whether a folder holds a project; it is not opened."""
    return (path / DATABASE).is_file()


def is_free(path: Path) -> bool:
    """Whether a project can be made here: nothing, or an empty folder."""
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


def make_folder(path: Path) -> None:
    """Make an empty project.

    It is built under a hidden name beside its place and then renamed: a kill leaves a hidden ``.creating`` folder
    that nobody takes for a project.

    Raises
    ------
    ProjectError
        If something is there already, or the folder cannot be written.
    """
    try:
        if not is_free(path):
            raise ProjectError(f"{path}: exists already; open it, or give another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", suffix=".creating", dir=path.parent))
        try:
            _fill(temporary)
            if path.exists():
                path.rmdir()  # empty; not every system renames over it
            temporary.rename(path)
        finally:
            if temporary.exists():
                shutil.rmtree(temporary)
    except (OSError, sqlite3.DatabaseError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ProjectError(
            f"{path}: cannot make a project here ({reason}); choose another place (-o on the command line)"
        ) from error


def _fill(folder: Path) -> None:
    folder.chmod(folder.parent.stat().st_mode & 0o777)  # mkdtemp makes private folders
    for name in ("slides", "models", "runs"):
        (folder / name).mkdir()
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as connection:
        create_tables(connection, {"uuid": str(uuid.uuid4()), "created": now()})
        connection.commit()
