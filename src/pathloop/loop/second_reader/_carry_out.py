"""Carrying out what was decided about a task's objects: pixels and rows of a change."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.loop.second_reader._case import MINE, NOW, THEIRS, Decision
from pathloop.loop.second_reader._sides import Copies
from pathloop.loop.second_reader._since import Place, blocks_of
from pathloop.objects import Measurer
from pathloop.store import OBJECT_STATES, ObjectChange, ObjectRow, PixelChange

__all__ = ["Outcome", "carry_out"]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What merging changes of a task's objects.

    Parameters
    ----------
    pixels, objects
        For the journal.
    ids
        My object by theirs, of all that was decided on.
    counts
        Objects that were ``added``, ``changed``, ``deleted``, and ``trimmed`` to keep clear of others.
    """

    pixels: tuple[PixelChange, ...]
    objects: tuple[ObjectChange, ...]
    ids: dict[int, int]
    counts: dict[str, int]


def carry_out(copies: Copies, task: str, decision: Decision, code_of: Callable[[int], int]) -> Outcome:
    """Work out the change, without making it.

    Parameters
    ----------
    code_of
        My code of a class code of theirs.
    """
    first = copies.mine.project.next_free_id(copies.mine.slide_id, task)
    ids: dict[int, int] = {}
    for one, other in sorted(decision.targets.items()):
        ids[one] = first if other is None else other
        first += other is None
    mine = decision.rows[MINE]
    before = {
        number: mine[number][NOW] for number in {*ids.values(), *decision.removed, *decision.lost} if number in mine
    }
    painter = _Painter(copies, task, decision, ids)
    pixels = tuple(painter.paint(_places(decision, before, ids)))
    measured = painter.rows()
    objects = [ObjectChange(task, number, before[number], None) for number in sorted(decision.removed)]
    counts = {"added": 0, "changed": 0, "deleted": len(decision.removed), "trimmed": len(decision.lost)}
    for one, number in ids.items():
        old, extent = before.get(number), measured.get(number)
        new = None if extent is None else _taken(decision, one, old, (extent, code_of))
        if old != new:
            objects.append(ObjectChange(task, number, old, new))
            counts["added" if old is None else "changed"] += 1
    for number in decision.lost:
        old, extent = before[number], measured.get(number)
        assert old is not None
        new = None if extent is None else replace(old, box=extent.box, centroid=extent.centroid, area_px=extent.area_px)
        objects.append(ObjectChange(task, number, old, new))
    raised = list(_raised(task, decision))
    counts["changed"] += len(raised)
    return Outcome(pixels, (*objects, *raised), ids | decision.alike, counts)


def _places(decision: Decision, before: dict[int, ObjectRow | None], ids: dict[int, int]) -> set[Place]:
    coming = [decision.rows[THEIRS][one][NOW] for one in ids]
    return blocks_of([row.box for row in (*before.values(), *coming) if row is not None])


class _Painter:
    """Paints what comes in over what goes, block by block, and measures it."""

    def __init__(self, copies: Copies, task: str, decision: Decision, ids: dict[int, int]) -> None:
        self._copies, self._task = copies, task
        self._coming = np.array(sorted(ids), np.int32)
        self._becomes = np.array([ids[one] for one in sorted(ids)], np.int32)
        self._going = np.array(sorted({*ids.values(), *decision.removed}), np.int32)
        self._kept = np.array(sorted(decision.kept), np.int32)
        self._measured = np.array(sorted({*ids.values(), *decision.lost}), np.int32)
        self._measurer = Measurer()

    def paint(self, places: set[Place]) -> Iterator[PixelChange]:
        """The pixels that change."""
        for place in sorted(places):
            rect = self._copies.mine.block(place)
            before, theirs = (side.now(self._task, rect) for side in (self._copies.mine, self._copies.theirs))
            after = np.where(np.isin(before, self._going), np.int32(0), before)
            comes = np.isin(theirs, self._coming) & ~np.isin(before, self._kept)
            after[comes] = self._becomes[np.searchsorted(self._coming, theirs[comes])]
            self._measurer.add(np.where(np.isin(after, self._measured), after, 0), y=rect.y, x=rect.x)
            differs = before != after
            if differs.any():
                tight = _tight(differs)
                yield PixelChange(
                    self._task, tight.shift(rect.y, rect.x), before[tight.slices].copy(), after[tight.slices].copy()
                )

    def rows(self) -> dict[int, ObjectRow]:
        """Place and size of all that was painted or lost pixels."""
        found = self._measurer.instances()
        values = zip(
            found.ids.tolist(), found.boxes.tolist(), found.centroids.tolist(), found.areas_px.tolist(), strict=True
        )
        return {
            number: ObjectRow((box[0], box[1], box[2], box[3]), (centroid[0], centroid[1]), area)
            for number, box, centroid, area in values
        }


def _tight(mask: NDArray[np.bool_]) -> Rect:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Rect.from_bounds(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _taken(
    decision: Decision, one: int, old: ObjectRow | None, found: tuple[ObjectRow, Callable[[int], int]]
) -> ObjectRow:
    """Their row, with what was measured, in my classes and runs."""
    extent, code_of = found
    before, row = decision.rows[THEIRS][one]
    assert row is not None
    state = row.state
    if extent.area_px != row.area_px and state == "accepted":
        state = "edited"  # trimmed: nobody has seen it like that
    elif state == "predicted" and one in decision.changed[THEIRS] and before == row:
        state = "accepted"  # it lies in a region that was found right
    is_there = old is not None and (old.box, old.area_px) == (extent.box, extent.area_px)
    return replace(
        row,
        box=extent.box,
        centroid=old.centroid if old is not None and is_there else extent.centroid,
        area_px=extent.area_px,
        class_code=code_of(row.class_code),
        state=state,
        run=None if old is None else old.run,
    )


def _raised(task: str, decision: Decision) -> Iterator[ObjectChange]:
    """Objects that both have alike get the state and lock that the other reader gave them; mine are never lowered."""
    for one, number in decision.alike.items():
        theirs, mine = decision.rows[THEIRS][one][NOW], decision.rows[MINE][number][NOW]
        assert theirs is not None
        assert mine is not None
        if one not in decision.changed[THEIRS] or one in decision.trimmed:
            continue
        state, locked = theirs.state, theirs.locked
        if number in decision.touched:
            state, locked = max(state, mine.state, key=OBJECT_STATES.index), locked or mine.locked
        elif decision.rows[THEIRS][one][0] == theirs:
            state, locked = max(state, mine.state, key=OBJECT_STATES.index), mine.locked
        # a locked object can be unlocked, and nothing else
        after = replace(mine, locked=locked) if mine.locked else replace(mine, state=state, locked=locked)
        if after != mine:
            yield ObjectChange(task, number, mine, after)
