"""Predicted objects that a person deleted: where they lay, so that the next run does not bring them back."""

import zlib

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, Rect
from pathloop.store._database import Database
from pathloop.store._edits import Change, PixelChange
from pathloop.store._layers import Layer
from pathloop.store._objects import LAYER_STEP
from pathloop.store._patches import TILE_PX

__all__ = ["DeletedObjects", "forget_deleted", "remember_deleted"]


def remember_deleted(database: Database, layer: Layer, change: Change, entry: int) -> None:
    """Note the predicted objects that an entry deletes; the caller's transaction.

    Parameters
    ----------
    change
        As the journal holds it: with all pixels of what is deleted, in tiles of at most 256 x 256 px.
    """
    doomed = [
        (one.id, Rect.from_bounds(*one.before.box))
        for one in change.objects
        if one.task == layer.task and one.before and one.after is None
        if one.before.run is not None or one.before.state == "predicted"
    ]
    if not doomed:
        return
    cells: dict[tuple[int, int], list[PixelChange]] = {}
    for tile in change.pixels:
        if tile.task == layer.task:
            cells.setdefault((tile.rect.y // TILE_PX, tile.rect.x // TILE_PX), []).append(tile)
    found = []
    for number, box in doomed:
        mask = np.zeros(box.shape, np.bool_)
        rows = range(box.y // TILE_PX, -(-box.bottom // TILE_PX))
        columns = range(box.x // TILE_PX, -(-box.right // TILE_PX))
        for tile in (one for row in rows for column in columns for one in cells.get((row, column), ())):
            common = box.intersect(tile.rect)
            inside = common.relative_to(tile.rect).slices
            mask[common.relative_to(box).slices] |= tile.before[inside] == number
        found.append((layer.number, number, entry, box.y, box.x, box.bottom, box.right, _packed(mask)))
    database.many("INSERT OR REPLACE INTO deleted VALUES (?, ?, ?, ?, ?, ?, ?, ?)", iter(found))


def forget_deleted(database: Database, entry: int) -> None:
    """Forget what an entry deleted, for it was undone; the caller's transaction."""
    database.rows("DELETE FROM deleted WHERE entry = ?", (entry,))


class DeletedObjects:
    """The deleted objects of a layer whose boxes meet an area.

    Parameters
    ----------
    database, layer
        What to look at.
    area
        Level-0 pixels.

    Attributes
    ----------
    keys : NDArray[np.int64]
        (N, 2) id, and the entry of the journal that deleted it.
    """

    def __init__(self, database: Database, layer: Layer, area: Rect) -> None:
        # an id that came back by painting is an object again
        sql = (
            'SELECT id, entry, top, "left", bottom, "right" FROM deleted WHERE layer = ?1 AND bottom > ?2 AND top < ?3'
            ' AND "right" > ?4 AND "left" < ?5'
            f" AND NOT EXISTS (SELECT 1 FROM objects WHERE object = ?1 * {LAYER_STEP} + deleted.id) ORDER BY id, entry"
        )
        rows = database.rows(sql, (layer.number, area.y, area.bottom, area.x, area.right))
        table = np.array(rows, np.int64).reshape(-1, 6)
        self.keys, self._boxes = table[:, :2], table[:, 2:]
        self._database, self._layer = database, layer

    def mask(self, rect: Rect) -> NDArray[np.bool_] | None:
        """Their pixels in a rectangle, shape ``rect.shape``; None where there are none."""
        top, left, bottom, right = self._boxes.T
        meets = (bottom > rect.y) & (top < rect.bottom) & (right > rect.x) & (left < rect.right)
        if not meets.any():
            return None
        found = np.zeros(rect.shape, np.bool_)
        for key, bounds in zip(self.keys[meets].tolist(), self._boxes[meets].tolist(), strict=True):
            [(blob,)] = self._database.rows(
                "SELECT mask FROM deleted WHERE layer = ? AND id = ? AND entry = ?", (self._layer.number, *key)
            )
            box = Rect.from_bounds(*bounds)
            common = box.intersect(rect)
            found[common.relative_to(rect).slices] |= _unpacked(blob, box)[common.relative_to(box).slices]
        return found


def _packed(mask: NDArray[np.bool_]) -> bytes:
    return zlib.compress(np.packbits(mask).tobytes(), 1)


def _unpacked(blob: bytes, box: Rect) -> NDArray[np.bool_]:
    try:
        bits = np.frombuffer(zlib.decompress(blob), np.uint8)
        return np.unpackbits(bits, count=box.area).reshape(box.shape).astype(np.bool_)
    except (zlib.error, ValueError) as error:
        raise DataError(f"a deleted object at {box} is damaged ({error}); restore the project from a copy") from error
