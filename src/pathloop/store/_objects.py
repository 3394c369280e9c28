"""The object table: rows to and from struct-of-arrays, areas through the box tree."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Instances, Rect
from pathloop.store._database import Database
from pathloop.store._records import ObjectCounts, ObjectStates
from pathloop.store._schema import OBJECT_STATES

__all__ = [
    "COLUMNS",
    "LAYER_STEP",
    "boxes_of",
    "count_objects",
    "insert_objects",
    "kept_objects",
    "read_objects",
    "read_states",
    "stash_replaced",
]

LAYER_STEP = 1 << 32  # object = layer * 2**32 + id
INSERTED_ROWS = 50_000

COLUMNS = (
    *("object", "layer", "id", "class_code", "class_probability", "confidence", "state", "locked", "area_px"),
    *("centroid_y", "centroid_x", "top", '"left"', "bottom", '"right"', "run"),
)

_BOX = ("top", "left", "bottom", "right")
_CENTROID = ("centroid_y", "centroid_x")
_ROW = np.dtype(
    [
        ("id", np.int64),
        *((name, np.int64) for name in _BOX),
        *((name, np.float64) for name in _CENTROID),
        ("area_px", np.int64),
        ("confidence", np.float32),
        ("class_code", np.int16),
        ("class_probability", np.float32),
    ]
)
_INSIDE = "layer_min >= ?1 AND layer_max <= ?1 AND top >= ?2 AND bottom < ?3 AND left >= ?4 AND right < ?5"
_MEETS = "layer_min >= ?1 AND layer_max <= ?1 AND bottom >= ?2 AND top < ?3 AND right >= ?4 AND left < ?5"


def _bounds(layer: int, area: Rect) -> tuple[int, ...]:
    return layer, area.y, area.bottom, area.x, area.right


_STATE_ROW = np.dtype([("id", np.int64), ("state", np.uint8), ("locked", np.bool_)])


def read_objects(database: Database, layer: int, *, area: Rect | None = None) -> Iterator[Instances]:
    """Objects by ascending id, 50,000 at a time; all, or those whose box meets an area."""
    sql = (
        "SELECT id, top, left, bottom, right, centroid_y, centroid_x, area_px, confidence, class_code,"
        " ifnull(class_probability, -1) FROM objects WHERE "
    )
    if area is None:
        batches = database.batches(
            f"{sql} object BETWEEN ? AND ? ORDER BY object", (layer * LAYER_STEP, (layer + 1) * LAYER_STEP - 1)
        )
    else:
        chosen = f"object IN (SELECT object FROM boxes WHERE {_MEETS}) ORDER BY object"
        batches = database.batches(f"{sql} {chosen}", _bounds(layer, area))
    for batch in batches:
        yield _instances(batch)


def _instances(batch: list[tuple[Any, ...]]) -> Instances:
    rows = np.array(batch, dtype=_ROW)
    probability = rows["class_probability"].copy()
    probability[probability < 0] = np.nan
    return Instances(
        ids=rows["id"].copy(),
        boxes=np.stack([rows[name] for name in _BOX], axis=1),
        centroids=np.stack([rows[name] for name in _CENTROID], axis=1),
        areas_px=rows["area_px"].copy(),
        confidences=rows["confidence"].copy(),
        class_codes=rows["class_code"].copy(),
        class_probabilities=probability,
    )


def read_states(database: Database, layer: int) -> ObjectStates:
    """Review states of all objects of a layer, by ascending id."""
    sql = "SELECT id, state, locked FROM objects WHERE object BETWEEN ? AND ? ORDER BY object"
    code = {state: number for number, state in enumerate(OBJECT_STATES)}
    # row by row they would take twenty times the memory
    parts = [
        np.array([(number, code[state], locked) for number, state, locked in batch], dtype=_STATE_ROW)
        for batch in database.batches(sql, (layer * LAYER_STEP, (layer + 1) * LAYER_STEP - 1))
    ]
    rows = np.concatenate(parts) if parts else np.zeros(0, _STATE_ROW)
    return ObjectStates(ids=rows["id"].copy(), states=rows["state"].copy(), locked=rows["locked"].copy())


def count_objects(database: Database, layer: int) -> ObjectCounts:
    """Numbers of objects of a layer."""
    sql = "SELECT state, count(*), ifnull(sum(locked), 0) FROM objects WHERE object BETWEEN ? AND ? GROUP BY state"
    rows = database.rows(sql, (layer * LAYER_STEP, (layer + 1) * LAYER_STEP - 1))
    by_state = {state: count for state, count, _ in rows}
    predicted, edited, accepted = (by_state.get(state, 0) for state in OBJECT_STATES)
    return ObjectCounts(sum(by_state.values()), predicted, edited, accepted, sum(row[2] for row in rows))


def kept_objects(database: Database, layer: int, area: Rect) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids (N,), ascending, and boxes (N, 4) of the objects that meet an area and are not replaced in any case.

    Those whose box does not lie wholly inside, and those of which a person said something: edited, accepted, locked
    or with a question.
    """
    cut = f"SELECT object FROM boxes WHERE {_MEETS} AND NOT (top >= ?2 AND bottom < ?3 AND left >= ?4 AND right < ?5)"
    said = "SELECT object FROM objects WHERE layer = ?1 AND (state <> 'predicted' OR locked = 1)"
    asked = f"SELECT layer * {LAYER_STEP} + id FROM flags WHERE layer = ?1"
    meets = "bottom > ?2 AND top < ?3 AND right > ?4 AND left < ?5"
    columns = f"SELECT id, top, left, bottom, right FROM objects WHERE {meets}"
    sql = f"{columns} AND object IN ({cut} UNION {said} UNION {asked}) ORDER BY object"
    return _ids_and_boxes(database.rows(sql, _bounds(layer, area)))


def boxes_of(database: Database, layer: int, ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids (N,), ascending, and boxes (N, 4) of the objects that are there among some ids."""
    _choose(database, layer, ids)
    columns = "SELECT id, top, left, bottom, right FROM objects"
    return _ids_and_boxes(database.rows(f"{columns} WHERE object IN (SELECT object FROM temp.chosen) ORDER BY object"))


def _ids_and_boxes(rows: list[tuple[Any, ...]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    table = np.array(rows, np.int64).reshape(-1, 5)
    return table[:, 0], table[:, 1:]


def _choose(database: Database, layer: int, ids: NDArray[np.int64]) -> None:
    database.rows("CREATE TEMP TABLE IF NOT EXISTS chosen (object INTEGER PRIMARY KEY)")
    database.rows("DELETE FROM temp.chosen")
    keys = (ids + layer * LAYER_STEP).tolist()
    database.many("INSERT OR IGNORE INTO temp.chosen VALUES (?)", ((key,) for key in keys))


def stash_replaced(database: Database, layer: int, area: Rect, kept: NDArray[np.int64], entry: int) -> None:
    """Move the objects whose box lies wholly inside an area, but for those kept, to the ``before`` side of an entry."""
    _choose(database, layer, kept)
    columns = ", ".join(COLUMNS)
    database.rows(
        f"INSERT INTO run_objects (entry, side, {columns}) SELECT ?6, 'before', {columns} FROM objects WHERE object IN"
        f" (SELECT object FROM boxes WHERE {_INSIDE} EXCEPT SELECT object FROM temp.chosen)",
        (*_bounds(layer, area), entry),
    )
    doomed = "SELECT object FROM run_objects WHERE entry = ? AND side = 'before' AND layer = ?"
    for table in ("objects", "boxes"):
        database.rows(f"DELETE FROM {table} WHERE object IN ({doomed})", (entry, layer))


def insert_objects(database: Database, layer: int, run: int, instances: Instances) -> None:
    """Add predicted, unlocked objects."""
    for start in range(0, len(instances), INSERTED_ROWS):
        part = instances.take(np.arange(start, min(start + INSERTED_ROWS, len(instances))))
        keys = (part.ids + layer * LAYER_STEP).tolist()
        boxes = part.boxes
        values = zip(
            keys,
            part.ids.tolist(),
            part.class_codes.tolist(),
            part.class_probabilities.tolist(),  # SQLite stores NaN as NULL
            part.confidences.tolist(),
            part.areas_px.tolist(),
            *part.centroids.T.tolist(),
            *boxes.T.tolist(),
            strict=True,
        )
        database.many(
            f"INSERT INTO objects VALUES (?, {layer}, ?, ?, ?, ?, 'predicted', 0, ?, ?, ?, ?, ?, ?, ?, {run})", values
        )
        top, left, bottom, right = (boxes - [0, 0, 1, 1]).T.tolist()
        database.many(
            f"INSERT INTO boxes VALUES (?, {layer}, {layer}, ?, ?, ?, ?)",
            zip(keys, top, bottom, left, right, strict=True),
        )
