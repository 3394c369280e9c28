"""What becomes of the objects that the other reader changed: taken, alike already, or a conflict."""

from collections.abc import Sequence

from pathloop.core import Rect
from pathloop.loop.second_reader._case import MINE, NOW, THEIRS, Case, Decision, Links, Node, centred
from pathloop.loop.second_reader._coincide import coincide
from pathloop.loop.second_reader._records import Difference, Disagreement
from pathloop.loop.second_reader._sides import Copies, rect_of
from pathloop.store import ObjectRow

__all__ = ["decide"]


def decide(copies: Copies, task: str, *, prefer_theirs: bool) -> Decision:
    """Decide, without changing anything.

    Objects that were made of each other, or lie on each other, are decided together. Where only the other reader
    changed something, it is taken; where both did and it is not the same, mine stays, unless theirs is preferred.
    Locked objects of mine stay in any case. What comes in keeps clear of other objects that I changed; where it would
    lose more than half of itself by that, it is a conflict.
    """
    done = copies.theirs.done_since(task)
    theirs = copies.theirs.changed(task, centred(copies.theirs, task, done))
    if not theirs and not done:
        return Decision()
    mine = copies.mine.changed(task, centred(copies.mine, task, copies.mine.done_since(task)))
    table, near = coincide(copies, task, theirs, mine)
    case = Case.of(copies, task, (theirs, near), table)
    settled: set[int] = set()
    for group in case.groups():
        if any(side == THEIRS and number in theirs for side, number in group):
            _settle(case, group, prefer_theirs=prefer_theirs)
            settled |= {number for side, number in group if side == MINE}
    for number in sorted(set(centred(copies.mine, task, done)) - settled - set(case.be.values())):
        _unfound(case, number, is_mine=number in mine, prefer_theirs=prefer_theirs)
    _mind_the_rest(case)
    return case.decision


def _settle(case: Case, group: Sequence[Node], *, prefer_theirs: bool) -> None:
    """Decide on objects that belong together."""
    decision = case.decision
    there = [
        [number for side, number in group if side == which and decision.rows[side][number][NOW] is not None]
        for which in (THEIRS, MINE)
    ]
    theirs, mine = there
    partners, trimmed = _partners(case, group, theirs, mine)
    same_place = len(partners) == len(theirs) == len(mine)
    if same_place and all(case.class_name(0, a) == case.class_name(1, b) for a, b in partners.items()):
        decision.alike |= partners
        decision.trimmed |= trimmed
        return
    rows = [decision.rows[MINE][number][NOW] for number in mine]
    is_locked = any(row is not None and row.locked for row in rows)
    is_touched = any(side == MINE and number in decision.touched for side, number in group)
    # what an earlier merge brought is theirs as it was
    unchanged = set(mine) - set(decision.changed[MINE])
    is_touched |= any(_is_reviewed(*decision.rows[MINE][number]) for number in unchanged)
    if is_locked or is_touched or _is_in_done(case, theirs):
        difference: Difference = "class" if same_place else "outline"
        difference = difference if theirs and mine else ("second only" if theirs else "first only")
        hull = _hull(case, group)
        conflict = Disagreement(case.copies.mine.slide_id, case.task, difference, hull, max(len(theirs), len(mine), 1))
        if is_locked or not prefer_theirs:
            decision.conflicts.append(conflict)
            return
        decision.overruled.append(conflict)
    _take(case, theirs, mine)


def _partners(case: Case, group: Sequence[Node], theirs: Sequence[int], mine: Sequence[int]) -> tuple[Links, set[int]]:
    """Objects that are pixel for pixel the same, but for what lies on objects of mine that belong to others."""
    inside = {number for side, number in group if side == MINE}
    found: Links = {}
    trimmed: set[int] = set()
    hits = {one: case.be.get(one) for one in theirs}
    for one, other in hits.items():
        if other is None or other not in mine:
            continue
        n, area = case.now[one, other], case.area(THEIRS, one)
        outside = 0
        if n < area:
            outside = sum(far for held, far in case.on_held.get(one, {}).items() if held not in inside)
        if n == case.area(MINE, other) and n + outside == area:
            found[one] = other
            trimmed |= {one} if outside else set()
    return found, trimmed


def _is_reviewed(was: ObjectRow | None, now: ObjectRow | None) -> bool:
    """Whether a person has reviewed an object since, even if it came out as it was."""
    return now is not None and now.state != "predicted" and (was is None or was.state != now.state)


def _is_in_done(case: Case, theirs: Sequence[int]) -> bool:
    """Whether something of theirs lies where I found everything right."""
    for number in theirs if case.done else ():
        row = case.decision.rows[THEIRS][number][NOW]
        assert row is not None
        y, x = (int(value + 0.5) for value in row.centroid)
        if any(rect.y <= y < rect.bottom and rect.x <= x < rect.right for rect in case.done):
            return True
    return False


def _hull(case: Case, group: Sequence[Node]) -> Rect:
    changed = [
        row
        for side, number in group
        if number in case.decision.changed[side]
        for row in case.decision.rows[side][number]
        if row is not None
    ]
    return rect_of(*changed)


def _take(case: Case, theirs: Sequence[int], mine: Sequence[int]) -> None:
    """Theirs comes in: in the place of what it was, else of what lies there, else as something new."""
    decision, used = case.decision, set[int]()
    chosen: dict[int, int | None] = {}
    for links in (case.was, case.be):
        for one in theirs:
            other = links.get(one)
            if one not in chosen and other is not None and other not in used:
                chosen[one] = other
                used.add(other)
    decision.targets |= {one: chosen.get(one) for one in theirs}
    decision.removed |= set(mine) - used


def _unfound(case: Case, number: int, *, is_mine: bool, prefer_theirs: bool) -> None:
    """An object of mine in a region that they finished without it: a prediction goes, what I made is a conflict."""
    decision, side = case.decision, case.copies.mine
    row = side.project.object_row(side.slide_id, case.task, number)
    if row is None:
        return
    if is_mine or row.locked or row.state != "predicted":
        conflict = Disagreement(side.slide_id, case.task, "first only", rect_of(row))
        if row.locked or not prefer_theirs:
            decision.conflicts.append(conflict)
            return
        decision.overruled.append(conflict)
    decision.rows[MINE].setdefault(number, (row, row))
    decision.removed.add(number)


def _mind_the_rest(case: Case) -> None:
    """What keeps its pixels, what loses some to what comes in, and what loses more than half and goes."""
    decision = case.decision
    moved = {other for other in decision.targets.values() if other is not None} | decision.removed
    decision.kept = {
        number for number in case.held - moved if decision.rows[MINE].get(number, (None, None))[NOW] is not None
    }
    others = decision.rows[MINE].keys() - moved - decision.kept
    for (one, other), n in case.now.items():
        if one in decision.targets and other in others:
            decision.lost[other] = decision.lost.get(other, 0) + n
    gone = {other for other, n in decision.lost.items() if 2 * n > case.area(MINE, other)}
    decision.removed |= gone
    for other in gone:
        del decision.lost[other]
