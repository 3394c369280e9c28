"""What the buttons of the queue do: ranking, adding, removing, assigning, asking, marking."""

from collections.abc import Callable, Sequence
from typing import Any

from pathloop.core import Message, PathloopError, Rect
from pathloop.gui._journal import Work
from pathloop.gui._opened import OpenedSlide
from pathloop.gui.correcting import DEFAULT_TASKS
from pathloop.gui.queueing._changes import adding, asking, assigning, marking, removing, storing, verifying
from pathloop.gui.queueing._places import check_size, drawn_rects, new_rects, start_drawing_regions
from pathloop.gui.queueing._presenter import QueuePresenter
from pathloop.gui.queueing._ranking import RankCommand, Ranker, RankerListener
from pathloop.gui.running import place_in_project
from pathloop.loop.correct import Committed
from pathloop.store import Region, RegionState

__all__ = ["QueueActions"]

DRAW_HINT = "Draw rectangles on the slide, then press Add: Drawn rectangles."
NOTHING_DRAWN = "Nothing is drawn: press Add: Draw rectangles, or select a Shapes layer with rectangles."
UNDO_HINT = "Undo in the panel Correct takes it back."


class QueueActions:
    """Changes the queue; everything goes through the journal.

    Parameters
    ----------
    presenter
        Whose queue.
    """

    def __init__(self, presenter: QueuePresenter) -> None:
        self._presenter = presenter
        self._session = presenter.session
        listener = RankerListener(presenter.view.show_progress, self._ranked, self._not_ranked)
        self.ranker = Ranker(self._session.background, listener)
        self._session.closing.append(self.close)

    def close(self) -> None:
        """Stop what goes on."""
        self.ranker.cancel()

    # ranking

    def rank(self, strategy: str, count: int) -> None:
        """Rank the current slide's regions; what comes out is stored at once."""
        opened = self._presenter.opened
        if opened is None or self._presenter.situation.no_ranking:
            return
        self._presenter.tell("")
        self.ranker.start(RankCommand(opened, strategy, count, self._session.settings.running.device))
        self._show_ranking()

    def cancel_ranking(self) -> None:
        """Stop; nothing is stored."""
        if self.ranker.is_busy:
            self.ranker.cancel()
            self._presenter.view.show_progress(None, "")
            self._presenter.tell("Stopped: nothing was stored.")
            self._show_ranking()

    def _ranked(self, command: RankCommand, queue: list[Region], notes: list[Message]) -> None:
        warnings = [_sentence(note.text) for note in notes if note.level == "warning"]
        details = "\n".join(_sentence(note.text) for note in notes)

        def done(committed: Committed | None) -> None:
            held = sum(region.holdout for region in queue)
            words = f"{_regions(len(queue))} to do, {held} of them random." if committed else "Nothing changed."
            self._finish_ranking(" ".join([words, *warnings]), details)

        def failed(error: Exception) -> None:
            self._finish_ranking(f"Not stored: {error}")

        if command.opened not in self._session.opened:
            self._finish_ranking("")
            return
        work = storing(queue, command.strategy)
        self._session.journal.submit(command.opened, work, done=done, failed=failed)

    def _not_ranked(self, text: str) -> None:
        self._finish_ranking(text)
        self._session.say(text, "error")

    def _finish_ranking(self, text: str, details: str = "") -> None:
        self._presenter.view.show_progress(None, "")
        self._presenter.tell(text, details)
        self._show_ranking()

    def _show_ranking(self) -> None:
        self._presenter.is_ranking = self.ranker.is_busy
        self._presenter.refresh()

    # adding

    def add_view(self) -> None:
        """Add what is on screen."""
        rect = self._session.view_rect()
        if rect is None:
            self._presenter.tell("The slide is not on screen.")
        else:
            self._add([rect])

    def add_drawn(self) -> None:
        """Add the rectangles that were drawn."""
        opened = self._presenter.opened
        if opened is None:
            return
        rects = drawn_rects(self._session.viewer, opened.layer, opened.slide.shape)
        if rects:
            self._add(rects)
        else:
            self._presenter.tell(NOTHING_DRAWN)

    def start_drawing(self) -> None:
        """Have the user draw rectangles."""
        start_drawing_regions(self._session.viewer)
        self._presenter.tell(DRAW_HINT)

    def _add(self, rects: Sequence[Rect]) -> None:
        opened = self._presenter.opened
        if opened is None:
            return
        fresh = new_rects(rects, (region.rect for region in self._presenter.content.regions))
        if not fresh:
            self._presenter.tell("These are regions already.")
            return
        try:
            check_size(fresh)
        except PathloopError as error:
            self._presenter.tell(f"{error}.")
            return
        place_in_project(
            self._session,
            opened,
            lambda: self._submit(opened, [adding(fresh, DEFAULT_TASKS)], f"{_regions(len(fresh))} added."),
            failed=lambda text: self._presenter.tell(text),
            told=self._session.say,
        )

    # changing

    def remove(self) -> None:
        """Take the selected regions out of the queue."""
        numbers = self._numbers
        if numbers:
            self._change([removing(numbers)], f"{_regions(len(numbers))} removed. {UNDO_HINT}")

    def assign(self, name: str) -> None:
        """Say who shall do the selected regions; "" = anybody."""
        numbers, who = self._numbers, " ".join(name.split())
        if numbers:
            self._change([assigning(numbers, who)], f"{_regions(len(numbers))} for {who or 'anybody'}.")

    def ask(self, comment: str) -> None:
        """Ask a pathologist about what is selected; an empty comment takes the question back."""
        text = comment.strip() or None
        works = asking(self._numbers, self._presenter.chosen_objects, text)
        self._change(works, "The question is taken back." if text is None else "A pathologist is asked.")

    def mark(self, state: RegionState, task: str | None = None) -> None:
        """Give the selected regions a state, for one task or all that are reviewed in them."""
        numbers = [
            region.id
            for region in self._presenter.chosen_regions
            if (region.states.get(task, state) if task else region.state) != state
        ]
        if numbers:
            words = {"done": "done, its objects accepted" if len(numbers) == 1 else "done, their objects accepted"}
            text = f"{_regions(len(numbers))} {words.get(state, 'to do again' if state == 'todo' else 'begun')}."
            self._change(marking(numbers, state, None if task is None else [task]), text)

    def verify(self, name: str) -> None:
        """Write down who vouches for the selected regions; refused while something in them is open."""
        numbers, who = self._numbers, " ".join(name.split())
        if numbers and who:
            self._change([verifying(numbers, who)], f"{_regions(len(numbers))} verified by {who}. {UNDO_HINT}")

    @property
    def _numbers(self) -> list[int]:
        return [region.id for region in self._presenter.chosen_regions]

    def _change(self, works: Sequence[Work], words: str) -> None:
        opened, problem = self._presenter.opened, self._presenter.situation.no_writing
        if opened is not None and not problem:
            self._submit(opened, works, words)

    def _submit(self, opened: OpenedSlide, works: Sequence[Work], words: str) -> None:
        def told(text: str) -> Callable[[Any], Any]:
            return lambda _: self._presenter.tell(text)

        for work in works:
            self._session.journal.submit(opened, work, done=told(words), failed=self._failed)

    def _failed(self, error: Exception) -> None:
        self._presenter.tell(f"Not done: {error}")
        self._session.report(error)


def _regions(n: int) -> str:
    return "1 region" if n == 1 else f"{n:,} regions"


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
