"""The panel "Slides": open slides, see what there is, say how large a pixel is, and where the work is kept."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QFileDialog

from pathloop.gui._current import session_for
from pathloop.gui.opening._keys import ViewerKeys
from pathloop.gui.opening._magnification import ViewTools
from pathloop.gui.opening._slides_presenter import SlidesPresenter
from pathloop.gui.opening._slides_state import SlidesState
from pathloop.gui.widgets._associated_dialog import AssociatedDialog
from pathloop.gui.widgets._slide_details import ProjectBox, ScaleBox, SlideBox
from pathloop.gui.widgets._slides_list import SlidesBox
from pathloop.gui.widgets._view_tools import ViewBox
from pathloop.gui.widgets.icons import tint
from pathloop.gui.widgets.overview import OverviewInset
from pathloop.gui.widgets.panel import Panel
from pathloop.slides import SLIDE_FOLDER_SUFFIXES, SLIDE_SUFFIXES

__all__ = ["SlidesPanel"]

FILTER = f"Slides and images ({' '.join(f'*{suffix}' for suffix in SLIDE_SUFFIXES)});;All files (*)"


class SlidesPanel(Panel):
    """Slides, their scale, tissue and project.

    Parameters
    ----------
    viewer
        The napari viewer.
    """

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:  # type: ignore[name-defined]  # noqa: F821
        super().__init__("Slides")
        session = session_for(viewer)
        self.guard(session)
        self.setAcceptDrops(True)
        self.body.setContentsMargins(4, 4, 4, 4)
        self._is_gone = False
        self.slides, self.scale, self.slide = SlidesBox(), ScaleBox(), SlideBox()
        self.project, self.view_tools = ProjectBox(), ViewBox()
        for box in (self.slides, self.scale, self.view_tools, self.project, self.slide):
            self.body.addWidget(box)
        self.body.addStretch(1)
        # timers that die with the panel
        self._attach, self._retint, self._leave = QTimer(self), QTimer(self), QTimer(self)
        for timer in (self._attach, self._retint, self._leave):
            timer.setSingleShot(True)
        self.tools = ViewTools(session)
        self.overview = OverviewInset(session)
        self.presenter = SlidesPresenter(session, self)
        self._keys = ViewerKeys(
            session.viewer,
            {"Alt-PageUp": lambda: self.presenter.step(-1), "Alt-PageDown": lambda: self.presenter.step(1)},
        )
        self._wire()
        self._attach.timeout.connect(lambda: self.overview.attach(self))
        self._retint.timeout.connect(lambda: tint(self))
        self._leave.timeout.connect(self._leave_for_good)
        session.closing.append(self._let_go)
        tint(self)

    def _wire(self) -> None:
        presenter, tools = self.presenter, self.tools
        self.slides.browse.clicked.connect(self._browse)
        self.slides.browse_folder.clicked.connect(self._browse_folder)
        self.slides.entered.connect(lambda text: presenter.open([text]))
        self.slides.chosen.connect(presenter.select)
        self.slides.lost.connect(self._locate)
        self.slides.previous.clicked.connect(lambda: presenter.step(-1))
        self.slides.next.clicked.connect(lambda: presenter.step(1))
        self.slides.close_slide.clicked.connect(presenter.close_current)
        self.slides.adopt.clicked.connect(presenter.adopt_active)
        self.scale.entered.connect(presenter.set_scale)
        self.slide.only_tissue.toggled.connect(presenter.set_only_tissue)
        self.slide.outline.toggled.connect(presenter.show_outline)
        self.slide.build.clicked.connect(presenter.small_levels.build)
        self.slide.stop.clicked.connect(presenter.small_levels.stop)
        self.slide.associated.clicked.connect(presenter.show_associated)
        self.project.make.clicked.connect(lambda: presenter.make_project())
        self.project.elsewhere.clicked.connect(self._make_elsewhere)
        self.project.other.clicked.connect(self._choose_project)
        self.view_tools.magnified.connect(tools.magnify)
        self.view_tools.fit.clicked.connect(tools.fit)
        self.view_tools.ruler.clicked.connect(tools.ruler.start)
        self.view_tools.scale_bar.setChecked(tools.scale_bar_shown)
        self.view_tools.scale_bar.toggled.connect(lambda on: tools.show_scale_bar(shown=on))
        shown = self._session.settings.view.overview
        self.view_tools.overview.setChecked(shown)
        self.overview.set_shown(shown)
        self.view_tools.overview.toggled.connect(self.overview.set_shown)

    # SlidesView

    def show(self, state: SlidesState | None = None) -> None:
        """See `SlidesView`; without a state, Qt's own."""
        if state is None:
            super().show()
            return
        self.slides.show_state(state)
        self.scale.show_state(state)
        self.slide.show_state(state)
        self.project.show_state(state)
        self.view_tools.show_state(state)

    def show_thumbnail(self, path: Path, picture: NDArray[np.uint8]) -> None:
        """See `SlidesView`."""
        self.slides.show_thumbnail(path, picture)

    def show_associated(self, name: str, pictures: Mapping[str, NDArray[np.uint8]]) -> None:
        """See `SlidesView`."""
        AssociatedDialog(self.window(), name, pictures).open()

    # dialogs

    def _browse(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Open slides", "", FILTER)
        self.presenter.open(names)

    def _browse_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Open an OME-Zarr folder, a DICOM series or a project")
        self.presenter.open([name])

    def _locate(self, path: Path) -> None:
        title = f"Where is {path.name} now?"
        if path.suffix.lower() in SLIDE_FOLDER_SUFFIXES:
            name = QFileDialog.getExistingDirectory(self, title)
        else:
            name, _ = QFileDialog.getOpenFileName(self, title, "", FILTER)
        if name:
            self.presenter.locate(path, Path(name))

    def _make_elsewhere(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder in which the project is made")
        if folder:
            self.presenter.make_project(Path(folder))

    def _choose_project(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Project folder (its name ends in .pathloop)")
        if folder:
            self.presenter.choose_project(Path(folder))

    # the end

    def _let_go(self) -> None:
        """Give back keys, scale bar and the corner of the canvas."""
        if self._is_gone:
            return
        self._is_gone = True
        self._keys.close()
        self.tools.close()
        self.presenter.close()
        with contextlib.suppress(RuntimeError):  # the window may be gone, and the inset with it
            self.overview.close_for_good()

    def _leave_for_good(self) -> None:
        """Napari takes a closed panel out of its dock and forgets it there; a moment later it has no parent still."""
        if self.parent() is None and not self.isVisible():
            self._session.closing.remove(self._let_go)
            self._let_go()
            self.deleteLater()

    # Qt's events

    def event(self, event: Any) -> bool:
        """Notice that the panel was closed."""
        done = bool(super().event(event))
        if event.type() == QEvent.Type.ParentChange and self.parent() is None and hasattr(self, "_leave"):
            self._leave.start(0)
        return done

    def showEvent(self, event: Any) -> None:
        """Docked: now there is a canvas for the overview."""
        super().showEvent(event)
        self._attach.start(0)

    def changeEvent(self, event: Any) -> None:
        """Draw icons anew in the colours of another theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange) and hasattr(self, "_retint"):
            self._retint.start(0)

    def dragEnterEvent(self, event: Any) -> None:
        """Take files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dragMoveEvent(self, event: Any) -> None:
        """Take files."""
        event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Open what was dropped."""
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.presenter.open(paths)
