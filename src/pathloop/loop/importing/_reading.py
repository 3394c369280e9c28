"""A file's features, one after the other, against what the project holds: what is equal is forgotten at once."""

from collections.abc import Iterable, Iterator

from pathloop.core import DataError, Rect
from pathloop.interchange import GeoJSONObject
from pathloop.loop.importing._findings import Findings
from pathloop.loop.importing._identity import Key, Names, Owners, told_key
from pathloop.loop.importing._items import Item, NewClass, is_same, place_items, twin_of
from pathloop.loop.importing._present import Present
from pathloop.loop.importing._shapes import is_rectangle, rounded_bounds
from pathloop.rasters import Outline
from pathloop.store import Project

__all__ = ["Reading"]

COMPARED_AT_ONCE = 20_000
"""Features that are sorted by place before they are compared, so that few blocks of labels are read twice."""
REGION = "region"
NO_OUTLINE = ("root", "tmaCore")


class Reading:
    """Sorts features into what is equal, what differs, what is new, and what is none of ours.

    Parameters
    ----------
    project, slide_id
        What they are compared with; it must not change meanwhile.
    names
        Of tasks and classes.
    findings
        Where everything is counted that needs no more work.

    Attributes
    ----------
    items : list[Item]
        Outlines that differ from the project's pixels, and new ones.
    classes : dict[Key, NewClass]
        Objects that get another class.
    locks : dict[Key, bool]
        Objects that are locked or unlocked.
    regions : dict[Rect, str]
        Regions that are not here yet, with their names in the file.
    left : set[Key]
        Objects that stay as they are although the file says something else.
    """

    def __init__(self, project: Project, slide_id: str, names: Names, findings: Findings) -> None:
        self.items: list[Item] = []
        self.classes: dict[Key, NewClass] = {}
        self.locks: dict[Key, bool] = {}
        self.regions: dict[Rect, str] = {}
        self.left: set[Key] = set()
        self._project, self._slide_id, self._names, self._findings = project, slide_id, names, findings
        self._owners = Owners(project, slide_id)
        self._whole = Rect(0, 0, *project.slide(slide_id).shape)
        self._present_regions = {one.rect for one in project.regions(slide_id)}
        self._tables: dict[str, Present] = {}
        self._seen: dict[str, dict[int, int]] = {}
        self._twins: list[Item] = []
        self._waiting: list[Item] = []

    def read(self, features: Iterable[GeoJSONObject]) -> Iterator[int]:
        """Take all features; yields now and then how many have been compared.

        Raises
        ------
        DataError
            If two features are one object and say different things, or one belongs to another slide.
        """
        number = 0
        for number, feature in enumerate(features, 1):
            self._sort(number, feature)
            if len(self._waiting) >= COMPARED_AT_ONCE:
                self._compare()
                yield number
        self._compare()
        for item in self._twins:
            self.adopt(item)
        yield number

    def table(self, task: str) -> Present:
        """The objects of a task."""
        if task not in self._tables:
            self._tables[task] = Present(self._project, self._slide_id, task)
        return self._tables[task]

    def seen(self, task: str) -> dict[int, int]:
        """Ids of the task's objects that the file has."""
        return self._seen.get(task, {})

    @property
    def seen_tasks(self) -> tuple[str, ...]:
        """Tasks of which the file has objects."""
        return tuple(self._seen)

    def adopt(self, item: Item) -> None:
        """Take a new outline as the object whose pixels it covers exactly."""
        if item.id in self.seen(item.task):
            self._findings.unchanged += 1
        else:
            self._seen.setdefault(item.task, {})[item.id] = 0
            self._attributes(item, is_unchanged=True)

    # sorting

    def _sort(self, number: int, item: GeoJSONObject) -> None:
        if item.object_type in NO_OUTLINE:
            return
        outline = (item.object_type == "cell" and item.nucleus_outline) or item.outline
        if not outline:
            self._findings.shapeless += 1
            return
        key = self._owners.find(item)
        if key is None:
            self._sort_foreign(number, item, outline)
            return
        row = self.table(key[0]).row(key[1])
        if row is None:
            self._findings.gone += 1
        elif self._is_first(key, item, outline):
            self._waiting.append(self._item(number, key, item, outline))

    def _sort_foreign(self, number: int, item: GeoJSONObject, outline: Outline) -> None:
        if (item.class_name or "").casefold().startswith(REGION):
            self._add_region(item, outline)
            return
        if item.metadata.get("task") == "tissue":
            self._findings.tissue += 1
            return
        is_drawn = told_key(item) is None
        if is_drawn and item.is_locked and item.object_type == "annotation" and is_rectangle(outline):
            self._add_region(item, outline)
            return
        task = self._names.task_of(item)
        if task is None:
            self._findings.unknown[item.class_name or "no class"] += 1
        else:
            self._waiting.append(self._item(number, (task, 0), item, outline))

    def _item(self, number: int, key: Key, item: GeoJSONObject, outline: Outline) -> Item:
        task, object_id = key
        name = self._names.class_of(task, item.class_name)
        return Item(number, task, object_id, outline, name, item.color, item.is_locked)

    def _is_first(self, key: Key, item: GeoJSONObject, outline: Outline) -> bool:
        """Whether an object has not come before; zip archives and QuPath itself may hold one twice."""
        said = hash((tuple(ring.tobytes() for part in outline for ring in part), item.class_name, item.is_locked))
        seen = self._seen.setdefault(key[0], {})
        if key[1] not in seen:
            seen[key[1]] = said
            return True
        if seen[key[1]] != said:
            raise DataError(f"two features have the id of {key[0]} {key[1]} and differ; keep only the right one")
        return False

    def _add_region(self, item: GeoJSONObject, outline: Outline) -> None:
        rect = rounded_bounds(outline).intersect(self._whole)
        if rect.area == 0:
            self._findings.empty += 1
        elif rect in self._present_regions or rect in self.regions:
            self._findings.unchanged += 1
        else:
            self.regions[rect] = item.name or ""

    # comparing

    def _compare(self) -> None:
        for item in place_items(self._waiting, self._whole):
            if item.id:
                self._compare_with_own(item)
            else:
                self._compare_new(item)
        self._waiting = []

    def _compare_with_own(self, item: Item) -> None:
        table = self.table(item.task)
        row = table.row(item.id)
        assert row is not None
        is_unchanged = is_same(table, item, table.box(row)) or self._is_mended_same(table, item, table.box(row))
        if not is_unchanged and not table.locked[row]:
            if item.settle():
                self.items.append(item)
            else:
                self._findings.empty += 1
                self.left.add(item.key)
        self._attributes(item, is_unchanged=is_unchanged)

    def _is_mended_same(self, table: Present, item: Item, box: Rect) -> bool:
        """Whether an outline that differs is equal once it is a valid polygon; it stays mended."""
        if not item.mend(self._whole):
            return False
        self._findings.mended += 1
        return is_same(table, item, box)

    def _compare_new(self, item: Item) -> None:
        self._findings.mended += item.mend(self._whole)
        twin = twin_of(self.table(item.task), item) if item.settle() else 0
        if twin:
            item.id = twin
            self._twins.append(item)
        elif item.area_px:
            self.items.append(item)
        else:
            self._findings.empty += 1

    def _attributes(self, item: Item, *, is_unchanged: bool) -> None:
        """Class and lock; a locked object changes nothing else in the same import."""
        table = self.table(item.task)
        row = table.row(item.id)
        assert row is not None
        is_locked = bool(table.locked[row])
        if item.is_locked != is_locked:
            self.locks[item.key] = item.is_locked
        # an outline without a class says nothing about it: other programs write none
        is_relabelled = item.class_name is not None and item.class_name != table.class_name(row)
        if is_locked and (is_relabelled or not is_unchanged):
            self._findings.held += 1
            self.left.add(item.key)
        elif is_relabelled and item.class_name is not None:
            self.classes[item.key] = (item.class_name, item.color)
