"""Layers: a slide's objects of one task, and where they are kept."""

import re
from dataclasses import dataclass
from pathlib import Path

from pathloop.core import Rect, UsageError
from pathloop.store._database import Database
from pathloop.store._slides import find_slide

__all__ = ["Layer", "all_layers", "filled_areas", "find_layer", "is_used", "make_layer", "next_free_id"]

_TASK_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Layer:
    """A slide's objects of one task."""

    slide_id: str
    task: str
    number: int
    folder: Path

    @property
    def labels(self) -> Path:
        """The label pyramid."""
        return self.folder / "labels.zarr" / self.task

    @property
    def before(self) -> Path:
        """Copies of chunks while a replacement is pending, in format 1."""
        return self.folder / "before" / self.task

    @property
    def journal(self) -> Path:
        """Chunks that the undoing of runs needs, of all layers of the slide."""
        return self.folder / "journal"


def all_layers(database: Database, slide_id: str | None = None) -> list[Layer]:
    """All layers of the project or of one slide, in the order in which they were made."""
    if slide_id is None:
        rows = database.rows("SELECT slide_id, task, layer FROM layers ORDER BY layer")
    else:
        rows = database.rows("SELECT slide_id, task, layer FROM layers WHERE slide_id = ? ORDER BY layer", (slide_id,))
    slides = database.path.parent / "slides"
    return [Layer(name, task, number, slides / name) for name, task, number in rows]


def find_layer(database: Database, slide_id: str, task: str) -> Layer | None:
    """The layer of a slide and task; None where nothing was ever begun. ProjectError if there is no such slide."""
    find_slide(database, slide_id)
    return next((layer for layer in all_layers(database, slide_id) if layer.task == task), None)


def make_layer(database: Database, slide_id: str, task: str) -> Layer:
    """The layer of a slide and task, made where it is missing.

    Raises
    ------
    UsageError
        If the task's name is no lower-case identifier.
    """
    if not _TASK_NAME.fullmatch(task):
        raise UsageError(f"a task's name is made of lower-case letters, digits and underscores, not {task!r}")
    find_slide(database, slide_id)
    # nothing that is in the journal already can be about it
    database.rows(
        "INSERT OR IGNORE INTO layers (slide_id, task, applied) SELECT ?, ?, ifnull(max(entry), 0) FROM journal",
        (slide_id, task),
    )
    return next(layer for layer in all_layers(database, slide_id) if layer.task == task)


def next_free_id(database: Database, layer: Layer) -> int:
    """The smallest id that no object of the layer ever had."""
    return int(database.rows("SELECT next_id FROM layers WHERE layer = ?", (layer.number,))[0][0])


def filled_areas(database: Database, layer: Layer) -> list[Rect]:
    """The areas of a layer that some run filled with objects, oldest first."""
    sql = 'SELECT top, "left", bottom, "right" FROM run_layers WHERE layer = ? AND top IS NOT NULL ORDER BY run'
    return [Rect.from_bounds(*bounds) for bounds in database.rows(sql, (layer.number,))]


def is_used(database: Database, layer: Layer) -> bool:
    """Whether a run filled a part of a layer, or it holds objects that a person drew."""
    objects = "SELECT 1 FROM objects WHERE object BETWEEN ?1 << 32 AND (?1 + 1 << 32) - 1 LIMIT 1"
    return bool(filled_areas(database, layer) or database.rows(objects, (layer.number,)))
