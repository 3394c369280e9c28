"""Which objects are shown and selected: the state behind the table, the plots and the card. No Qt."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from pathloop.core import Rect, UsageError
from pathloop.gui.objects._card import around, object_box
from pathloop.gui.objects._export import table_text, write_shown_csv
from pathloop.gui.objects._filters import Filters, parse_ids
from pathloop.gui.objects._needs import ObjectsSession
from pathloop.gui.objects._order import Ranges, Shown, Sort, ascending, shown_objects, to_ranges
from pathloop.gui.objects._pace import LatestOnly, Throttle
from pathloop.gui.objects._region import drawn_region
from pathloop.gui.objects._view import Choice, ObjectsView, Selected
from pathloop.gui.objects._words import noun, task_title
from pathloop.loop import ObjectFrame

__all__ = ["ObjectsPresenter"]

AT_ONCE = 20_000
"""Up to this many objects filtering and sorting takes no longer than a blink."""
PACE_MS = 150
NOTHING = np.zeros(0, np.int64)


class ObjectsPresenter:
    """Keeps task, filters, order and selection; follows the session and tells it what is selected.

    Parameters
    ----------
    session
        The viewer's session.
    view
        Shows the result.

    Attributes
    ----------
    shown_changed, selected_changed
        Signals without arguments: for plots and card.
    shown, selected, selected_lines
        What the table shows, and what of it is selected: rows of the frame, lines of the table.
    """

    shown_changed = Signal()
    selected_changed = Signal()

    def __init__(self, session: ObjectsSession, view: ObjectsView) -> None:
        self.session = session
        self.view = view
        self.task: str | None = None
        self.filters = Filters()
        self.in_view_only = False
        self.sort = Sort()
        self.shown = Shown(ObjectFrame.empty(""), NOTHING)
        self._chosen: tuple[str, NDArray[np.int64]] = ("", NOTHING)
        self.selected = Selected(NOTHING, to_ranges(NOTHING))
        self.selected_lines = NOTHING
        self._work = LatestOnly(session.background)
        self._objects_came = Throttle(session.background, PACE_MS, self._reread)
        self._view_moved = Throttle(session.background, PACE_MS, self._on_view_moved)
        self._table_chose = Throttle(session.background, 60, self._tell_selection)
        self._wanted: tuple[Ranges, str] | None = None
        self._changed: set[str] = set()
        session.current_changed.connect(self._on_current)
        session.scale_changed.connect(self._on_current)
        session.objects_changed.connect(self._on_objects)
        session.selection_changed.connect(self._on_selection)
        session.view_moved.connect(self._on_moved)
        self._on_current()

    def close(self) -> None:
        """Hear no more of the session."""
        session = self.session
        session.current_changed.disconnect(self._on_current)
        session.scale_changed.disconnect(self._on_current)
        session.objects_changed.disconnect(self._on_objects)
        session.selection_changed.disconnect(self._on_selection)
        session.view_moved.disconnect(self._on_moved)
        for each in (self._work, self._objects_came, self._view_moved, self._table_chose):
            each.cancel()

    # what the user does

    def choose_task(self, task: str) -> None:
        """Show another task's objects; what depends on classes is not filtered by any longer."""
        if task == self.task:
            return
        self.task = task
        self.filters = replace(self.filters, classes=None)
        self.view.show_tasks(self._tasks(), task)
        self._refresh()

    def sort_by(self, key: str) -> None:
        """Sort by a column; the same column again turns the order round."""
        is_same = key == self.sort.key
        self.sort = Sort(key, descending=is_same and not self.sort.descending)
        self._refresh()

    def filter_by(self, filters: Filters, *, in_view_only: bool = False) -> None:
        """Show only what fulfils conditions; ``filters.view`` is set here, ``filters.region`` by `use_region`."""
        self.filters = replace(filters, region=self.filters.region, view=None)
        self.in_view_only = in_view_only
        self._refresh()

    def use_region(self, source: str) -> None:
        """Show only objects whose centre lies in a region: what is on screen now ("view") or "drawn"; "" = anywhere."""
        region = self._region(source)
        if region is None and source:
            text = "draw a rectangle in a Shapes layer and select it, then try again"
            self.session.say(text if source == "drawn" else "the slide is not on screen", "warning")
            self._show_region()
            return
        self.filters = replace(self.filters, region=region)
        self._show_region()
        self._refresh()

    def select_lines(self, ranges: Ranges, origin: str = "table") -> None:
        """Select what lies in some lines of the table; comes through at once, then at a bearable pace."""
        self._wanted = (ranges, origin)
        self._table_chose()

    def select_rows(self, rows: NDArray[np.int64], origin: str) -> None:
        """Select rows of the frame."""
        if self.task is not None:
            self.session.select(self.task, self.shown.frame.instances.ids[rows], origin)

    def go_to_line(self, line: int) -> None:
        """Bring the object in a line of the table into view, with what surrounds it."""
        if 0 <= line < len(self.shown):
            self.go_to_row(int(self.shown.order[line]))

    def go_to_row(self, row: int) -> None:
        """Bring an object into view."""
        frame = self.shown.frame
        self.session.go_to(around(object_box(frame, row), frame.scale))

    def copy_selected(self) -> None:
        """Put the selected lines, as they are ordered, on the clipboard."""
        shown, lines = self.shown, self.selected_lines
        if len(lines):
            self.session.background.run(lambda: table_text(shown, lines), self.view.copy)

    def save_csv(self, path: Path) -> None:
        """Write the shown rows in the shown order; tells the user when it is done."""
        shown, session, current = self.shown, self.session, self.session.current
        if current is None or not len(shown):
            return

        def told(written: Path) -> None:
            session.say(f"{len(shown):,} {noun(shown.frame.task, len(shown))} written to {written}")

        slide_id, folder = current.slide_id, current.project_path
        if slide_id is None or folder is None:
            name = current.path.name.split(".")[0]
            session.background.run(lambda: write_shown_csv(path, shown, name, None), told)
            return
        name = slide_id
        session.projects.use(
            folder,
            lambda project: project.uuid,
            lambda uuid: session.background.run(lambda: write_shown_csv(path, shown, name, uuid), told),
        )

    # what the session tells

    def _on_current(self) -> None:
        self._work.cancel()
        self._chosen = "", NOTHING
        self.filters = replace(self.filters, classes=None, region=None)
        self.task = None
        self._show_region()
        self._reread()

    def _on_objects(self, task: str) -> None:
        self._changed.add(task)
        self._objects_came()

    def _reread(self) -> None:
        tasks = list(self.session.tasks)
        changed, self._changed = self._changed, set()
        if self.task not in tasks:
            self.task = tasks[0] if tasks else None
        elif changed and self.task not in changed:
            self.view.show_tasks(self._tasks(), self.task)
            return
        self.view.show_tasks(self._tasks(), self.task)
        self._refresh()

    def _on_selection(self, task: str, ids: NDArray[np.int64], origin: str) -> None:
        chosen = ascending(ids)
        self._chosen = task, chosen
        if len(chosen) and task != self.task and task in self.session.tasks:
            self.choose_task(task)  # shows the selection when its rows are there
            return
        self._find_selected()
        self.view.show_selected(self.selected, is_own=origin == "table")
        self._show_counts()
        self.selected_changed.emit()

    def _on_moved(self) -> None:
        if self.in_view_only:
            self._view_moved()

    def _on_view_moved(self) -> None:
        if self.in_view_only:
            self._refresh()

    # how rows come about

    def _refresh(self) -> None:
        """Filter and sort anew, in the background where there is much."""
        frame = ObjectFrame.empty("") if self.task is None else self.session.frame(self.task)
        filters, sort = self.filters, self.sort
        if self.in_view_only:
            filters = replace(filters, view=self.session.view_rect())
        try:
            parse_ids(filters.ids)
            self.view.show_filter_problem("")
        except UsageError as error:
            self.view.show_filter_problem(str(error))
            filters = replace(filters, ids="")
        self._work.run(lambda: shown_objects(frame, filters, sort), self._show, at_once=len(frame) <= AT_ONCE)
        self.view.show_busy(busy=self._work.is_busy)

    def _show(self, shown: Shown) -> None:
        is_other = shown.frame.task != self.shown.frame.task or shown.frame.classes != self.shown.frame.classes
        self.shown = shown
        self._find_selected()
        self.view.show_busy(busy=False)
        if is_other:
            self.view.show_classes(class_choices(shown.frame))
        self.view.show_rows(shown, self.sort, self.selected)
        self._show_counts()
        self.shown_changed.emit()

    def _find_selected(self) -> None:
        task, ids = self._chosen
        rows = self.shown.frame.rows(ids) if task == self.task == self.shown.frame.task else NOTHING
        self.selected_lines = self.shown.lines_of(rows)
        self.selected = Selected(rows, to_ranges(self.selected_lines))

    def _tell_selection(self) -> None:
        if self._wanted is None or self.task is None:
            return
        (ranges, origin), self._wanted = self._wanted, None
        self.session.select(self.task, self.shown.ids_at(ranges[ranges[:, 1] < len(self.shown)]), origin)

    # words

    def _tasks(self) -> list[Choice]:
        return [Choice(task, task_title(task)) for task in self.session.tasks]

    def _show_counts(self) -> None:
        frame, n_shown, n_selected = self.shown.frame, len(self.shown), len(self.selected.rows)
        self.view.show_counts(*counts_text(frame, n_shown, n_selected, has_slide=self.session.current is not None))

    def _region(self, source: str) -> Rect | None:
        current = self.session.current
        if current is None or not source:
            return None
        if source == "view":
            return self.session.view_rect()
        return drawn_region(self.session.viewer, current.layer, current.slide.shape)

    def _show_region(self) -> None:
        region = self.filters.region
        if region is None:
            self.view.show_region("Anywhere on the slide", is_set=False)
        else:
            size = f"{region.width:,} × {region.height:,} px at x {region.x:,}, y {region.y:,}"
            self.view.show_region(f"Centre within {size}", is_set=True)


def class_choices(frame: ObjectFrame) -> list[Choice]:
    """What the class filter offers."""
    choices = [Choice(code, spec.name, spec.color) for code, spec in enumerate(frame.classes, start=1)]
    return [*choices, Choice(0, "no class")] if choices and not frame.instances.class_codes.all() else choices


def counts_text(frame: ObjectFrame, n_shown: int, n_selected: int, *, has_slide: bool) -> tuple[str, str]:
    """How many objects are shown, and what stands in the place of an empty table."""
    if not frame.task:
        text = (
            "No objects yet. Run a model on the slide to find some."
            if has_slide
            else "Open a slide to see its objects."
        )
        return "", text
    name = noun(frame.task, 2)
    total = len(frame)
    if total == 0:
        return f"No {name}", f"No {name} yet. Run a model on the slide to find some."
    of = f"{n_shown:,}" if n_shown == total else f"{n_shown:,} of {total:,}"
    text = f"{of} {noun(frame.task, total)} shown, {n_selected:,} selected"
    return text, "" if n_shown else f"No {name} fulfil the filters. Reset them to see all {total:,}."
