"""A kind of objects that no model knows: made in the panel, painted, reviewed, offered to the recipe that learns it."""

import pytest

from pathloop.core import Rect, outcome
from pathloop.gui.correcting import _new_kinds as kinds
from pathloop.gui.training import _reading, _words
from pathloop.loop.correct import add_regions
from pathloop.loop.tuning import TuneRequest, prepare
from pathloop.store import Project, Region


def make(desk, name, color=(1, 2, 3)):
    desk.view.ask_task = lambda proposed, problem: None if name is None else (name, color)
    desk.presenter.new_task()


def paint(desk, y, x):
    own = desk.corrector.current
    number = own.new_id()
    with own.layer.block_history():
        own.layer.paint((y, x), number)
    return number


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "needs a name"),
        ("  ", "needs a name"),
        ("Nuclei", "nuclei is there already"),
        ("tissue", "something else"),
        ("gland_type", "something else"),
        ("1st", "a letter first"),
        ("ves/sels", "letters a-z"),
        ("nul", "letters a-z"),
        ("v" * 41, "40 at most"),
    ],
)
def test_names_that_do_not_do(name, words):
    problem = kinds.name_problem(name, ("nuclei", "gland"))
    assert words in problem
    assert "\n" not in problem
    assert kinds.name_problem("Blood vessels", ("nuclei",)) == ""


def test_a_region_is_painted_and_reviewed_for_a_new_task(desk):
    with Project.open(desk.project, write=False) as project:
        states = dict.fromkeys(project.tasks(desk.slide_id), "todo")

    def add(project):
        return add_regions(project, desk.slide_id, [Region(0, desk.slide_id, Rect(0, 0, 300, 300), states=states)])[1]

    found = []
    desk.session.projects.use(desk.project, add, found.extend)
    desk.presenter.open_region(found[0])
    make(desk, "Blood vessels")
    window = desk.corrector.window
    assert tuple(window.tasks) == ("nuclei", "gland", "lumen", "blood_vessels")
    assert (desk.corrector.task, window.region_id) == ("blood_vessels", found[0].id)
    assert desk.view.last["window"][0].task == "blood_vessels"
    assert desk.session.viewer.layers.selection.active is window.tasks["blood_vessels"].layer

    desk.presenter.act("brush")
    number = paint(desk, 100, 100)
    assert desk.session.frame("blood_vessels").instances.ids.tolist() == [number]
    assert [(one.name, one.color) for one in desk.session.frame("blood_vessels").classes] == [
        ("blood_vessels", (1, 2, 3))
    ]
    desk.presenter.act("accept_region")
    with Project.open(desk.project, write=False) as project:
        assert project.region(found[0].id).states["blood_vessels"] == "done"
        assert "blood_vessels" in project.tasks(desk.slide_id)

    # and can be learned
    content = _reading.read_content(desk.project)
    assert _words.tasks_for(content, "new-task") == ("blood_vessels",)
    request = TuneRequest(desk.project, recipe="new-task", task="blood_vessels", model="fast", device="cpu")
    assert outcome(prepare(request), lambda event: None).facts.tasks == ("blood_vessels",)


def test_without_a_window_what_is_on_screen_is_painted(desk):
    desk.session.view_rect = lambda: Rect(0, 0, 200, 200)
    make(desk, None)
    assert desk.corrector.window is None
    make(desk, "vessels")
    assert desk.corrector.task == "vessels"
    make(desk, "nuclei")
    assert desk.view.last["note"] == ("nuclei is there already: choose its button",)
    # nothing was painted yet; it is offered all the same
    desk.corrector.close_window()
    desk.presenter.open_view()
    assert "vessels" in desk.corrector.window.tasks
    assert desk.presenter.kinds.color() not in {(1, 2, 3)}


@pytest.mark.gui
def test_the_dialog_says_at_once_why_a_name_does_not_do(qtbot):
    row = pytest.importorskip("pathloop.gui.widgets._task_row", exc_type=ImportError)
    dialog = row.NewTaskDialog(None, (204, 121, 167), lambda text: kinds.name_problem(text, ("nuclei",)))
    qtbot.addWidget(dialog)
    ok = dialog.box.button(dialog.box.StandardButton.Ok)
    assert (ok.isEnabled(), dialog._words.text()) == (False, "")
    dialog.name.setText("Nuclei")
    assert (ok.isEnabled(), dialog._words.text()) == (False, "nuclei is there already: choose its button")
    dialog.name.setText("Vessels")
    assert (ok.isEnabled(), dialog._words.text()) == (True, "")
