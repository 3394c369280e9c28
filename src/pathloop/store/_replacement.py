"""Putting a run's objects into a layer, pixels and rows together: a kill leaves the old or the new, never a mix.

The pyramid cannot change in one step, so it changes the way a database does: the chunks that will change are
copied aside, a row in ``pending`` says so, the pyramid is written in place, and one transaction exchanges the object
rows and deletes the ``pending`` row. Whatever ends before that is undone from the copies: at once after an error, and
after a kill when the project is next opened for writing.
"""

import shutil
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Instances, ProjectError, Rect, TileGrid, UsageError
from pathloop.rasters import LabelPyramid, open_label_pyramid, restore_chunks, save_chunks
from pathloop.store._clock import now
from pathloop.store._database import Database
from pathloop.store._layers import Layer
from pathloop.store._objects import boxes_cut_by, count_reviewed, delete_free, insert_objects

__all__ = ["Replacement", "undo_pending"]

CLEARED_PX = 512
MAX_ID = 2**31 - 1
KEPT_SHARE = 0.5  # a new object that loses more than this share of its pixels to kept objects is dropped


class Replacement:
    """Replaces the free objects (predicted, not locked) of a layer that lie wholly inside an area.

    Objects that the area's edge cuts are kept with all their pixels. A new object that lies on kept pixels loses
    those; if it loses more than half of itself, it is dropped.

    Use it as a context: write every block of the area that has objects, in any order, then commit. Leaving the
    context without a commit puts everything back as it was.

    Parameters
    ----------
    database, pyramid, layer
        What to change.
    run
        Number of the run whose objects come.
    area
        Level-0 pixels, not empty, inside the slide.
    first_id
        The new ids start here; see the attribute.

    Attributes
    ----------
    first_id : int
        Every new id is at least this. It is the run's recorded first id, unless ids were given to others since.
    area : Rect
        What is replaced.

    Raises
    ------
    ProjectError
        If edited, accepted or locked objects lie in the area: they are never overwritten.
    """

    def __init__(
        self, database: Database, pyramid: LabelPyramid, layer: Layer, *, run: int, area: Rect, first_id: int
    ) -> None:
        self.area = area
        self.first_id = first_id
        self._database = database
        self._pyramid = pyramid
        self._layer = layer
        self._run = run
        self._is_open = False
        self._clipped: set[int] = set()
        self._kept_ids, self._kept_boxes = boxes_cut_by(database, layer.number, area)

    def __enter__(self) -> Self:
        self._refuse_reviewed()
        save_chunks(self._pyramid, self.area, self._layer.before)
        bounds = (self.area.y, self.area.x, self.area.bottom, self.area.right)
        self._database.rows(
            "INSERT INTO pending VALUES (?, ?, ?, ?, ?, ?, ?)", (self._layer.number, self._run, *bounds, now())
        )
        self._is_open = True
        try:
            self._clear()
        except BaseException:
            self._undo()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_open:
            self._undo()

    def write(self, rect: Rect, labels: NDArray[Any]) -> None:
        """Put new objects into level 0, except where kept objects lie.

        Parameters
        ----------
        rect
            Level-0 pixels inside the area; fastest on the 512 grid. No pixel twice.
        labels
            Shape ``rect.shape``, any integer type: 0 or ids >= ``first_id``.

        Raises
        ------
        UsageError
            If the rectangle leaves the area or an id is too small.
        ProjectError
            If the pyramid cannot be written (drive full or gone).
        """
        self._check_open()
        if rect.intersect(self.area) != rect:
            raise UsageError(f"{rect} reaches beyond the area {self.area} that is replaced")
        used = labels[labels != 0]
        if used.size == 0:
            return
        if used.min() < self.first_id:
            raise UsageError(f"new ids start at {self.first_id}, got {used.min()}")
        if _any_meets(self._kept_boxes, rect):
            old = self._pyramid.read(rect)
            kept = (old != 0) & (old < self.first_id)
            self._clipped.update(np.unique(labels[kept & (labels != 0)]).tolist())
            labels = np.where(kept, old, labels)
        try:
            self._pyramid.write(rect, labels)
        except OSError as error:
            raise ProjectError(f"{self._pyramid.path}: cannot be written ({error.strerror or error})") from error

    def commit(self, instances: Instances) -> Instances:
        """Make the new objects the layer's truth.

        Parameters
        ----------
        instances
            All objects that were written, measured as if nothing had been kept.

        Returns
        -------
        Instances
            The objects as stored: those that lost pixels measured anew, those that lost more than half left out.

        Raises
        ------
        UsageError
            If ids repeat or are too small, or boxes leave the area.
        ProjectError
            If reviewed objects came into the area meanwhile; then nothing is changed.
        """
        self._check_open()
        self._check_instances(instances)
        instances = self._settle(instances)
        self._pyramid.build_levels(self.area)
        bounds = (self.area.y, self.area.x, self.area.bottom, self.area.right)
        layer = self._layer.number
        with self._database.transaction():
            self._refuse_reviewed()
            delete_free(self._database, layer, self.area)
            insert_objects(self._database, layer, self._run, instances)
            next_id = int(instances.ids.max(initial=0)) + 1
            self._database.rows("UPDATE layers SET next_id = max(next_id, ?) WHERE layer = ?", (next_id, layer))
            self._database.rows(
                "UPDATE run_layers SET replaced = 1 WHERE layer = ?1 AND run <> ?2"
                ' AND bottom > ?3 AND top < ?5 AND "right" > ?4 AND "left" < ?6',
                (layer, self._run, *bounds),
            )
            self._database.rows(
                'UPDATE run_layers SET replaced = 0, first_id = ?, top = ?, "left" = ?, bottom = ?, "right" = ?'
                " WHERE layer = ? AND run = ?",
                (self.first_id, *bounds, layer, self._run),
            )
            self._database.rows("DELETE FROM pending WHERE layer = ?", (layer,))
        self._is_open = False
        shutil.rmtree(self._layer.before)
        return instances

    def _refuse_reviewed(self) -> None:
        reviewed = count_reviewed(self._database, self._layer.number, self.area)
        if reviewed:
            raise ProjectError(
                f"{self._database.path.parent}: {reviewed} edited, accepted or locked {self._layer.task!r} objects of"
                f" slide {self._layer.slide_id!r} lie in this area and are never overwritten; choose another --roi or"
                " another project"
            )

    def _clear(self) -> None:
        """Take the free objects out of level 0, where there are chunks at all."""
        for tile in TileGrid(self.area, CLEARED_PX):
            if (self._pyramid.path / "0" / "c" / str(tile.row) / str(tile.col)).exists():
                labels = self._pyramid.read(tile.core)
                labels[~np.isin(labels, self._kept_ids)] = 0
                self._pyramid.write(tile.core, labels)

    def _settle(self, instances: Instances) -> Instances:
        """Measure objects that lost pixels anew; drop and erase those that lost more than half."""
        clipped = np.flatnonzero(np.isin(instances.ids, np.fromiter(self._clipped, np.int64, len(self._clipped))))
        if clipped.size == 0:
            return instances
        wanted = replace(
            instances,
            boxes=instances.boxes.copy(),
            centroids=instances.centroids.copy(),
            areas_px=instances.areas_px.copy(),
        )
        keep = np.ones(len(instances), np.bool_)
        for row in clipped:
            box = Rect.from_bounds(*(int(value) for value in instances.boxes[row]))
            labels = self._pyramid.read(box)
            rows, columns = np.nonzero(labels == instances.ids[row])
            if rows.size < (1 - KEPT_SHARE) * instances.areas_px[row]:
                keep[row] = False
                labels[rows, columns] = 0
                self._pyramid.write(box, labels)
                continue
            wanted.areas_px[row] = rows.size
            wanted.centroids[row] = rows.mean() + box.y, columns.mean() + box.x
            top, left = rows.min() + box.y, columns.min() + box.x
            wanted.boxes[row] = top, left, rows.max() + box.y + 1, columns.max() + box.x + 1
        return wanted.take(keep)

    def _check_instances(self, instances: Instances) -> None:
        if len(instances) == 0:
            return
        if instances.ids.min() < self.first_id or instances.ids.max() > MAX_ID:
            raise UsageError(f"new ids must lie in {self.first_id} .. {MAX_ID}")
        if len(np.unique(instances.ids)) != len(instances):
            raise UsageError("two new objects have the same id")
        low, high = instances.boxes[:, :2].min(axis=0), instances.boxes[:, 2:].max(axis=0)
        if (low < (self.area.y, self.area.x)).any() or (high > (self.area.bottom, self.area.right)).any():
            raise UsageError(f"a new object's box reaches beyond the area {self.area} that is replaced")

    def _check_open(self) -> None:
        if not self._is_open:
            raise UsageError("this replacement is over, or was not entered with 'with'")

    def _undo(self) -> None:
        self._is_open = False
        _put_back(self._database, self._layer, self.area)


def undo_pending(database: Database, layers: list[Layer]) -> None:
    """Undo every replacement that a kill interrupted; remove copies that are no longer needed."""
    pending = {row[0]: row[1:] for row in database.rows('SELECT layer, top, "left", bottom, "right" FROM pending')}
    for layer in layers:
        if layer.number in pending:
            _put_back(database, layer, Rect.from_bounds(*pending[layer.number]))
        elif layer.before.exists():
            shutil.rmtree(layer.before)


def _put_back(database: Database, layer: Layer, area: Rect) -> None:
    restore_chunks(open_label_pyramid(layer.labels, write=True), area, layer.before)
    database.rows("DELETE FROM pending WHERE layer = ?", (layer.number,))
    shutil.rmtree(layer.before)


def _any_meets(boxes: NDArray[np.int64], rect: Rect) -> bool:
    top, left, bottom, right = boxes.T
    return bool(((bottom > rect.y) & (top < rect.bottom) & (right > rect.x) & (left < rect.right)).any())
