"""What the plots show, and what a brush stroke selects. No Qt."""

from functools import partial
from typing import Literal, Protocol

from pathloop.gui.objects._order import Shown
from pathloop.gui.objects._pace import LatestOnly, Throttle
from pathloop.gui.objects._plots import Histogram, Scatter, brushed_range, brushed_rectangle, histogram, scatter
from pathloop.gui.objects._presenter import AT_ONCE, ObjectsPresenter
from pathloop.gui.objects._words import noun

__all__ = ["PlotsPresenter", "PlotsView"]

Pair = tuple[float, float]


class PlotsView(Protocol):
    """The plots as their presenter sees them."""

    def show_histogram(self, data: Histogram, note: str) -> None:
        """Draw a histogram and a line of text."""
        ...

    def show_scatter(self, data: Scatter, note: str) -> None:
        """Draw a scatter plot and a line of text."""
        ...

    def show_nothing(self, text: str) -> None:
        """Say in words why there is no plot."""
        ...


class PlotsPresenter:
    """Draws the shown objects of an `ObjectsPresenter`, and selects there what is brushed over.

    Attributes
    ----------
    kind
        ``histogram`` or ``scatter``.
    x, y
        Keys of the columns; the histogram's is ``x``.
    is_log
        Whether the histogram's axis is logarithmic.
    active
        Whether anybody looks: nothing is computed otherwise.
    """

    def __init__(self, objects: ObjectsPresenter, view: PlotsView) -> None:
        self.kind: Literal["histogram", "scatter"] = "histogram"
        self.x, self.y = "area", "confidence"
        self.is_log = False
        self.active = False
        self._objects = objects
        self._view = view
        background = objects.session.background
        self._work = LatestOnly(background)
        self._soon = Throttle(background, 100, self._draw)
        objects.shown_changed.connect(self._changed)
        objects.selected_changed.connect(self._changed)

    def close(self) -> None:
        """Hear no more."""
        self._objects.shown_changed.disconnect(self._changed)
        self._objects.selected_changed.disconnect(self._changed)
        self._work.cancel()
        self._soon.cancel()

    def set_active(self, *, active: bool) -> None:
        """Begin or end drawing."""
        self.active = active
        self._changed()

    def choose(self, kind: Literal["histogram", "scatter"], x: str, y: str, *, is_log: bool) -> None:
        """Plot something else."""
        self.kind, self.x, self.y, self.is_log = kind, x, y, is_log
        self._draw()

    def redraw(self) -> None:
        """Draw the same again, in other colours."""
        self._changed()

    def brush_range(self, low: float, high: float) -> None:
        """Select what lies in a range of the histogram's axis."""
        rows = brushed_range(self._objects.shown, self.x, low, high, is_log=self.is_log)
        self._objects.select_rows(rows, "plot")

    def brush_rectangle(self, x_range: Pair, y_range: Pair) -> None:
        """Select what lies in a rectangle of the scatter plot."""
        rows = brushed_rectangle(self._objects.shown, self.x, self.y, x_range, y_range)
        self._objects.select_rows(rows, "plot")

    def _changed(self) -> None:
        if self.active:
            self._soon()

    def _draw(self) -> None:
        if not self.active:
            return
        shown, rows = self._objects.shown, self._objects.selected.rows
        if not len(shown):
            self._work.cancel()
            total = len(shown.frame)
            name = noun(shown.frame.task, 2) if shown.frame.task else "objects"
            self._view.show_nothing(
                f"No {name} fulfil the filters." if total else f"No {name} to plot yet. Run a model on the slide first."
            )
            return
        at_once = len(shown.frame) <= AT_ONCE
        if self.kind == "histogram":
            work = partial(histogram, shown, self.x, rows, is_log=self.is_log)
            self._work.run(work, partial(self._show_histogram, shown), at_once=at_once)
        else:
            self._work.run(
                partial(scatter, shown, self.x, self.y, rows), partial(self._show_scatter, shown), at_once=at_once
            )

    def _show_histogram(self, shown: Shown, data: Histogram) -> None:
        n = int(data.counts.sum())
        if n == 0:
            self._view.show_nothing(f"These {noun(shown.frame.task, 2)} have no values for “{data.column.title}”.")
            return
        beyond = (data.edges[1:] <= data.range[0]) | (data.edges[:-1] >= data.range[1])
        n_beyond = int(data.counts[:, beyond].sum())
        parts = [
            f"{n:,} {noun(shown.frame.task, n)}",
            f"{int(data.selected.sum()):,} selected",
            f"{n_beyond:,} further out (zoom out to see them)" if n_beyond else "",
            f"{data.n_without:,} without a value" if data.n_without else "",
        ]
        self._view.show_histogram(data, ", ".join(part for part in parts if part))

    def _show_scatter(self, shown: Shown, data: Scatter) -> None:
        if data.n == 0:
            names = f"“{data.x.title}” and “{data.y.title}”"
            self._view.show_nothing(f"These {noun(shown.frame.task, 2)} have no values for {names}.")
            return
        parts = [
            f"{data.n:,} {noun(shown.frame.task, data.n)}{' as density' if data.density is not None else ''}",
            f"{data.n_selected:,} selected",
            f"{data.n_without:,} without a value" if data.n_without else "",
        ]
        self._view.show_scatter(data, ", ".join(part for part in parts if part))
