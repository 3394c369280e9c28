"""Landings of runs as entries of the journal: written down, taken back and done again, chunks and rows together.

What a landing replaced is kept: chunk files in ``slides/<id>/journal/<folder>``, rows in ``run_objects``. An undo
copies the chunks as they are now beside them, says so in ``pending``, puts the old ones back, and exchanges all rows in
the transaction that adds its entry. Whatever ends before that is undone from the copies.
"""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pathloop.core import ProjectError, Rect
from pathloop.rasters import open_label_pyramid, restore_chunks, save_chunks
from pathloop.store._clock import now
from pathloop.store._database import Database
from pathloop.store._edits import Change
from pathloop.store._journal import add_entry
from pathloop.store._layers import Layer
from pathloop.store._objects import COLUMNS, LAYER_STEP
from pathloop.store._pixels import cannot_write
from pathloop.store._review_records import JournalEntry
from pathloop.store._who import who_am_i
from pathloop.store._words import counted

__all__ = ["Landing", "free_folder", "landings_of", "record_landing", "step_landing", "tidy", "undo_pending"]

TOOL = "segment"
OWN = 'first_id, top, "left", bottom, "right", replaced'


@dataclass(frozen=True, slots=True)
class Landing:
    """What came into one layer.

    Parameters
    ----------
    entry, layer, run
        Whose.
    area
        Level-0 pixels that were replaced.
    first_id, last_id
        Ids of the objects that came; the last is smaller where none did.
    n_objects
        How many.
    flags
        What else must be put back: the run's own row before and after, the runs that it replaced.
    folder
        Of the chunks, below ``slides/<id>/journal``; None once they are gone.
    side
        The side of the landing that the folder holds; the pyramid holds the other.
    """

    entry: int
    layer: int
    run: int
    area: Rect
    first_id: int
    last_id: int
    n_objects: int
    flags: dict[str, Any]
    folder: str | None
    side: str


def free_folder(database: Database, layer: Layer) -> str:
    """A name below ``slides/<id>/journal`` that is not in use."""
    known = [str(row[0]) for row in database.rows("SELECT folder FROM journal_runs WHERE folder IS NOT NULL")]
    there = [path.name for path in layer.journal.iterdir()] if layer.journal.is_dir() else []
    numbers = [int(found[1]) for name in known + there if (found := re.fullmatch(rf"{layer.task}-(\d+)", name))]
    return f"{layer.task}-{max(numbers, default=0) + 1}"


def record_landing(database: Database, layer: Layer, landing: Landing) -> int:
    """Write a landing down: in the entry of the same run if that is the slide's last, else in a new one.

    The caller's transaction; `entry` is given here.
    """
    slide_id = layer.slide_id
    last = database.rows("SELECT entry, kind FROM journal WHERE slide_id = ? ORDER BY entry DESC LIMIT 1", (slide_id,))
    known = landings_of(database, last[0][0]) if last and last[0][1] == "run" else []
    if known and all(one.run == landing.run and one.layer != layer.number for one in known):
        number = known[0].entry
    else:
        [(text,)] = database.rows("SELECT parameters FROM runs WHERE run = ?", (landing.run,))
        model = json.loads(text).get("model")
        models = () if model is None else (str(model),)
        entry = JournalEntry(0, slide_id, "run", TOOL, None, "", who_am_i(), "", models)
        number = add_entry(database, entry, Change(), {}).number
    area = landing.area
    database.rows(
        "INSERT INTO journal_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(number, layer.number, landing.run, area.y, area.x, area.bottom, area.right),
            *(landing.first_id, landing.last_id, landing.n_objects, json.dumps(landing.flags)),
            *(landing.folder, landing.side),
        ),
    )
    database.rows("UPDATE journal SET summary = ? WHERE entry = ?", (_in_words(database, number), number))
    return number


def _in_words(database: Database, entry: int) -> str:
    sql = (
        "SELECT parameters, task, n_objects FROM journal_runs JOIN runs USING (run) JOIN layers USING (layer)"
        " WHERE entry = ? ORDER BY layer"
    )
    rows = database.rows(sql, (entry,))
    parameters = json.loads(rows[0][0])
    name = " ".join(str(parameters[key]) for key in ("model", "model_version") if key in parameters)
    return f"{name or 'a run'}: {', '.join(counted(task, n) for _, task, n in rows)}"


def landings_of(database: Database, entry: int) -> list[Landing]:
    """What an entry brought in, by layer; for undo and redo what their target did."""
    sql = (
        'SELECT entry, layer, run, first_id, last_id, n_objects, flags, folder, side, top, "left", bottom, "right"'
        " FROM journal_runs WHERE entry = (SELECT ifnull(target, entry) FROM journal WHERE entry = ?) ORDER BY layer"
    )
    return [
        Landing(number, layer, run, Rect.from_bounds(*bounds), first, last, n, json.loads(flags), folder, side)
        for number, layer, run, first, last, n, flags, folder, side, *bounds in database.rows(sql, (entry,))
    ]


def step_landing(database: Database, layers: Mapping[int, Layer], entry: JournalEntry) -> JournalEntry:
    """Take a landing back, or do it again.

    Parameters
    ----------
    layers
        By number.
    entry
        Of kind undo or redo; it is added to the journal.

    Raises
    ------
    ProjectError
        If chunks cannot be written, or those of the other side are gone. Then nothing has changed.
    """
    assert entry.target is not None
    landings = landings_of(database, entry.target)
    here, there = ("after", "before") if entry.kind == "undo" else ("before", "after")
    for one in landings:
        if one.side != there or one.folder is None or not (layers[one.layer].journal / one.folder / there).is_dir():
            raise ProjectError(
                f"{database.path.parent}: what is needed to {entry.kind} {entry.summary!r} is gone from"
                f" {layers[one.layer].journal}"
            )
    with _swapped_chunks(database, layers, landings, (here, there)), database.transaction():
        for one in landings:
            _swap_rows(database, one, entry.kind)
        _swap_flags(database, landings, entry.kind)
        entry = add_entry(database, entry, Change(), {})
        database.rows("UPDATE journal_runs SET side = ? WHERE entry = ?", (here, entry.target))
        database.rows(f"DELETE FROM pending WHERE layer IN ({', '.join(str(one.layer) for one in landings)})")
    for one in landings:
        assert one.folder is not None
        shutil.rmtree(layers[one.layer].journal / one.folder / there, ignore_errors=True)
    return entry


@contextlib.contextmanager
def _swapped_chunks(
    database: Database, layers: Mapping[int, Layer], landings: Sequence[Landing], sides: tuple[str, str]
) -> Iterator[None]:
    """The other side's chunks are in the pyramids; this side's come back if the block fails."""
    here, there = sides
    pyramids = {one.layer: open_label_pyramid(layers[one.layer].labels, write=True) for one in landings}
    saved = {one.layer: layers[one.layer].journal / str(one.folder) / here for one in landings}
    try:
        for one in landings:
            save_chunks(pyramids[one.layer], one.area, saved[one.layer])
        with database.transaction():
            for one in landings:
                mark_pending(database, layers[one.layer], one.run, one.area, saved[one.layer])
        try:
            for one in landings:
                restore_chunks(pyramids[one.layer], one.area, layers[one.layer].journal / str(one.folder) / there)
            yield
        except BaseException:
            undo_pending(database, [layers[one.layer] for one in landings])
            raise
    except OSError as error:
        for one in landings:
            shutil.rmtree(saved[one.layer], ignore_errors=True)
        raise cannot_write(layers[landings[0].layer].folder, error) from error


def mark_pending(database: Database, layer: Layer, run: int, area: Rect, saved: Path) -> None:
    """Say that a layer's pyramid is about to change, and where its chunks are; the caller's transaction."""
    place = saved.relative_to(layer.folder).as_posix()
    columns = 'layer, run, top, "left", bottom, "right", started, saved'
    database.rows(
        f"INSERT INTO pending ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (layer.number, run, area.y, area.x, area.bottom, area.right, now(), place),
    )


def _swap_rows(database: Database, landing: Landing, kind: str) -> None:
    """Rows of one side out, those of the other in; both sides stay in ``run_objects``."""
    columns, key = ", ".join(COLUMNS), (landing.entry, landing.layer)
    own = (landing.layer * LAYER_STEP + landing.first_id, landing.layer * LAYER_STEP + landing.last_id)
    side = "SELECT object FROM run_objects WHERE entry = ? AND layer = ? AND side = "
    if kind == "undo":
        database.rows("DELETE FROM run_objects WHERE entry = ? AND layer = ? AND side = 'after'", key)
        sql = f"INSERT INTO run_objects (entry, side, {columns}) SELECT ?, 'after', {columns} FROM objects"
        database.rows(f"{sql} WHERE object BETWEEN ? AND ?", (landing.entry, *own))
    gone, come = ("after", "before") if kind == "undo" else ("before", "after")
    for table in ("objects", "boxes"):
        database.rows(f"DELETE FROM {table} WHERE object IN ({side}'{gone}')", key)
    rows = f"FROM run_objects WHERE entry = ? AND layer = ? AND side = '{come}'"
    database.rows(f"INSERT INTO objects ({columns}) SELECT {columns} {rows}", key)
    inclusive = 'object, layer, layer, top, bottom - 1, "left", "right" - 1'
    database.rows(f"INSERT INTO boxes SELECT {inclusive} {rows} ORDER BY object", key)


def _swap_flags(database: Database, landings: Sequence[Landing], kind: str) -> None:
    """What the runs' rows say of their layers; a run of which a landing was taken back is not finished."""
    sets = ", ".join(f"{name} = ?" for name in OWN.split(", "))
    for one in landings:
        own = list(one.flags["own_before" if kind == "undo" else "own_after"])
        if kind == "undo" and own[1] is None:
            own[5] = 1  # else it would pass for finished
        database.rows(f"UPDATE run_layers SET {sets} WHERE run = ? AND layer = ?", (*own, one.run, one.layer))
        database.many(
            f"UPDATE run_layers SET replaced = {int(kind == 'redo')} WHERE layer = {one.layer} AND run = ?",
            iter([(run,) for run in one.flags["replaced"]]),
        )
    for run in {one.run for one in landings}:
        mine = [one for one in landings if one.run == run]
        if kind == "redo":
            finished = mine[0].flags.get("finished")
            if finished is not None:
                database.rows("UPDATE runs SET state = 'finished', finished = ? WHERE run = ?", (finished, run))
        elif any(one.flags["own_before"][1] is None or one.flags["own_before"][5] for one in mine):
            [(finished,)] = database.rows("SELECT finished FROM runs WHERE run = ?", (run,))
            for one in mine:
                text = json.dumps(one.flags | {"finished": finished})
                sql = "UPDATE journal_runs SET flags = ? WHERE entry = ? AND layer = ?"
                database.rows(sql, (text, one.entry, one.layer))
            database.rows("UPDATE runs SET finished = NULL WHERE run = ?", (run,))


def tidy(database: Database, layers: Sequence[Layer]) -> None:
    """Remove chunk copies that nothing refers to any more."""
    sql = "SELECT slide_id, folder, side FROM journal_runs JOIN layers USING (layer) WHERE folder IS NOT NULL"
    needed = {(slide_id, folder): side for slide_id, folder, side in database.rows(sql)}
    under_way = {Path(saved).parent.name for (saved,) in database.rows("SELECT saved FROM pending") if saved}
    for slide_id, journal in {layer.slide_id: layer.journal for layer in layers}.items():
        for folder in journal.iterdir() if journal.is_dir() else ():
            side = needed.get((slide_id, folder.name))
            if folder.name in under_way:
                continue
            for unused in [folder] if side is None else [one for one in folder.iterdir() if one.name != side]:
                shutil.rmtree(unused, ignore_errors=True)


def undo_pending(database: Database, layers: Sequence[Layer]) -> None:
    """Undo every change of a pyramid that a kill or an error interrupted.

    Raises
    ------
    ProjectError
        If chunks cannot be written; the next call tries again.
    """
    rows = database.rows('SELECT layer, saved, top, "left", bottom, "right" FROM pending')
    pending = {number: (saved, Rect.from_bounds(*bounds)) for number, saved, *bounds in rows}
    for layer in layers:
        if layer.number in pending:
            saved, area = pending[layer.number]
            folder = layer.before if saved is None else layer.folder / saved
            try:
                restore_chunks(open_label_pyramid(layer.labels, write=True), area, folder)
            except OSError as error:
                raise cannot_write(layer.labels, error) from error
            database.rows("DELETE FROM pending WHERE layer = ?", (layer.number,))
            shutil.rmtree(folder, ignore_errors=True)
