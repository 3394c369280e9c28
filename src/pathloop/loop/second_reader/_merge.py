"""Merging the other reader's copy into one's own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from pathloop.core import ProjectError, UsageError
from pathloop.loop.second_reader._carry_out import Outcome, carry_out
from pathloop.loop.second_reader._decide import decide
from pathloop.loop.second_reader._merge_regions import find_object, merge_flags, merge_regions
from pathloop.loop.second_reader._merge_report import MergeReport, in_words
from pathloop.loop.second_reader._records import Disagreement, Prefer, SlideMerge
from pathloop.loop.second_reader._sides import Copies, both_sides, slide_pairs
from pathloop.loop.second_reader._since import last_common_entry
from pathloop.loop.second_reader._tissue import TISSUE, merge_cells
from pathloop.loop.second_reader._windows import conflict_regions, region_changes
from pathloop.store import Change, ObjectChange, PixelChange, Project, RegionChange

__all__ = ["merge_copy"]

TOOL = "merge"


def merge_copy(
    project: Project,
    other: Path,
    *,
    prefer: Prefer = "ask",
    slide_ids: Sequence[str] | None = None,
    dry_run: bool = False,
    who: str | None = None,
) -> MergeReport:
    """Bring what another reader did in a copy into a project: one entry of the journal a slide, which can be undone.

    Where the copies parted is read off their journals. What only the other reader did since comes in: objects that
    were edited, accepted, locked, drawn or deleted, cells of the tissue map, regions with their states and questions.
    The predictions of runs do not. What both did, and differently, is a conflict. Two projects that are no copies of
    each other, but hold the same slide, are merged by where their objects lie: there everything that is edited,
    accepted or locked counts as done by its reader.

    Merging the same copy again brings what is new in it.

    Parameters
    ----------
    project
        Open for writing, unless ``dry_run``.
    other
        The other project's folder; it is only read.
    prefer
        What becomes of conflicts: "ask": yours stays, and they join the queue as regions; "mine": yours stays;
        "theirs": theirs is taken, except for what is locked.
    slide_ids
        Slides of the project; None = all that both hold.
    dry_run
        Only say what would be done.
    who
        Name for the journal; None = the user's.

    Raises
    ------
    UsageError
        If ``prefer`` is unknown, both are the same project, or they share no slide.
    ProjectError
        If the project cannot be written, or labels are being replaced. Slides that came before are merged then.
    """
    if prefer not in get_args(Prefer):
        raise UsageError(f"prefer one of {', '.join(get_args(Prefer))}, not {prefer!r}")
    if not dry_run and not project.is_writer:
        raise ProjectError(f"{project.path}: is open for reading only")
    with Project.open(other, write=False) as copy:
        pairs, notes = slide_pairs(project, copy, slide_ids)
        last = last_common_entry(project, copy)
        if project.uuid != copy.uuid:
            notes.append(f"{copy.path.name} is no copy of this project: objects are matched by where they lie")
        done = []
        for pair in pairs:
            copies = both_sides(project, copy, pair, last)
            _check_pending(copies)
            plan = _Plan(copies, prefer)
            entry = None if dry_run else plan.commit(who)
            done.append(plan.report(entry))
            notes += plan.notes
    return MergeReport(project.path, copy.path, prefer, not dry_run, tuple(done), tuple(dict.fromkeys(notes)))


def _check_pending(copies: Copies) -> None:
    for side in (copies.mine, copies.theirs):
        found = side.project.pending(side.slide_id)
        if found:
            raise ProjectError(
                f"{side.project.path}: {', '.join(found)} of slide {side.slide_id!r} are being segmented now, or were"
                " when that was interrupted; merge when that is finished"
            )


class _Plan:
    """What merging does to one slide."""

    def __init__(self, copies: Copies, prefer: Prefer) -> None:
        self._copies = copies
        self._classes = _Classes(copies)
        self._prefer = prefer
        self.notes: list[str] = []
        self._taken: dict[str, int] = {}
        self._conflicts: list[Disagreement] = []
        self._overruled: list[Disagreement] = []
        pixels: list[PixelChange] = []
        objects: list[ObjectChange] = []
        self._ids: dict[str, dict[int, int]] = {}
        for task in copies.tasks:
            outcome = self._decide(task)
            pixels += outcome.pixels
            objects += outcome.objects
        cells, conflicts, notes = merge_cells(copies, prefer_theirs=prefer == "theirs")
        (self._overruled if prefer == "theirs" else self._conflicts).extend(conflicts)
        self.notes += notes
        removed = {(one.task, one.id) for one in objects if one.after is None}
        flags = merge_flags(copies, self._id_of, removed)
        regions = merge_regions(copies, self._conflicts, copies.mine.project.new_region_id())
        for name, changes in (("cells", cells), ("regions", regions), ("flags", flags)):
            self._taken |= {name: len(changes)} if changes else {}
        queued = self._queued(regions)
        self._regions = tuple(one.after for one in queued if one.after is not None)
        self._change = Change(tuple(pixels), tuple(objects), tuple(cells), (*regions, *queued), tuple(flags))

    def _decide(self, task: str) -> Outcome:
        decision = decide(self._copies, task, prefer_theirs=self._prefer == "theirs")
        self._conflicts += decision.conflicts
        self._overruled += decision.overruled
        outcome = carry_out(self._copies, task, decision, self._classes.of(task))
        self._ids[task] = outcome.ids
        self._taken |= {f"{verb} {task}": n for verb, n in outcome.counts.items() if n}
        return outcome

    def _id_of(self, task: str, number: int) -> int | None:
        known = self._ids.get(task, {})
        return known[number] if number in known else find_object(self._copies, task, number)

    def _queued(self, regions: Sequence[RegionChange]) -> list[RegionChange]:
        """Conflicts as regions, numbered after those that come in."""
        if self._prefer != "ask" or not self._conflicts:
            return []
        mine = self._copies.mine
        found = conflict_regions(mine.record, self._conflicts)
        first = max([mine.project.new_region_id(), *(one.id + 1 for one in regions)])
        return region_changes(mine.project, mine.slide_id, found, first_id=first, replace_free=False)

    def commit(self, who: str | None) -> int | None:
        """Write it down; the entry's number, None where nothing changes."""
        if self._change.is_empty:
            return None
        project, slide_id = self._copies.mine.project, self._copies.mine.slide_id
        self._classes.register()
        if self._change.cells:
            grid = self._copies.theirs.project.tissue_grid(self._copies.theirs.slide_id)
            assert grid is not None
            project.set_tissue_grid(slide_id, *grid)
            for name in {one.after.class_name for one in self._change.cells if one.after}:
                project.class_code(TISSUE, name, self._classes.color(TISSUE, name))
        words = in_words(self._taken) or "nothing new"
        n = sum(one.n for one in self._conflicts)
        words += f"; {n} {'conflict' if n == 1 else 'conflicts'} left as yours" if n else ""
        people = ", ".join(sorted(self._copies.theirs.since.people))
        summary = f"merged {self._copies.theirs.project.path.name}{f' (by {people})' if people else ''}: {words}"
        return project.commit(slide_id, self._change, tool=TOOL, summary=summary, kind="merge", who=who).number

    def report(self, entry: int | None) -> SlideMerge:
        """What it comes to."""
        return SlideMerge(
            self._copies.mine.record,
            entry,
            self._taken,
            tuple(self._conflicts),
            tuple(self._overruled),
            self._regions,
        )


class _Classes:
    """My codes of their classes; new classes are registered when the merge is written down."""

    def __init__(self, copies: Copies) -> None:
        self._mine, self._theirs = copies.mine.project, copies.theirs.project
        self._new: dict[str, list[str]] = {}

    def of(self, task: str) -> Callable[[int], int]:
        """My code by theirs; 0 stays 0."""
        names = [spec.name for spec in self._theirs.classes(task)]
        known = [spec.name for spec in self._mine.classes(task)]

        def code_of(code: int) -> int:
            if code == 0:
                return 0
            name, new = names[code - 1], self._new.setdefault(task, [])
            if name not in known and name not in new:
                new.append(name)
            return [*known, *new].index(name) + 1

        return code_of

    def color(self, task: str, name: str) -> tuple[int, int, int] | None:
        """The colour that a class has in their copy."""
        return next((spec.color for spec in self._theirs.classes(task) if spec.name == name), None)

    def register(self) -> None:
        """Make the new classes known, in the order in which they got their codes."""
        for task, names in self._new.items():
            for name in names:
                self._mine.class_code(task, name, self.color(task, name))
