"""Rows of single objects: read, checked and changed."""

from collections.abc import Iterable, Sequence
from typing import Any

from pathloop.core import ProjectError
from pathloop.store._database import Database
from pathloop.store._edits import ObjectChange
from pathloop.store._objects import COLUMNS, LAYER_STEP
from pathloop.store._review_records import ObjectRow
from pathloop.store._words import named

__all__ = ["change_objects", "read_object_rows"]

ASKED_AT_ONCE = 500
_ROW = (
    'top, "left", bottom, "right", centroid_y, centroid_x, area_px, class_code, class_probability, confidence,'
    " state, locked, run"
)


def read_object_rows(database: Database, layer: int, ids: Iterable[int]) -> dict[int, ObjectRow]:
    """The rows of some objects of a layer; ids that are not there are left out."""
    wanted = list(ids)
    found: dict[int, ObjectRow] = {}
    for start in range(0, len(wanted), ASKED_AT_ONCE):
        keys = [layer * LAYER_STEP + number for number in wanted[start : start + ASKED_AT_ONCE]]
        marks = ",".join("?" * len(keys))
        for number, *values in database.rows(f"SELECT id, {_ROW} FROM objects WHERE object IN ({marks})", keys):
            found[number] = _object_row(values)
    return found


def _object_row(values: Sequence[Any]) -> ObjectRow:
    top, left, bottom, right, y, x, area, code, probability, confidence, state, locked, run = values
    return ObjectRow((top, left, bottom, right), (y, x), area, code, probability, confidence, state, bool(locked), run)


def change_objects(database: Database, layer: int, changes: Sequence[ObjectChange], *, is_free: bool) -> None:
    """Change rows of a layer; the caller's transaction.

    Parameters
    ----------
    changes
        Of this layer.
    is_free
        Whether locked objects may be changed (undo and redo: it was allowed then).

    Raises
    ------
    ProjectError
        If a row is not what the change says it was, or an object is locked.
    """
    present = read_object_rows(database, layer, [one.id for one in changes])
    for one in changes:
        if not _same(present.get(one.id), one.before):
            raise ProjectError(
                f"{database.path.parent}: {named(one.task, one.id)} was changed by something else meanwhile; open the"
                " region again"
            )
        if not is_free and one.before is not None and one.before.locked and not _only_unlocks(one):
            raise ProjectError(f"{named(one.task, one.id)} is locked; unlock it first")
    stays = [one for one in changes if one.before and one.after and one.before.box == one.after.box]
    others = [one for one in changes if not (one.before and one.after and one.before.box == one.after.box)]
    columns = ", ".join(f"{name} = ?" for name in COLUMNS[3:])
    database.many(
        f"UPDATE objects SET {columns} WHERE object = ?",
        iter([(*_values(layer, one.id, one.after)[3:], layer * LAYER_STEP + one.id) for one in stays if one.after]),
    )
    keys = [(layer * LAYER_STEP + one.id,) for one in others]
    for table in ("objects", "boxes"):
        database.many(f"DELETE FROM {table} WHERE object = ?", iter(keys))
    kept = [(one.id, one.after) for one in others if one.after is not None]
    database.many(
        f"INSERT INTO objects ({', '.join(COLUMNS)}) VALUES ({','.join('?' * len(COLUMNS))})",
        iter([_values(layer, number, row) for number, row in kept]),
    )
    boxes = [(layer * LAYER_STEP + number, *row.box) for number, row in kept]
    database.many(
        f"INSERT INTO boxes VALUES (?, {layer}, {layer}, ?, ?, ?, ?)",
        iter([(key, top, bottom - 1, left, right - 1) for key, top, left, bottom, right in boxes]),
    )


def _values(layer: int, number: int, row: ObjectRow) -> tuple[Any, ...]:
    return (
        layer * LAYER_STEP + number,
        layer,
        number,
        row.class_code,
        row.class_probability,
        row.confidence,
        row.state,
        int(row.locked),
        row.area_px,
        *row.centroid,
        *row.box,
        row.run,
    )


def _same(one: ObjectRow | None, other: ObjectRow | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.box, one.area_px, one.class_code, one.state, one.locked) == (
        other.box,
        other.area_px,
        other.class_code,
        other.state,
        other.locked,
    )


def _only_unlocks(change: ObjectChange) -> bool:
    before, after = change.before, change.after
    return (
        before is not None
        and after is not None
        and not after.locked
        and (before.box, before.area_px, before.class_code, before.state)
        == (after.box, after.area_px, after.class_code, after.state)
    )
