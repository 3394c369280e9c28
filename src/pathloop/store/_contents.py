"""What a project holds of its slides' objects, for whoever looks."""

from collections.abc import Iterator
from pathlib import Path

from pathloop.core import Instances, ProjectError, Rect
from pathloop.rasters import LabelPyramid, open_label_pyramid
from pathloop.store import _objects
from pathloop.store._database import Database
from pathloop.store._layers import all_layers, filled_areas, find_layer, is_used, next_free_id
from pathloop.store._records import ObjectCounts, ObjectStates

__all__ = ["Contents"]

NO_LAYER = -1  # has no objects


class Contents:
    """The part of a project that tells which objects there are."""

    path: Path
    _database: Database

    def open_labels(self, slide_id: str, task: str) -> LabelPyramid:
        """As `labels`, but what is not in the pyramid yet stays out."""
        layer = find_layer(self._database, slide_id, task)
        if layer is None or not layer.labels.exists():
            raise ProjectError(f"{self.path}: slide {slide_id!r} has no {task!r} yet; run 'pathloop segment' on it")
        return open_label_pyramid(layer.labels)

    def has_labels(self, slide_id: str, task: str) -> bool:
        """Whether there is a label pyramid of a task."""
        layer = find_layer(self._database, slide_id, task)
        return layer is not None and layer.labels.exists()

    def tasks(self, slide_id: str) -> list[str]:
        """The object tasks that were segmented or drawn, wholly or in part."""
        return [layer.task for layer in all_layers(self._database, slide_id) if is_used(self._database, layer)]

    def areas(self, slide_id: str, task: str) -> list[Rect]:
        """The areas that were segmented for a task, oldest run first; level-0 pixels."""
        layer = find_layer(self._database, slide_id, task)
        return [] if layer is None else filled_areas(self._database, layer)

    def pending(self, slide_id: str) -> list[str]:
        """The tasks whose labels are being replaced now, or were when the writing process was killed.

        Their pyramid is a mixture until the writer is done, or the project is next opened for writing.
        """
        sql = "SELECT task FROM pending JOIN layers USING (layer) WHERE slide_id = ? ORDER BY layer"
        return [str(row[0]) for row in self._database.rows(sql, (slide_id,))]

    def objects(self, slide_id: str, task: str, *, area: Rect | None = None) -> Instances:
        """Objects by ascending id: all, or those whose box meets an area. None yet: an empty table."""
        return Instances.concatenate(list(self.iter_objects(slide_id, task, area=area)))

    def iter_objects(self, slide_id: str, task: str, *, area: Rect | None = None) -> Iterator[Instances]:
        """As ``objects``, 50,000 at a time, all as they were at the first."""
        layer = find_layer(self._database, slide_id, task)
        return iter(()) if layer is None else _objects.read_objects(self._database, layer.number, area=area)

    def object_states(self, slide_id: str, task: str) -> ObjectStates:
        """State and lock of every object, row by row with ``objects``."""
        layer = find_layer(self._database, slide_id, task)
        return _objects.read_states(self._database, NO_LAYER if layer is None else layer.number)

    def counts(self, slide_id: str, task: str) -> ObjectCounts:
        """How many objects there are, by state."""
        layer = find_layer(self._database, slide_id, task)
        return _objects.count_objects(self._database, NO_LAYER if layer is None else layer.number)

    def next_free_id(self, slide_id: str, task: str) -> int:
        """The smallest id that no object of the slide and task ever had, from 1."""
        layer = find_layer(self._database, slide_id, task)
        return 1 if layer is None else next_free_id(self._database, layer)
