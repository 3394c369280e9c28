"""What a run's objects must leave alone in the area that they come into."""

import json

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, TileGrid
from pathloop.rasters import LabelPyramid
from pathloop.store._database import Database
from pathloop.store._deleted import DeletedObjects
from pathloop.store._layers import Layer
from pathloop.store._objects import boxes_of, kept_objects

__all__ = ["Kept", "done_rects"]

READ_PX = 1024


class Kept:
    """What stays of a layer when predictions come into an area.

    Objects that the area's edge cuts; those that are edited, accepted, locked or asked about; all that have a pixel in
    a region that is done for the task. Nothing new comes into such regions, and nothing where a person deleted a
    predicted object.

    Parameters
    ----------
    database, layer, pyramid
        What to look at; the pyramid is up to date.
    area
        Level-0 pixels.

    Attributes
    ----------
    ids : NDArray[np.int64]
        (N,), ascending: the objects that stay.
    """

    def __init__(self, database: Database, layer: Layer, pyramid: LabelPyramid, area: Rect) -> None:
        self._database, self._layer, self._area = database, layer, area
        self._said, boxes = kept_objects(database, layer.number, area)
        self._done = done_rects(database, layer, area)
        inside: set[int] = set()
        for rect in self._done:
            for tile in TileGrid(rect, READ_PX):
                inside |= set(np.unique(pyramid.read(tile.core)).tolist())
        more, more_boxes = boxes_of(database, layer.number, np.array(sorted(inside), np.int64))
        is_new = ~np.isin(more, self._said)
        self.ids = np.concatenate([self._said, more[is_new]])
        self._boxes = np.concatenate([boxes, more_boxes[is_new]])
        order = np.argsort(self.ids)
        self.ids, self._boxes = self.ids[order], self._boxes[order]
        self._deleted = DeletedObjects(database, layer, area)

    def has_changed(self) -> bool:
        """Whether people said something since that bears on this."""
        said, _ = kept_objects(self._database, self._layer.number, self._area)
        deleted = DeletedObjects(self._database, self._layer, self._area).keys
        return not (
            np.array_equal(said, self._said)
            and np.array_equal(deleted, self._deleted.keys)
            and done_rects(self._database, self._layer, self._area) == self._done
        )

    def ids_in(self, rect: Rect) -> NDArray[np.int64]:
        """Those of `ids` whose box meets a rectangle."""
        top, left, bottom, right = self._boxes.T
        found: NDArray[np.int64] = self.ids[
            (bottom > rect.y) & (top < rect.bottom) & (right > rect.x) & (left < rect.right)
        ]
        return found

    def blocked(self, rect: Rect) -> NDArray[np.bool_] | None:
        """Pixels of a rectangle that lie in done regions; None where none does."""
        found: NDArray[np.bool_] | None = None
        for done in self._done:
            common = done.intersect(rect)
            if common.area:
                found = np.zeros(rect.shape, np.bool_) if found is None else found
                found[common.relative_to(rect).slices] = True
        return found

    def deleted(self, rect: Rect) -> NDArray[np.bool_] | None:
        """Pixels of a rectangle on which a predicted object lay that a person deleted; None where none does."""
        return self._deleted.mask(rect)


def done_rects(database: Database, layer: Layer, area: Rect) -> list[Rect]:
    """The parts of an area that lie in regions which are done for the layer's task."""
    sql = (
        'SELECT top, "left", bottom, "right", states FROM regions WHERE slide_id = ?1 AND bottom > ?2 AND top < ?3'
        ' AND "right" > ?4 AND "left" < ?5 ORDER BY region'
    )
    rows = database.rows(sql, (layer.slide_id, area.y, area.bottom, area.x, area.right))
    done = [bounds for *bounds, states in rows if json.loads(states).get(layer.task) == "done"]
    return [Rect.from_bounds(*bounds).intersect(area) for bounds in done]
