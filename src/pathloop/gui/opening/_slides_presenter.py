"""What the panel "Slides" does."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import PathloopError, UsageError
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.gui.opening._adopt_layer import adopt_active_layer, adoptable_name
from pathloop.gui.opening._slide_list import SlideList
from pathloop.gui.opening._slide_status import last_slide
from pathloop.gui.opening._slides_state import ProjectState, ScaleState, SlidesState, SlidesView, level_rows
from pathloop.gui.opening._small_levels import SmallLevels
from pathloop.gui.opening._tissue_outline import TissueOutline
from pathloop.loop import ProposedProject, propose_project
from pathloop.slides import open_slide
from pathloop.store import slide_stem

__all__ = ["SlidesPresenter"]

SUFFIX = ".pathloop"
SETTLE_MS = 200


class SlidesPresenter:
    """Decides for the panel; see `SlidesView`.

    Parameters
    ----------
    session, view
        The viewer's session and the panel.
    """

    def __init__(self, session: Session, view: SlidesView) -> None:
        self._session, self._view = session, view
        self._problem = ""
        self._proposals: dict[Path, ProposedProject] = {}
        self._cancel_later: Callable[[], None] | None = None
        self._closed = False
        self._outline = TissueOutline(session, self._tell)
        self.small_levels = SmallLevels(session, self._tell)
        self.list = SlideList(session, self._soon, view.show_thumbnail)
        self._signals: tuple[tuple[Any, Any], ...] = (
            (session.current_changed, self._on_current),
            (session.slide_opened, self._soon),
            (session.slide_closed, self._soon),
            (session.scale_changed, self._soon),
            (session.project_changed, self._on_project),
            (session.objects_changed, self._soon),
            (session.run_changed, self._on_run),
        )
        for signal, slot in self._signals:
            signal.connect(slot)
        for event in (session.viewer.layers.events.inserted, session.viewer.layers.events.removed):
            event.connect(self._soon)
        session.viewer.layers.selection.events.active.connect(self._soon)
        self._on_project()

    def close(self) -> None:
        """Stop listening: the panel is gone."""
        self._closed = True
        self.small_levels.stop()
        for signal, slot in self._signals:
            signal.disconnect(slot, missing_ok=True)
        layers = self._session.viewer.layers
        for event in (layers.events.inserted, layers.events.removed, layers.selection.events.active):
            event.disconnect(self._soon)
        if self._cancel_later is not None:
            self._cancel_later()

    # slides

    def open(self, paths: Iterable[Path | str]) -> None:
        """Open slides and project folders, from a field, a dialog or a drop."""
        for path in paths:
            if not str(path).strip():
                continue
            self._try(partial(self._open_one, Path(path).expanduser()))

    def _open_one(self, path: Path) -> None:
        if path.is_dir() and path.suffix == SUFFIX:
            self._session.open_slide(last_slide(path, self._session.recent), project=path)
        else:
            self._session.open_slide(path)

    def select(self, path: Path) -> None:
        """Show a slide of the list, opening it where it is not open."""
        row = next((one for one in self.list.rows() if one.path == path), None)
        if row is None or row.is_current or row.is_missing:
            return
        current = self._session.current
        project = None if current is None or row.is_open else current.project_path
        self._try(lambda: self._session.open_slide(path, project=project))

    def step(self, by: int) -> None:
        """Show the next (1) or previous (-1) slide of the list whose file is there."""
        rows = [row for row in self.list.rows() if not row.is_missing]
        at = next((place for place, row in enumerate(rows) if row.is_current), None)
        if rows:
            self.select(rows[0 if at is None else (at + by) % len(rows)].path)

    def locate(self, path: Path, found: Path) -> None:
        """Tell where a missing slide is now; only a file of the same content is taken."""
        current = self._session.current
        project = None if current is None else current.project_path
        wanted = self.list.fingerprint(path)

        def done(same: bool) -> None:  # noqa: FBT001 - a result
            if same:
                self._session.open_slide(found, project=project)
            else:
                self._session.say(
                    f"{found.name} is not the file that the project knows as {path.name} (its content differs).",
                    "error",
                )

        self._session.background.run(lambda: _fingerprint(found) == wanted, done, self._session.report)

    def close_current(self) -> None:
        """Take the current slide out of the window."""
        if self._session.current is not None:
            self._session.close_slide(self._session.current)

    def adopt_active(self) -> None:
        """Make a slide of the active image layer, which another reader or a script made."""
        adopt_active_layer(self._session)

    # scale

    def set_scale(self, text: str) -> None:
        """Take what was entered for um per px; a refusal is shown under the field."""
        self._problem = ""
        try:
            value = float(text.strip().replace(",", "."))
        except ValueError:
            self._problem = f"{text.strip() or 'nothing'} is no number; 20x scanners have about 0.5, 40x about 0.25"
        else:
            try:
                self._must_rest("um per px")
                self._session.set_scale(value)
            except PathloopError as error:
                self._problem = str(error)
        self._tell()

    # tissue

    def set_only_tissue(self, on: bool) -> None:  # noqa: FBT001 - a switch
        """Whether runs leave glass out."""
        if self._session.current is not None:
            self._session.current.use_tissue_mask = on
            self._session.places_changed.emit()
            self._tell()

    def show_outline(self, on: bool) -> None:  # noqa: FBT001 - a switch
        """Show or take away the outline of what counts as tissue."""
        self._outline.show(on=on)

    # project

    def make_project(self, folder: Path | None = None) -> None:
        """Make a project for the current slide: in a folder, or where it is proposed."""
        opened = self._session.current
        if opened is None:
            return
        if folder is not None:
            place = folder / f"{slide_stem(opened.path)}{SUFFIX}"
        else:
            proposed = self._proposals.get(opened.path) or propose_project(opened.path)
            place = proposed.path
        self._try(lambda: self._open_project(place, create=True))

    def choose_project(self, path: Path) -> None:
        """Keep the current slide's work in a project that is there."""
        self._try(lambda: self._open_project(path, create=False))

    def _open_project(self, path: Path, *, create: bool) -> None:
        self._must_rest("project")
        self._session.open_project(path, create=create)

    def _must_rest(self, what: str) -> None:
        """A run's result belongs to the scale and the project that it began with."""
        current = self._session.current
        if current is not None and self._session.conductor is not None and self._session.conductor.works_on(current):
            raise UsageError(f"this slide is being segmented: stop that first (panel Segment), then change the {what}")

    # label and macro

    def show_associated(self) -> None:
        """Read label and macro images, because the user asked for them, and show them in a dialog."""
        opened = self._session.current
        if opened is None:
            return
        slide, name = opened.slide, opened.name

        def work() -> Mapping[str, NDArray[np.uint8]]:
            return {one: slide.read_associated(one) for one in slide.associated if one != "thumbnail"}

        self._session.background.run(work, lambda found: self._view.show_associated(name, found), self._session.report)

    # what changed

    def _on_current(self) -> None:
        self._problem = ""
        self._on_project()

    def _on_project(self) -> None:
        opened = self._session.current
        if opened is not None and opened.project_path is not None:
            project, slide, recent = opened.project_path, opened.path, self._session.recent
            self._session.background.run(lambda: recent.add(project, slide))
        elif opened is not None and opened.path not in self._proposals:
            path = opened.path
            self._session.background.run(
                lambda: propose_project(path), lambda found: self._proposed(path, found), self._session.report
            )
        self.list.refresh()
        self._tell()

    def _proposed(self, path: Path, found: ProposedProject) -> None:
        self._proposals[path] = found
        self._tell()

    def _on_run(self) -> None:
        self.list.refresh()

    def _soon(self, *_: Any) -> None:
        """Many things change at once when a slide opens: the panel follows when they have settled."""
        if self._cancel_later is None and not self._closed:
            self._cancel_later = self._session.background.later(SETTLE_MS, self._settled)

    def _settled(self) -> None:
        self._cancel_later = None
        self._tell()

    def _tell(self) -> None:
        if not self._closed:
            self._view.show(self.state())

    def state(self) -> SlidesState:
        """What is to be seen now."""
        opened = self._session.current
        rows = self.list.rows()
        if opened is None:
            return SlidesState(rows=rows, adoptable=adoptable_name(self._session))
        slide = opened.slide
        return SlidesState(
            rows=rows,
            levels=level_rows(slide, opened.scale),
            facts=f"{slide.shape[1]:,} x {slide.shape[0]:,} px, {slide.format}",
            scale=self._scale_state(opened),
            project=self._project_state(opened),
            only_tissue=opened.use_tissue_mask,
            outline_shown=self._outline.is_shown,
            associated=tuple(one for one in slide.associated if one != "thumbnail"),
            small_levels=self.small_levels.state(opened),
            adoptable=adoptable_name(self._session),
        )

    def _scale_state(self, opened: OpenedSlide) -> ScaleState:
        scale = opened.scale
        if scale is None:
            hint = "Not in the file. Enter it to run the model; 40x scanners have about 0.25, 20x about 0.5."
            return ScaleState("", hint, is_missing=True, problem=self._problem)
        text = f"{scale.um_per_px:.5g}"
        if abs(scale.y / scale.x - 1) > 1e-3:
            text_hint = f"Pixels are not square: {scale.y:.4g} high, {scale.x:.4g} wide."
            return ScaleState(text, text_hint, problem=self._problem)
        hint = "As the file states it." if opened.given_um_per_px is None else "As entered; kept in the project."
        return ScaleState(text, hint, problem=self._problem)

    def _project_state(self, opened: OpenedSlide) -> ProjectState:
        if opened.project_path is not None:
            hint = "" if opened.is_writer else f"Open for reading only. {opened.project_reason}"
            return ProjectState(str(opened.project_path), hint, why_not="This slide has a project already")
        proposed = self._proposals.get(opened.path)
        if proposed is None:
            return ProjectState("Looking for a place", why_not="A place is being looked for")
        return ProjectState(f"None yet; goes to {proposed.path}", proposed.reason, can_make=True, why_not="")

    def _try(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except (PathloopError, OSError) as error:
            self._session.report(error)


def _fingerprint(path: Path) -> str:
    with open_slide(path) as slide:
        return slide.fingerprint
