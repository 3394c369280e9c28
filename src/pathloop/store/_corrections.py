"""What people change in a project: every change is in the journal before anything else shows it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pathloop.core import DataError, ProjectError, Rect, UsageError
from pathloop.rasters import create_label_pyramid, open_label_pyramid
from pathloop.store import _classes, _reviewing
from pathloop.store._database import Database
from pathloop.store._edits import Change, PixelChange
from pathloop.store._journal import add_entry, read_change, read_entries, read_entry, read_pixels, undo_stacks
from pathloop.store._layers import Layer, all_layers, find_layer, make_layer
from pathloop.store._records import SlideRecord
from pathloop.store._review_records import Flag, JournalEntry, ObjectRow, Region, TissueCell
from pathloop.store._slides import find_slide
from pathloop.store._who import who_am_i

__all__ = ["Corrections"]

MAX_ID = 2**31 - 1
KINDS = ("edit", "import", "merge")


class Corrections:
    """The part of a project that people change: objects, tissue cells, regions and flags, with undo and redo.

    Undo is linear for each slide, over all its tasks, without limit and across restarts. The journal only grows: an
    undo is an entry as well.
    """

    path: Path
    _database: Database
    _applied = 0
    """Entries up to this one are in the pyramids, as far as this process knows."""

    applies_at_once = True
    """Whether `commit`, `undo` and `redo` write the pyramids too; else whoever reads labels next does."""

    # changing

    def commit(
        self,
        slide_id: str,
        change: Change,
        *,
        tool: str,
        summary: str,
        kind: str = "edit",
        who: str | None = None,
    ) -> JournalEntry:
        """Make a change, as one entry of the journal.

        The entry, with the rows of the tables, is on disk before a pixel is written; a kill in between is made good
        when the project is next opened for writing.

        Parameters
        ----------
        slide_id
            Its slide; regions of the change lie on it too.
        change
            With everything as it is now in ``before``.
        tool, summary
            What was used, and in words what was done.
        kind
            ``edit``, ``import`` or ``merge``.
        who
            None = `who_am_i`.

        Raises
        ------
        UsageError
            If nothing changes, pixels lie outside the slide, or the membership of the hold-out changes.
        ProjectError
            If something was changed meanwhile, an object is locked, or the journal cannot be written. Then nothing
            has changed.
        """
        self._must_write()
        if change.is_empty or kind not in ("edit", "import", "merge"):
            raise UsageError(
                f"nothing to write down for {tool!r}" if change.is_empty else f"no kind of entry: {kind!r}"
            )
        self.apply_journal()
        record = find_slide(self._database, slide_id)
        self._check_pixels(record, change)
        entry = JournalEntry(0, slide_id, kind, tool, None, summary, who or who_am_i(), "", self._models(change))
        for task in change.tasks:
            self.ensure_layer(slide_id, task)
        entry = self._write(entry, change)
        if self.applies_at_once:
            self.apply_journal()
        return entry

    def undo(self, slide_id: str, *, who: str | None = None) -> tuple[JournalEntry, Change] | None:
        """Take back the latest change of a slide that stands.

        Returns
        -------
        tuple or None
            The new entry, and what it changed; None where there is nothing to take back.
        """
        return self._step(slide_id, "undo", self.undoable(slide_id), who)

    def redo(self, slide_id: str, *, who: str | None = None) -> tuple[JournalEntry, Change] | None:
        """Do again what was taken back last; see `undo`."""
        return self._step(slide_id, "redo", self.redoable(slide_id), who)

    def _step(
        self, slide_id: str, kind: str, target: JournalEntry | None, who: str | None
    ) -> tuple[JournalEntry, Change] | None:
        self._must_write()
        if target is None:
            return None
        self.apply_journal()
        entry = replace(target, number=0, kind=kind, target=target.number, who=who or who_am_i())
        change = read_change(self._database, entry)
        entry = self._write(entry, change)
        if self.applies_at_once:
            self.apply_journal()
        return entry, change

    def _write(self, entry: JournalEntry, change: Change) -> JournalEntry:
        """The journal and all rows, in one transaction."""
        database, layers = self._database, self._layers(entry.slide_id)
        with database.transaction():
            for task in dict.fromkeys(one.task for one in change.objects):
                mine = [one for one in change.objects if one.task == task]
                _reviewing.change_objects(database, layers[task].number, mine, is_free=entry.target is not None)
            for task in dict.fromkeys(one.task for one in change.flags):
                _reviewing.change_flags(
                    database, layers[task].number, [one for one in change.flags if one.task == task]
                )
            _reviewing.change_cells(database, entry.slide_id, change.cells)
            _reviewing.change_regions(database, change.regions)
            for task, number in _highest_ids(change):
                sql = "UPDATE layers SET next_id = max(next_id, ?) WHERE layer = ?"
                database.rows(sql, (number + 1, layers[task].number))
            return add_entry(database, entry, change, {task: layer.number for task, layer in layers.items()})

    def apply_journal(self) -> None:
        """Bring the label pyramids up to date with the journal.

        Raises
        ------
        ProjectError
            If a pyramid cannot be written; what is committed stays so, and the next call tries again.
        """
        self._must_write()
        [(last,)] = self._database.rows("SELECT ifnull(max(entry), 0) FROM journal")
        if last == self._applied:
            return
        sql = (
            "SELECT DISTINCT p.layer, j.entry, j.target, j.kind FROM journal j JOIN journal_pixels p"
            " ON p.entry = ifnull(j.target, j.entry) JOIN layers l ON l.layer = p.layer WHERE j.entry > l.applied"
            " AND j.entry > ? ORDER BY j.entry, p.layer"
        )
        waiting = self._database.rows(sql, (self._applied,))
        layers = {layer.number: layer for layer in all_layers(self._database)} if waiting else {}
        for number, entry, target, kind in waiting:
            changes = read_pixels(self._database, entry if target is None else target, number)
            _apply(layers[number], [one.reversed for one in changes] if kind == "undo" else list(changes))
            self._database.rows("UPDATE layers SET applied = ? WHERE layer = ?", (entry, number))
        self._applied = last

    def ensure_layer(self, slide_id: str, task: str) -> None:
        """Make room for objects of a task on a slide that no run has segmented."""
        self._must_write()
        record = find_slide(self._database, slide_id)
        layer = find_layer(self._database, slide_id, task)
        if layer is None:
            layer = make_layer(self._database, slide_id, task)
        if not layer.labels.exists():
            attributes = {"task": task, "slide": slide_id}
            try:
                create_label_pyramid(layer.labels, record.shape, scale=record.scale, attributes=attributes)
            except OSError as error:
                raise _cannot_write(layer.labels, error) from error

    def class_code(self, task: str, name: str, color: tuple[int, int, int] | None = None) -> int:
        """Code of a class of a task; one that is new is registered, with a colour of its own if none is given."""
        self._must_write()
        return _classes.class_code(self._database, task, name, color)

    def new_region_id(self) -> int:
        """A number that no region ever had."""
        return _reviewing.free_region_id(self._database)

    # looking

    def undoable(self, slide_id: str) -> JournalEntry | None:
        """What `undo` would take back."""
        undoable, _ = undo_stacks(self._database, slide_id)
        return read_entry(self._database, undoable[-1]) if undoable else None

    def redoable(self, slide_id: str) -> JournalEntry | None:
        """What `redo` would do again."""
        _, redoable = undo_stacks(self._database, slide_id)
        return read_entry(self._database, redoable[-1]) if redoable else None

    def journal(self, slide_id: str | None = None) -> Iterator[JournalEntry]:
        """Everything that was done, oldest first."""
        return read_entries(self._database, slide_id)

    def journal_change(self, number: int) -> Change:
        """What an entry changed, as it was applied; pixels are cut to what differs."""
        return read_change(self._database, read_entry(self._database, number))

    def object_row(self, slide_id: str, task: str, object_id: int) -> ObjectRow | None:
        """An object's row; None if there is no such object."""
        return self.object_rows(slide_id, task, [object_id]).get(object_id)

    def object_rows(self, slide_id: str, task: str, ids: Iterable[int]) -> dict[int, ObjectRow]:
        """Rows of some objects by id; ids that are not there are left out."""
        layer = find_layer(self._database, slide_id, task)
        return {} if layer is None else _reviewing.read_object_rows(self._database, layer.number, ids)

    def flags(self, slide_id: str, task: str | None = None) -> list[Flag]:
        """Questions about objects of a slide, by task and id."""
        return _reviewing.read_flags(self._database, slide_id, task)

    def regions(self, slide_id: str | None = None) -> list[Region]:
        """Regions by rank, those without one last."""
        return _reviewing.read_regions(self._database, slide_id)

    def region(self, number: int) -> Region:
        """One region; ProjectError if there is none."""
        for region in self.regions():
            if region.id == number:
                return region
        raise ProjectError(f"{self.path}: has no region {number}")

    def tissue_cells(self, slide_id: str) -> dict[tuple[int, int], TissueCell]:
        """What people said of cells of the tissue map's grid, by (row, col)."""
        return _reviewing.read_cells(self._database, slide_id)

    # inside

    def _must_write(self) -> None:
        raise NotImplementedError

    def _layers(self, slide_id: str) -> dict[str, Layer]:
        return {layer.task: layer for layer in all_layers(self._database, slide_id)}

    def _models(self, change: Change) -> tuple[str, ...]:
        """Names of the models whose predictions are changed."""
        runs = {one.before.run for one in change.objects if one.before and one.before.run is not None}
        sql = "SELECT json_extract(parameters, '$.model') FROM runs WHERE run = ?"
        names = {str(row[0]) for run in sorted(runs) for row in self._database.rows(sql, (run,)) if row[0]}
        return tuple(sorted(names))

    def _check_pixels(self, record: SlideRecord, change: Change) -> None:
        """Refuse pixels outside the slide, and those whose ``before`` is not what the project holds."""
        whole = Rect(0, 0, *record.shape)
        for one in change.pixels:
            if one.rect.intersect(whole) != one.rect:
                raise UsageError(f"{one.rect} reaches beyond slide {record.slide_id!r}")
            layer = find_layer(self._database, record.slide_id, one.task)
            has_labels = layer is not None and layer.labels.exists()
            present = (
                open_label_pyramid(layer.labels).read(one.rect)
                if layer is not None and has_labels
                else np.zeros(one.rect.shape, np.int32)
            )
            if ((one.before != one.after) & (present != one.before)).any():
                raise ProjectError(
                    f"{self.path}: the {one.task} labels here were changed by something else meanwhile; open the region"
                    " again"
                )
            if one.after.size and (one.after.min() < 0 or one.after.max() > MAX_ID):
                raise UsageError(f"ids must lie in 0 .. {MAX_ID}")


def _highest_ids(change: Change) -> list[tuple[str, int]]:
    found = [(one.task, int(one.after.max(initial=0))) for one in change.pixels]
    return [*found, *((one.task, one.id) for one in change.objects if one.after is not None)]


def _apply(layer: Layer, changes: list[PixelChange]) -> None:
    """Write pixels that differ; doing it twice does no harm."""
    try:
        pyramid = open_label_pyramid(layer.labels, write=True)
        for one in changes:
            present = pyramid.read(one.rect)
            pyramid.write(one.rect, np.where(one.before != one.after, one.after, present))
            pyramid.build_levels(one.rect)
    except OSError as error:
        raise _cannot_write(layer.labels, error) from error
    except DataError as error:
        raise ProjectError(str(error)) from error


def _cannot_write(path: Path, error: OSError) -> ProjectError:
    reason = error.strerror or error
    return ProjectError(f"{path}: cannot be written ({reason}); check that the drive is there, writable and not full")
