"""The tissue brush: cells of the grid are painted with classes, each stroke one entry of the journal."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from pathloop.core import ClassSpec, Rect, UsageError
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.gui.display import TISSUE, scale_and_units
from pathloop.gui.running import place_in_project
from pathloop.gui.tissue._grid import CellGrid, read_grid
from pathloop.loop.correct import Committed, set_cells
from pathloop.store import OBJECT_STATES

__all__ = ["TissueBrush", "TissueView"]

OPACITY = 0.45
SIZES = (1, 3, 5)


class TissueView(Protocol):
    """Shows the state of the tissue brush."""

    def show_tissue(self, *, on: bool, problem: str, classes: Sequence[ClassSpec], current: str) -> None:
        """Whether the brush is on, why it cannot be, the classes, and the chosen one ("" = as predicted)."""
        ...

    def show_cells(self, text: str) -> None:
        """How many cells people corrected, in words."""
        ...


class TissueBrush:
    """An ordinary napari Labels layer with one pixel a cell; what is painted goes into the journal. Main thread only.

    Parameters
    ----------
    session
        The viewer's session.
    view
        Shows the state.
    """

    def __init__(self, session: Session, view: TissueView) -> None:
        self._session, self._view = session, view
        self.grid: CellGrid | None = None
        self.layer: Any = None
        self.current = ""
        self._opened: OpenedSlide | None = None
        self._shadow = np.zeros((0, 0), np.int32)
        self._quiet = False
        session.journal.committed.connect(self._on_committed)
        session.current_changed.connect(self._on_current)
        session.project_changed.connect(self._show)
        session.viewer.layers.events.removed.connect(self._on_removed)
        session.closing.append(self.close)
        self._show()

    def close(self) -> None:
        """Hear no more of the session."""
        self.turn_off()
        session = self._session
        session.journal.committed.disconnect(self._on_committed)
        session.current_changed.disconnect(self._on_current)
        session.project_changed.disconnect(self._show)
        session.viewer.layers.events.removed.disconnect(self._on_removed)
        if self.close in session.closing:
            session.closing.remove(self.close)

    def problem(self) -> str:
        """Why tissue cannot be corrected; "" if it can."""
        opened = self._session.current
        if opened is None:
            return "Open a slide first."
        if opened.scale is None:
            return "The um per px of this slide is not known: fill it in under Slides."
        if opened.project_path is not None and not opened.is_writer:
            return opened.project_reason or "This project is open for reading only."
        return ""

    # what the user does

    def turn_on(self) -> None:
        """Show the grid and paint."""
        opened, problem = self._session.current, self.problem()
        if opened is None or problem:
            self._session.say(problem, "warning")
            return

        def read() -> None:
            slide_id, path = opened.slide_id, opened.project_path
            if slide_id is None or path is None:
                return
            self._session.projects.use(path, lambda project: read_grid(project, slide_id), partial(self._open, opened))

        place_in_project(
            self._session,
            opened,
            read,
            failed=lambda text: self._session.say(text, "error"),
            told=lambda text: self._session.say(text),
        )

    def turn_off(self) -> None:
        """Go back to the map."""
        layer, opened, self.layer = self.layer, self._opened, None
        self._opened = self.grid = None
        if layer is not None and layer in self._session.viewer.layers:
            self._session.viewer.layers.remove(layer)
        if opened is not None:
            opened.desk.layers.hide_task(TISSUE, hidden=False)
        self._show()

    def choose(self, name: str) -> None:
        """Choose what is painted; "" = as the model says."""
        self.current = name
        if self.layer is not None and self.grid is not None:
            self.layer.selected_label = self.grid.code(name)
            self.layer.mode = "paint" if name else "erase"
        self._show()

    def choose_size(self, cells: int) -> None:
        """Width of the brush, cells."""
        if self.layer is not None:
            self.layer.brush_size = cells

    def new_class(self, name: str) -> None:
        """Make a class of tissue, and choose it."""
        opened, name = self._opened, name.strip()
        if opened is None or opened.project_path is None or self.grid is None or not name:
            return

        def made(classes: tuple[ClassSpec, ...]) -> None:
            if self.grid is not None:
                self.grid.classes += [spec for spec in classes if not self.grid.code(spec.name)]
                self._colour()
                self.choose(name)

        def make(project: Any) -> tuple[ClassSpec, ...]:
            project.class_code(TISSUE, name)
            found: tuple[ClassSpec, ...] = project.classes(TISSUE)
            return found

        self._session.projects.use(opened.project_path, make, made)

    def accept_view(self) -> None:
        """Say that the classes of all cells on screen are right.

        Raises
        ------
        UsageError
            If there is nothing to accept.
        """
        opened, grid, rect = self._opened, self.grid, self._session.view_rect()
        if opened is None or grid is None or rect is None:
            raise UsageError("switch the tissue brush on first")
        rows, cols = np.nonzero(grid.codes)
        centres_y = grid.origin_px[0] + (rows + 0.5) * grid.cell_px[0]
        centres_x = grid.origin_px[1] + (cols + 0.5) * grid.cell_px[1]
        inside = _inside(rect, centres_y, centres_x)
        cells = {
            (int(row), int(col)): grid.classes[grid.codes[row, col] - 1].name
            for row, col in zip(rows[inside], cols[inside], strict=True)
        }
        if not cells:
            raise UsageError("no classified cells are on screen")
        self._session.journal.submit(
            opened, lambda project, slide_id: set_cells(project, slide_id, cells, state="accepted")
        )

    def take(self, event: Any = None) -> None:
        """Take what was painted into the journal."""
        grid, opened = self.grid, self._opened
        if self._quiet or grid is None or opened is None:
            return
        rows, cols = np.nonzero(self.layer.data != self._shadow)
        if rows.size == 0:
            return
        cells: dict[tuple[int, int], str | None] = {}
        for row, col in zip(rows.tolist(), cols.tolist(), strict=True):
            code = int(self.layer.data[row, col])
            known = 0 < code <= len(grid.classes)
            cells[row, col] = grid.classes[code - 1].name if known else None
        self._shadow = self.layer.data.copy()
        self._session.journal.submit(opened, lambda project, slide_id: set_cells(project, slide_id, cells))

    # inside

    def _open(self, opened: OpenedSlide, grid: CellGrid) -> None:
        from napari.layers import Labels

        if opened is not self._session.current:
            return
        if self.layer is not None:
            self.turn_off()
        self.grid, self._opened = grid, opened
        self._shadow = grid.codes.copy()
        um, units = scale_and_units(opened.scale)
        cell = np.multiply(grid.cell_px, um)
        first = (np.asarray(grid.origin_px) + (np.asarray(grid.cell_px) - 1) / 2) * um
        self.layer = Labels(
            grid.codes.copy(),
            name=f"{opened.name} - tissue (correcting)",
            scale=cell,
            translate=first,
            units=units,
            opacity=OPACITY,
            blending="translucent",
            metadata={"pathloop": {"kind": "tissue cells"}},
        )
        self._colour()
        self.layer.brush_size = SIZES[0]
        self.layer.events.paint.connect(self.take)
        self.layer.bind_key("Control-Z", lambda layer: self._step("undo"), overwrite=True)
        self.layer.bind_key("Control-Shift-Z", lambda layer: self._step("redo"), overwrite=True)
        opened.desk.layers.hide_task(TISSUE, hidden=True)
        self._session.viewer.layers.append(self.layer)
        self._session.viewer.layers.selection.active = self.layer
        self.choose(self.current or (grid.classes[0].name if grid.classes else ""))

    def _step(self, name: str) -> None:
        if self._opened is not None:
            self.take()
            getattr(self._session.journal, name)(self._opened)

    def _colour(self) -> None:
        from napari.utils.colormaps import DirectLabelColormap

        assert self.grid is not None
        table: dict[int | None, Any] = {
            code: (*(value / 255 for value in spec.color), 1.0) for code, spec in enumerate(self.grid.classes, 1)
        }
        self.layer.colormap = DirectLabelColormap(color_dict={**table, 0: (0, 0, 0, 0), None: (0.6, 0.6, 0.6, 1)})

    def _on_committed(self, opened: OpenedSlide, committed: Committed) -> None:
        grid = self.grid
        if grid is None or opened is not self._opened or not committed.change.cells:
            return
        for one in committed.change.cells:
            place = one.row, one.col
            if one.after is None:
                grid.codes[place], grid.states[place] = grid.predicted[place], 0
            else:
                grid.codes[place] = grid.code(one.after.class_name)
                grid.states[place] = OBJECT_STATES.index(one.after.state)
        self._quiet = True
        self.layer.data[...] = grid.codes
        self.layer.refresh()
        self._quiet = False
        self._shadow = grid.codes.copy()
        self._show()

    def _on_current(self) -> None:
        if self._session.current is not self._opened:
            self.turn_off()
        self._show()

    def _on_removed(self, event: Any) -> None:
        if self.layer is not None and event.value is self.layer:
            self.turn_off()

    def _show(self) -> None:
        grid = self.grid
        classes = [] if grid is None else grid.classes
        self._view.show_tissue(on=grid is not None, problem=self.problem(), classes=classes, current=self.current)
        if grid is None:
            self._view.show_cells("")
        else:
            edited, accepted = (int((grid.states == code).sum()) for code in (1, 2))
            noun = "cell" if edited == 1 else "cells"
            self._view.show_cells(f"{edited:,} {noun} edited, {accepted:,} accepted")


def _inside(rect: Rect, y: Any, x: Any) -> Any:
    return (y >= rect.y) & (y < rect.bottom) & (x >= rect.x) & (x < rect.right)
