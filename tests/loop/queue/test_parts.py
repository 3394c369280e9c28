"""The parts of ranking, against counting point by point, pixel by pixel and object by object."""

import math
from collections import Counter

import numpy as np
import planted
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pathloop.core import ModelError, Rect, Scale, UsageError
from pathloop.loop.queue import Calibration, read_calibration
from pathloop.loop.queue._conflicts import conflict_pyramids, conflict_score
from pathloop.loop.queue._disagreement import blurred_objects, flip_words, view_change
from pathloop.loop.queue._diversity import farthest_first
from pathloop.loop.queue._doubts import Limit, class_score, faint_score, limit_of, read_doubts
from pathloop.loop.queue._entropy import entropy_score
from pathloop.loop.queue._grid import SAMPLES, Candidate, Grid, Samples, find_candidates
from pathloop.loop.queue._score import Score, combined
from pathloop.loop.queue._turns import Turns, by_turns
from pathloop.loop.queue._views import turned, turned_back
from pathloop.loop.queue._words import counted, listed, percent
from pathloop.networks import FAST, ModelCard, find_model, read_card
from pathloop.store import Project, SlideRecord, UncertaintyMap

pytestmark = pytest.mark.slow

SEEDS = st.integers(0, 2**31)
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Each example makes a project: making a failing one smaller would take minutes."""


def grid_of(shape, step):
    return Grid(shape, step)


@given(
    shape=st.tuples(st.integers(1, 300), st.integers(1, 300)), step=st.tuples(st.integers(20, 90), st.integers(20, 90))
)
def test_the_grid_covers_every_pixel_once(shape, step):
    grid = Grid(shape, step)
    seen = np.zeros(shape, int)
    for row, col in np.ndindex(*grid.size):
        rect = grid.rect(row, col)
        assert rect.area > 0
        seen[rect.slices] += 1
    assert (seen == 1).all()


@given(seed=SEEDS, n=st.integers(0, 60))
def test_centres_are_counted_where_they_lie(seed, n):
    grid = Grid((200, 170), (60, 50))
    centres = np.random.default_rng(seed).uniform(0, 1, (n, 2)) * [199, 169]
    counts = grid.counts(centres)
    for row, col in np.ndindex(*grid.size):
        rect = grid.rect(row, col)
        inside = [rect.y <= y + 0.5 < rect.bottom and rect.x <= x + 0.5 < rect.right for y, x in centres]
        assert counts[row, col] == sum(inside)


def test_a_region_is_500_um_at_any_scale():
    for um_per_px, side in ((0.5, 1000), (0.25, 2000), (0.499, 1002)):
        record = SlideRecord("s", planted.Path("s"), "f", (9000, 8000), Scale.isotropic(um_per_px), "tiff")
        assert Grid.of(record, 500).step == (side, side)
    oblong = SlideRecord("s", planted.Path("s"), "f", (9000, 8000), Scale(0.5, 0.25), "tiff")
    assert Grid.of(oblong, 500).rect(1, 1) == Rect(1000, 2000, 1000, 2000)
    with pytest.raises(UsageError, match=r"50 \.\. 5000 um"):
        Grid.of(oblong, 10)


@given(seed=SEEDS, cell=st.floats(3, 40), origin=st.tuples(st.floats(-30, 10), st.floats(-30, 10)))
def test_samples_take_the_cell_under_them(seed, cell, origin):
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 256, (rng.integers(1, 9), rng.integers(1, 9))).astype(np.uint8)
    samples = Samples(Grid((90, 70), (40, 40)))
    found = samples.of(values, (cell, cell), origin)
    for row, col in rng.integers(0, found.shape, (50, 2)):
        y = int(np.floor((samples.y[row] - origin[0]) / cell))
        x = int(np.floor((samples.x[col] - origin[1]) / cell))
        inside = 0 <= y < values.shape[0] and 0 <= x < values.shape[1]
        assert found[row, col] == (values[y, x] if inside else 0)


@given(seed=SEEDS)
def test_shares_are_means_over_a_region(seed):
    rng = np.random.default_rng(seed)
    samples = Samples(Grid((90, 70), (40, 40)))
    points, among = rng.random((2, len(samples.y), len(samples.x))) < 0.4
    whole, part = samples.share(points), samples.share(points, among=among)
    for row, col in np.ndindex(*whole.shape):
        block = np.s_[row * SAMPLES : (row + 1) * SAMPLES, col * SAMPLES : (col + 1) * SAMPLES]
        assert whole[row, col] == pytest.approx(points[block].mean())
        assert part[row, col] == pytest.approx(points[block][among[block]].mean())


def test_candidates_are_regions_with_tissue(project_path):
    with Project.open(project_path, write=False) as project:
        record = project.slide("a")
        found, _ = find_candidates(project, record, Samples(Grid.of(record, 500)))
    places = {(one.row, one.col): one for one in found}
    everywhere = {(row, col) for row in range(6) for col in range(6)}
    # 8 % of a region is too little; the last row is cut to three fifths and counts in full
    assert set(places) == everywhere - {planted.GLASS, planted.THIN}
    assert all(one.rect == planted.place(*place) for place, one in places.items())
    assert places[0, 0].tissue == 1
    assert places[5, 0].tissue == pytest.approx(0.6, abs=0.02)
    assert places[5, 0].weight == 1


def test_without_a_tissue_map_all_that_was_segmented_counts(tmp_path):
    with Project.open(planted.make(tmp_path / "p.pathloop", with_maps=False), write=False) as project:
        record = project.slide("a")
        found, tissue = find_candidates(project, record, Samples(Grid.of(record, 500)))
    assert len(found) == 36
    assert tissue.mean() == pytest.approx(700 / 750, abs=0.01)


def candidates_of(project, slide_id="a"):
    record = project.slide(slide_id)
    samples = Samples(Grid.of(record, 500))
    return samples, *find_candidates(project, record, samples)


def test_entropy_is_the_share_that_was_planted_and_says_so(project_path):
    with Project.open(project_path, write=False) as project:
        samples, candidates, tissue = candidates_of(project)
        score = entropy_score(project.uncertainty("a"), None, samples, tissue, candidates)
    for one, value, words in zip(candidates, score.values, score.words, strict=True):
        share = planted.UNSURE.get((one.row, one.col), 0.0)
        assert value == pytest.approx(share, abs=0.01)
        assert words == (f"the model is unsure of {percent(value)} of the tissue in this region" if share else "")


def test_a_calibration_decides_what_counts(project_path):
    with Project.open(project_path, write=False) as project:
        samples, candidates, tissue = candidates_of(project)
        uncertainty = project.uncertainty("a")
    planted_value = 160 / 255
    sure = Calibration(np.array([0.0, 1.0]), np.array([0.0, 0.19 / planted_value * 1.0]))
    often = Calibration(np.array([0.0, planted_value, 1.0]), np.array([0.0, 0.4, 0.5]))
    assert not entropy_score(uncertainty, sure, samples, tissue, candidates).values.any()
    score = entropy_score(uncertainty, often, samples, tissue, candidates)
    hardest = [(one.row, one.col) for one in candidates].index(planted.HARDEST)
    assert score.values[hardest] == pytest.approx(0.6, abs=0.01)
    assert "more than 20 % of the pixels are expected to be wrong" in score.words[hardest]


def card_with(training):
    from drawn_slides import PLAIN

    return ModelCard(
        name="m", version="1", summary="s", architecture=FAST, labels=PLAIN, um_per_px=0.5, margin_px=0,
        training=training,
    )  # fmt: skip


def test_the_bundled_model_says_how_often_it_is_wrong():
    table = read_calibration(read_card(find_model("fast"))).table()
    assert (np.diff(table) >= 0).all()
    assert table[0] < 0.05 < table[64] < table[128] < 0.5 < table[255]


def test_calibrations_are_read_from_cards():
    assert read_calibration(card_with({})) is None
    found = read_calibration(card_with({"calibration": {"entropy": [0, 0.5, 1], "error": [0.0, 0.1, 0.5]}}))
    assert found.table()[[0, 255]].tolist() == [0, 0.5]
    assert found.table()[64] == pytest.approx(0.1 * (64 / 255) / 0.5)
    wrong = (
        {"entropy": [0, 1]},
        {"entropy": [1, 0], "error": [0, 1]},
        {"entropy": [0, 1], "error": [0, 2]},
        {"entropy": [0], "error": [0]},
        {"entropy": [0, 1], "error": [0, 1], "objects": {"gland": {"confidence": [0, 1]}}},
        [1, 2],
    )
    for calibration in wrong:
        with pytest.raises(ModelError, match="calibration needs"):
            read_calibration(card_with({"calibration": calibration}))


BOXES = st.lists(
    st.tuples(
        st.sampled_from(["nuclei", "gland", "lumen"]), st.integers(0, 690), st.integers(0, 740), st.integers(1, 9),
        st.integers(1, 9), st.sampled_from([0.55, 0.69, 0.7, 0.71, 0.9]), st.sampled_from([0.35, 0.6, 0.61, 0.95]),
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=8, phases=QUICK)
@given(drawn=BOXES)
def test_doubtful_objects_are_counted_one_by_one(tmp_path_factory, drawn):
    objects = [(task, (y, x, min(y + h, 700), min(x + w, 750)), c, p) for task, y, x, h, w, c, p in drawn]
    path = planted.make(tmp_path_factory.mktemp("p") / "p.pathloop", objects=objects)
    with Project.open(path, write=False) as project:
        samples, candidates, _ = candidates_of(project)
        tables = {task: project.objects("a", task) for task in ("nuclei", "gland", "lumen")}
        doubts = {task: read_doubts(project, "a", task, samples.grid, Limit()) for task in tables}
    faint, toss = faint_score(doubts, candidates), class_score(doubts, candidates)
    assert (toss is None) == (not any(len(table) for table in tables.values()))
    for index, one in enumerate(candidates):
        numbers = [0, 0]
        said = [[], []]
        amounts = [0.0, 0.0]
        for task, table in tables.items():
            inside = [
                one.rect.y <= y + 0.5 < one.rect.bottom and one.rect.x <= x + 0.5 < one.rect.right
                for y, x in table.centroids
            ]
            for kind, doubtful in enumerate((table.confidences < 0.7, table.class_probabilities <= 0.6)):
                number = int((np.array(inside, bool) & doubtful).sum())
                numbers[kind] += number
                amounts[kind] += number / (50 if task == "nuclei" else 3)
                said[kind] += [counted(number, task)] if number else []
        assert faint.values[index] == pytest.approx(amounts[0] / (1 + amounts[0]))
        are = "is" if numbers[0] == 1 else "are"
        expected = f"{listed(said[0])} {are} faint (inside probability below 0.7)" if said[0] else ""
        assert faint.words[index] == expected
        if toss is not None:
            assert toss.values[index] == pytest.approx(amounts[1] / (1 + amounts[1]))
            assert toss.words[index].startswith(listed(said[1]) if said[1] else "")
            assert bool(toss.words[index]) == bool(said[1])


def test_the_card_says_which_objects_are_faint(tmp_path):
    objects = [("gland", planted.box(0, 0, 10, 10 + 30 * n, 20, 20), 0.75 + n / 10, 0.5) for n in range(3)]
    objects += [("nuclei", planted.box(0, 0, 50, 10, 9, 9), 0.75, 0.5)]
    path = planted.make(tmp_path / "p.pathloop", objects=objects)
    curve = {"confidence": [0.5, 0.7, 0.9, 1.0], "right": [0.1, 0.3, 0.9, 1.0]}
    card = card_with({"calibration": {"entropy": [0, 1], "error": [0, 1], "objects": {"gland": curve}}})
    calibration = read_calibration(card)
    assert calibration.right_from("gland", 0.9) == pytest.approx(0.9, abs=0.002)
    assert calibration.right_from("gland", 0.05) == 0
    limits = {task: limit_of(task, card, calibration) for task in ("gland", "nuclei")}
    # 0.7 of them are right at 0.7 + 0.2 * 2 / 3
    assert limits["gland"].below == pytest.approx(0.8333, abs=0.002)
    assert limits["nuclei"] == limit_of("vessel", None, None) == Limit()
    with Project.open(path, write=False) as project:
        samples, candidates, _ = candidates_of(project)
        doubts = {task: read_doubts(project, "a", task, samples.grid, limits[task]) for task in limits}
        assert doubts["gland"].faint.sum() == 1
        assert doubts["nuclei"].faint.sum() == 0
        doubts["nuclei"] = read_doubts(project, "a", "nuclei", samples.grid, Limit(0.8))
    score = faint_score(doubts, candidates)
    of_gland, of_nucleus = score.words[score.values.argmax()].split(", ")
    assert of_gland == "1 gland is faint (of such objects fewer than 70 % are right)"
    assert of_nucleus == "1 nucleus is faint (inside probability below 0.8)"


def test_faint_is_above_what_the_model_drops():
    labels = card_with({}).labels
    tasks = tuple(
        one.model_copy(update={"post": one.post.model_copy(update={"min_confidence": 0.82})}) for one in labels.tasks
    )
    card = card_with({}).model_copy(update={"labels": labels.model_copy(update={"tasks": tasks})})
    assert limit_of("gland", card, None) == Limit(0.92)


def test_reviewed_objects_are_in_no_doubt(tmp_path):
    from dataclasses import replace

    from pathloop.store import Change, ObjectChange

    objects = [("gland", planted.box(0, 0, 10, 10 + 30 * n, 20, 20), 0.55, 0.5) for n in range(3)]
    path = planted.make(tmp_path / "p.pathloop", objects=objects)
    with Project.open(path, write=True) as project:
        samples = Samples(Grid.of(project.slide("a"), 500))
        assert read_doubts(project, "a", "gland", samples.grid, Limit()).faint[0, 0] == 3
        rows = project.object_rows("a", "gland", [1, 2])
        changes = (
            ObjectChange("gland", 1, rows[1], replace(rows[1], state="accepted")),
            ObjectChange("gland", 2, rows[2], replace(rows[2], locked=True)),
        )
        project.commit("a", Change(objects=changes), tool="accept", summary="two glands")
        doubts = read_doubts(project, "a", "gland", samples.grid, Limit())
    assert (doubts.faint[0, 0], doubts.toss_ups[0, 0]) == (1, 1)


@settings(max_examples=8, phases=QUICK)
@given(drawn=BOXES)
def test_conflicts_are_those_of_the_pixels(tmp_path_factory, drawn):
    objects = [(task, (y // 9, x // 9, y // 9 + 2 * h, x // 9 + 2 * w), c, p) for task, y, x, h, w, c, p in drawn]
    path = planted.make(tmp_path_factory.mktemp("p") / "p.pathloop", objects=objects)
    with Project.open(path, write=False) as project:
        samples, candidates, _ = candidates_of(project)
        score = conflict_score(conflict_pyramids(project, "a"), 4.0, samples.grid, candidates)
        ids = {task: project.labels("a", task).read(Rect(0, 0, 700, 750)) for task in ("nuclei", "gland", "lumen")}
    expected = []
    for task, wrong in (("lumen", ids["gland"] == 0), ("nuclei", ids["lumen"] > 0)):
        counts = np.zeros(samples.grid.size, int)
        for number in np.unique(ids[task][ids[task] > 0]):
            own = ids[task] == number
            if (own & wrong).sum() > own.sum() / 2:
                y, x = np.argwhere(own & wrong).mean(axis=0)
                counts[int((y + 0.5) // 125), int((x + 0.5) // 125)] += 1
        expected.append(counts)
    for index, one in enumerate(candidates):
        lumina, nuclei = (counts[one.row, one.col] for counts in expected)
        amount = lumina / 2 + nuclei / 10
        assert score.values[index] == pytest.approx(amount / (1 + amount))
        parts = [f"{counted(lumina, 'lumen')} {'lies' if lumina == 1 else 'lie'} outside any gland"] * bool(lumina)
        parts += [f"{counted(nuclei, 'nuclei')} {'lies' if nuclei == 1 else 'lie'} in a lumen"] * bool(nuclei)
        assert score.words[index] == (listed(parts) if parts else "")


def test_no_conflicts_where_nothing_can_contradict(tmp_path):
    with Project.create(tmp_path / "p.pathloop") as project:
        project.add_slide(
            planted.Path("/x/s.tif"), fingerprint="f", shape=(300, 300), um_per_px_y=4, um_per_px_x=4, reader="tiff"
        )
        assert conflict_pyramids(project, "s") == {}


@given(shape=st.tuples(st.integers(1, 6), st.integers(1, 6)), view=st.integers(0, 7))
def test_turning_back_undoes_turning(shape, view):
    picture = np.arange(shape[0] * shape[1] * 3).reshape(*shape, 3)
    back = turned_back(np.moveaxis(turned(picture, view), -1, 0), view)
    np.testing.assert_array_equal(np.moveaxis(back, 0, -1), picture)


def test_the_views_are_the_eight_of_a_square_and_the_first_four_are_flips():
    picture = np.arange(9).reshape(3, 3)
    views = [turned(picture, view) for view in range(8)]
    assert len({view.tobytes() for view in views}) == 8
    flips = (picture, picture[::-1], picture[:, ::-1], picture[::-1, ::-1])
    assert all((view == flip).all() for view, flip in zip(views[:4], flips, strict=True))
    assert {view.tobytes() for view in views} == {
        np.ascontiguousarray(np.rot90(side, n)).tobytes() for side in (picture, picture.T) for n in range(4)
    }
    with pytest.raises(UsageError, match="views 0"):
        turned(picture, 8)


@given(seed=SEEDS, n=st.integers(2, 8))
def test_view_change_is_a_share_of_the_area(seed, n):
    masks = list(np.random.default_rng(seed).random((n, 20, 20)) < 0.3)
    either = sum((masks[0] | one).sum() for one in masks[1:])
    differ = sum((masks[0] != one).sum() for one in masks[1:])
    assert view_change(masks) == pytest.approx(differ / either)
    assert view_change([masks[0]] * n) == 0
    speck = np.zeros((20, 20), bool)
    speck[0, 0] = True
    assert view_change([speck, ~speck & False]) is None


def test_flip_words_name_the_task_that_changes_most():
    assert flip_words({"gland": 0.214, "nuclei": 0.1}) == "flipping the picture changes 21 % of the gland area"
    assert flip_words({}) == flip_words({"gland": 0.001}) == ""


def test_outlines_are_blurred_where_boundary_and_inside_compete():
    from pathloop.core import PostProcessing

    post = PostProcessing(kernel_px=11)
    ids = np.zeros((60, 120), np.int32)
    ids[10:50, 10:50], ids[10:50, 70:110] = 3, 8
    interior, boundary = np.zeros((2, 60, 120), np.int16)
    interior[15:45, 15:45], boundary[10:50, 10:50] = 250, 250
    boundary[15:45, 15:45] = 0  # a crisp one
    interior[10:50, 70:110], boundary[10:50, 70:110] = 120, 110  # never one thing or the other
    assert blurred_objects(ids, interior, boundary, post) == 1
    assert blurred_objects(ids * (ids == 3), interior, boundary, post) == 0
    assert blurred_objects(ids * (ids == 8), interior, boundary, post) == 1
    assert blurred_objects(ids, interior, boundary, PostProcessing(kernel_px=3)) == 0
    # an object that fills the picture shows no outline
    assert blurred_objects(np.ones((9, 9), np.int32), *np.full((2, 9, 9), 120, np.int16), post) == 0


def people_of(rng, n, people):
    return tuple(f"p{one}" for one in rng.integers(0, people, n)), {
        f"p{one}": int(rng.integers(0, 3)) for one in (0, 1)
    }


@given(seed=SEEDS, n=st.integers(1, 12), people=st.integers(1, 4))
def test_farthest_first_is_greedy(seed, n, people):
    rng = np.random.default_rng(seed)
    worth, features = rng.random(n), rng.standard_normal((n, 4)).astype(np.float32)
    patients, taken = people_of(rng, n, people)
    order, distances = farthest_first(worth, features, patients, taken)
    assert sorted(order.tolist()) == list(range(n))
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    apart = 1 - unit.astype(float) @ unit.T
    times = Counter(taken)
    for place in range(n):
        before, left = order[:place], np.setdiff1d(np.arange(n), order[:place])
        nearest = apart[left][:, before].min(axis=1) if place else np.ones(n)
        gains = worth[left] * (1 + nearest / nearest.max()) / 2.0 ** np.array([times[patients[one]] for one in left])
        chosen = int(np.flatnonzero(left == order[place])[0])
        assert gains[chosen] == pytest.approx(gains.max(), rel=1e-6)
        assert distances[place] == pytest.approx(nearest[chosen] / nearest.max(), rel=1e-4, abs=1e-6)
        times[patients[order[place]]] += 1


def test_equal_pictures_leave_the_order_alone():
    worth = np.array([0.9, 0.7, 0.8, 0.1])
    order, _ = farthest_first(worth, np.ones((4, 3), np.float32), list("abcd"), {})
    assert order.tolist() == [0, 2, 1, 3]
    order, _ = farthest_first(worth, np.ones((4, 3), np.float32), list("aacd"), {"c": 1})
    assert order.tolist() == [0, 2, 1, 3]
    order, _ = farthest_first(worth, np.ones((4, 3), np.float32), list("aaad"), {"a": 3})
    assert order.tolist() == [0, 3, 2, 1]


@given(seed=SEEDS, n=st.integers(0, 12), people=st.integers(1, 4))
def test_patients_take_turns(seed, n, people):
    rng = np.random.default_rng(seed)
    values = np.round(rng.random(n) ** 0.2, 2)  # many high ones, some of them equal
    patients, taken = people_of(rng, n, people)
    order = by_turns(values, Turns(patients, taken, np.zeros(n, bool))).tolist()
    assert sorted(order) == list(range(n))
    # chosen one by one, by hand
    left, times = set(range(n)), Counter(taken)
    for chosen in order:
        worth = {one: -math.log2(max(1 - values[one], 2.0**-14)) / 2 ** times[patients[one]] for one in left}
        assert worth[chosen] == pytest.approx(max(worth.values()))
        times[patients[chosen]] += 1
        left.remove(chosen)
    for name in set(patients):
        own = [index for index in order if patients[index] == name]
        assert own == sorted(own, key=lambda index: (-values[index], index))


def test_a_patient_of_difficult_regions_does_not_fill_the_list():
    values = np.array([0.999, 0.998, 0.997, 0.996, 0.9, 0.8, 0.1])
    nobody = np.zeros(7, bool)
    order = by_turns(values, Turns(tuple("aaaabcd"), {}, nobody))
    assert order[:4].tolist() == [0, 1, 4, 5]
    assert by_turns(values, Turns(tuple("aaaaaaa"), {}, nobody)).tolist() == list(range(7))
    # what is not offered takes no turn
    idle = np.array([True, True, False, False, False, False, False])
    order = by_turns(values, Turns(tuple("aaaabcd"), {}, idle)).tolist()
    assert [index for index in order if not idle[index]][:3] == [2, 3, 4]


SHARES = st.lists(st.floats(0, 1), min_size=3, max_size=3)


@given(one=SHARES, two=SHARES, tissue=st.lists(st.floats(0.1, 1), min_size=3, max_size=3))
def test_difficulty_grows_with_every_aspect(one, two, tissue):
    candidates = [Candidate("s", Rect(0, 9 * n, 9, 9), 0, n, share) for n, share in enumerate(tissue)]
    scores = [
        Score(name, np.array(values), tuple(f"{name} {value:.2f}" if value else "" for value in values), weight)
        for name, values, weight in (("a", one, 1.0), ("b", two, 0.5))
    ]
    both, single = combined(scores, candidates), combined(scores[:1], candidates)
    assert ((both.values >= 0) & (both.values <= 1)).all()
    assert (both.values >= single.values - 1e-9).all()
    assert both.order.tolist() == sorted(range(3), key=lambda n: (-both.values[n], n))
    for n in range(3):
        strength = [(one[n], "a"), (0.5 * two[n], "b")]
        expected = [name for value, name in sorted(strength, key=lambda pair: (-pair[0], pair[1])) if value]
        assert [reason.score for reason in both.reasons[n]] == expected
        assert both.values[n] == pytest.approx(
            (1 - (1 - one[n]) * (1 - 0.5 * two[n])) * min(1, tissue[n] / 0.5), abs=1e-4
        )


def test_an_uncertainty_map_may_be_of_any_grid(project_path):
    with Project.open(project_path, write=False) as project:
        samples, candidates, tissue = candidates_of(project)
    whole = UncertaintyMap(np.full((1, 1), 255, np.uint8), "m", (999.0, 999.0), (-10.0, -10.0), "k")
    assert (entropy_score(whole, None, samples, tissue, candidates).values == 1).all()
