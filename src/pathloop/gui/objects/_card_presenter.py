"""Which of the selected objects the card shows, and where its facts come from. No Qt."""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from psygnal import SignalInstance

from pathloop.gui.objects._card import around, object_box, object_card
from pathloop.gui.objects._facts import SlideFacts, read_facts, run_text
from pathloop.gui.objects._pace import LatestOnly, Throttle
from pathloop.gui.objects._presenter import ObjectsPresenter
from pathloop.gui.objects._thumbnail import read_thumbnail

__all__ = ["CardPresenter"]


class CardPresenter:
    """Follows the selection of an `ObjectsPresenter`.

    With one object selected the arrows step through the table and select; with several they step through these and
    leave the selection as it is.

    Attributes
    ----------
    follow
        Whether stepping brings the object into view.
    """

    def __init__(self, objects: ObjectsPresenter) -> None:
        self.follow = False
        self._objects = objects
        self._session = objects.session
        self._object: tuple[str, int] | None = None
        self._drawn: tuple[str, int] | None = None
        self._facts: SlideFacts | None = None
        self._facts_asked = False
        self._pictures = LatestOnly(self._session.background)
        self._picture = Throttle(self._session.background, 80, self._read_picture)
        objects.shown_changed.connect(self._update)
        objects.selected_changed.connect(self._update)
        for signal in self._signals():
            signal.connect(self._forget)
        self._update()

    def close(self) -> None:
        """Hear no more."""
        self._objects.shown_changed.disconnect(self._update)
        self._objects.selected_changed.disconnect(self._update)
        for signal in self._signals():
            signal.disconnect(self._forget)
        self._pictures.cancel()
        self._picture.cancel()

    def step(self, by: int) -> None:
        """Show the next (1) or previous (-1) object."""
        shown = self._objects.shown
        row = self._row()
        if row is None:
            return
        lines = self._objects.selected_lines
        here = shown.lines_of(np.array([row]))
        if len(lines) > 1:
            place = int(np.searchsorted(lines, here[0])) if len(here) else 0
            line = int(lines[(place + by) % len(lines)])
            self._show(int(shown.order[line]))
        elif not len(shown):
            return
        else:
            line = (int(here[0]) + by) % len(shown) if len(here) else 0
            self._objects.select_lines(np.array([[line, line]]), "card")
        if self.follow:
            self._objects.go_to_line(line)

    def go_to(self) -> None:
        """Bring the card's object into view."""
        row = self._row()
        if row is not None:
            self._objects.go_to_row(row)

    def _signals(self) -> list[SignalInstance]:
        session = self._session
        return [session.current_changed, session.project_changed, session.objects_changed]

    def _forget(self) -> None:
        self._facts, self._facts_asked, self._drawn = None, False, None

    def _row(self) -> int | None:
        if self._object is None or self._object[0] != self._objects.shown.frame.task:
            return None
        rows = self._objects.shown.frame.rows(np.array([self._object[1]]))
        return int(rows[0]) if len(rows) else None

    def _update(self) -> None:
        """Another selection or other rows: keep the object if it is still selected."""
        shown, rows = self._objects.shown, self._objects.selected.rows
        if not len(rows):
            self._object = self._drawn = None
            self._pictures.cancel()
            self._objects.view.show_card(None)
            return
        row = self._row()
        if row is None or not _holds(rows, row):
            lines = self._objects.selected_lines
            row = int(shown.order[lines[0]]) if len(lines) else int(rows[0])
        self._show(row)

    def _show(self, row: int) -> None:
        frame = self._objects.shown.frame
        number = int(frame.instances.ids[row])
        self._object = frame.task, number
        runs = self._facts.runs if self._facts else ()
        card = object_card(frame, row, origin=run_text(runs, frame.task, number), place=self._place(row))
        self._objects.view.show_card(card)
        if self._drawn != self._object:
            self._picture()

    def _place(self, row: int) -> str:
        shown, lines = self._objects.shown, self._objects.selected_lines
        here = shown.lines_of(np.array([row]))
        if not len(here):
            return "hidden by the filters"
        if len(lines) > 1:
            return f"{np.searchsorted(lines, here[0]) + 1:,} of {len(lines):,} selected"
        return f"{here[0] + 1:,} of {len(shown):,} shown"

    def _read_picture(self) -> None:
        """The picture, and what the project says of the object."""
        current, row = self._session.current, self._row()
        if current is None or row is None:
            return
        frame = self._objects.shown.frame
        number, box = int(frame.instances.ids[row]), object_box(frame, row)
        read_ids = partial(current.desk.layers.read_ids, frame.task)
        self._drawn = frame.task, number
        self._pictures.run(
            partial(read_thumbnail, current.slide, around(box, frame.scale), box, number, read_ids),
            self._objects.view.show_thumbnail,
        )
        slide_id, folder = current.slide_id, current.project_path
        if slide_id is not None and folder is not None and not self._facts_asked:
            self._facts_asked = True
            self._session.projects.use(folder, partial(read_facts, slide_id=slide_id), self._on_facts)

    def _on_facts(self, facts: SlideFacts) -> None:
        if not self._facts_asked:
            return  # of what is no longer shown
        self._facts = facts
        row = self._row()
        if row is not None:
            self._show(row)


def _holds(rows: NDArray[np.int64], row: int) -> bool:
    place = int(np.searchsorted(rows, row))
    return place < len(rows) and int(rows[place]) == row
