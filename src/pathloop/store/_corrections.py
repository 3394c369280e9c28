"""What people change in a project: every change is in the journal before anything else shows it."""

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ProjectError, Rect, UsageError
from pathloop.rasters import create_label_pyramid
from pathloop.store import _classes, _reviewing
from pathloop.store._commit import check_pixels, prepared, tasks_reviewed, write_change
from pathloop.store._database import Database
from pathloop.store._edits import Change
from pathloop.store._journal import UndoStacks, read_areas, read_change, read_entries, read_entry
from pathloop.store._landings import step_landing, tidy, undo_pending
from pathloop.store._layers import Layer, all_layers, find_layer, make_layer
from pathloop.store._object_rows import read_object_rows
from pathloop.store._pixels import KeptLabels, apply_waiting, cannot_write
from pathloop.store._replacement import Replacement
from pathloop.store._review_records import Flag, JournalEntry, ObjectRow, Region, TissueCell
from pathloop.store._slides import find_slide
from pathloop.store._who import who_am_i

__all__ = ["Corrections"]

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
    """Whether `commit`, `undo` and `redo` write the pyramids too; else `apply_journal` or `labels` does."""

    def __init__(self) -> None:
        self._stacks = UndoStacks()
        self._labels = KeptLabels()
        self._under_way: dict[int, Replacement] = {}

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
        when the project is next opened for writing. If the pixels cannot be written now (drive full), they are tried
        again whenever labels are asked for: what is in the journal counts.

        Parameters
        ----------
        slide_id
            Its slide; regions of the change lie on it too.
        change
            With everything as it is now in ``before``. Every object whose pixels change has its row in it.
        tool, summary
            What was used, and in words what was done.
        kind
            ``edit``, ``import`` or ``merge``.
        who
            None = `who_am_i`.

        Raises
        ------
        UsageError
            If nothing changes, pixels lie outside the slide, rows and pixels do not belong together, or the
            membership of the hold-out changes.
        ProjectError
            If something was changed meanwhile, an object is locked, or the journal cannot be written. Then nothing
            has changed.
        """
        self._must_write()
        if kind not in KINDS:
            raise UsageError(f"no kind of entry: {kind!r}; known: {', '.join(KINDS)}")
        who = who or who_am_i()
        change = prepared(find_slide(self._database, slide_id), change, who)
        if change.is_empty:
            raise UsageError(f"nothing to write down for {tool!r}")
        if change.cells and _reviewing.read_grid(self._database, slide_id) is None:
            raise UsageError(f"slide {slide_id!r} has no grid for cells of the tissue map yet")
        for task in change.tasks:
            self.ensure_layer(slide_id, task)
        layers = self._layers(slide_id)
        self._make_room(layers, tasks_reviewed(change))
        labels = {task: self._labels.of(self._database, layers[task]) for task in {one.task for one in change.pixels}}
        check_pixels(self._database, layers, change, labels)
        entry = JournalEntry(0, slide_id, kind, tool, None, summary, who, "", self._models(change))
        return self._write(entry, change)

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
        entry = replace(target, number=0, kind=kind, target=target.number, who=who or who_am_i())
        change, layers = read_change(self._database, entry), self._layers(slide_id)
        if target.kind != "run":
            self._make_room(layers, tasks_reviewed(change))
            return self._write(entry, change), change
        self._make_room(layers, {task for task, _ in self.journal_areas(target.number)})
        self.apply_journal()
        return step_landing(self._database, {layer.number: layer for layer in layers.values()}, entry), change

    def _write(self, entry: JournalEntry, change: Change) -> JournalEntry:
        layers = self._layers(entry.slide_id)
        ends_redo = entry.target is None and bool(self._stacks.read(self._database, entry.slide_id)[1])
        with self._database.transaction():
            entry = write_change(self._database, layers, entry, change)
        self._labels.follow({layer.number: task for task, layer in layers.items()}, entry, change)
        if ends_redo:
            tidy(self._database, list(layers.values()))
        if self.applies_at_once:
            with contextlib.suppress(ProjectError):  # it counts already; whoever reads labels next tries again
                self.apply_journal()
        return entry

    def _make_room(self, layers: Mapping[str, Layer], tasks: Collection[str]) -> None:
        """Take back what is half done in layers that a person changes: corrections come first."""
        for number, task in self._database.rows("SELECT layer, task FROM pending JOIN layers USING (layer)"):
            if number not in self._under_way:  # an error left it
                undo_pending(self._database, all_layers(self._database))
            elif task in tasks and task in layers and layers[task].number == number:
                self._under_way[number].give_way()

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
            "SELECT DISTINCT l.layer FROM journal j"
            " JOIN journal_pixels p ON p.entry = ifnull(j.target, j.entry) JOIN layers l ON l.layer = p.layer"
            " WHERE j.entry > l.applied AND j.entry > (SELECT min(applied) FROM layers)"
        )
        waiting = {row[0] for row in self._database.rows(sql)}
        for layer in all_layers(self._database) if waiting else ():
            if layer.number in waiting:
                apply_waiting(self._database, layer)
        self._database.rows("UPDATE layers SET applied = ? WHERE applied < ?", (last, last))
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
                raise cannot_write(layer.labels, error) from error

    def class_code(self, task: str, name: str, color: tuple[int, int, int] | None = None) -> int:
        """Code of a class of a task; one that is new is registered, with a colour of its own if none is given."""
        self._must_write()
        return _classes.class_code(self._database, task, name, color)

    def new_region_id(self) -> int:
        """A number that no region ever had."""
        return _reviewing.free_region_id(self._database)

    # looking

    def read_labels(self, slide_id: str, task: str, rect: Rect) -> NDArray[np.int32]:
        """Ids of level-0 pixels as the journal says, also where the pyramid is not up to date; 0 where there are none.

        Parameters
        ----------
        rect
            Level-0 pixels; what lies beyond the slide is 0. At most some 10,000 x 10,000.
        """
        layer = find_layer(self._database, slide_id, task)
        return np.zeros(rect.shape, np.int32) if layer is None else self._labels.of(self._database, layer).read(rect)

    def undoable(self, slide_id: str) -> JournalEntry | None:
        """What `undo` would take back."""
        undoable, _ = self._stacks.read(self._database, slide_id)
        return read_entry(self._database, undoable[-1]) if undoable else None

    def redoable(self, slide_id: str) -> JournalEntry | None:
        """What `redo` would do again."""
        _, redoable = self._stacks.read(self._database, slide_id)
        return read_entry(self._database, redoable[-1]) if redoable else None

    def journal(self, slide_id: str | None = None) -> Iterator[JournalEntry]:
        """Everything that was done, oldest first."""
        return read_entries(self._database, slide_id)

    def journal_change(self, number: int) -> Change:
        """What an entry changed, as it was applied; pixels are cut to what differs. Nothing for a run's predictions."""
        return read_change(self._database, read_entry(self._database, number))

    def journal_areas(self, number: int) -> list[tuple[str, Rect]]:
        """Where an entry changed labels, a run's too: task and level-0 rectangle; those of a task do not overlap."""
        return read_areas(self._database, number)

    def object_row(self, slide_id: str, task: str, object_id: int) -> ObjectRow | None:
        """An object's row; None if there is no such object."""
        return self.object_rows(slide_id, task, [object_id]).get(object_id)

    def object_rows(self, slide_id: str, task: str, ids: Iterable[int]) -> dict[int, ObjectRow]:
        """Rows of some objects by id; ids that are not there are left out."""
        layer = find_layer(self._database, slide_id, task)
        return {} if layer is None else read_object_rows(self._database, layer.number, ids)

    def flags(self, slide_id: str, task: str | None = None) -> list[Flag]:
        """Questions about objects of a slide, by task and id."""
        return _reviewing.read_flags(self._database, slide_id, task)

    def regions(self, slide_id: str | None = None) -> list[Region]:
        """Regions by rank, those without one last."""
        return _reviewing.read_regions(self._database, slide_id)

    def region(self, number: int) -> Region:
        """One region; ProjectError if there is none."""
        found = _reviewing.read_region(self._database, number)
        if found is None:
            raise ProjectError(f"{self.path}: has no region {number}")
        return found

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
