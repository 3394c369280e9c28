"""What people say, as rows: objects, cells of the tissue map, regions and flags; read, checked and changed."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pathloop.core import ProjectError, Rect, UsageError
from pathloop.store._changes_json import region_from_values, region_values
from pathloop.store._database import Database
from pathloop.store._edits import CellChange, FlagChange, ObjectChange, RegionChange
from pathloop.store._objects import LAYER_STEP
from pathloop.store._review_records import Flag, ObjectRow, Region, TissueCell

__all__ = [
    "change_cells",
    "change_flags",
    "change_objects",
    "change_regions",
    "free_region_id",
    "read_cells",
    "read_flags",
    "read_object_rows",
    "read_regions",
]

ASKED_AT_ONCE = 500
_ROW = (
    'top, "left", bottom, "right", centroid_y, centroid_x, area_px, class_code, class_probability, confidence,'
    " state, locked, run"
)
_REGION = (
    'region, slide_id, top, "left", bottom, "right", origin, rank, score, reasons, holdout, states, assigned, flag'
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
                f"{database.path.parent}: {one.task} {one.id} was changed by something else meanwhile; open the region"
                " again"
            )
        if not is_free and one.before is not None and one.before.locked and not _only_unlocks(one):
            raise ProjectError(f"{one.task} {one.id} is locked; unlock it first")
    keys = [(layer * LAYER_STEP + one.id,) for one in changes]
    for table in ("objects", "boxes"):
        database.many(f"DELETE FROM {table} WHERE object = ?", iter(keys))
    kept = [(one.id, one.after) for one in changes if one.after is not None]
    database.many(
        "INSERT INTO objects (object, layer, id, class_code, class_probability, confidence, state, locked, area_px,"
        ' centroid_y, centroid_x, top, "left", bottom, "right", run) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)',
        iter([_values(layer, number, row) for number, row in kept]),
    )
    database.many(
        f"INSERT INTO boxes VALUES (?, {layer}, {layer}, ?, ?, ?, ?)",
        iter(
            [
                (layer * LAYER_STEP + number, row.box[0], row.box[2] - 1, row.box[1], row.box[3] - 1)
                for number, row in kept
            ]
        ),
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


def read_cells(database: Database, slide_id: str) -> dict[tuple[int, int], TissueCell]:
    """What people said of cells, by (row, col)."""
    sql = "SELECT row, col, class_name, state FROM tissue_cells WHERE slide_id = ?"
    return {(row, col): TissueCell(name, state) for row, col, name, state in database.rows(sql, (slide_id,))}


def change_cells(database: Database, slide_id: str, changes: Sequence[CellChange]) -> None:
    """Change cells; the caller's transaction. ProjectError if one is not what the change says it was."""
    present = read_cells(database, slide_id)
    for one in changes:
        if present.get((one.row, one.col)) != one.before:
            raise ProjectError(f"{database.path.parent}: the tissue map was changed by something else meanwhile")
    places = [(slide_id, one.row, one.col) for one in changes]
    database.many("DELETE FROM tissue_cells WHERE slide_id = ? AND row = ? AND col = ?", iter(places))
    database.many(
        "INSERT INTO tissue_cells VALUES (?, ?, ?, ?, ?)",
        iter([(slide_id, one.row, one.col, one.after.class_name, one.after.state) for one in changes if one.after]),
    )


def read_flags(database: Database, slide_id: str, task: str | None = None) -> list[Flag]:
    """Flags of a slide's objects, by task and id."""
    sql = (
        "SELECT task, id, comment, who, at FROM flags JOIN layers USING (layer) WHERE slide_id = ?1"
        " AND (?2 IS NULL OR task = ?2) ORDER BY layer, id"
    )
    return [Flag(*row) for row in database.rows(sql, (slide_id, task))]


def change_flags(database: Database, layer: int, changes: Sequence[FlagChange]) -> None:
    """Change flags of a layer's objects; the caller's transaction."""
    database.many("DELETE FROM flags WHERE layer = ? AND id = ?", iter([(layer, one.id) for one in changes]))
    kept = [(layer, one.id, one.after.comment, one.after.who, one.after.at) for one in changes if one.after]
    database.many("INSERT INTO flags VALUES (?, ?, ?, ?, ?)", iter(kept))


def read_regions(database: Database, slide_id: str | None = None) -> list[Region]:
    """Regions by rank, those without one last, then by number."""
    sql = f"SELECT {_REGION} FROM regions WHERE ?1 IS NULL OR slide_id = ?1 ORDER BY rank IS NULL, rank, region"
    return [_region(row) for row in database.rows(sql, (slide_id,))]


def _region(row: Sequence[Any]) -> Region:
    number, slide, top, left, bottom, right, origin, rank, score, reasons, holdout, states, assigned, flag = row
    rect = Rect.from_bounds(top, left, bottom, right)
    return region_from_values(
        {
            "id": number,
            "slide_id": slide,
            "rect": [rect.y, rect.x, rect.height, rect.width],
            "origin": origin,
            "rank": rank,
            "score": score,
            "reasons": json.loads(reasons),
            "holdout": bool(holdout),
            "states": json.loads(states),
            "assigned": assigned,
            "flag": flag,
        }
    )


def free_region_id(database: Database) -> int:
    """A number that no region ever had."""
    [(used,)] = database.rows("SELECT max(ifnull((SELECT max(region) FROM regions), 0), ?)", (_last_given(database),))
    return int(used) + 1


def _last_given(database: Database) -> int:
    found = database.rows("SELECT value FROM meta WHERE key = 'last_region'")
    return int(found[0][0]) if found else 0


def change_regions(database: Database, changes: Sequence[RegionChange]) -> None:
    """Change regions; the caller's transaction.

    Raises
    ------
    UsageError
        If hold-out membership changes.
    ProjectError
        If a region is not what the change says it was.
    """
    for one in changes:
        found = database.rows(f"SELECT {_REGION} FROM regions WHERE region = ?", (one.id,))
        if (_region(found[0]) if found else None) != one.before:
            raise ProjectError(f"{database.path.parent}: region {one.id} was changed by something else meanwhile")
        if one.before and one.after and one.before.holdout != one.after.holdout:
            raise UsageError(f"region {one.id}: whether a region is held out never changes")
        database.rows("DELETE FROM regions WHERE region = ?", (one.id,))
        if one.after is not None:
            database.rows(f"INSERT INTO regions ({_REGION}) VALUES ({','.join('?' * 14)})", _region_row(one.after))
    last = max([_last_given(database), *(one.id for one in changes)])
    database.rows("INSERT OR REPLACE INTO meta VALUES ('last_region', ?)", (str(last),))


def _region_row(region: Region) -> tuple[Any, ...]:
    rect, values = region.rect, region_values(region)
    return (
        region.id,
        region.slide_id,
        rect.y,
        rect.x,
        rect.bottom,
        rect.right,
        region.origin,
        region.rank,
        region.score,
        json.dumps(values["reasons"], ensure_ascii=False),
        int(region.holdout),
        json.dumps(region.states),
        region.assigned,
        region.flag,
    )
