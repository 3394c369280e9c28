"""Correcting without a display: what people do reaches the journal, the window and the project alike."""

import numpy as np
import pytest
from correcting_kit import TASKS, stored

from pathloop.core import Rect, UsageError
from pathloop.loop.correct import add_regions, delete_objects
from pathloop.store import Project, Region


def open_window(desk, region=None):
    """An edit window on all of the slide."""
    desk.presenter.opener.open(desk.whole, region_id=None if region is None else region.id)
    assert desk.corrector.window is not None
    desk.corrector.choose_task("nuclei")
    return desk.corrector.window.tasks["nuclei"]


def centre(own, number):
    """A pixel of an object near its middle."""
    rows, cols = np.nonzero(own.labels == number)
    middle = np.argmin((rows - rows.mean()) ** 2 + (cols - cols.mean()) ** 2)
    return float(rows[middle]), float(cols[middle])


def free_square(own, side=12):
    """Corner of a square of tissue without objects."""
    for y in range(0, own.labels.shape[0] - side, 3):
        for x in range(0, own.labels.shape[1] - side, 3):
            if not own.labels[y : y + side, x : x + side].any():
                return y, x
    raise AssertionError("no room")


def agrees(desk, own):
    """The window shows what the project holds."""
    assert np.array_equal(own.labels, stored(desk.project, desk.slide_id, own.task, own.rect))


def undoable(desk):
    with Project.open(desk.project, write=False) as project:
        return project.undoable(desk.slide_id)


def test_a_stroke_becomes_an_entry_and_undo_takes_it_back(desk):
    own = open_window(desk)
    before = own.labels.copy()
    y, x = free_square(own)
    number = own.new_id()
    desk.presenter.act("brush")
    own.layer.selected_label = number
    with own.layer.block_history():
        own.layer.paint((y + 6, x + 6), number)
    assert own.rows[number].state == "edited"
    agrees(desk, own)
    with Project.open(desk.project, write=False) as project:
        [entry] = [one for one in project.journal() if one.kind == "edit"]
        assert entry.tool == "brush"
        assert project.object_row(desk.slide_id, "nuclei", number) == own.rows[number]
    assert number in desk.session.frame("nuclei").instances.ids
    desk.presenter.act("undo")
    assert np.array_equal(own.labels, before)
    assert number not in own.rows
    agrees(desk, own)
    desk.presenter.act("redo")
    assert (own.labels == number).any()
    agrees(desk, own)
    # the next object does not get the id of one that was there
    assert own.new_id() > number


def test_scripts_and_napari_s_own_undo_are_seen(desk):
    own = open_window(desk)
    y, x = free_square(own)
    own.labels[y : y + 8, x : x + 8] = own.new_id()  # as a script does, without a word
    desk.session.background.flush_once()
    agrees(desk, own)
    own.layer.data_setitem((np.array([y]), np.array([x])), 0)
    desk.session.background.flush_once()
    agrees(desk, own)
    own.layer.undo()
    desk.corrector.strokes.take_all()
    agrees(desk, own)
    other = own.labels.copy()
    other[y : y + 8, x : x + 8] = 0
    own.layer.data = other
    agrees(desk, own)
    assert not (own.labels[y : y + 8, x : x + 8]).any()


def test_locked_and_cut_objects_are_spared(desk):
    open_window(desk)
    desk.corrector.close_window()
    desk.presenter.opener.open(Rect(280, 230, 30, 30))
    window = desk.corrector.window
    desk.corrector.choose_task("nuclei")
    own = window.tasks["nuclei"]
    locked = next(number for number in own.rows if number not in own.cut)
    desk.presenter.act("lock", centre(own, locked))
    assert own.rows[locked].locked
    before = own.labels.copy()
    spared = [locked, *sorted(own.cut)[:1]]
    for number in spared:
        own.labels[own.labels == number] = 0
    desk.corrector.strokes.take("nuclei", "eraser")
    assert np.array_equal(own.labels, before)
    assert "locked" in desk.view.last["note"][0]
    with pytest.raises(UsageError, match="locked"):
        desk.presenter.act("delete", centre(own, locked))
    desk.presenter.act("lock", centre(own, locked))
    desk.presenter.act("delete", centre(own, locked))
    assert not (own.labels == locked).any()
    agrees(desk, own)


def test_ten_kinds_of_edit_and_all_of_them_undone(desk):
    own = open_window(desk)
    presenter, view = desk.presenter, desk.view
    before = own.labels.copy()
    rows = dict(own.rows)
    y, x = free_square(own, 14)
    square = np.array([(y + 1, x + 1), (y + 1, x + 12), (y + 12, x + 12), (y + 12, x + 1)], float)
    presenter.finish_line("lasso", square)
    drawn = own.at(y + 6, x + 6)
    assert own.rows[drawn].area_px >= 100
    presenter.finish_line("split", np.array([(y - 2, x + 6.5), (y + 15, x + 6.5)]))
    assert own.at(y + 6, x + 3) != own.at(y + 6, x + 10)
    presenter.finish_line("merge", np.array([(y + 6, x + 3), (y + 6, x + 10)]))
    assert own.at(y + 6, x + 3) == own.at(y + 6, x + 10)
    place = (y + 6.0, x + 4.0)
    own.labels[y + 5 : y + 7, x + 5 : x + 7] = 0
    desk.corrector.strokes.take("nuclei", "eraser")
    presenter.act("mend", place)
    assert own.at(y + 5, x + 5) == own.at(*place)
    presenter.act("smooth", place)
    presenter.new_class("mitosis")
    presenter.act("relabel", place)
    assert own.class_name(own.at(*place)) == "mitosis"
    presenter.act("accept", place)
    assert own.rows[own.at(*place)].state == "accepted"
    view.answers = ["is this a mitosis?"]
    presenter.act("ask", place)
    with Project.open(desk.project, write=False) as project:
        assert [flag.comment for flag in project.flags(desk.slide_id)] == ["is this a mitosis?"]
    presenter.act("delete", place)
    number = next(iter(rows))
    presenter.act("delete", centre(own, number))
    agrees(desk, own)
    n = 0
    while undoable(desk).kind != "run":
        presenter.act("undo")
        n += 1
    assert n >= 11
    assert np.array_equal(own.labels, before)
    assert own.rows == rows
    agrees(desk, own)
    # one more takes back what the run put in
    presenter.act("undo")
    own = desk.corrector.window.tasks["nuclei"]
    assert not own.labels.any()
    presenter.act("redo")
    own = desk.corrector.window.tasks["nuclei"]
    assert np.array_equal(own.labels, before)


def test_keys_and_other_regions_wait_for_the_stroke(desk):
    own = open_window(desk)
    window = desk.corrector.window
    number = next(one for one in own.rows if one not in own.cut)
    desk.presenter.hands.point = centre(own, number)
    [delete] = [call for key, call in own.layer.keymap.items() if str(key) == "D"]
    desk.corrector.is_stroking = True
    desk.presenter.opener.open(Rect(0, 0, 50, 50))
    assert desk.corrector.window is window
    delete(own.layer)
    assert "mouse button" in desk.view.last["note"][0]
    assert number in own.rows
    desk.corrector.is_stroking = False
    delete(own.layer)
    assert number not in own.rows
    agrees(desk, own)


def test_all_warnings_of_a_kind_are_mended_in_one_entry(desk):
    own = open_window(desk)
    before = own.labels.copy()
    number = max(own.rows, key=lambda one: own.rows[one].area_px)
    crumbs = []
    for y, x in ((5, 5), (300, 250), (580, 480)):
        rows, cols = np.mgrid[y : y + 2, x : x + 2]
        free = own.labels[y : y + 2, x : x + 2] == 0
        crumbs.append(own.new_id())
        own.labels[rows[free], cols[free]] = crumbs[-1]
        desk.corrector.strokes.take("nuclei", "brush")
    y, x = free_square(own)
    own.labels[y + 3 : y + 5, x + 3 : x + 5] = number
    desk.corrector.strokes.take("nuclei", "brush")
    with_crumbs = own.labels.copy()
    desk.presenter.hints._look_again()
    hints = desk.presenter.hints.hints
    assert {one.object_id for one in hints if one.kind == "crumb"} >= set(crumbs)
    [pieces] = [one for one in hints if one.object_id == number]
    with pytest.raises(UsageError, match="choose a warning"):
        desk.presenter.act("mend_all")
    desk.presenter.go_to_hint(next(i for i, one in enumerate(hints) if one.object_id == crumbs[0]))
    desk.presenter.act("mend_all")
    assert not np.isin(own.labels, crumbs).any()
    assert pieces.kind == "pieces"
    assert (own.labels[y + 3 : y + 5, x + 3 : x + 5] == number).all()
    agrees(desk, own)
    desk.presenter.act("undo")
    assert np.array_equal(own.labels, with_crumbs)
    for _ in range(4):
        desk.presenter.act("undo")
    assert np.array_equal(own.labels, before)


def test_a_region_is_accepted_in_one_entry(desk):
    with_region = {}

    def add(project, slide_id):
        committed, (region,) = add_regions(
            project, slide_id, [Region(0, slide_id, desk.whole, states=dict.fromkeys(("nuclei", "gland"), "todo"))]
        )
        with_region["region"] = region
        return committed

    desk.session.journal.submit(desk.session.current, add)
    own = open_window(desk, with_region["region"])
    y, x = free_square(own)
    with own.layer.block_history():
        own.layer.paint((y + 6, x + 6), own.new_id())
    with Project.open(desk.project, write=False) as project:
        assert project.regions()[0].states == {"nuclei": "doing", "gland": "todo"}
    desk.presenter.act("undo")
    with Project.open(desk.project, write=False) as project:
        assert project.regions()[0].states == {"nuclei": "todo", "gland": "todo"}
    desk.presenter.act("accept_region")
    assert {row.state for row in own.rows.values()} == {"accepted"}
    with Project.open(desk.project, write=False) as project:
        [region] = project.regions()
        assert region.states["nuclei"] == "done"
        assert project.undoable(desk.slide_id).tool == "accept region"
    desk.presenter.act("undo")
    assert {row.state for row in own.rows.values()} == {"predicted"}


def shown(viewer):
    """Tasks whose own layer of the slide is shown."""
    return {task for task in TASKS for layer in viewer.layers if layer.name.endswith(f"- {task}") and layer.visible}


def test_the_next_window_is_shown_in_the_layers_of_the_one_before(desk, monkeypatch):
    corrector, viewer = desk.corrector, desk.session.viewer
    desk.presenter.opener.open(Rect(0, 0, 100, 120), ("nuclei", "gland"))
    before = {task: own.layer for task, own in corrector.window.tasks.items()}
    n_layers = len(viewer.layers)
    first = corrector.window.tasks["nuclei"]
    first.layer.paint((50, 60), first.new_id())
    desk.presenter.opener.open(Rect(200, 150, 300, 200), ("nuclei", "gland"))
    own = corrector.window.tasks["nuclei"]
    assert {task: one.layer for task, one in corrector.window.tasks.items()} == before
    assert len(viewer.layers) == n_layers
    assert own.layer.data is own.labels
    agrees(desk, own)
    assert np.allclose(own.layer.translate / own.layer.scale, (own.rect.y, own.rect.x))
    changed = own.labels.copy()
    own.layer.undo()  # napari's own: what it knew of the other window is forgotten
    assert np.array_equal(own.labels, changed)
    y, x = free_square(own)
    with own.layer.block_history():
        own.layer.paint((y + 6, x + 6), own.new_id())
    agrees(desk, own)

    # fewer tasks: the others are shown by the slide's layers again
    desk.presenter.opener.open(Rect(0, 0, 100, 120), ("gland",))
    assert before["nuclei"] not in viewer.layers
    assert shown(viewer) == {"nuclei", "lumen"}

    # none comes: nothing of the old one stays
    monkeypatch.setattr(
        "pathloop.gui.correcting._opener.read_window", lambda *a: (_ for _ in ()).throw(OSError("gone"))
    )
    desk.presenter.opener.open(Rect(0, 0, 90, 90), ("gland",))
    assert corrector.window is None
    assert not any("correcting" in layer.name or "drawing" in layer.name for layer in viewer.layers)
    assert shown(viewer) == {"nuclei", "gland", "lumen"}


def test_what_others_change_shows_in_the_window(desk):
    own = open_window(desk)
    number = next(iter(own.rows))
    current = desk.session.current
    desk.session.journal.submit(
        current, lambda project, slide_id: delete_objects(project, slide_id, "nuclei", [number])
    )
    assert not (own.labels == number).any()
    agrees(desk, own)


def test_what_the_drive_refuses_waits_and_is_written_later(desk, monkeypatch):
    own = open_window(desk)
    y, x = free_square(own)
    number = own.new_id()
    real = Project.commit

    def refuse(self, *values, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Project, "commit", refuse)
    own.labels[y : y + 8, x : x + 8] = number
    desk.corrector.strokes.take("nuclei", "brush")
    own.labels[y : y + 8, x + 8 : x + 10] = number
    desk.corrector.strokes.take("nuclei", "brush")
    assert desk.session.journal.state == "unsaved"
    assert "2 edits not saved" in desk.view.last["saved"][1]
    assert (own.labels[y : y + 8, x : x + 10] == number).all()
    monkeypatch.setattr(Project, "commit", real)
    desk.session.journal.retry()
    assert desk.session.journal.state == "saved"
    assert own.rows[number].area_px == 80
    agrees(desk, own)


def test_without_a_project_the_first_window_makes_one(session, small_slide):
    from correcting_kit import View

    from pathloop.gui.correcting import CorrectPresenter, keys_of

    session.open_slide(small_slide)
    session.background.flush()
    presenter = CorrectPresenter(session, View(), keys_of({}))
    presenter.opener.open(Rect(100, 100, 200, 200))
    own = presenter.corrector.window.tasks["gland"]
    presenter.corrector.choose_task("gland")
    presenter.finish_line("lasso", np.array([(10, 10), (10, 60), (60, 60), (60, 10)], float))
    assert own.rows[1].area_px >= 2400
    assert own.class_name(1) == "gland"
    assert small_slide.with_suffix(".pathloop").is_dir()


def test_any_labels_layer_can_be_corrected_and_finds_its_edits_again(session):
    from correcting_kit import View

    from pathloop.gui.correcting import CorrectPresenter, keys_of

    labels = np.zeros((200, 300), np.uint16)
    labels[20:60, 20:60], labels[100:150, 100:180] = 3, 7
    view = View()
    presenter = CorrectPresenter(session, view, keys_of({}))
    layer = session.viewer.add_labels(labels.copy(), name="my cells")
    assert view.last["layer"] == ("my cells",)
    presenter.open_layer()
    own = presenter.corrector.window.tasks["objects"]
    assert own.layer is layer
    presenter.act("delete", (30.0, 30.0))
    presenter.finish_line("split", np.array([(95.0, 140.0), (155.0, 140.0)]))
    assert set(np.unique(layer.data)) == {0, 7, 8}
    presenter.act("undo")
    assert set(np.unique(layer.data)) == {0, 7}
    presenter.corrector.close_window()
    assert layer in session.viewer.layers
    # the same labels, opened again: nothing is lost
    again = session.viewer.add_labels(labels.copy(), name="my cells")
    presenter.opener.open_layer(again)
    assert set(np.unique(again.data)) == {0, 7}
    presenter.act("undo")
    assert np.array_equal(again.data, labels)
    huge = session.viewer.add_labels(np.zeros((5000, 10), np.uint8), name="huge")
    with pytest.raises(UsageError, match=r"4,096 px"):
        presenter.opener.open_layer(huge)
