"""The whole loop on the bundled sample, in a real window and with real processes.

Segment, correct, mark regions done, fine-tune, compare, promote, segment anew, roll back.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from loop_kit import (
    AREA,
    FREE,
    HELD,
    RECTS,
    SHORT_MS,
    SLIDE,
    TASKS,
    add_to_queue,
    contents,
    correct_by_truth,
    delete_a_nucleus,
    press,
    rounds,
    segment,
    train,
    truth,
    wait,
    wait_for_result,
)
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QInputDialog, QLabel, QMessageBox, QTableWidget

import pathloop.loop.tuning._prepare as preparing
from pathloop.gui._current import session_for
from pathloop.gui._start import add_panels
from pathloop.learn import default_fit
from pathloop.loop.tuning import current_model, model_history, read_comparison, read_tune_config, tune_runs, wish_for
from pathloop.networks import find_model, read_card
from pathloop.store import Project

pytestmark = [pytest.mark.gui, pytest.mark.slow]

# few steps, and so long ones that the candidate sees something else than its parent
STEPS = {"steps": 3, "batch": 2, "patch_px": 64, "warmup_steps": 1, "learning_rate": 0.002, "ema": 0.0, "distil": 0.0}
STEPS |= {"workers": 0, "log_every": 1, "validate_every": 1000, "precision": "fp32"}
# what every worker process reads before it begins: drawing what the model knew before would take most of the time
SITE = """
import pathloop.learn._check_set as check_set
check_set.CHECK_IMAGES, check_set.CHECK_PX, check_set.REPLAY_IMAGES, check_set.REPLAY_PX = 1, 128, 1, 128
"""


@pytest.fixture
def desk(make_napari_viewer, sample, qtbot, monkeypatch, tmp_path):
    """The window, its panels and session, and the project's folder."""
    monkeypatch.setattr(preparing, "default_fit", lambda *facts: default_fit(*facts).model_copy(update=STEPS))
    (tmp_path / "sitecustomize.py").write_text(SITE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    # a candidate of a few steps may be worse, and one held-out region proves nothing: either is asked about
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("the loop is tested", True))
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    viewer = make_napari_viewer(show=True)
    panels = add_panels(viewer)
    panels["Slides"].window().resize(1366, 768)
    session = session_for(viewer)
    session.open_slide(sample)
    qtbot.waitUntil(lambda: session.current is not None, timeout=SHORT_MS)
    own = SimpleNamespace(viewer=viewer, panels=panels, session=session, qtbot=qtbot)
    own.project = Path(sample).with_suffix(".pathloop")
    yield own
    session.close()
    for run in tune_runs(own.project):
        if run.is_alive:  # a test that failed
            wish_for(run, "cancel")


@pytest.mark.timeout(1800)
def test_segment_correct_train_compare_promote_and_roll_back(desk):
    segment(desk)
    first = contents(desk)
    assert all(state == "predicted" for states in first.states.values() for state in states.values())

    add_to_queue(desk)
    for number in (1, 3):
        correct_by_truth(desk, number)
    delete_a_nucleus(desk, 2)
    reviewed = contents(desk)
    check_corrections(desk, first, reviewed)

    run = train(desk)
    check_run(run)
    check_comparison(desk, run)
    check_kept(reviewed, contents(desk))

    promote(desk, run)
    promoted = contents(desk)
    check_kept(reviewed, promoted)
    assert any(differs(reviewed, promoted, task) for task in TASKS)

    roll_back(desk)
    back = contents(desk)
    check_kept(reviewed, back)
    assert not any(differs(first, back, task) for task in TASKS)


def promote(desk, run):
    """The button, and the run that follows."""
    press(desk, "Train", "promote")
    wait_for_result(desk, "fast-r1")
    start, entry = model_history(desk.project)
    assert (start.kind, start.model) == ("start", "fast")
    assert (entry.kind, entry.model, entry.run) == ("promote", "fast-r1", run.name)
    assert entry.reason in ("the loop is tested", "too little was held out; confirmed")
    assert entry.checksum == read_card(run.candidate).checksum
    assert current_model(desk.project) == desk.project / "models" / "fast-r1"
    wait(desk, lambda: rounds(desk)[0][3] == "in use")


def roll_back(desk):
    """The button, and the run that follows."""
    press(desk, "Train", "rollback")
    wait_for_result(desk, "fast")
    assert [one.kind for one in model_history(desk.project)] == ["start", "promote", "rollback"]
    assert current_model(desk.project) == find_model("fast")
    assert (desk.project / "models" / "fast-r1" / "model.json").is_file()
    wait(desk, lambda: rounds(desk)[0][3] == "promoted before")


def check_corrections(desk, first, reviewed):
    for rect in (RECTS[0], HELD):
        for task in TASKS:
            there = reviewed.labels[task][rect.relative_to(AREA).slices]
            assert np.array_equal(there > 0, truth(task, rect) > 0)
    inside = RECTS[1].relative_to(AREA).slices
    gone = np.setdiff1d(first.labels["nuclei"][inside], reviewed.labels["nuclei"][inside])
    assert len(gone) == 1
    with Project.open(desk.project, write=False) as project:
        tools = [entry.tool for entry in project.journal(SLIDE)]
        regions = [(one.state, one.holdout) for one in project.regions()]
    assert regions == [("done", False), ("done", False), ("done", True)]
    assert tools.count("accept region") == 3
    assert "script" in tools
    assert tools.count("delete") == 1
    assert set(reviewed.states["nuclei"].values()) == {"predicted", "edited", "accepted"}


def check_run(run):
    assert [(one.region, one.slide_id) for one in run.facts.regions] == [(1, SLIDE), (2, SLIDE)]
    assert [one.region for one in run.facts.held_out] == [3]
    assert run.facts.parent == "fast"
    assert read_tune_config(run.folder).fit.steps == STEPS["steps"]
    assert (run.folder / "worker.log").is_file()
    assert not run.is_alive
    card = read_card(run.candidate)
    assert card.name == "fast-r1"
    assert card.checksum != run.facts.parent_checksum == card.parent


def check_comparison(desk, run):
    """What the panel shows is what the run has written; a click on a region shows both models' objects."""
    comparison = read_comparison(run.comparison)
    assert (comparison.n_regions, set(comparison.tasks)) == (1, set(TASKS))
    panel = desk.panels["Train"]
    assert panel.findChild(QLabel, "comparison").text() == "fast-r1 against fast, 1 held-out region"
    assert "not enough evidence: 1 of at least 4 held-out regions" in panel.findChild(QLabel, "verdict").text()
    assert rounds(desk)[0][:4] == ["tune-0001", "quick", "2 + 1", "finished"]
    table = panel.findChild(QTableWidget, "compare")
    row = next(row for row in range(table.rowCount()) if f"of {SLIDE}," in table.item(row, 0).text())
    panel.parentWidget().raise_()
    table.scrollToItem(table.item(row, 0))
    spot = table.visualItemRect(table.item(row, 0)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    wait(desk, lambda: panel.presenter.overlay.shown == "candidate")
    assert panel.presenter.overlay.sides == ("parent", "candidate")


def check_kept(before, after):
    """Done regions, and reviewed objects anywhere, are the same to the pixel."""
    for task in TASKS:
        old, new = before.labels[task], after.labels[task]
        for rect in RECTS:
            inside = rect.relative_to(AREA).slices
            assert np.array_equal(old[inside], new[inside])
        known = {key: state for key, state in before.states[task].items() if state != "predicted"}
        assert known == {key: state for key, state in after.states[task].items() if state != "predicted"}
        for key in known:
            assert np.array_equal(old == key, new == key)


def differs(one, other, task):
    """Whether the models see something else where nobody has reviewed anything."""
    inside = FREE.relative_to(AREA).slices
    return not np.array_equal(one.labels[task][inside] > 0, other.labels[task][inside] > 0)
