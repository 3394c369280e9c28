"""One run's way into the window and the project: tiles are shown as they come, the result is taken over at the end."""

import time
from collections.abc import Callable
from pathlib import Path

from pathloop.core import RunStarted
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.gui.running._start import SlideToRun
from pathloop.loop import Preview, PreviewPart, is_segmented, land
from pathloop.store import Project

__all__ = ["RunRecorder"]

BREATH_S = 0.002


class RunRecorder:
    """Records one run of one slide. Main thread only; the work is done in the background.

    Parameters
    ----------
    session, slide
        Whose run. One that is not in the window is shown as soon as it is.
    event
        The run's first event, from the worker.
    model
        What was asked for by name or folder: going on later needs it.
    already
        Called if the project holds all of this run's result.
    failed
        Told in words what went wrong.
    """

    def __init__(
        self,
        session: Session,
        slide: SlideToRun,
        event: RunStarted,
        model: str,
        already: Callable[[], None],
        failed: Callable[[str], None],
    ) -> None:
        assert event.folder is not None
        assert slide.project_path is not None
        assert slide.slide_id is not None
        self.folder = Path(event.folder)
        self.is_over = False
        self._session = session
        self._project, self._slide_id, self._run_key = slide.project_path, slide.slide_id, event.run_key
        self._failed = failed
        self._preview: Preview | None = None
        slide_id, tasks = slide.slide_id, event.instance_tasks
        parameters = {**event.parameters, "model_folder": model}

        def begin(project: Project) -> bool:
            if is_segmented(project, slide_id, event.run_key, parameters):
                return True
            project.begin_run(slide_id, event.run_key, parameters, tasks=tasks)
            return False

        def begun(is_there: bool) -> None:  # noqa: FBT001 - an answer
            if is_there:
                self.is_over = True
                already()

        session.projects.use(self._project, begin, begun, lambda error: failed(str(error)))

    @property
    def _opened(self) -> OpenedSlide | None:
        """The slide in the window, if it is there."""
        mine = self._project, self._slide_id
        return next((one for one in self._session.opened if (one.project_path, one.slide_id) == mine), None)

    def show_tile(self, row: int, col: int) -> None:
        """Show what a finished tile holds."""
        folder = self.folder
        if self._opened is None:
            return

        def load() -> tuple[Preview, dict[str, PreviewPart]] | None:
            preview = self._preview or Preview.open(folder)
            return None if preview is None else (preview, preview.load(row, col))

        def show(found: tuple[Preview, dict[str, PreviewPart]] | None) -> None:
            if found is not None and not self.is_over and (opened := self._opened) is not None:
                self._preview = found[0]
                opened.desk.add_tile(folder, found[0], (row, col), found[1])

        # a tile of a run that was taken over meanwhile is shown from the project
        self._session.background.run(load, show, lambda error: None)

    def land(self, result: Path, progressed: Callable[[float, str], None], done: Callable[[], None]) -> None:
        """Take the run's result over into the project, and show the slide anew.

        Parameters
        ----------
        result
            What the worker assembled.
        progressed
            Told the share and the stage.
        done
            Called when everything is in the project and, if the slide is in the window, on screen.
        """
        self.is_over = True
        slide_id, run_key, post = self._slide_id, self._run_key, self._session.background.post

        def work(project: Project) -> None:
            for step in land(project, slide_id, run_key, result):
                share, text = step.done / max(step.total, 1), f"Finishing: {step.stage}"
                post(lambda share=share, text=text: progressed(share, text))  # type: ignore[misc]
                time.sleep(BREATH_S)  # the window's thread comes first

        def show(_: None) -> None:
            opened = self._opened
            if opened is None:
                done()
            else:
                self._session.restore(opened, done, lambda error: self._failed(str(error)))

        self._session.projects.use(self._project, work, show, lambda error: self._failed(str(error)))
