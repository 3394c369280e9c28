"""What is shown and selected, without Qt."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel

from pathloop.core import Rect
from pathloop.gui._background import InlineBackground
from pathloop.gui.objects import CardPresenter, ObjectsPresenter
from pathloop.gui.objects._export import table_text
from pathloop.gui.objects._facts import run_text
from pathloop.gui.objects._filters import Filters, Span
from pathloop.gui.objects._order import Sort
from pathloop.gui.objects._pace import LatestOnly, Throttle
from pathloop.gui.objects._presenter import AT_ONCE
from pathloop.interchange import ObjectTable, SlideIdentity, object_rows, read_objects_csv, write_objects_csv


@pytest.fixture
def desk(session_of, frame_of, view):
    """Fifty nuclei and five glands."""
    session = session_of(frame_of(50), frame_of(5, 1, task="gland"))
    return SimpleNamespace(session=session, view=view, objects=ObjectsPresenter(session, view))


class LateBackground(InlineBackground):
    """Runs work when told to."""

    def __init__(self):
        super().__init__()
        self.jobs = []

    def run(self, work, done=None, failed=None, *, lane="io"):
        self.jobs.append((work, done, failed))

    def finish_one(self):
        work, done, failed = self.jobs.pop(0)
        try:
            result = work()
        except ZeroDivisionError as error:
            failed(error)
        else:
            done(result)


def test_the_first_task_is_shown_in_order_of_numbers(desk):
    assert (desk.view.tasks, desk.view.current) == (["nuclei", "gland"], "nuclei")
    assert desk.view.shown.order.tolist() == list(range(50))
    assert desk.view.counts == "50 nuclei shown, 0 selected"
    assert desk.view.classes == ["tumour", "immune", "stroma", "no class"]
    desk.objects.choose_task("gland")
    assert desk.view.counts == "5 glands shown, 0 selected"


def test_sorting_twice_turns_the_order_round(desk):
    desk.objects.sort_by("area")
    areas = desk.view.shown.frame.instances.areas_px
    assert (np.diff(areas[desk.view.shown.order]) >= 0).all()
    desk.objects.sort_by("area")
    assert desk.view.sort == Sort("area", descending=True)
    assert (np.diff(areas[desk.view.shown.order]) <= 0).all()
    desk.objects.sort_by("confidence")
    assert desk.view.sort == Sort("confidence")


def test_filters_say_how_many_are_left(desk):
    desk.objects.filter_by(Filters(confidence=Span(0.5)))
    n = int((desk.session.frame("nuclei").instances.confidences >= 0.5).sum())
    assert desk.view.counts == f"{n} of 50 nuclei shown, 0 selected"
    desk.objects.filter_by(Filters(confidence=Span(2.0)))
    assert desk.view.empty == "No nuclei fulfil the filters. Reset them to see all 50."


def test_ids_that_cannot_be_read_filter_nothing_and_are_told(desk):
    desk.objects.filter_by(Filters(ids="12, x"))
    assert "x" in desk.view.problem
    assert len(desk.view.shown) == 50
    desk.objects.filter_by(Filters(ids="1-20"))
    assert desk.view.problem == ""


def test_what_the_table_selects_is_told_once(desk):
    desk.objects.sort_by("area")
    desk.objects.select_lines(np.array([[3, 5]]))
    (task, ids, origin), *others = desk.session.selections
    assert (task, origin, others) == ("nuclei", "table", [])
    assert ids.tolist() == sorted(desk.view.shown.frame.instances.ids[desk.view.shown.order[3:6]].tolist())
    assert desk.view.is_own
    assert desk.view.counts == "50 nuclei shown, 3 selected"


def test_dragging_over_lines_is_told_at_a_bearable_pace_and_ends_right(desk):
    for last in range(1, 40):
        desk.objects.select_lines(np.array([[0, last]]))
    assert len(desk.session.selections) == 1
    desk.session.background.flush()
    assert len(desk.session.selections) == 2
    assert len(desk.session.selections[-1][1]) == 40


def test_a_selection_on_the_canvas_comes_to_the_table(desk):
    ids = desk.session.frame("nuclei").instances.ids[[4, 5, 9]]
    desk.session.select("nuclei", ids, "canvas")
    assert desk.view.selected.ranges.tolist() == [[4, 5], [9, 9]]
    assert not desk.view.is_own
    desk.session.select("gland", desk.session.frame("gland").instances.ids[:1], "canvas")
    assert desk.view.current == "gland"
    assert desk.view.selected.ranges.tolist() == [[0, 0]]


def test_new_objects_keep_order_filters_and_selection(desk, frame_of):
    desk.objects.sort_by("area")
    desk.objects.filter_by(Filters(confidence=Span(0.2)))
    kept = desk.session.frame("nuclei").instances.ids[[10, 20]]
    desk.session.select("nuclei", kept, "canvas")
    desk.session.put(desk.session.frame("nuclei").take(np.arange(5, 50)))
    shown = desk.view.shown
    assert len(shown.frame) == 45
    assert (np.diff(shown.frame.instances.areas_px[shown.order]) >= 0).all()
    assert (shown.frame.instances.confidences[shown.order] >= np.float32(0.2)).all()
    assert shown.frame.instances.ids[desk.view.selected.rows].tolist() == kept.tolist()


def test_tiles_that_come_quickly_are_read_now_and_once_more(desk, frame_of):
    before = desk.view.n_rows_shown
    for n in range(51, 70):
        desk.session.put(frame_of(n))
    assert desk.view.n_rows_shown == before + 1
    desk.session.background.flush()
    assert desk.view.n_rows_shown == before + 2
    assert len(desk.view.shown) == 69


def test_in_view_only_follows_the_view(desk):
    boxes = desk.session.frame("nuclei").instances.boxes
    desk.session.view = Rect(0, 0, 5000, 5000)
    desk.objects.filter_by(Filters(), in_view_only=True)
    assert len(desk.view.shown) == int(((boxes[:, 0] < 5000) & (boxes[:, 1] < 5000)).sum())
    desk.session.view = Rect(0, 0, 20_000, 20_000)
    desk.session.view_moved.emit()
    desk.session.background.flush()
    assert len(desk.view.shown) == 50
    desk.session.view = None
    desk.objects.filter_by(Filters())
    desk.session.view_moved.emit()
    assert len(desk.view.shown) == 50


def test_a_region_stays_when_other_conditions_change(desk):
    desk.session.view = Rect(0, 0, 4000, 4000)
    desk.objects.use_region("view")
    n = len(desk.view.shown)
    assert 0 < n < 50
    assert "4,000 × 4,000 px" in desk.view.region
    desk.session.view = Rect(0, 0, 10, 10)
    desk.objects.filter_by(Filters(locked_only=False))
    assert len(desk.view.shown) == n
    desk.objects.use_region("")
    assert len(desk.view.shown) == 50


def test_a_drawn_shape_is_a_region(session_of, frame_of, view):
    session = session_of(frame_of(50))
    session.viewer = ViewerModel()
    session.current.layer = session.viewer.add_image(np.zeros((100, 100)), scale=(0.5, 0.5))
    objects = ObjectsPresenter(session, view)
    objects.use_region("drawn")
    assert session.said[-1][1] == "warning"
    corners = np.array([[100.0, 200.0], [100, 900], [2000, 900], [2000, 200]])
    session.viewer.add_shapes([corners], scale=(1, 1))
    objects.use_region("drawn")
    assert objects.filters.region == Rect.from_bounds(200, 400, 4001, 1801)


def test_double_click_goes_to_the_object_with_its_surroundings(desk):
    desk.objects.sort_by("area")
    desk.objects.go_to_line(7)
    box = Rect.from_bounds(*desk.view.shown.frame.instances.boxes[desk.view.shown.order[7]].tolist())
    (visited,) = desk.session.visited
    assert visited.intersect(box) == box
    assert visited.height == visited.width == max(box.shape) + 80
    desk.objects.go_to_line(50)
    assert len(desk.session.visited) == 1


def test_another_slide_begins_anew(desk, frame_of):
    desk.session.select("nuclei", desk.session.frame("nuclei").instances.ids[:3], "canvas")
    desk.session.view = Rect(0, 0, 100, 100)
    desk.objects.use_region("view")
    desk.session.frames = {}
    desk.session.current_changed.emit()
    assert (desk.view.tasks, desk.view.current, desk.view.counts) == ([], None, "")
    assert "Run a model" in desk.view.empty
    desk.session.current = None
    desk.session.current_changed.emit()
    assert desk.view.empty == "Open a slide to see its objects."
    assert desk.objects.filters.region is None


def test_large_frames_are_sorted_beside_the_window_and_outdated_results_dropped(session_of, frame_of, view):
    background = LateBackground()
    session = session_of(frame_of(AT_ONCE + 1), background=background)
    objects = ObjectsPresenter(session, view)
    assert view.shown is None
    assert view.busy == [True]
    objects.sort_by("area")
    objects.sort_by("confidence")
    assert len(background.jobs) == 1
    background.finish_one()
    assert view.shown is None
    background.finish_one()
    assert background.jobs == []
    assert view.sort == Sort("confidence")
    assert view.busy[-1] is False
    assert (np.diff(view.shown.frame.instances.confidences[view.shown.order]) >= 0).all()


def test_after_closing_nothing_is_heard(desk):
    desk.objects.close()
    n = desk.view.n_rows_shown
    desk.session.current_changed.emit()
    desk.session.objects_changed.emit("nuclei")
    desk.session.select("nuclei", np.array([1]), "canvas")
    assert desk.view.n_rows_shown == n
    assert len(desk.objects.selected.rows) == 0


def test_copied_lines_are_a_table_for_a_spreadsheet(desk):
    desk.objects.sort_by("area")
    desk.objects.select_lines(np.array([[2, 3], [7, 7]]))
    desk.objects.copy_selected()
    lines = desk.view.copied.splitlines()
    assert lines[0].split("\t")[:3] == ["ID", "Class", "Class prob."]
    shown = desk.view.shown
    assert [int(line.split("\t")[0]) for line in lines[1:]] == shown.frame.instances.ids[
        shown.order[[2, 3, 7]]
    ].tolist()
    assert "," not in table_text(shown, np.arange(50))


# files


def test_the_csv_file_is_the_shown_rows_as_export_writes_them(desk, tmp_path):
    desk.objects.filter_by(Filters(confidence=Span(0.3)))
    desk.objects.sort_by("area")
    desk.objects.save_csv(tmp_path / "a.csv")
    shown = desk.view.shown
    frame = shown.frame.take(shown.order)
    states = np.array(frame.state_names)[frame.states]
    table = ObjectTable("nuclei", frame.instances, frame.classes, states=states, locked=frame.locked)
    identity = SlideIdentity(desk.session.projects.uuid, "slide_1", frame.scale)
    wanted = write_objects_csv(tmp_path / "b.csv", object_rows(table, identity))
    assert (tmp_path / "a.csv").read_bytes() == wanted.read_bytes()
    assert [row.id for row in read_objects_csv(tmp_path / "a.csv")] == frame.instances.ids.tolist()
    assert desk.session.said[-1][0] == f"{len(shown):,} nuclei written to {tmp_path / 'a.csv'}"


def test_objects_of_an_unfinished_run_are_marked(session_of, frame_of, view, tmp_path):
    session = session_of(frame_of(6, provisional=2))
    objects = ObjectsPresenter(session, view)
    objects.save_csv(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["provisional"] for row in rows] == ["false"] * 4 + ["true"] * 2
    assert [row["id"] for row in rows[4:]] == ["P1", "P2"]
    assert [bool(row["uuid"]) for row in rows] == [True] * 4 + [False] * 2


def test_without_a_project_there_are_no_uuids(session_of, frame_of, view, tmp_path):
    session = session_of(frame_of(3))
    session.current.slide_id = session.current.project_path = None
    ObjectsPresenter(session, view).save_csv(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["slide"], row["uuid"]) for row in rows] == [("slide 1", "")] * 3
    assert "provisional" not in rows[0]


# card


@pytest.fixture
def card(desk):
    desk.cards = CardPresenter(desk.objects)
    return desk


def test_the_card_shows_the_clicked_object(card):
    frame = card.session.frame("nuclei")
    assert card.view.card is None
    card.session.select("nuclei", frame.instances.ids[[8]], "canvas")
    facts = dict(card.view.card.facts)
    assert card.view.card.title == f"Nucleus {frame.instances.ids[8]}"
    assert card.view.card.place == "9 of 50 shown"
    area = frame.areas_um2[8]
    assert facts["Area"].startswith(f"{area:,.0f}" if area >= 100 else f"{area:,.1f}")
    assert facts["Eq. diameter"] == f"{2 * np.sqrt(area / np.pi):.1f} µm"
    assert facts["State"].split(",")[0] == frame.state_names[frame.states[8]]
    (ring,) = card.view.thumbnail.rings
    assert ring.min() > 0
    assert ring.max() < 1
    card.session.select("nuclei", np.zeros(0, np.int64), "canvas")
    assert card.view.card is None


def test_arrows_step_through_the_table(card):
    card.objects.sort_by("area")
    order = card.view.shown.order
    ids = card.view.shown.frame.instances.ids
    card.objects.select_lines(np.array([[48, 48]]))
    for line in (49, 0, 1):
        card.session.background.flush()
        card.cards.step(1)
        assert card.view.card.id == ids[order[line]]
    card.session.background.flush()
    card.cards.follow = True
    card.cards.step(-1)
    assert card.view.selected.ranges.tolist() == [[0, 0]]
    assert len(card.session.visited) == 1


def test_arrows_step_through_several_selected_ones_and_leave_them_selected(card):
    ids = card.session.frame("nuclei").instances.ids[[3, 10, 30]]
    card.session.select("nuclei", ids, "plot")
    seen = []
    for _ in range(4):
        seen.append((card.view.card.id, card.view.card.place))
        card.cards.step(1)
    assert [number for number, _ in seen] == [*ids.tolist(), ids[0]]
    assert seen[1][1] == "2 of 3 selected"
    assert len(card.view.selected.rows) == 3


def test_an_object_that_is_filtered_out_says_so(card):
    card.session.select("nuclei", card.session.frame("nuclei").instances.ids[[8]], "canvas")
    card.objects.filter_by(Filters(confidence=Span(2.0)))
    assert card.view.card.place == "hidden by the filters"
    card.cards.step(1)
    card.cards.go_to()
    assert len(card.session.visited) == 1


def test_the_card_goes_with_its_object(card):
    card.session.select("nuclei", card.session.frame("nuclei").instances.ids[[8]], "canvas")
    card.session.put(card.session.frame("nuclei").take(np.arange(9, 50)))
    assert card.view.card is None


# pace


def test_the_newest_request_wins_and_errors_are_told():
    background = LateBackground()
    latest = LatestOnly(background)
    seen = []
    for number in range(5):
        latest.run(lambda number=number: number, seen.append)
    assert latest.is_busy
    background.finish_one()
    background.finish_one()
    assert (seen, latest.is_busy, background.jobs) == ([4], False, [])
    latest.run(lambda: 1 / 0, seen.append)
    with pytest.raises(ZeroDivisionError):
        background.finish_one()
    latest.run(lambda: 5, seen.append)
    latest.run(lambda: 6, seen.append, at_once=True)
    background.finish_one()
    assert seen == [4, 6]
    latest.run(lambda: 7, seen.append)
    latest.cancel()
    background.finish_one()
    assert seen == [4, 6]


def test_a_throttle_calls_first_and_last():
    background = InlineBackground()
    calls = []
    throttle = Throttle(background, 50, lambda: calls.append(1))
    for _ in range(9):
        throttle()
    assert len(calls) == 1
    background.flush()
    assert len(calls) == 2
    throttle()
    throttle()
    throttle.cancel()
    background.flush()
    assert len(calls) == 3


# runs


def test_an_object_belongs_to_the_last_run_that_began_before_its_number():
    def run(first, model, state="finished"):
        parameters = {"model": model, "model_version": "1"}
        started = "2026-11-24T21:05:17+00:00"
        return SimpleNamespace(first_ids={"nuclei": first}, parameters=parameters, state=state, started=started)

    runs = (run(1, "fast"), run(101, "slow"), run(201, "slow", "running"))
    assert run_text(runs, "nuclei", 100) == "model fast 1, 2026-11-24"
    assert run_text(runs, "nuclei", 300) == "model slow 1, 2026-11-24"
    assert run_text(runs, "gland", 5) == ""
    assert run_text((run(1, "fast"), run(1, "slow")), "nuclei", 5) == ""
    assert run_text((run(1, "fast"), run(1, "fast")), "nuclei", 5) == "model fast 1"
