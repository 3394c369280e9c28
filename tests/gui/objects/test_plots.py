"""What plots show and what brushing takes in, against plain Python; no Qt."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathloop.gui.objects import ObjectsPresenter, PlotsPresenter
from pathloop.gui.objects._columns import column_values
from pathloop.gui.objects._filters import Filters, Span
from pathloop.gui.objects._order import Sort, shown_objects
from pathloop.gui.objects._plots import (
    DENSITY_BINS,
    MAX_POINTS,
    brushed_range,
    brushed_rectangle,
    histogram,
    scatter,
)

KEYS = st.sampled_from(["area", "diameter", "confidence", "probability", "x", "y"])


class FakePlots:
    def __init__(self):
        self.seen, self.data, self.text = [], None, ""

    def show_histogram(self, data, note):
        self.seen.append("histogram")
        self.data, self.text = data, note

    def show_scatter(self, data, note):
        self.seen.append("scatter")
        self.data, self.text = data, note

    def show_nothing(self, text):
        self.seen.append("nothing")
        self.data, self.text = None, text


@pytest.fixture
def desk(session_of, frame_of, view):
    session = session_of(frame_of(80))
    objects, plots = ObjectsPresenter(session, view), FakePlots()
    return SimpleNamespace(session=session, objects=objects, plots=plots, presenter=PlotsPresenter(objects, plots))


@given(n=st.integers(0, 60), seed=st.integers(0, 50), key=KEYS, is_log=st.booleans())
def test_every_shown_value_is_counted_in_its_bin(frame_of, n, seed, key, is_log):
    shown = shown_objects(frame_of(n, seed), Filters(confidence=Span(0.2)), Sort("area"))
    selected = np.arange(0, n, 3)
    data = histogram(shown, key, selected, is_log=is_log)
    values = column_values(shown.frame, key).astype(float)
    counts = np.zeros(data.counts.shape, int)
    chosen = np.zeros(data.counts.shape[1], int)
    for row in shown.order.tolist():
        value = values[row]
        if math.isnan(value) or (is_log and value <= 0):
            continue
        value = math.log10(value) if is_log else value
        place = max(0, sum(edge <= value for edge in data.edges.tolist()) - 1)
        place = min(place, counts.shape[1] - 1)
        code = int(shown.frame.instances.class_codes[row])
        name = shown.frame.classes[code - 1].name if code else "no class"
        counts[[group.name for group in data.groups].index(name), place] += 1
        chosen[place] += row in selected
    assert data.counts.tolist() == counts.tolist()
    assert data.selected.tolist() == chosen.tolist()
    assert data.n_without + counts.sum() == len(shown)


@given(n=st.integers(0, 60), seed=st.integers(0, 50), key=KEYS, low=st.floats(0, 1), high=st.floats(0, 1))
def test_brushing_takes_in_what_is_shown_and_inside(frame_of, n, seed, key, low, high):
    shown = shown_objects(frame_of(n, seed), Filters(confidence=Span(0.3)), Sort("area", descending=True))
    wanted = [
        row
        for row in sorted(shown.order.tolist())
        if min(low, high) <= column_values(shown.frame, "confidence")[row] <= max(low, high)
    ]
    assert brushed_range(shown, "confidence", low, high).tolist() == wanted
    xs = column_values(shown.frame, key)
    limits = (np.nanpercentile(xs, 20), np.nanpercentile(xs, 80)) if n and not np.isnan(xs).all() else (0.0, 1.0)
    both = [row for row in wanted if limits[0] <= xs[row] <= limits[1]]
    assert brushed_rectangle(shown, key, "confidence", limits, (high, low)).tolist() == both


def test_a_whole_histogram_brushed_is_everything(frame_of):
    shown = shown_objects(frame_of(500), Filters(), Sort())
    for is_log in (False, True):
        data = histogram(shown, "area", np.zeros(0, np.int64), is_log=is_log)
        assert len(brushed_range(shown, "area", data.edges[0], data.edges[-1], is_log=is_log)) == 500


def test_a_long_tail_neither_flattens_the_plot_nor_makes_endless_bins(frame_of):
    frame = frame_of(1000)
    frame.instances.areas_px[3] = 10**9
    data = histogram(shown_objects(frame, Filters(), Sort()), "area", np.zeros(0, np.int64))
    assert data.range[1] < 2000
    assert len(data.edges) <= 1002
    assert data.counts.sum() == 1000


def test_many_points_are_a_density_and_few_are_points(frame_of):
    few = scatter(shown_objects(frame_of(40), Filters(), Sort()), "area", "confidence", np.array([3]))
    assert few.density is None
    assert (len(few.points), len(few.codes), len(few.selected)) == (40, 40, 1)
    many = scatter(shown_objects(frame_of(MAX_POINTS + 1), Filters(), Sort()), "x", "y", np.arange(MAX_POINTS + 1))
    assert many.density is not None
    assert many.density.shape == (DENSITY_BINS, DENSITY_BINS)
    assert 0.97 * MAX_POINTS < many.density.sum() <= MAX_POINTS + 1
    assert (many.n_selected, len(many.selected) <= MAX_POINTS, len(many.points)) == (MAX_POINTS + 1, True, 0)


def test_equal_values_have_a_place_too(frame_of):
    frame = frame_of(5)
    frame.instances.confidences[:] = 0.7
    shown = shown_objects(frame, Filters(), Sort())
    data = histogram(shown, "confidence", np.zeros(0, np.int64))
    assert data.edges[0] < 0.7 < data.edges[-1]
    (low, high), _ = scatter(shown, "confidence", "area", np.zeros(0, np.int64)).ranges
    assert low < 0.7 < high


def test_nothing_is_drawn_while_nobody_looks(desk):
    desk.objects.sort_by("area")
    assert desk.plots.seen == []
    desk.presenter.set_active(active=True)
    assert desk.plots.seen == ["histogram"]
    assert desk.plots.text.startswith("80 nuclei, 0 selected")


def test_a_brush_stroke_selects_everywhere_and_is_drawn(desk):
    desk.presenter.set_active(active=True)
    desk.presenter.choose("scatter", "confidence", "area", is_log=False)
    desk.presenter.brush_rectangle((0.0, 0.5), (0.0, 1e9))
    task, ids, origin = desk.session.selections[-1]
    frame = desk.session.frame("nuclei")
    assert (task, origin) == ("nuclei", "plot")
    assert ids.tolist() == frame.instances.ids[frame.instances.confidences <= 0.5].tolist()
    desk.session.background.flush()
    assert desk.plots.data.n_selected == len(ids)
    desk.presenter.choose("histogram", "confidence", "area", is_log=False)
    desk.presenter.brush_range(0.5, 0.0)
    assert desk.session.selections[-1][1].tolist() == ids.tolist()


def test_empty_plots_say_why(desk, frame_of):
    desk.presenter.set_active(active=True)
    desk.objects.filter_by(Filters(confidence=Span(2.0)))
    desk.session.background.flush()
    assert desk.plots.text == "No nuclei fulfil the filters."
    frame = frame_of(5)
    frame.instances.class_probabilities[:] = np.nan
    desk.objects.filter_by(Filters())
    desk.session.put(frame)
    desk.session.background.flush()
    desk.presenter.choose("histogram", "probability", "area", is_log=False)
    assert desk.plots.text == "These nuclei have no values for “Class prob.”."
    desk.session.frames = {}
    desk.session.objects_changed.emit("nuclei")
    desk.session.background.flush()
    assert "Run a model" in desk.plots.text
    desk.presenter.close()
