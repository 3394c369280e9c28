"""What becomes of every kind of feature, and who keeps which pixels."""

import copy
import uuid

import numpy as np
import pytest
from drawn_projects import (
    add_slide,
    brought,
    entries,
    everything,
    exported,
    make_project,
    of_class,
    of_id,
    predict,
    rows,
    square,
    whole_labels,
    written,
)

from pathloop.core import DataError, ProjectLockedError, Rect, UsageError
from pathloop.loop.correct import add_regions, delete_objects, paint, set_flag, set_objects
from pathloop.loop.importing import ImportRequest, import_file
from pathloop.store import PixelChange, Project, Region

SHAPE = (120, 160)


def drawn():
    """Four nuclei in a row: 1 at columns 10-19, 2 at 20-29, 3 at 60-69, 4 at 100-109; rows 10-29."""
    labels = np.zeros(SHAPE, np.int32)
    for number, x in enumerate((10, 20, 60, 100), 1):
        labels[10:30, x : x + 10] = number
    return labels


@pytest.fixture
def path(folder):
    return make_project(folder, nuclei=drawn())


def project(path):
    return Project.open(path, write=True)


def moved(feature, dx, dy=0):
    feature = copy.deepcopy(feature)
    for ring in feature["geometry"]["coordinates"]:
        for place in ring:
            place[0] += dx
            place[1] += dy
    return feature


def one_moved(path, number, dx, dy=0):
    """All features, one of them elsewhere."""
    features = exported(path)
    chosen = of_id(features, number)
    return [moved(one, dx, dy) if one is chosen else one for one in features]


# classes and locks


def test_classes_change_and_new_ones_come_with_their_colour(path):
    features = exported(path)
    features[0]["properties"] |= of_class("stroma")
    features[1]["properties"] |= of_class("Lymphocyte", (9, 8, 7))
    del features[2]["properties"]["classification"]
    features[3]["properties"]["classification"] = " Tumour "
    summary, _ = brought(path, features)
    assert (summary["words"], summary["unchanged"]) == ("2 classes", 2)
    found = rows(path)
    assert [found[n].class_code for n in (1, 2, 3)] == [2, 3, 1]
    assert [found[n].state for n in (1, 2, 3)] == ["edited", "edited", "predicted"]
    assert found[1].class_probability is None
    with project(path) as open_project:
        spec = open_project.classes("nuclei")[2]
        assert (spec.name, spec.color) == ("Lymphocyte", (9, 8, 7))
        open_project.undo("s")
    assert rows(path)[1].class_probability == 0.75


def test_locks_come_and_go(path):
    features = exported(path)
    features[0]["properties"]["isLocked"] = True
    assert brought(path, features)[0]["words"] == "1 lock"
    assert rows(path)[1].locked
    assert rows(path)[1].state == "predicted"
    del features[0]["properties"]["isLocked"]
    assert brought(path, features)[0]["words"] == "1 lock"
    assert not rows(path)[1].locked


def test_a_locked_object_changes_once_it_is_unlocked(path):
    with project(path) as open_project:
        set_objects(open_project, "s", "nuclei", [3], locked=True)
    features = one_moved(path, 3, 5)
    of_id(features, 3)["properties"] |= of_class("stroma")
    summary, messages = brought(path, features)
    assert summary["entry"] is None
    assert len(messages) == 1
    assert messages[0].startswith("1 locked object is left as it is")
    np.testing.assert_array_equal(whole_labels(path), drawn())
    of_id(features, 3)["properties"]["isLocked"] = False
    assert brought(path, features)[0]["words"] == "1 lock"
    assert brought(path, features)[0]["words"] == "1 outline changed, 1 class"
    assert rows(path)[3].box == (10, 65, 30, 75)
    assert rows(path)[3].class_code == 2


# new objects


def test_tasks_are_told_by_metadata_class_and_option(folder):
    labels = np.zeros(SHAPE, np.int32)
    labels[80:110, 80:110] = 1
    path = make_project(folder, nuclei=drawn(), gland=labels)
    features = [
        square(40, 10, 5, metadata={"task": "nuclei"}),
        square(40, 20, 5, **of_class("Stroma")),
        square(40, 30, 5, **of_class("Gland")),
        square(40, 40, 5, **of_class("Vessel", (7, 7, 7))),
        square(40, 50, 5),
    ]
    summary, messages = brought(path, features)
    assert (summary["new"], summary["unknown"]) == (3, 2)
    assert messages == [
        "2 outlines left out, their classes tell no task (Vessel 1, no class 1); give --task nuclei, for example"
    ]
    assert (rows(path)[5].class_code, rows(path)[6].class_code) == (1, 2)
    assert (rows(path)[6].state, rows(path)[6].run) == ("edited", None)
    assert rows(path, "gland")[2].box == (40, 30, 45, 35)
    summary, messages = brought(path, features, task="nuclei")
    assert (summary["words"], summary["unchanged"]) == ("2 new", 3)
    assert (rows(path)[7].class_code, rows(path)[8].class_code) == (3, 1)


def test_a_task_that_the_slide_never_had(path):
    summary, _ = brought(path, [square(40, 10, 5), square(40, 20, 5, isLocked=False)], task="vessel")
    assert summary["new"] == 2
    assert len(rows(path, "vessel")) == 2


def test_new_objects_are_not_made_twice(path):
    """The same file again: also where the new outlines overlap each other and what is there."""
    features = [
        *exported(path),
        square(40, 40, 20, **of_class("tumour")),
        square(50, 50, 8, **of_class("tumour")),
        square(25, 62, 20, **of_class("stroma")),
    ]
    summary, messages = brought(path, features)
    assert summary["new"] == 3
    assert len(messages) == 1
    assert messages[0].startswith("2 outlines keep clear of objects that are accepted, locked, done or outlined in")
    expected = drawn()
    expected[40:60, 40:60] = 5
    expected[50:58, 50:58] = 6
    corner = expected[25:45, 62:82]
    corner[corner == 0] = 7
    np.testing.assert_array_equal(whole_labels(path), expected)
    again, _ = brought(path, features)
    assert again["entry"] is None
    assert again["unchanged"] == 7


def test_a_smaller_outline_goes_before_a_larger_one_whatever_their_order(path):
    large, small = square(40, 40, 20, **of_class("tumour")), square(50, 50, 20, 8, **of_class("tumour"))
    brought(path, [large, small])
    first = whole_labels(path) > 0
    with project(path) as open_project:
        open_project.undo("s")
    brought(path, [small, large])
    np.testing.assert_array_equal(whole_labels(path) > 0, first)
    assert rows(path)[5 + 2].area_px == 160  # ids of an import that was taken back are not used again
    assert rows(path)[5 + 3].area_px == 400 - 80


def test_cells_bring_their_nuclei(path):
    cell = square(40, 40, 30, **of_class("tumour"))
    cell["properties"]["objectType"] = "cell"
    cell["nucleusGeometry"] = square(50, 50, 6)["geometry"]
    brought(path, [cell])
    assert rows(path)[5].box == (50, 50, 56, 56)


def test_a_crossing_ring_is_mended(path):
    feature = square(40, 40, 20, **of_class("tumour"))
    ring = feature["geometry"]["coordinates"][0]
    ring[1], ring[2] = ring[2], ring[1]  # an hourglass
    _, messages = brought(path, [feature])
    assert messages == ["1 outline was no valid polygon, mended"]
    assert rows(path)[5].area_px == pytest.approx(200, abs=20)
    overlapping = square(40, 90, 20, **of_class("tumour"))
    overlapping["geometry"] = {
        "type": "MultiPolygon",
        "coordinates": [square(40, 90, 20)["geometry"]["coordinates"], square(50, 90, 20)["geometry"]["coordinates"]],
    }
    brought(path, [overlapping])
    assert rows(path)[6].area_px == 30 * 20


@pytest.mark.slow
def test_large_outlines_go_piece_by_piece(folder):
    labels = np.zeros((2600, 2400), np.int32)
    labels[5:2500, 3:2300] = 1
    labels[2550:2560, 10:20] = 2
    path = make_project(folder, gland=labels)
    features = exported(path)
    assert brought(path, features)[0]["unchanged"] == 2
    features = [moved(one, 40, 30) if one["properties"]["name"] == "gland 1" else one for one in features]
    assert brought(path, features)[0]["changed"] == 1
    expected = np.where(labels == 2, 2, 0)
    expected[35:2530, 43:2340] = 1
    np.testing.assert_array_equal(whole_labels(path, "gland"), expected)
    assert rows(path, "gland")[1].area_px == 2495 * 2297


# who keeps which pixels


def test_an_outline_of_the_file_keeps_what_it_has(path):
    _, messages = brought(path, one_moved(path, 1, 5))
    expected = drawn()
    expected[10:30, 10:15] = 0
    np.testing.assert_array_equal(whole_labels(path), expected)
    assert messages == [
        "1 outline keeps clear of objects that are accepted, locked, done or outlined in the file themselves"
    ]


def test_an_outline_that_changes_keeps_what_it_still_claims(path):
    """A small new outline on its old pixels gets none of them, one on its new pixels gets all."""
    features = exported(path)
    chosen = of_id(features, 3)
    chosen["geometry"] = square(10, 60, 40, 10)["geometry"]
    small = [square(12, 62, 4, **of_class("tumour")), square(40, 62, 4, **of_class("tumour"))]
    summary, messages = brought(path, [*features, *small])
    assert summary["words"] == "1 outline changed, 1 new"
    assert [text.split(":")[0] for text in messages] == [
        "1 outline keeps clear of objects that are accepted, locked, done or outlined in the file themselves",
        "1 outline left out",
    ]
    expected = drawn()
    expected[10:50, 60:70] = 3
    expected[40:44, 62:66] = 5
    np.testing.assert_array_equal(whole_labels(path), expected)


def test_two_that_move_together_do_not_hinder_each_other(path):
    features = [moved(one, 7, 3) for one in exported(path)]
    assert brought(path, features)[0]["words"] == "4 outlines changed"
    np.testing.assert_array_equal(whole_labels(path), np.roll(drawn(), (3, 7), (0, 1)))


def test_what_the_file_does_not_name_gives_way(path):
    features = [one for one in one_moved(path, 1, 5) if one["properties"]["name"] != "nucleus 2"]
    summary, messages = brought(path, features)
    assert summary["words"] == "1 outline changed, 1 neighbour trimmed"
    assert messages == ["1 object is not in the file and kept (--delete-missing deletes them)"]
    expected = drawn()
    expected[10:30, 10:15] = 0
    expected[10:30, 15:25] = 1
    np.testing.assert_array_equal(whole_labels(path), expected)
    assert (rows(path)[2].area_px, rows(path)[2].state) == (100, "edited")


def test_a_nucleus_that_was_split_elsewhere_is_replaced(path):
    features = [one for one in exported(path) if one["properties"]["name"] != "nucleus 3"]
    halves = [square(10, 60, 20, 5, **of_class("tumour")), square(10, 65, 20, 5, **of_class("tumour"))]
    with project(path) as open_project:
        set_flag(open_project, "s", "nuclei", 3, "two?")
        before = everything(path)
    summary, _ = brought(path, [*features, *halves])
    assert summary["words"] == "2 new, 1 replaced"
    assert sorted(rows(path)) == [1, 2, 4, 5, 6]
    assert everything(path)["flags"] == []
    with project(path) as open_project:
        open_project.undo("s")
    assert everything(path) == before


@pytest.mark.parametrize("protection", ["accepted", "locked", "done"])
def test_reviewed_work_keeps_its_pixels(path, protection):
    with project(path) as open_project:
        if protection == "done":
            region = Region(0, "s", Rect(0, 15, 50, 8), states={"nuclei": "done"})
            add_regions(open_project, "s", [region])
        else:
            options = {"state": "accepted"} if protection == "accepted" else {"locked": True}
            set_objects(open_project, "s", "nuclei", [2], **options)
    features = [one for one in one_moved(path, 1, 5) if one["properties"]["name"] != "nucleus 2"]
    _, messages = brought(path, features)
    assert messages[0].startswith("1 outline keeps clear")
    expected = drawn()
    expected[10:30, 10:15] = 0
    if protection == "done":
        expected[10:30, 23:25] = 1  # beyond the region
    np.testing.assert_array_equal(whole_labels(path), expected)


def test_an_outline_wholly_on_reviewed_work_is_left_out(path):
    with project(path) as open_project:
        set_objects(open_project, "s", "nuclei", [2], state="accepted")
    features = [square(12, 21, 5, **of_class("tumour")), *one_moved(path, 3, -40)]
    before = everything(path)
    summary, messages = brought(path, features)
    assert summary["entry"] is None
    assert messages[0].startswith("2 outlines left out: they lie wholly on")
    assert everything(path) == before


def test_an_accepted_object_that_a_person_changed_is_edited(path):
    with project(path) as open_project:
        set_objects(open_project, "s", "nuclei", [3], state="accepted")
    assert brought(path, one_moved(path, 3, 4))[0]["changed"] == 1
    assert rows(path)[3].state == "edited"


def test_outlines_beside_the_slide_and_specks_change_nothing(path):
    features = one_moved(path, 3, 5000)
    speck = square(40, 40, 20, **of_class("tumour"))
    speck["geometry"]["coordinates"] = [[[40.1, 40.1], [40.3, 40.1], [40.3, 40.3], [40.1, 40.1]]]
    far = square(40, 40, 20, **of_class("tumour"))
    far["geometry"]["coordinates"] = [[[1e300, 1e300], [2e300, 1e300], [2e300, 2e300], [1e300, 1e300]]]
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [3, 4]}, "properties": {}}
    summary, messages = brought(path, [*features, speck, far, point])
    assert summary["entry"] is None
    assert sorted(messages) == [
        "1 point or line left out, it has no area",
        "3 outlines left out: they cover no pixel of the slide",
    ]
    over_the_edge = one_moved(path, 1, -15)
    brought(path, over_the_edge)
    assert rows(path)[1].box == (10, 0, 30, 5)


# what is missing in the file


def test_missing_objects_go_only_when_asked(path):
    features = [one for one in exported(path) if one["properties"]["name"] not in ("nucleus 2", "nucleus 4")]
    summary, messages = brought(path, features)
    assert summary["entry"] is None
    assert messages == ["1 object is not in the file and kept (--delete-missing deletes them)"]
    summary, messages = brought(path, features, delete_missing=True)
    assert summary["words"] == "1 deleted"
    assert sorted(rows(path)) == [1, 3, 4]
    assert messages == [
        "1 object lies beyond all outlines of the file and may be missing there; give --roi to delete what lies in it"
    ]
    summary, messages = brought(path, features, delete_missing=True, roi=Rect(0, 0, *SHAPE))
    assert (summary["words"], messages) == ("1 deleted", [])
    expected = np.where(np.isin(drawn(), [1, 3]), drawn(), 0)
    np.testing.assert_array_equal(whole_labels(path), expected)


def test_reviewed_objects_and_other_tasks_are_never_missing(folder):
    labels = np.zeros(SHAPE, np.int32)
    labels[12:20, 62:70] = 1
    path = make_project(folder, nuclei=drawn(), gland=labels)
    features = [of_id(exported(path), number) for number in (1, 4)]
    with project(path) as open_project:
        set_objects(open_project, "s", "nuclei", [2], state="accepted")
        set_objects(open_project, "s", "nuclei", [3], locked=True)
    summary, messages = brought(path, features, delete_missing=True)
    assert summary["entry"] is None
    assert messages == ["2 accepted or locked objects not in the file, not deleted"]
    assert len(rows(path, "gland")) == 1


def test_objects_that_are_gone_do_not_come_back(path):
    features = exported(path)
    with project(path) as open_project:
        delete_objects(open_project, "s", "nuclei", [2])
    summary, messages = brought(path, features)
    assert summary["entry"] is None
    assert messages == ["1 outline left out: its object was deleted or replaced here since the export"]


# regions


def test_region_annotations_and_locked_rectangles_become_regions(path):
    free = square(60, 20, 30, 40, name="look here", **of_class("Region*"))
    locked = square(-5, 100, 30, 90, isLocked=True)
    polygon = square(80, 10, 20, 30, **of_class("Region 2"))
    polygon["geometry"]["coordinates"][0][1] = [40.4, 84]
    summary, _ = brought(path, [free, locked, polygon])
    assert summary["words"] == "3 regions"
    with project(path) as open_project:
        found = open_project.regions("s")
        open_project.undo("s")
        assert open_project.regions("s") == []
        open_project.redo("s")
    assert [one.rect for one in found] == [Rect(60, 20, 30, 40), Rect(0, 100, 25, 60), Rect(80, 10, 20, 30)]
    assert {one.origin for one in found} == {"imported"}
    assert found[0].states == {"nuclei": "todo"}
    assert found[0].reasons[0].words == "drawn elsewhere: look here"
    again, _ = brought(path, [free, locked, polygon])
    assert (again["entry"], again["unchanged"]) == (None, 3)


# all or nothing


def test_a_wrong_feature_at_the_end_leaves_everything_as_it_was(path):
    features = one_moved(path, 3, 5)
    features[0]["properties"] |= of_class("New", (5, 5, 5))
    features.append({"type": "Feature", "geometry": {"type": "Blob", "coordinates": []}, "properties": {}})
    before = everything(path)
    with pytest.raises(DataError, match=r"in\.geojson: feature 5: unknown geometry 'Blob'"):
        brought(path, features)
    assert everything(path) == before
    assert entries(path) == []


def test_an_object_twice_is_refused_unless_equal(path):
    features = exported(path)
    assert brought(path, [*features, features[1]])[0]["unchanged"] == 4
    with pytest.raises(DataError, match="two features have the id of nuclei 3 and differ"):
        brought(path, [*features, of_id(one_moved(path, 3, 5), 3)])


@pytest.mark.parametrize("text", ["", "[]", '{"type": "FeatureCollection", "features": []}', "not json", '{"a": 1}'])
def test_files_without_objects_are_refused(path, text):
    file = written(path, [])
    file.write_text(text)
    with pytest.raises(DataError, match=r"in\.geojson: "):
        brought(path, file)


def test_the_whole_file_is_one_entry_in_words(path):
    features = one_moved(path, 3, 5)
    of_id(features, 1)["properties"] |= of_class("stroma")
    brought(path, [*features, square(60, 20, 30, **of_class("Region*")), square(50, 90, 9, **of_class("tumour"))])
    (entry,) = entries(path)
    assert (entry.kind, entry.tool) == ("import", "import")
    assert entry.summary == "in.geojson: 1 outline changed, 1 new, 1 class, 1 region"
    assert entry.models == ("drawn",)


def test_pixels_that_wait_in_the_journal_are_seen(path):
    """What a window has committed, and not yet written into the pyramid."""
    with project(path) as open_project:
        open_project.applies_at_once = False
        before = open_project.read_labels("s", "nuclei", Rect(50, 50, 10, 10))
        after = np.full((10, 10), open_project.next_free_id("s", "nuclei"), np.int32)
        paint(open_project, "s", [PixelChange("nuclei", Rect(50, 50, 10, 10), before, after)], tool="brush")
    twin = square(50, 50, 10, **of_class("tumour"))
    summary, _ = brought(path, [twin])
    assert (summary["entry"], summary["unchanged"]) == (None, 1)


# slides


def test_the_slide_is_found_by_its_objects_or_its_name(path):
    with project(path) as open_project:
        add_slide(open_project, "other", SHAPE)
        predict(open_project, "other", "nuclei", drawn(), key="b")
    features = exported(path, slide="other")
    assert brought(path, features)[0]["slide"] == "other"
    with pytest.raises(DataError, match="holds nuclei 1 of slide 'other'; import it with --slide other"):
        brought(path, features, slide_id="s")
    foreign = [square(60, 20, 9, **of_class("tumour"))]
    with pytest.raises(UsageError, match="which slide is it"):
        brought(path, foreign)
    file = written(path, foreign, "other.geojson")
    assert brought(path, file)[0]["slide"] == "other"
    assert whole_labels(path)[60, 20] == 0


def test_objects_of_another_project_are_new(path, folder):
    other = make_project(folder, nuclei=drawn())
    features = [moved(one, 0, 60) for one in exported(other)]
    assert all(uuid.UUID(one["id"]).version == 5 for one in features)
    assert brought(path, features)[0]["words"] == "4 new"


def test_while_another_process_writes_nothing_is_imported(path):
    file = written(path, exported(path))
    with project(path), pytest.raises(ProjectLockedError, match="is being written by"):
        list(import_file(ImportRequest(path, file)))
