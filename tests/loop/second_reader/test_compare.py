"""Agreement of two readers, against counting whole images object by object."""

import json
import math

import numpy as np
import pytest
from reading_copies import (
    SHAPE,
    accept,
    corner_labels,
    delete,
    draw,
    draw_new,
    labels_of,
    make_copies,
    make_project,
)

from pathloop.core import ProjectError, Rect, UsageError
from pathloop.loop.correct import accept_region, add_regions, set_cells, set_objects
from pathloop.loop.second_reader import compare_readers, disagreement_regions, store_disagreements
from pathloop.metrics import cohen_kappa
from pathloop.store import Project, Region


def compare(copies, **options):
    with Project.open(copies[0], write=False) as mine, Project.open(copies[1], write=False) as theirs:
        return compare_readers(mine, theirs, **options)


def finish(path, rect, tasks=("gland",)):
    """Say that a region is right."""
    with Project.open(path, write=True) as project:
        slide_id = project.slides()[0].slide_id
        _, [region] = add_regions(project, slide_id, [Region(0, slide_id, rect, states=dict.fromkeys(tasks, "todo"))])
        accept_region(project, region.id)


def blobs(rng, n=60, border=60):
    """A label image of overlapping discs, 3 to 40 px in radius."""
    labels = np.zeros(SHAPE, np.int32)
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    for number in range(1, n + 1):
        centre = rng.uniform(border, np.array(SHAPE) - border)
        labels[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 < rng.uniform(3, 40) ** 2] = number
    return labels


def brute_force(first, second, rects):
    """Matches at IoU > 0.5 of objects with their centre in some rectangles, and pixels in these, pair by pair."""
    area = np.zeros(SHAPE, bool)
    for rect in rects:
        area[rect.slices] = True

    def objects(labels):
        found = {}
        for number in np.unique(labels[labels > 0]).tolist():
            mask = labels == number
            y, x = (int(value.mean() + 0.5) for value in np.nonzero(mask))
            found[number] = mask, bool(area[y, x])
        return found

    ones, others = objects(first), objects(second)
    pairs = {}
    for a, (mask_a, in_a) in ones.items():
        for b in np.unique(second[mask_a]).tolist():
            if b and (in_a or others[b][1]):
                iou = (mask_a & others[b][0]).sum() / (mask_a | others[b][0]).sum()
                if iou > 0.5:
                    pairs[a, b] = iou
    firsts = {a for a, (_, inside) in ones.items() if inside} | {a for a, _ in pairs}
    seconds = {b for b, (_, inside) in others.items() if inside} | {b for _, b in pairs}
    f, s = (first > 0) & area, (second > 0) & area
    return pairs, len(firsts), len(seconds), 2 * (f & s).sum() / (f.sum() + s.sum()), int(area.sum())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rects", [(Rect(0, 0, *SHAPE),), (Rect(100, 200, 700, 500), Rect(500, 600, 700, 777))])
@pytest.mark.slow
def test_numbers_are_those_of_counting_pair_by_pair(tmp_path, seed, rects):
    rng = np.random.default_rng(seed)
    first = blobs(rng)
    shifts = rng.integers(-9, 10, size=(61, 2))
    second = np.zeros_like(first)
    for number in range(1, 61):
        if rng.random() < 0.85:
            moved = np.roll(first == number, shifts[number], axis=(0, 1))
            second[moved] = 61 - number
    paths = (
        make_project(tmp_path / "a.pathloop", first),
        make_project(tmp_path / "b.pathloop", second, name="other.tif"),
    )
    for path in paths:
        for rect in rects:
            finish(path, rect)
    report = compare(paths)
    [found] = report.objects
    pairs, n_first, n_second, dice, area = brute_force(first, second, rects)
    assert found.compared_on == "regions"
    assert found.area_px == area
    assert (found.objects.detection.tp, found.n_first, found.n_second) == (len(pairs), n_first, n_second)
    assert 5 < len(pairs) < n_first
    assert found.objects.sq == pytest.approx(np.mean(list(pairs.values())), abs=1e-12)
    assert found.objects.pq == pytest.approx(2 * sum(pairs.values()) / (n_first + n_second), abs=1e-12)
    assert found.pixels.dice == pytest.approx(dice, abs=1e-12)
    # odd ids are of the first class, even ones of the second
    table = np.zeros((2, 2))
    for a, b in pairs:
        table[(a + 1) % 2, (b + 1) % 2] += 1
    assert found.class_kappa.n == len(pairs)
    assert found.class_kappa.value == pytest.approx(cohen_kappa(table).value, abs=1e-12, nan_ok=True)
    kinds = [one.difference for one in report.disagreements]
    assert kinds.count("class") == table[0, 1] + table[1, 0]
    n_alone = n_first + n_second - 2 * len(pairs)
    assert 2 * kinds.count("outline") + kinds.count("first only") + kinds.count("second only") == n_alone


def test_what_is_compared_depends_on_what_both_reviewed(copies):
    everything = compare(copies)
    assert everything.objects[0].compared_on == "everything"
    assert everything.objects[0].area_px == SHAPE[0] * SHAPE[1]
    assert "compared everything, reviewed or not" in everything.notes[0]
    with Project.open(copies.theirs, write=True) as project:
        delete(project, 1)
    edited = compare(copies)
    assert edited.objects[0].compared_on == "edited"
    assert edited.objects[0].area_px == 256 * 256
    assert (edited.objects[0].n_first, edited.objects[0].n_second) == (1, 0)
    assert "says nothing of the rest" in edited.notes[0]
    finish(copies.mine, Rect(200, 200, 400, 400))
    assert compare(copies).objects[0].compared_on == "edited"
    finish(copies.theirs, Rect(300, 300, 400, 400))
    regions = compare(copies)
    assert regions.objects[0].compared_on == "regions"
    assert regions.objects[0].area_px == 300 * 300
    assert not regions.notes
    assert regions.objects[0].objects.pq == 1


def test_regions_that_were_done_before_copying_are_named(tmp_path):
    def prepare(project):
        _, [region] = add_regions(project, "s", [Region(0, "s", Rect(0, 0, 400, 400), states={"gland": "todo"})])
        accept_region(project, region.id)

    copies = make_copies(tmp_path, prepare=prepare)
    with Project.open(copies.theirs, write=True) as project:
        draw(project, (100, 40, 20, 60), 1)
    report = compare(copies)
    assert report.objects[0].compared_on == "regions"
    assert "did not read independently" in report.notes[0]


def test_labels_that_are_not_in_the_pyramid_yet_count(copies):
    with Project.open(copies.theirs, write=True) as project:
        project.applies_at_once = False
        draw(project, (100, 40, 20, 60), 1)
        report = compare(copies)
    assert report.objects[0].objects.sq == pytest.approx(60 / 80)


def test_other_classes_are_matched_by_name(copies):
    with Project.open(copies.mine, write=True) as project:
        project.class_code("gland", "third")
        set_objects(project, "s", "gland", [2], class_code=project.class_code("gland", "fourth"))
    with Project.open(copies.theirs, write=True) as project:
        set_objects(project, "s", "gland", [2, 4], class_code=project.class_code("gland", "fourth"))
    report = compare(copies)
    assert report.objects[0].class_names == ("tumour", "other", "third", "fourth")
    assert [one.rect for one in report.disagreements] == [Rect(40, 640, 60, 60)]


def test_tissue_cells_are_compared_where_both_reviewed_them(copies):
    assert compare(copies).tissue == ()
    with Project.open(copies.mine, write=True) as project:
        set_cells(project, "s", {(0, 0): "muscle", (0, 1): "muscle", (0, 2): "stroma", (4, 5): "muscle"})
    with Project.open(copies.theirs, write=True) as project:
        set_cells(project, "s", {(0, 0): "muscle", (0, 1): "stroma", (0, 2): "stroma", (4, 4): "muscle"})
    report = compare(copies)
    [found] = report.tissue
    assert found.kappa.n == 3
    assert found.kappa.observed == pytest.approx(2 / 3)
    assert found.kappa.value == pytest.approx(cohen_kappa(np.array([[1, 1], [0, 1]])).value)
    assert [one.rect for one in report.disagreements if one.difference == "cell"] == [Rect(0, 256, 256, 256)]
    for path in copies:  # in a region that both finished all cells count: (1, 0) to (3, 1) as the model says
        finish(path, Rect(256, 0, 768, 512), tasks=("tissue",))
    [found] = compare(copies).tissue
    assert found.kappa.n == 3 + 6


def test_cells_that_nobody_touched_since_copying_are_not_counted(tmp_path):
    copies = make_copies(tmp_path, prepare=lambda project: set_cells(project, "s", {(0, 0): "muscle"}))
    assert compare(copies).tissue == ()


def test_slides_are_matched_by_what_the_files_hold_and_pooled(tmp_path):
    paths = []
    for name, order in (("a", "xy"), ("b", "yx")):
        path = make_project(tmp_path / f"{name}.pathloop", corner_labels([(40, 40)]), fingerprint=order[0])
        with Project.open(path, write=True) as project:
            project.add_slide(
                tmp_path / f"{name}-two.tif",
                fingerprint=order[1],
                shape=SHAPE,
                um_per_px_y=0.5,
                um_per_px_x=0.5,
                reader="tiff",
            )
            project.add_slide(
                tmp_path / f"{name}-three.tif",
                fingerprint=name,
                shape=SHAPE,
                um_per_px_y=0.5,
                um_per_px_x=0.5,
                reader="tiff",
            )
        paths.append(path)
    report = compare(paths)
    assert [(one.slide_id, one.n_first, one.n_second) for one in report.objects] == [("s", 1, 0), ("a-two", 0, 1)]
    assert report.pooled("gland").objects.detection.fp == 1
    assert report.pooled("gland").slide_id == ""
    assert report.pooled("gland").area_px == 2 * SHAPE[0] * SHAPE[1]
    assert any("only a.pathloop holds it: a-three" in note for note in report.notes)
    assert any("only b.pathloop holds it: b-three" in note for note in report.notes)
    assert [one.slide_id for one in compare(paths, slide_ids=["a-two"]).objects] == ["a-two"]
    with pytest.raises(UsageError, match="none of these slides"):
        compare(paths, slide_ids=["a-three"])
    with pytest.raises(ProjectError, match="no slide"):
        compare(paths, slide_ids=["nowhere"])


def test_a_slide_of_another_size_is_refused(tmp_path):
    first = make_project(tmp_path / "a.pathloop", corner_labels([(40, 40)]))
    second = make_project(tmp_path / "b.pathloop", corner_labels([(40, 40)])[:500, :500], shape=(500, 500))
    with pytest.raises(ProjectError, match="500 x 500 px"):
        compare((first, second))
    with pytest.raises(UsageError, match="not twice the same"):
        compare((first, first))


def test_the_report_is_text_and_json(copies):
    with Project.open(copies.theirs, write=True) as project:
        delete(project, 1)
        draw(project, (100, 240, 50, 60), 2)
        draw_new(project, (150, 150, 30, 30))
        set_objects(project, "s", "gland", [3], class_code=2)
    report = compare(copies)
    text = report.to_table()
    row = next(line for line in text.splitlines() if line.startswith("s "))
    assert row.split()[:6] == ["s", "gland", "edited", "3", "3", "2"]
    assert "gland: 1 only in yours" in text
    assert "gland: 1 only in theirs" in text
    assert "gland: 1 of other classes" in text
    values = json.loads(report.to_json())
    assert (values["schema"], values["version"]) == ("pathloop-agreement", 1)
    [one] = values["objects"]
    assert one["n_both"] == 2
    assert one["pq"] == pytest.approx(report.objects[0].objects.pq)
    assert np.sum(one["class_matrix"]) == one["class_kappa"]["n"] == 2
    assert one["class_matrix"] == [[0, 1], [0, 1]]  # 3 is "tumour" for the first, "other" for the second
    assert values["objects_pooled"][0]["slide_id"] is None
    assert len(values["disagreements"]) == 3


def test_a_number_without_a_value_is_null_and_a_dash(tmp_path):
    empty = np.zeros(SHAPE, np.int32)
    paths = [make_project(tmp_path / f"{name}.pathloop", empty) for name in "ab"]
    report = compare(paths)
    assert math.isnan(report.objects[0].objects.pq)
    assert json.loads(report.to_json())["objects"][0]["pq"] is None
    assert report.to_table().count(" -") >= 6


# disagreements as a queue


def test_disagreements_become_regions_the_worst_first_in_words(tmp_path):
    # in one corner two outlines, one object that both have and one only in theirs; far away one only in mine
    first = corner_labels([(40, 40), (40, 140), (240, 40), (1200, 1300)])
    second = corner_labels([(40, 60), (40, 165), (240, 40), (150, 150)])
    paths = [make_project(tmp_path / f"{name}.pathloop", one) for name, one in (("a", first), ("b", second))]
    report = compare(paths)
    regions = disagreement_regions(report)
    assert [one.rank for one in regions] == [1, 2]
    assert [one.score for one in regions] == [1.0, pytest.approx(1 / 3)]
    assert all(one.rect.shape == (1000, 1000) for one in regions)
    assert all(one.origin == "disagreement" and one.states == {"gland": "todo"} for one in regions)
    words = [reason.words for reason in regions[0].reasons]
    # one pair of IoU 1 among 3 and 4 objects
    assert words == [f"the readers disagree on 2 glands (PQ {1 / 3.5:.2f})", "1 gland only in theirs"]
    assert [reason.words for reason in regions[1].reasons] == ["1 gland only in yours"]
    centre = Rect(1200, 1300, 60, 60)
    assert regions[1].rect.intersect(centre) == centre
    assert disagreement_regions(report, count=1) == regions[:1]


def test_every_disagreement_lies_in_one_region(tmp_path, rng):
    paths = [make_project(tmp_path / f"{name}.pathloop", blobs(rng)) for name in "ab"]
    report = compare(paths)
    regions = disagreement_regions(report)
    assert len(report.disagreements) > 2
    for one in report.disagreements:
        y, x = one.rect.y + (one.rect.height - 1) / 2, one.rect.x + (one.rect.width - 1) / 2
        assert any(r.rect.y <= y < r.rect.bottom and r.rect.x <= x < r.rect.right for r in regions)
    assert [one.score for one in regions] == sorted((one.score for one in regions), reverse=True)
    assert all(one.rect.intersect(Rect(0, 0, *SHAPE)) == one.rect for one in regions)
    for region in regions:
        assert sum(reason.value for reason in region.reasons) == pytest.approx(1)


def test_storing_disagreements_again_replaces_what_nobody_took_up(copies):
    with Project.open(copies.theirs, write=True) as project:
        delete(project, 1)
    with Project.open(copies.mine, write=True) as project:
        with Project.open(copies.theirs, write=False) as other:
            report = compare_readers(project, other)
        [entry] = store_disagreements(project, report, who="Ada")
        assert entry.who == "Ada"
        assert entry.summary == "compared with theirs.pathloop: 1 region on which the readers disagree"
        [first] = project.regions("s")
        assert store_disagreements(project, report) == []
        with Project.open(copies.theirs, write=True) as other:
            delete(other, 42)
            accept(other, 2)
            report = compare_readers(project, other)
        store_disagreements(project, report)
        second = project.regions("s")
        assert first.id in {one.id for one in second}
        assert len(second) == 2
        project.undo("s")
        assert project.regions("s") == [first]
        assert labels_of(project).max() == 42
