"""A session with a drawn slide whose objects can be corrected."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from correcting_kit import TASKS, View, fill_project, read_truth

from pathloop.core import Rect
from pathloop.gui.correcting import CorrectPresenter, keys_of


class QuietConductor:
    """No network: nobody answers."""

    def __init__(self):
        self.listeners = []
        self.requests = []

    def maps(self, request):
        self.requests.append(request)
        return len(self.requests)

    def cancel_job(self, job):
        pass


@pytest.fixture
def desk(session, small_slide, tmp_path):
    """Slide and project, open in the session, and a presenter with a remembering view."""
    labels = {task: read_truth(tmp_path / "truth", "drawn", task) for task in TASKS}
    project = small_slide.with_suffix(".pathloop")
    slide_id = fill_project(project, small_slide, labels)
    session.open_slide(small_slide)
    session.background.flush()
    session.conductor = QuietConductor()
    view = View()
    presenter = CorrectPresenter(session, view, keys_of({}))
    return SimpleNamespace(
        session=session,
        presenter=presenter,
        corrector=presenter.corrector,
        view=view,
        labels=labels,
        project=project,
        slide_id=slide_id,
        whole=Rect(0, 0, *labels["nuclei"].shape),
    )
