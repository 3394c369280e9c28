"""The final refinement: who vouches for a region, what must be done before, and what takes the word away."""

from dataclasses import replace

import pytest
from corrected_project import NUCLEI, filled

from pathloop.core import ProjectError, Rect
from pathloop.loop.correct import (
    accept_region,
    add_regions,
    change_region,
    delete_objects,
    paint,
    redo,
    require_verified,
    review_regions,
    set_cells,
    set_flag,
    undo,
    verify_regions,
)
from pathloop.store import Region

RECT, FAR = Rect(0, 0, 200, 200), Rect(450, 450, 200, 200)


@pytest.fixture
def done(project):
    """Two regions in which all is done; one is held out."""
    tasks = {"nuclei": "todo", "tissue": "todo"}
    add_regions(project, "s", [Region(0, "s", RECT, states=tasks), Region(0, "s", FAR, states=tasks, holdout=True)])
    project.set_tissue_grid("s", (100.0, 100.0), (0.0, 0.0))
    for number in (1, 2):
        accept_region(project, number)
    return project


def verifiers(project):
    return [one.verified_by for one in review_regions(project)]


def test_what_is_open_is_said_and_nobody_can_vouch_for_it(project):
    add_regions(project, "s", [Region(0, "s", RECT, states={"nuclei": "doing", "gland": "todo"})])
    [review] = review_regions(project)
    assert review.open_points == ("nuclei begun", "gland to do")
    n = len(list(project.journal()))
    with pytest.raises(ProjectError, match=r"region 1 of slide 's' is not ready: nuclei begun, gland to do; finish or"):
        verify_regions(project, "s")
    accept_region(project, 1)
    set_flag(project, "s", "nuclei", 1, "mitosis?")
    with pytest.raises(ProjectError, match="question open about nuclei 1"):
        verify_regions(project, "s")
    set_flag(project, "s", "nuclei", 1, None)
    with pytest.raises(ProjectError, match="slide 's' has no region 9"):
        verify_regions(project, "s", [1, 9])
    assert len(list(project.journal())) == n + 3
    with pytest.raises(ProjectError, match="nobody has verified region 1 as it is now"):
        require_verified(review_regions(project))


def test_one_entry_names_who_vouches_and_undo_takes_it_back(done):
    committed = verify_regions(done, "s", by=" Dr.  Beck ", who="me")
    assert (committed.entry.summary, committed.entry.who) == ("regions 1, 2 verified by Dr. Beck", "me")
    assert verifiers(done) == ["Dr. Beck", "Dr. Beck"]
    assert review_regions(done)[0].verified_at == next(reversed(list(done.journal()))).at
    assert verify_regions(done, "s", by="Dr. Beck") is None
    require_verified(review_regions(done))
    undo(done, "s")
    assert verifiers(done) == ["", ""]
    redo(done, "s")
    assert verifiers(done) == ["Dr. Beck", "Dr. Beck"]
    verify_regions(done, "s", [2], by="Dr. Ito")
    assert verifiers(done) == ["Dr. Beck", "Dr. Ito"]


def test_an_undone_word_does_not_count(done):
    verify_regions(done, "s", by="Dr. Beck")
    delete_objects(done, "s", "nuclei", [1])
    verify_regions(done, "s", by="Dr. Beck")
    assert verifiers(done) == ["Dr. Beck", "Dr. Beck"]
    undo(done, "s")
    assert verifiers(done) == ["", "Dr. Beck"]
    redo(done, "s")
    assert verifiers(done) == ["Dr. Beck", "Dr. Beck"]


CHANGES = {
    "an object is deleted": lambda project: delete_objects(project, "s", "nuclei", [1]),
    "pixels are drawn": lambda project: paint(project, "s", [filled(project, Rect(60, 60, 5, 5), 90)], tool="brush"),
    "a question is asked and answered": lambda project: [
        set_flag(project, "s", "nuclei", 1, text) for text in ("mitosis?", None)
    ],
    "a cell is corrected": lambda project: set_cells(project, "s", {(0, 1): "stroma"}),
    "an object of the rim is deleted": lambda project: delete_objects(project, "s", "nuclei", [3]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whoever_changes_something_takes_the_word_away(done, change):
    verify_regions(done, "s", by="Dr. Beck")
    change(done)
    first, second = review_regions(done)
    assert (first.verified_by, second.verified_by) == ("", "Dr. Beck")
    assert first.changed_since > 1
    verify_regions(done, "s", by="Dr. Beck")
    assert verifiers(done) == ["Dr. Beck", "Dr. Beck"]


def test_what_happens_elsewhere_or_to_the_queue_leaves_it(done):
    verify_regions(done, "s", by="Dr. Beck")
    assert not any(NUCLEI[3].intersect(rect).area for rect in (RECT, FAR))
    delete_objects(done, "s", "nuclei", [4])
    change_region(done, replace(done.region(1), assigned="me", rank=4))
    assert verifiers(done) == ["Dr. Beck", "Dr. Beck"]
    change_region(done, replace(done.region(1), states={"nuclei": "todo"}))
    assert verifiers(done) == ["", "Dr. Beck"]
