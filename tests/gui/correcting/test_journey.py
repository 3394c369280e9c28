"""The whole way: a region corrected with mouse and keys, kill -9, reopened, undone, accepted, exported."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from correcting_kit import TASKS, View, fill_project, read_truth

from pathloop.core import Rect
from pathloop.gui.correcting import CorrectPresenter, keys_of
from pathloop.loop import ExportRequest, export
from pathloop.loop.correct import add_regions
from pathloop.store import Project, Region

pytestmark = [pytest.mark.gui, pytest.mark.slow]

CHILD = Path(__file__).with_name("journey_child.py")
KINDS = ("lasso", "brush", "eraser", "split", "merge", "smooth", "accept", "lock", "unlock", "class")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.timeout(600)
def test_correct_kill_reopen_undo_accept_export(session, small_slide, tmp_path, qapp):
    labels = {task: read_truth(tmp_path / "truth", "drawn", task) for task in TASKS}
    path = small_slide.with_suffix(".pathloop")
    slide_id = fill_project(path, small_slide, labels)
    whole = Rect(0, 0, *labels["nuclei"].shape)
    with Project.open(path, write=True) as project:
        add_regions(project, slide_id, [Region(0, slide_id, whole, states=dict.fromkeys(TASKS, "todo"))])
    log = tmp_path / "log.txt"
    log.touch()
    child = subprocess.Popen([sys.executable, CHILD, small_slide, log], stderr=subprocess.PIPE)
    end = time.monotonic() + 200
    while "edited" not in log.read_text() and child.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    child.kill()
    told = child.communicate()[1].decode()[-2000:]
    assert "edited" in log.read_text(), f"{log.read_text()}\n{told}"
    steps = [line.split() for line in log.read_text().splitlines() if line != "edited"]

    session.open_slide(small_slide)
    session.background.flush()
    assert session.current.is_writer
    with Project.open(path, write=False) as project:
        tools = [entry.tool for entry in project.journal(slide_id)]
        assert set(KINDS) <= set(tools), log.read_text()
        [region] = project.regions()
    view = View()
    presenter = CorrectPresenter(session, view, keys_of({}))
    presenter.opener.open_region(region)
    presenter.corrector.choose_task("nuclei")
    own = presenter.corrector.window.tasks["nuclei"]
    assert str(own.labels.sum()) == steps[-1][2]
    while view.last["steps"][0] and not np.array_equal(own.labels, labels["nuclei"]):
        presenter.act("undo")
    assert np.array_equal(own.labels, labels["nuclei"])
    while view.last["steps"][1]:
        presenter.act("redo")
    assert str(own.labels.sum()) == steps[-1][2]
    presenter.act("accept_region")
    with Project.open(path, write=False) as project:
        assert project.region(region.id).state == "done"
        assert project.counts(slide_id, "gland").accepted == project.counts(slide_id, "gland").total > 0
    for format_ in ("labels-tiff", "geojson", "csv"):
        for _ in export(ExportRequest(path, format_, tmp_path / "out")):
            pass
    exported = tifffile.imread(tmp_path / "out" / f"{slide_id}_nuclei.tif")
    assert np.array_equal(exported, own.labels)
    assert (tmp_path / "out" / f"{slide_id}.geojson").stat().st_size > 1000
