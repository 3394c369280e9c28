"""A task's objects as they are before an import, and their pixels."""

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, TileGrid
from pathloop.store import OBJECT_STATES, Project

__all__ = ["BLOCK_PX", "Present"]

BLOCK_PX = 512
"""Side of the blocks that are worked on at once: a chunk of the label pyramids."""
KEPT_BLOCKS = 128  # 1 MiB each


class Present:
    """Objects of one task of a slide; the project does not change while this is in use.

    Parameters
    ----------
    project, slide_id, task
        Whose objects.

    Attributes
    ----------
    task : str
        The task.
    whole : Rect
        The slide.
    done : tuple[Rect, ...]
        Regions that a person has finished for this task.
    ids, areas_px, boxes, locked, accepted
        Columns of the objects, by ascending id.
    class_names : tuple[str, ...]
        By code - 1.
    """

    def __init__(self, project: Project, slide_id: str, task: str) -> None:
        self.task = task
        self.whole = Rect(0, 0, *project.slide(slide_id).shape)
        self.done = tuple(one.rect for one in project.regions(slide_id) if one.states.get(task) == "done")
        found = project.objects(slide_id, task)
        states = project.object_states(slide_id, task)
        self.ids, self.areas_px, self.boxes, self.codes = found.ids, found.areas_px, found.boxes, found.class_codes
        self._rows = {number: row for row, number in enumerate(found.ids.tolist())}
        self.locked = states.locked
        self.accepted = states.states == OBJECT_STATES.index("accepted")
        self.class_names = tuple(spec.name for spec in project.classes(task))
        self._pyramid = project.labels(slide_id, task) if project.has_labels(slide_id, task) else None
        self._blocks: OrderedDict[tuple[int, int], NDArray[np.int32]] = OrderedDict()

    def row(self, object_id: int) -> int | None:
        """Place of an object in the columns; None if there is no such object."""
        return self._rows.get(object_id)

    def box(self, row: int) -> Rect:
        """The box of an object."""
        return Rect.from_bounds(*self.boxes[row].tolist())

    def class_name(self, row: int) -> str | None:
        """The class of an object; None = not known."""
        code = int(self.codes[row])
        return self.class_names[code - 1] if code else None

    def is_kept(self, row: int) -> bool:
        """Whether a person has said that the object is right, or must not be changed."""
        return bool(self.locked[row] or self.accepted[row])

    def labels(self, rect: Rect) -> NDArray[np.int32]:
        """Ids of a rectangle inside the slide: ``rect.shape`` int32, only to be read."""
        first = (rect.y // BLOCK_PX, rect.x // BLOCK_PX)
        if rect.area and first == ((rect.bottom - 1) // BLOCK_PX, (rect.right - 1) // BLOCK_PX):
            return self._block(*first)[rect.shift(-first[0] * BLOCK_PX, -first[1] * BLOCK_PX).slices]
        out = np.zeros(rect.shape, np.int32)
        for tile in TileGrid(rect, BLOCK_PX):
            inside = tile.core.shift(-tile.row * BLOCK_PX, -tile.col * BLOCK_PX)
            out[tile.core.relative_to(rect).slices] = self._block(tile.row, tile.col)[inside.slices]
        return out

    def _block(self, row: int, col: int) -> NDArray[np.int32]:
        found = self._blocks.get((row, col))
        if found is None:
            rect = Rect(row * BLOCK_PX, col * BLOCK_PX, BLOCK_PX, BLOCK_PX).intersect(self.whole)
            found = np.zeros(rect.shape, np.int32) if self._pyramid is None else self._pyramid.read(rect)
            self._blocks[row, col] = found
            if len(self._blocks) > KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end((row, col))
        return found
