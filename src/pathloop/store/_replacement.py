"""Putting a run's objects into a layer, pixels and rows together: a kill leaves the old or the new, never a mix.

The pyramid cannot change in one step, so it changes the way a database does: the chunks that will change are
copied aside, a row in ``pending`` says so, the pyramid is written in place, and one transaction exchanges the object
rows and deletes the ``pending`` row. Whatever ends before that is undone from the copies: at once after an error, and
after a kill when the project is next opened for writing. After that the copies are what an undo needs.
"""

import contextlib
import shutil
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Instances, ProjectError, Rect, TileGrid, UsageError
from pathloop.rasters import LabelPyramid, save_chunks
from pathloop.store._database import Database
from pathloop.store._keeping import Kept
from pathloop.store._landings import OWN, Landing, free_folder, mark_pending, record_landing, tidy, undo_pending
from pathloop.store._layers import Layer, next_free_id
from pathloop.store._objects import insert_objects, stash_replaced
from pathloop.store._pixels import apply_waiting, cannot_write
from pathloop.store._settling import Losses, settled

__all__ = ["Overtaken", "Replacement"]

CLEARED_PX = 512
MAX_ID = 2**31 - 1


class Overtaken(ProjectError):
    """People corrected the layer while predictions came in; nothing of these is there, and they may be put in again."""


class Replacement:
    """Replaces the free objects of a layer that lie wholly inside an area.

    Free are objects that are predicted and not locked, of which nobody asked anything, and which have no pixel in a
    region that is done for the task. All others are kept with all their pixels, like those that the area's edge cuts.
    A new object loses the pixels that lie on kept objects or in done regions; if it loses more than half of itself,
    it is dropped. It is dropped as well if more than half of it lies on predicted objects that a person deleted.

    Use it as a context: write every block of the area that has objects, in any order, then commit. Leaving the
    context without a commit puts everything back as it was. A commit is one entry of the journal, together with those
    of the run's other tasks if nothing else was done between them.

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
    under_way
        Replacements that are open, by layer; corrections of the layer end them.

    Attributes
    ----------
    first_id : int
        Every new id is at least this. It is the run's recorded first id, unless ids were given to others since.
    area : Rect
        What is replaced.
    """

    def __init__(
        self,
        database: Database,
        pyramid: LabelPyramid,
        layer: Layer,
        *,
        run: int,
        area: Rect,
        first_id: int,
        under_way: "dict[int, Replacement]",
    ) -> None:
        self.area = area
        self.first_id = first_id
        self._database = database
        self._pyramid = pyramid
        self._layer = layer
        self._run = run
        self._under_way = under_way
        self._is_open = self._is_overtaken = False
        self._losses = Losses()

    def __enter__(self) -> Self:
        if self._layer.number in self._under_way:
            raise UsageError(f"{self._layer.task} of slide {self._layer.slide_id!r} is being replaced already")
        apply_waiting(self._database, self._layer)
        self.first_id = max(self.first_id, next_free_id(self._database, self._layer))
        self._kept = Kept(self._database, self._layer, self._pyramid, self.area)
        self._folder = free_folder(self._database, self._layer)
        saved = self._layer.journal / self._folder / "before"
        try:
            save_chunks(self._pyramid, self.area, saved)
            with self._database.transaction():
                mark_pending(self._database, self._layer, self._run, self.area, saved)
        except BaseException as error:
            shutil.rmtree(saved.parent, ignore_errors=True)
            if isinstance(error, OSError):
                raise cannot_write(saved, error) from error
            raise
        self._is_open = True
        self._under_way[self._layer.number] = self
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

    def give_way(self) -> None:
        """End here: a person corrects the layer. What was written is taken back; going on raises `Overtaken`."""
        self._is_overtaken = True
        self._undo()

    def write(self, rect: Rect, labels: NDArray[Any]) -> None:
        """Put new objects into level 0, except where something is kept.

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
        Overtaken
            If the layer was corrected meanwhile.
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
        if used.max() > MAX_ID:
            raise UsageError(f"new ids must lie in {self.first_id} .. {MAX_ID}")
        new = labels.astype(np.int32)
        self._losses.note_deleted(new, self._kept.deleted(rect))
        blocked, kept_ids = self._kept.blocked(rect), self._kept.ids_in(rect)
        with self._writing():
            if kept_ids.size == 0:
                self._pyramid.write(rect, self._losses.take(new, blocked))
                return
            old = self._pyramid.read(rect)
            kept = (old != 0) & (old < self.first_id)
            new = self._losses.take(new, kept if blocked is None else kept | blocked)
            self._pyramid.write(rect, np.where(kept, old, new))

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
        Overtaken
            If the layer was corrected meanwhile; then nothing is changed.
        ProjectError
            If something cannot be written; then nothing is changed.
        """
        self._check_open()
        self._check_instances(instances)
        with self._writing():
            instances = settled(instances, self._losses, self._pyramid)
            self._pyramid.build_levels(self.area)
        try:
            with self._database.transaction():
                self._exchange(instances)
        except BaseException:
            self._undo()
            raise
        self._is_open = False
        del self._under_way[self._layer.number]
        tidy(self._database, [self._layer])  # this may have ended what could be done again
        return instances

    def _exchange(self, instances: Instances) -> None:
        """The rows, the run's area, the entry of the journal; the caller's transaction."""
        database, layer, area = self._database, self._layer.number, self.area
        if self._kept.has_changed():
            self._is_overtaken = True
            raise self._overtaken()
        bounds = (area.y, area.x, area.bottom, area.right)
        own = f"SELECT {OWN} FROM run_layers WHERE layer = ? AND run = ?"
        flags = {"own_before": database.rows(own, (layer, self._run))[0]}
        flags["replaced"] = tuple(
            row[0]
            for row in database.rows(
                "UPDATE run_layers SET replaced = 1 WHERE layer = ?1 AND run <> ?2 AND replaced = 0"
                ' AND bottom > ?3 AND top < ?5 AND "right" > ?4 AND "left" < ?6 RETURNING run',
                (layer, self._run, *bounds),
            )
        )
        database.rows(
            'UPDATE run_layers SET replaced = 0, first_id = ?, top = ?, "left" = ?, bottom = ?, "right" = ?'
            " WHERE layer = ? AND run = ?",
            (self.first_id, *bounds, layer, self._run),
        )
        flags["own_after"] = database.rows(own, (layer, self._run))[0]
        last_id, n = int(instances.ids.max(initial=self.first_id - 1)), len(instances)
        landing = Landing(0, layer, self._run, area, self.first_id, last_id, n, flags, self._folder, "before")
        entry = record_landing(database, self._layer, landing)
        stash_replaced(database, layer, area, self._kept.ids, entry)
        insert_objects(database, layer, self._run, instances)
        database.rows("UPDATE layers SET next_id = max(next_id, ?) WHERE layer = ?", (last_id + 1, layer))
        database.rows("DELETE FROM pending WHERE layer = ?", (layer,))

    def _clear(self) -> None:
        """Take the free objects out of level 0, where there are chunks at all."""
        with self._writing():
            for tile in TileGrid(self.area, CLEARED_PX):
                if (self._pyramid.path / "0" / "c" / str(tile.row) / str(tile.col)).exists():
                    labels = self._pyramid.read(tile.core)
                    free = (labels != 0) & ~np.isin(labels, self._kept.ids_in(tile.core))
                    if free.any():
                        self._pyramid.write(tile.core, np.where(free, np.int32(0), labels))

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
        if self._is_overtaken:
            raise self._overtaken()
        if not self._is_open:
            raise UsageError("this replacement is over, or was not entered with 'with'")

    def _overtaken(self) -> Overtaken:
        return Overtaken(
            f"{self._database.path.parent}: {self._layer.task} of slide {self._layer.slide_id!r} were corrected while"
            " predictions came in; put these in again"
        )

    @contextlib.contextmanager
    def _writing(self) -> Any:
        try:
            yield
        except OSError as error:
            raise cannot_write(self._pyramid.path, error) from error

    def _undo(self) -> None:
        self._is_open = False
        self._under_way.pop(self._layer.number, None)
        undo_pending(self._database, [self._layer])
        shutil.rmtree(self._layer.journal / self._folder, ignore_errors=True)
