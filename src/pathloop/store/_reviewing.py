"""What people say, as rows: cells of the tissue map, regions and flags; read, checked and changed."""

import json
from collections.abc import Sequence
from typing import Any

from pathloop.core import ProjectError, Rect, UsageError
from pathloop.store._changes_json import region_from_values, region_values
from pathloop.store._database import Database
from pathloop.store._edits import CellChange, FlagChange, RegionChange
from pathloop.store._review_records import Flag, Region, TissueCell
from pathloop.store._words import named

__all__ = [
    "Grid",
    "change_cells",
    "change_flags",
    "change_regions",
    "free_region_id",
    "read_cells",
    "read_flags",
    "read_grid",
    "read_region",
    "read_regions",
    "set_grid",
]

_REGION = (
    'region, slide_id, top, "left", bottom, "right", origin, rank, score, reasons, holdout, states, assigned, flag,'
    " verified_by"
)


def read_cells(database: Database, slide_id: str) -> dict[tuple[int, int], TissueCell]:
    """What people said of cells, by (row, col)."""
    sql = "SELECT row, col, class_name, state FROM tissue_cells WHERE slide_id = ?"
    return {(row, col): TissueCell(name, state) for row, col, name, state in database.rows(sql, (slide_id,))}


Grid = tuple[tuple[float, float], tuple[float, float]]


def read_grid(database: Database, slide_id: str, *, only_fixed: bool = False) -> Grid | None:
    """(y, x) size and origin of the cells that people correct, level-0 pixels.

    None where none was set, or on request where no cell was ever corrected in it.
    """
    sql = "SELECT cell_y, cell_x, origin_y, origin_x FROM tissue_grids WHERE slide_id = ? AND is_used >= ?"
    found = database.rows(sql, (slide_id, int(only_fixed)))
    return ((found[0][0], found[0][1]), (found[0][2], found[0][3])) if found else None


def set_grid(database: Database, slide_id: str, grid: Grid) -> bool:
    """Set the grid of cells; False where cells were corrected already, and nothing is changed."""
    sql = (
        "INSERT INTO tissue_grids (slide_id, cell_y, cell_x, origin_y, origin_x) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO"
        " UPDATE SET cell_y = excluded.cell_y, cell_x = excluded.cell_x, origin_y = excluded.origin_y,"
        " origin_x = excluded.origin_x WHERE is_used = 0 RETURNING 1"
    )
    return bool(database.rows(sql, (slide_id, *grid[0], *grid[1])))


def change_cells(database: Database, slide_id: str, changes: Sequence[CellChange]) -> None:
    """Change cells; the caller's transaction. ProjectError if one is not what the change says it was."""
    if not changes:
        return
    database.rows("UPDATE tissue_grids SET is_used = 1 WHERE slide_id = ? AND is_used = 0", (slide_id,))
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
    """Change flags of a layer's objects; the caller's transaction. ProjectError if one is not what it was."""
    for one in changes:
        found = database.rows("SELECT comment FROM flags WHERE layer = ? AND id = ?", (layer, one.id))
        if (found[0][0] if found else None) != (one.before.comment if one.before else None):
            name = named(one.task, one.id)
            raise ProjectError(f"{database.path.parent}: the question about {name} was changed meanwhile")
    database.many("DELETE FROM flags WHERE layer = ? AND id = ?", iter([(layer, one.id) for one in changes]))
    kept = [(layer, one.id, one.after.comment, one.after.who, one.after.at) for one in changes if one.after]
    database.many("INSERT INTO flags VALUES (?, ?, ?, ?, ?)", iter(kept))


def read_regions(database: Database, slide_id: str | None = None) -> list[Region]:
    """Regions by rank, those without one last, then by number."""
    sql = f"SELECT {_REGION} FROM regions WHERE ?1 IS NULL OR slide_id = ?1 ORDER BY rank IS NULL, rank, region"
    return [_region(row) for row in database.rows(sql, (slide_id,))]


def read_region(database: Database, number: int) -> Region | None:
    """One region, None if there is none."""
    found = database.rows(f"SELECT {_REGION} FROM regions WHERE region = ?", (number,))
    return _region(found[0]) if found else None


def _region(row: Sequence[Any]) -> Region:
    number, slide, top, left, bottom, right, origin, rank, score, reasons, holdout, states, *words = row
    assigned, flag, verified_by = words
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
            "verified_by": verified_by,
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
        if read_region(database, one.id) != one.before:
            raise ProjectError(f"{database.path.parent}: region {one.id} was changed by something else meanwhile")
        if one.before and one.after and one.before.holdout != one.after.holdout:
            raise UsageError(f"region {one.id}: whether a region is held out never changes")
        database.rows("DELETE FROM regions WHERE region = ?", (one.id,))
        if one.after is not None:
            database.rows(f"INSERT INTO regions ({_REGION}) VALUES ({','.join('?' * 15)})", _region_row(one.after))
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
        region.verified_by,
    )
