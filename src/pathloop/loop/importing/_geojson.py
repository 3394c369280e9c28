"""Outlines of a GeoJSON file into a project, as one entry of the journal."""

from collections import defaultdict
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace

import numpy as np

from pathloop.core import DataError, Event, JobFinished, Rect, StageProgress
from pathloop.interchange import read_geojson
from pathloop.loop.correct._paint import flag_changes, object_changes
from pathloop.loop.importing._findings import Findings
from pathloop.loop.importing._identity import Key, Names
from pathloop.loop.importing._items import Item
from pathloop.loop.importing._painting import Painted, paint_items
from pathloop.loop.importing._present import Present
from pathloop.loop.importing._reading import Reading
from pathloop.loop.importing._request import ImportRequest
from pathloop.store import (
    Change,
    ObjectChange,
    ObjectRow,
    PixelChange,
    Project,
    Reason,
    Region,
    RegionChange,
    RegionState,
)

__all__ = ["import_geojson"]

TOOL = "import"


def import_geojson(project: Project, slide_id: str, request: ImportRequest) -> Generator[Event]:
    """Bring what a person changed in QuPath, or in another program, into a slide.

    Parameters
    ----------
    project
        Open for writing.
    slide_id
        The slide that the outlines lie on.
    request
        The file, and what to do with outlines of no task and with objects that it lacks.

    Yields
    ------
    Event
        `StageProgress`, a `Message` for everything that was not done as the file says, and `JobFinished`: its summary
        holds ``slide``, ``words``, ``entry`` (number in the journal; None if nothing changed) and the counts.

    Raises
    ------
    DataError
        If the file cannot be read, is contradictory, or holds objects of another slide.
    ProjectError
        If the project cannot be written. In any case all of the file is in, or nothing.
    """
    findings = Findings()
    reading = Reading(project, slide_id, Names(project, request.task), findings)
    n_features = 0
    try:
        for n_features in reading.read(read_geojson(request.path)):
            yield StageProgress(slide_id, "comparing outlines", n_features, 0)
    except DataError as error:
        text = str(error)
        raise DataError(text if text.startswith(str(request.path)) else f"{request.path}: {text}") from error
    if n_features == 0:
        raise DataError(f"{request.path}: holds no objects")
    yield StageProgress(slide_id, "painting outlines", 0, 0)
    builder = _Builder(project, slide_id, request, reading, findings)
    change = builder.change()
    yield from findings.notes()
    summary = {"slide": slide_id, "words": findings.in_words(), "entry": None, **findings.summary()}
    if not change.is_empty:
        words = f"{request.path.name}: {findings.in_words()}"
        summary["entry"] = project.commit(slide_id, change, tool=TOOL, summary=words, kind="import").number
    yield JobFinished(project.path, summary)


@dataclass(slots=True)
class _Layer:
    """One task's part of the change: its outlines that are left in the end, and what they come to."""

    table: Present
    items: list[Item]
    painted: Painted
    deleted: set[int]

    @property
    def patches(self) -> list[PixelChange]:
        """What differs."""
        return [patch for found in self.painted.patches.values() for patch in found]


class _Builder:
    """Makes the change out of what was read; registers new classes only once all of it is known to be right."""

    def __init__(
        self, project: Project, slide_id: str, request: ImportRequest, reading: Reading, findings: Findings
    ) -> None:
        self._project, self._slide_id, self._request = project, slide_id, request
        self._reading, self._findings = reading, findings

    def change(self) -> Change:
        """Everything that is to change, counted in the findings."""
        by_task: dict[str, list[Item]] = defaultdict(list)
        for item in self._reading.items:
            by_task[item.task].append(item)
        layers = [
            self._layer(task, by_task[task], self._missing(task, by_task[task]))
            for task in dict.fromkeys([*by_task, *self._reading.seen_tasks])
        ]
        objects: list[ObjectChange] = []
        changed: set[Key] = set()
        for layer in layers:
            painted = self._painted_objects(layer)
            changed |= self._count(layer, painted)
            objects += self._named_objects(layer.table.task, painted)
        self._count_rest(changed)
        return Change(
            pixels=tuple(patch for layer in layers for patch in layer.patches),
            objects=tuple(objects),
            regions=self._region_changes(by_task),
            flags=flag_changes(self._project, self._slide_id, objects),
        )

    # pixels

    def _layer(self, task: str, items: list[Item], deleted: set[int]) -> _Layer:
        """Paint until every outline that is left has pixels of its own, and none is an object that is here already."""
        table, first_id = self._reading.table(task), self._project.next_free_id(self._slide_id, task)
        while True:
            for number, item in enumerate((one for one in items if one.id == 0 or one.id >= first_id), first_id):
                item.id = number
            painted = paint_items(table, items, deleted, self._reading.seen(task))
            left = [item for item in items if self._stays(item, table, painted)]
            if len(left) == len(items):
                return _Layer(table, items, painted, deleted)
            items = left

    def _stays(self, item: Item, table: Present, painted: Painted) -> bool:
        is_new = table.row(item.id) is None
        if painted.pixels[item.number] == 0:
            self._findings.covered += 1
            if not is_new:
                self._reading.left.add(item.key)
            return False
        twin = painted.twin_of(item, table) if is_new else 0
        if twin:
            item.id = twin
            self._reading.adopt(item)
        return not twin

    def _missing(self, task: str, items: Iterable[Item]) -> set[int]:
        """Objects that the file lacks and that are to be deleted for it."""
        table, seen, findings = self._reading.table(task), self._reading.seen(task), self._findings
        if not seen:
            return set()
        is_seen = np.isin(table.ids, np.fromiter(seen, np.int64, len(seen)))
        area = self._request.roi
        if area is None:
            windows = [(one.window.y, one.window.x, one.window.bottom, one.window.right) for one in items]
            boxes = np.concatenate([table.boxes[is_seen], np.array(windows, np.int64).reshape(-1, 4)])
            area = Rect.from_bounds(*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist())
        top, left, bottom, right = table.boxes.T
        is_inside = (bottom > area.y) & (top < area.bottom) & (right > area.x) & (left < area.right)
        if not self._request.delete_missing:
            findings.missing += int(np.count_nonzero(~is_seen & is_inside))
            return set()
        is_kept = table.locked | table.accepted
        findings.kept += int(np.count_nonzero(~is_seen & is_inside & is_kept))
        if self._request.roi is None:
            findings.beyond += int(np.count_nonzero(~is_seen & ~is_inside))
        return set(table.ids[~is_seen & is_inside & ~is_kept].tolist())

    # rows

    def _painted_objects(self, layer: _Layer) -> dict[int, ObjectChange]:
        """Rows that the painting changes, by id."""
        if not layer.painted.patches:
            return {}
        task, table = layer.table.task, layer.table
        new = {item.id: item for item in layer.items if table.row(item.id) is None}
        classes: dict[str, int] = {}
        for item in new.values():
            if item.class_name is not None and item.class_name not in classes:
                classes[item.class_name] = self._project.class_code(task, item.class_name, item.color)
        codes = {number: classes[item.class_name] for number, item in new.items() if item.class_name is not None}
        found = object_changes(self._project, self._slide_id, task, layer.patches, codes)
        return {
            one.id: replace(one, after=replace(one.after, locked=True))
            if one.after is not None and one.id in new and new[one.id].is_locked
            else one
            for one in found
        }

    def _named_objects(self, task: str, painted: dict[int, ObjectChange]) -> list[ObjectChange]:
        """All rows that change: the painted ones, and those that get another class or lock."""
        classes, locks = self._reading.classes, self._reading.locks
        named = {number for name, number in (*classes, *locks) if name == task}
        rows = self._project.object_rows(self._slide_id, task, sorted(named - painted.keys()))
        found = painted | {number: ObjectChange(task, number, row, row) for number, row in rows.items()}
        for number in named & found.keys():
            row = found[number].after
            if row is not None:
                found[number] = replace(found[number], after=self._named(task, number, row))
        return [found[number] for number in sorted(found)]

    def _named(self, task: str, number: int, row: ObjectRow) -> ObjectRow:
        wanted = self._reading.classes.get((task, number))
        if wanted is not None:
            code = self._project.class_code(task, *wanted)
            # the model's probability was about another class
            row = replace(row, class_code=code, class_probability=None, state="edited")
        return replace(row, locked=self._reading.locks.get((task, number), row.locked))

    def _region_changes(self, tasks: Iterable[str]) -> tuple[RegionChange, ...]:
        states: dict[str, RegionState] = dict.fromkeys([*self._project.tasks(self._slide_id), *tasks], "todo")
        changes = []
        for number, (rect, name) in enumerate(self._reading.regions.items(), self._project.new_region_id()):
            words = f"drawn elsewhere: {name}" if name else f"drawn elsewhere, in {self._request.path.name}"
            reason = Reason("imported", 0.0, words)
            region = Region(number, self._slide_id, rect, "imported", reasons=(reason,), states=dict(states))
            changes.append(RegionChange(number, None, region))
        return tuple(changes)

    # counting

    def _count(self, layer: _Layer, painted: dict[int, ObjectChange]) -> set[Key]:
        """Count what the painting did; objects of the file that are other pixels now."""
        findings, mine = self._findings, {item.id for item in layer.items}
        findings.clipped += sum(layer.painted.pixels[item.number] < item.area_px for item in layer.items)
        findings.deleted += len(layer.deleted)
        changed = set()
        for one in painted.values():
            if one.before is None:
                findings.new += 1
            elif one.id in mine:
                changed.add((layer.table.task, one.id))
            elif one.after is not None:
                findings.trimmed += 1
            elif one.id not in layer.deleted:
                findings.vanished += 1
        return changed

    def _count_rest(self, changed: set[Key]) -> None:
        reading, findings = self._reading, self._findings
        findings.changed, findings.classes = len(changed), len(reading.classes)
        findings.locks, findings.regions = len(reading.locks), len(reading.regions)
        n_seen = sum(len(reading.seen(task)) for task in reading.seen_tasks)
        findings.unchanged += n_seen - len(changed | reading.left | set(reading.classes) | set(reading.locks))
