"""Object classes of a project: one code a name and task, for ever, whatever model comes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, UsageError
from pathloop.store._database import Database

__all__ = ["class_code", "read_classes", "register_classes"]

PALETTE = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
"""Okabe and Ito's colours, for classes that come without one."""


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


def class_code(database: Database, task: str, name: str, color: tuple[int, int, int] | None = None) -> int:
    """Code of a class; one that is new gets the next code, and the first colour that no other class of the task has.

    Raises
    ------
    UsageError
        If the name is empty.
    """
    name = name.strip()
    if not name:
        raise UsageError("a class needs a name")
    known = read_classes(database, task)
    for code, spec in enumerate(known, 1):
        if spec.name == name:
            return code
    if color is None:
        taken = {spec.color for spec in known}
        free = [one for one in PALETTE if one not in taken]
        color = free[0] if free else PALETTE[len(known) % len(PALETTE)]
    return int(register_classes(database, task, [ClassSpec(name=name, color=color)])[1])


def read_classes(database: Database, task: str) -> tuple[ClassSpec, ...]:
    """The classes of a task; the first has code 1."""
    rows = database.rows("SELECT name, red, green, blue FROM classes WHERE task = ? ORDER BY code", (task,))
    return tuple(ClassSpec(name=name, color=(red, green, blue)) for name, red, green, blue in rows)
