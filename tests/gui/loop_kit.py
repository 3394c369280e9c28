"""What a person does in the loop, in a real window: steps that wait for their ends, and what the project holds then."""

from types import SimpleNamespace

import numpy as np
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QPushButton, QTableWidget

from pathloop.core import Rect
from pathloop.loop.correct import add_regions
from pathloop.loop.tuning import tune_runs
from pathloop.store import OBJECT_STATES, Project, Region
from pathloop.synth import sample_slide_path

LONG_MS, SHORT_MS = 600_000, 60_000
TASKS = ("nuclei", "gland", "lumen")
SLIDE = "colon_sample"
# level-0 pixels of the sample; what no region covers of AREA is left to the models
AREA = Rect(900, 1200, 400, 500)
RECTS = (Rect(900, 1200, 192, 160), Rect(900, 1370, 192, 160), Rect(900, 1540, 192, 160))
HELD = RECTS[2]
FREE = Rect(1140, 1200, 160, 500)


def segment(desk):
    """Panel Segment, on a drawn rectangle."""
    panel, layer = desk.panels["Segment"], desk.session.current.layer
    corners = [(AREA.y, AREA.x), (AREA.y, AREA.right), (AREA.bottom, AREA.right), (AREA.bottom, AREA.x)]
    panel._draw.click()
    desk.viewer.layers["regions"].add_rectangles([np.array([layer.data_to_world(one)[-2:] for one in corners])])
    place = panel.findChild(QComboBox, "place")
    place.setCurrentIndex(place.findData("regions"))
    place.activated.emit(place.currentIndex())
    press(desk, "Segment", "run")
    wait_for_result(desk, "fast")


def add_to_queue(desk):
    """Three regions in the queue, the last one held out."""

    def add(project, slide_id):
        states = dict.fromkeys(TASKS, "todo")
        return add_regions(
            project, slide_id, [Region(0, slide_id, one, holdout=one is HELD, states=states) for one in RECTS]
        )[0]

    desk.session.journal.submit(desk.session.current, add)
    wait(desk, lambda: len(desk.panels["Queue"].presenter.content.regions) == 3)


def open_region(desk, number):
    """Open a region of the queue for correcting; the corrector."""
    queue = desk.panels["Queue"].presenter
    queue.open(next(row.key for row in queue.rows if queue.region(row.key).id == number))
    corrector = desk.panels["Correct"].presenter.corrector
    wait(desk, lambda: corrector.window is not None and corrector.window.region_id == number)
    return corrector


def finish_region(desk, number):
    """Shift+A, and wait until that is in the journal."""
    desk.panels["Correct"].presenter.act("accept_region")
    wait(desk, lambda: state_of(desk, number) == "done" and desk.session.journal.state == "saved")


def correct_by_truth(desk, number):
    """Put the true objects into a region's layers, as a script would, and mark the region done."""
    corrector = open_region(desk, number)
    for task in TASKS:
        corrector.choose_task(task)
        own = corrector.current
        places, true = np.unique(truth(task, RECTS[number - 1]), return_inverse=True)
        ids = np.arange(len(places)) + own.new_id() - 1
        ids[places == 0] = 0
        inside = corrector.window.region.relative_to(corrector.window.rect).slices
        own.layer.data[inside] = ids[true].reshape(RECTS[number - 1].shape)
        own.layer.refresh()
        corrector.strokes.take_all("script")
    finish_region(desk, number)


def delete_a_nucleus(desk, number):
    """Delete one nucleus of a region, mark the region done, close the window."""
    corrector = open_region(desk, number)
    corrector.choose_task("nuclei")
    own, rect = corrector.current, RECTS[number - 1]
    middles = {key: row.centroid for key, row in own.rows.items() if key not in own.cut}
    y, x = next(
        (y - own.rect.y, x - own.rect.x)
        for key, (y, x) in middles.items()
        if rect.y + 20 < y < rect.bottom - 20
        and rect.x + 20 < x < rect.right - 20
        and own.at(y - own.rect.y, x - own.rect.x) == key
    )
    desk.panels["Correct"].presenter.act("delete", (y, x))
    assert own.at(y, x) == 0
    finish_region(desk, number)
    corrector.close_window()


def train(desk):
    """Panel Train, until the process of the run has ended; the run."""
    wait(desk, lambda: button(desk, "Train", "train").text() == "Train on 2 done regions (1 held out)")
    press(desk, "Train", "train")
    presenter = desk.panels["Train"].presenter
    wait(desk, lambda: presenter.content.state is not None)
    wait(desk, lambda: presenter.content.state in ("finished", "failed", "interrupted") and not presenter._is_awaiting)
    [run] = tune_runs(desk.project)
    assert run.state == "finished", (run.folder / "worker.log").read_text() + (run.folder / "events.jsonl").read_text()
    wait(desk, lambda: presenter.content.comparison is not None)
    return run


def wait(desk, condition, timeout=LONG_MS):
    desk.qtbot.waitUntil(condition, timeout=timeout)


def button(desk, panel, name):
    return desk.panels[panel].findChild(QPushButton, name)


def press(desk, panel, name):
    one = button(desk, panel, name)
    wait(desk, one.isEnabled)
    desk.qtbot.mouseClick(one, Qt.MouseButton.LeftButton)


def wait_for_result(desk, model):
    """Until a model has segmented the area, nobody else's result is left there, and the window rests."""
    conductor = desk.panels["Segment"].presenter.conductor
    wait(desk, lambda: conductor.state == "idle" and finished(desk) == [(model, AREA)])


def finished(desk):
    """Model and region of the runs that stand in the project."""
    if desk.session.current.slide_id is None:
        return []
    with Project.open(desk.project, write=False) as project:
        runs = [run for run in project.runs(SLIDE) if run.state == "finished"]
    return [(run.parameters["model"], Rect(*run.parameters["region"])) for run in runs]


def state_of(desk, number):
    return next(one.state for one in desk.panels["Queue"].presenter.content.regions if one.id == number)


def rounds(desk):
    """The cells of panel Train's table of rounds."""
    table = desk.panels["Train"].findChild(QTableWidget, "rounds")
    return [
        [table.item(row, column).text() for column in range(table.columnCount())] for row in range(table.rowCount())
    ]


def contents(desk):
    """What the project holds once all edits are in its pyramids: by task, the pixels of AREA, and objects' states."""
    applied = []
    desk.session.journal.settle()
    desk.session.projects.use(desk.project, lambda project: project.apply_journal(), applied.append)
    wait(desk, lambda: bool(applied))
    with Project.open(desk.project, write=False) as project:
        labels = {task: project.labels(SLIDE, task).read(AREA) for task in TASKS}
        found = {task: project.object_states(SLIDE, task) for task in TASKS}
    states = {
        task: {int(key): OBJECT_STATES[code] for key, code in zip(one.ids, one.states, strict=True)}
        for task, one in found.items()
    }
    return SimpleNamespace(labels=labels, states=states)


def truth(task, rect):
    image = tifffile.imread(sample_slide_path().parent / "truth" / f"{SLIDE}_{task}.tif")
    return image[rect.slices].astype(np.int32)
