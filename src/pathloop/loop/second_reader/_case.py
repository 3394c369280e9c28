"""Objects of two copies while it is decided what becomes of them: which are the same, which belong together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pathloop.core import Rect
from pathloop.loop.second_reader._coincide import Coincidences, Pairs
from pathloop.loop.second_reader._records import Disagreement
from pathloop.loop.second_reader._sides import Copies, Rows, Side

__all__ = ["MINE", "NOW", "THEIRS", "Case", "Decision", "Links", "Node", "centred"]

Links = dict[int, int]
"""An object of mine by the object of theirs that it was, or is."""
Node = tuple[int, int]
"""0 = theirs, 1 = mine; and the id."""
THEIRS, MINE = 0, 1
BEFORE, NOW = 0, 1


@dataclass(slots=True, eq=False)
class Decision:
    """What becomes of a task's objects on a slide.

    Parameters
    ----------
    rows
        All objects that matter, theirs and mine, as they were and are.
    changed
        Those of them that people changed.
    targets
        Objects of theirs that come in, and the object of mine that each becomes; None = a new one.
    alike
        Objects that both have alike, theirs and mine.
    trimmed
        Those of ``alike`` that lack what I changed otherwise.
    removed
        Objects of mine that go.
    kept
        Objects of mine that keep their pixels whatever comes in.
    lost
        Other objects of mine that lose pixels, and how many.
    touched
        Objects of mine that are as I made them.
    conflicts, overruled
        What both changed differently: left as mine, or taken from theirs.
    """

    rows: tuple[Rows, Rows] = field(default_factory=lambda: ({}, {}))
    changed: tuple[set[int], set[int]] = field(default_factory=lambda: (set(), set()))
    targets: dict[int, int | None] = field(default_factory=dict)
    alike: Links = field(default_factory=dict)
    trimmed: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)
    kept: set[int] = field(default_factory=set)
    lost: dict[int, int] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    conflicts: list[Disagreement] = field(default_factory=list)
    overruled: list[Disagreement] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Case:
    """A task of a slide while it is decided on."""

    copies: Copies
    task: str
    decision: Decision
    now: Pairs
    was: Links
    """Which object of mine each of theirs was when the copies parted."""
    be: Links
    """Which it is by where it lies now."""
    handed_over: tuple[Pairs, Pairs]
    held: set[int]
    """Objects of mine that other objects keep clear of: those that I changed, and locked ones."""
    done: list[Rect]
    """Regions that I finished since the copies parted."""
    on_held: dict[int, dict[int, int]]
    """Pixels of each object of theirs that lie on objects of mine that are held, by these."""

    @classmethod
    def of(cls, copies: Copies, task: str, changed: tuple[Rows, Rows], table: Coincidences) -> "Case":
        before, now = table.before, table.now
        sides = (copies.theirs, copies.mine)
        theirs, mine = (_with_others(sides[at], task, changed[at], (before, now), at) for at in (THEIRS, MINE))
        decision = Decision((theirs, mine), (set(changed[THEIRS]), set(changed[MINE])))
        locked = {number for number, (_, row) in mine.items() if row is not None and row.locked}
        was, be = _links(decision, before, BEFORE), _links(decision, now, NOW)
        brought = _brought(copies, task, decision)
        was |= {one: other for one, other in brought.items() if one not in was}
        # what an earlier merge brought from this copy, and nobody changed since, is not mine
        brought_again = {other for one, other in was.items() if _is_brought(copies, task, decision, (one, other))}
        decision.touched = decision.changed[MINE] - brought_again
        held, done = decision.changed[MINE] | locked, copies.mine.done_since(task)
        on_held: dict[int, dict[int, int]] = {}
        for (one, other), n in now.items():
            if other in held:
                on_held.setdefault(one, {})[other] = n
        return cls(copies, task, decision, now, was, be, table.handed_over, held, done, on_held)

    def groups(self) -> list[list[Node]]:
        """Objects that must be decided together."""
        edges: list[tuple[Node, Node]] = []
        for links in (self.was, self.be):
            edges += [((THEIRS, one), (MINE, other)) for one, other in links.items()]
        for side in (THEIRS, MINE):
            known = self.decision.rows[side]
            edges += [((side, a), (side, b)) for a, b in self.handed_over[side] if a in known and b in known]
        nodes = [(side, one) for side in (THEIRS, MINE) for one in self.decision.rows[side]]
        while True:
            groups, place = _components(nodes, edges)
            crowded = self._crowded(place)
            if not crowded:
                return groups
            edges += crowded

    def _crowded(self, place: Mapping[Node, int]) -> list[tuple[Node, Node]]:
        """Objects that would lose more than half of themselves to what I changed, with those that they lose it to."""
        found = []
        for one in self.on_held.keys() & self.decision.changed[THEIRS]:
            group = place[THEIRS, one]
            hits = {other: n for other, n in self.on_held[one].items() if place[MINE, other] != group}
            if 2 * sum(hits.values()) > self.area(THEIRS, one):
                found += [((THEIRS, one), (MINE, other)) for other in hits]
        return found

    def area(self, side: int, number: int) -> int:
        """Pixels of an object now; 0 for none."""
        row = self.decision.rows[side][number][NOW]
        return 0 if row is None else row.area_px

    def class_name(self, side: int, number: int) -> str:
        """Class of an object now."""
        row = self.decision.rows[side][number][NOW]
        assert row is not None
        return (self.copies.theirs, self.copies.mine)[side].class_name(self.task, row.class_code)


def centred(side: Side, task: str, rects: Iterable[Rect]) -> list[int]:
    """Objects with their centre in some rectangles."""
    found: list[int] = []
    for rect in rects:
        for part in side.project.iter_objects(side.slide_id, task, area=rect):
            pixels = np.floor(part.centroids + 0.5)
            inside = (pixels >= (rect.y, rect.x)).all(axis=1) & (pixels < (rect.bottom, rect.right)).all(axis=1)
            found += part.ids[inside].tolist()
    return found


def _with_others(side: Side, task: str, changed: Rows, pairs: Iterable[Pairs], at: int) -> Rows:
    """The changed objects, and all others in the pairs, which are as they were."""
    others = sorted({pair[at] for found in pairs for pair in found} - changed.keys())
    rows = side.project.object_rows(side.slide_id, task, others)
    return changed | {number: (row, row) for number, row in rows.items()}


def _links(decision: Decision, pairs: Pairs, when: int) -> Links:
    """Objects of theirs and mine whose IoU exceeds 0.5, then or now: nothing else can be the same object."""
    found: Links = {}
    for (one, other), n in pairs.items():
        if one in decision.changed[THEIRS] or other in decision.changed[MINE]:
            rows = decision.rows[THEIRS].get(one), decision.rows[MINE].get(other)
            first, second = (None if row is None else row[when] for row in rows)
            if first is not None and second is not None and 3 * n > first.area_px + second.area_px:
                found[one] = other
    return found


def _brought(copies: Copies, task: str, decision: Decision) -> Links:
    """New objects that an earlier merge brought from this copy, by what they were in it then."""
    history = copies.theirs.objects(task).history
    were = {extent: one for one in history for extent in history[one] if extent and one in decision.changed[THEIRS]}
    found: Links = {}
    merged = copies.mine.objects(task).merged
    for other in merged.keys() & decision.changed[MINE]:
        row = decision.rows[MINE][other][NOW]
        one = were.get((row.box, row.area_px)) if row is not None and row in merged[other] else None
        if one is not None:
            found[one] = other
    return found


def _is_brought(copies: Copies, task: str, decision: Decision, pair: tuple[int, int]) -> bool:
    """Whether an object of mine is just as an earlier merge made it, and theirs was like that once."""
    one, other = pair
    row = decision.rows[MINE][other][NOW]
    extent = None if row is None else (row.box, row.area_px)
    merged, history = copies.mine.objects(task).merged.get(other, ()), copies.theirs.objects(task).history.get(one, ())
    return row in merged and extent in history


def _components(nodes: Sequence[Node], edges: Iterable[tuple[Node, Node]]) -> tuple[list[list[Node]], dict[Node, int]]:
    index = {node: at for at, node in enumerate(nodes)}
    ends = np.array([(index[a], index[b]) for a, b in edges], np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(nodes), len(nodes)))
    n, labels = connected_components(graph, directed=False)
    groups: list[list[Node]] = [[] for _ in range(n)]
    for node, label in zip(nodes, labels.tolist(), strict=True):
        groups[label].append(node)
    return groups, dict(zip(nodes, labels.tolist(), strict=True))
