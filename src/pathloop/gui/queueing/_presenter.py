"""What the panel "Queue" shows and does. No Qt."""

from collections.abc import Sequence

import numpy as np

from pathloop.core import Rect
from pathloop.gui._near import bring_near
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.gui.queueing._buttons import Situation, buttons, empty_text
from pathloop.gui.queueing._frames import RegionFrames
from pathloop.gui.queueing._reading import QueueReader
from pathloop.gui.queueing._rows import (
    FILTERS,
    REGION,
    Filter,
    QueueContent,
    counts_text,
    people,
    region_key,
    rows,
    tasks_of,
)
from pathloop.gui.queueing._thumbnails import Picture, Thumbnails
from pathloop.gui.queueing._view import Key, QueueRow, QueueView
from pathloop.loop.correct import Committed
from pathloop.store import Region, who_am_i

__all__ = ["QueuePresenter"]

OBJECT_FILLED = 0.35
"""Share of the view that an object with its surroundings takes up when it is gone to."""


class QueuePresenter:
    """Keeps the current slide's regions, which of them are shown and selected, and where the user is.

    Parameters
    ----------
    session
        The viewer's session.
    view
        Shows the state.
    """

    def __init__(self, session: Session, view: QueueView) -> None:
        self.session, self.view = session, view
        self.content = QueueContent()
        self.filter: Filter = "all"
        self.selected: tuple[Key, ...] = ()
        self.current: Key | None = None
        self.rows: list[QueueRow] = []
        self.is_ranking = False
        self.thumbnails = Thumbnails(session.background, view.show_picture)
        self.frames = RegionFrames(session, lambda: view.show_frames(on=False))
        self._owner: OpenedSlide | None = None
        self.reader = QueueReader(session, self._take)
        session.current_changed.connect(self._on_current)
        session.scale_changed.connect(self.refresh)
        session.project_changed.connect(self.reader.read)
        session.regions_changed.connect(self.reader.read)
        session.objects_changed.connect(self._on_objects)
        session.journal.committed.connect(self._on_committed)
        session.step_wanted.connect(self.step)
        session.closing.append(self.close)
        self._on_current()

    def close(self) -> None:
        """Take the frames away and hear no more of the session."""
        if self.reader.is_closed:
            return
        self.reader.is_closed = True
        session = self.session
        session.current_changed.disconnect(self._on_current)
        session.scale_changed.disconnect(self.refresh)
        session.project_changed.disconnect(self.reader.read)
        session.regions_changed.disconnect(self.reader.read)
        session.objects_changed.disconnect(self._on_objects)
        session.journal.committed.disconnect(self._on_committed)
        session.step_wanted.disconnect(self.step)
        self.thumbnails.close()
        self.frames.close()

    # what the user does

    def choose_filter(self, chosen: Filter) -> None:
        """Show only some of the regions; "flagged" shows questions about objects too."""
        self.filter = chosen
        self.refresh()

    def select(self, keys: Sequence[Key]) -> None:
        """Lines were selected; the buttons act on these, and the first region's frame is drawn thick."""
        self.selected = tuple(keys)
        if self.current not in self.selected:
            self.current = self.selected[0] if self.selected else None
        self.frames.mark(self._current_number)
        self._show_buttons()

    def open(self, key: Key) -> None:
        """Go to a region and have it opened for correcting, or go to an object."""
        region = self.region(key)
        if region is not None:
            self._go_to(region)
            return
        found = next((one for one in self.content.flagged if (one.flag.task, one.flag.id) == key), None)
        if found is not None:
            self._set_current(key)
            bring_near(self.session, found.box, OBJECT_FILLED)
            self.session.select(key[0], np.array([key[1]], np.int64), "queue")

    def open_selected(self) -> None:
        """Go to the first selected line."""
        if self.selected:
            self.open(self.current if self.current in self.selected else self.selected[0])

    def step(self, by: int) -> None:
        """Go to the next (1) or previous (-1) of the shown regions that is not done; at the end begin again."""
        shown = {row.key for row in self.rows}
        order = [
            region
            for region in self.content.regions
            if region_key(region) in shown or region_key(region) == self.current
        ]
        waiting = [i for i, one in enumerate(order) if one.state != "done" and region_key(one) in shown]
        if not waiting:
            self._say(self._nothing_left())
            return
        # where the user is may be filtered out by now: the way goes on from there
        here = next((i for i, one in enumerate(order) if region_key(one) == self.current), -1 if by > 0 else len(order))
        ahead = [i for i in waiting if (i > here if by > 0 else i < here)]
        if ahead:
            self.tell("")
        elif waiting == [here]:
            self._say("This is the only region that is not done.")
        else:
            self._say(
                "That was the last one: on from the top." if by > 0 else "That was the first one: on from the end."
            )
        target = ahead or waiting
        self._go_to(order[target[0] if by > 0 else target[-1]])

    def show_frames(self, *, on: bool) -> None:
        """Frames on the slide, or none."""
        self.frames.set_shown(shown=on)

    def picture(self, rect: Rect) -> Picture | None:
        """The picture of a line; None while it is being read."""
        return None if self._owner is None else self.thumbnails.get(self._owner, rect)

    # what is where

    @property
    def opened(self) -> OpenedSlide | None:
        """The slide whose queue is shown."""
        return self.session.current

    def region(self, key: Key | None) -> Region | None:
        """The region that a line stands for."""
        if key is None or key[0] != REGION:
            return None
        return next((one for one in self.content.regions if one.id == key[1]), None)

    @property
    def chosen_regions(self) -> list[Region]:
        """Regions that are selected."""
        numbers = {number for kind, number in self.selected if kind == REGION}
        return [region for region in self.content.regions if region.id in numbers]

    @property
    def chosen_objects(self) -> list[Key]:
        """Objects that are selected."""
        return [key for key in self.selected if key[0] != REGION]

    @property
    def people(self) -> list[str]:
        """Whom regions can be assigned to, as far as known; the user comes first."""
        return people(self.content.regions, who_am_i())

    @property
    def question(self) -> str:
        """What is asked about the first selected line; "" = nothing."""
        found = next((row for row in self.rows if row.key in self.selected), None)
        return (found.question if found is not None else None) or ""

    @property
    def _current_number(self) -> int | None:
        return self.current[1] if self.current is not None and self.current[0] == REGION else None

    def _take(self, opened: OpenedSlide | None, content: QueueContent) -> None:
        self._owner, self.content = opened, content
        self.refresh()

    def refresh(self) -> None:
        """Show what is there."""
        self.rows = rows(self.content, self.filter, who_am_i())
        there = {row.key for row in self.rows}
        self.selected = tuple(key for key in self.selected if key in there)
        if self.current not in there and self.region(self.current) is None:
            self.current = None
        self.view.show_rows(self.rows, empty_text(self.situation, self.filter))
        self.view.show_counts(counts_text(self.content, len(self.rows), self.filter))
        self.frames.show(self.opened, self.content.regions, self._current_number)
        self._show_buttons()

    @property
    def situation(self) -> Situation:
        """What can be done depends on it."""
        opened = self.opened
        return Situation(
            opened=opened,
            is_read=opened is None or self._owner is opened,
            is_segmented=bool(self.session.tasks) or (opened is not None and opened.desk.tissue is not None),
            n_regions=len(self.content.regions),
            chosen=tuple(self.chosen_regions),
            n_objects=len(self.chosen_objects),
            is_ranking=self.is_ranking,
        )

    def _show_buttons(self) -> None:
        self.view.show_buttons(buttons(self.situation))
        self.view.show_tasks(tasks_of(self.chosen_regions))

    # inside

    def _go_to(self, region: Region) -> None:
        self._set_current(region_key(region))
        bring_near(self.session, region.rect)
        self.session.region_wanted.emit(region)

    def _set_current(self, key: Key) -> None:
        self.current, self.selected = key, (key,)
        self.frames.mark(self._current_number)
        self.view.show_current(key)
        self._show_buttons()

    def _nothing_left(self) -> str:
        if not self.content.regions:
            return empty_text(self.situation, "all")
        if self.filter == "all":
            return "All regions of this slide are done."
        return f"No region that passes the filter {FILTERS[self.filter][0]} is left to do."

    def tell(self, text: str, details: str = "") -> None:
        """A word in the panel about what just happened, and more of it."""
        self.view.show_note(text, details)

    def _say(self, text: str) -> None:
        """In the panel, and where the panel is behind another one too."""
        self.tell(text)
        self.session.say(text)

    def _on_current(self) -> None:
        if self.opened is not self._owner:
            self.content, self.selected, self.current = QueueContent(), (), None
            self._owner = None
            self.tell("")
            self.refresh()
        self.reader.read()

    def _on_objects(self, task: str) -> None:
        self._show_buttons()

    def _on_committed(self, opened: OpenedSlide, committed: Committed) -> None:
        if opened is self.opened and committed.change.flags and not committed.change.regions:
            self.reader.read()
