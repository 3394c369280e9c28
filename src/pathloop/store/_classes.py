"""Object classes of a project: one code a name and task, for ever, whatever model comes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec
from pathloop.store._database import Database

__all__ = ["read_classes", "register_classes"]


def register_classes(database: Database, task: str, classes: Sequence[ClassSpec]) -> NDArray[np.int16]:
    """Give the project's codes to a model's classes; names that are new get the next codes.

    Returns
    -------
    NDArray[np.int16]
        (len(classes) + 1,): project code by model code; 0 stays 0.
    """
    lookup = np.zeros(len(classes) + 1, np.int16)
    with database.transaction():
        known = {name: code for code, name in database.rows("SELECT code, name FROM classes WHERE task = ?", (task,))}
        for model_code, spec in enumerate(classes, 1):
            if spec.name not in known:
                known[spec.name] = len(known) + 1
                row = (task, known[spec.name], spec.name, *spec.color)
                database.rows("INSERT INTO classes VALUES (?, ?, ?, ?, ?, ?)", row)
            lookup[model_code] = known[spec.name]
    return lookup


def read_classes(database: Database, task: str) -> tuple[ClassSpec, ...]:
    """The classes of a task; the first has code 1."""
    rows = database.rows("SELECT name, red, green, blue FROM classes WHERE task = ? ORDER BY code", (task,))
    return tuple(ClassSpec(name=name, color=(red, green, blue)) for name, red, green, blue in rows)
