"""Whole objects: state, lock, class, deletion, questions."""

from typing import Any

import pytest
from corrected_project import assert_rows_fit

from pathloop.core import ProjectError, UsageError
from pathloop.loop.correct import delete_objects, redo, set_flag, set_objects, undo
from pathloop.store import Project


def states(project: Project) -> list[int]:
    found: list[int] = project.object_states("s", "nuclei").states.tolist()
    return found


@pytest.mark.parametrize(
    ("what", "tool", "summary"),
    [
        ({"state": "accepted"}, "accept", "2 nuclei accepted"),
        ({"state": "edited"}, "state", "2 nuclei: edited"),
        ({"locked": True}, "lock", "2 nuclei locked"),
        ({"class_code": 2}, "class", "2 nuclei: class other"),
        ({"class_code": 0}, "class", "2 nuclei: no class"),
    ],
)
def test_objects_get_what_is_said_of_them(project: Project, what: dict[str, Any], tool: str, summary: str) -> None:
    before = project.object_rows("s", "nuclei", [1, 2])
    done = set_objects(project, "s", "nuclei", [1, 2, 99], **what, who="me")
    assert done is not None
    assert (done.entry.tool, done.entry.summary, done.entry.who) == (tool, summary, "me")
    for row in project.object_rows("s", "nuclei", [1, 2]).values():
        assert all(getattr(row, name) == value for name, value in what.items())
    assert set_objects(project, "s", "nuclei", [1, 2], **what) is None
    undo(project, "s")
    assert project.object_rows("s", "nuclei", [1, 2]) == before
    redo(project, "s")
    assert_rows_fit(project)


def test_another_class_is_an_edit_that_the_model_was_not_sure_of(project: Project) -> None:
    set_objects(project, "s", "nuclei", [1], class_code=2)
    row = project.object_row("s", "nuclei", 1)
    assert row is not None
    assert (row.state, row.class_probability, row.confidence) == ("edited", None, 0.75)
    set_objects(project, "s", "nuclei", [2], class_code=2, state="accepted")
    assert states(project) == [1, 2, 0, 0]


def test_locked_objects_change_nothing_but_their_lock(project: Project) -> None:
    set_objects(project, "s", "nuclei", [1], locked=True)
    done = set_objects(project, "s", "nuclei", [1, 2], state="accepted")
    assert done is not None
    assert done.entry.summary == "nucleus 2 accepted"
    assert states(project) == [0, 2, 0, 0]
    for change in (
        lambda: set_objects(project, "s", "nuclei", [1], state="accepted"),
        lambda: delete_objects(project, "s", "nuclei", [1]),
    ):
        with pytest.raises(ProjectError, match="nucleus 1 is locked; unlock first"):
            change()
    with pytest.raises(UsageError, match="unlock objects first"):
        set_objects(project, "s", "nuclei", [1], locked=False, state="accepted")
    done = set_objects(project, "s", "nuclei", [1], locked=False)
    assert done is not None
    assert (done.entry.tool, done.entry.summary) == ("unlock", "nucleus 1 unlocked")
    set_objects(project, "s", "nuclei", [1, 2], locked=True)
    with pytest.raises(ProjectError, match="2 nuclei are locked; unlock first"):
        delete_objects(project, "s", "nuclei", [1, 2])


def test_wrong_states_and_classes_are_refused(project: Project) -> None:
    with pytest.raises(UsageError, match="unknown state 'good'; known: predicted, edited, accepted"):
        set_objects(project, "s", "nuclei", [1], state="good")
    with pytest.raises(UsageError, match="nuclei has no class 3; it has 2"):
        set_objects(project, "s", "nuclei", [1], class_code=3)
    assert len(list(project.journal())) == 1


def test_deleting_takes_pixels_rows_and_questions_and_undo_brings_them_back(project: Project) -> None:
    set_objects(project, "s", "nuclei", [4], locked=True)
    set_flag(project, "s", "nuclei", 2, "what?")
    before = project.object_rows("s", "nuclei", [1, 2, 3, 4])
    done = delete_objects(project, "s", "nuclei", [1, 2, 4, 99])
    assert done is not None
    assert (done.entry.tool, done.entry.summary) == ("delete", "2 nuclei deleted")
    assert project.objects("s", "nuclei").ids.tolist() == [3, 4]
    assert project.flags("s") == []
    assert_rows_fit(project)
    undo(project, "s")
    assert project.object_rows("s", "nuclei", [1, 2, 3, 4]) == before
    assert [flag.id for flag in project.flags("s")] == [2]
    assert_rows_fit(project)
    assert delete_objects(project, "s", "nuclei", [99]) is None


def test_deleting_a_large_object_takes_its_pixels_in_all_chunks(project: Project) -> None:
    delete_objects(project, "s", "gland", [1])
    assert project.objects("s", "gland").ids.tolist() == [2]
    assert_rows_fit(project)
    undo(project, "s")
    assert_rows_fit(project)


def test_a_question_is_asked_changed_and_answered(project: Project) -> None:
    done = set_flag(project, "s", "nuclei", 2, " mitosis? ", who="me")
    assert done is not None
    assert done.entry.summary == "nucleus 2: ask a pathologist: mitosis?"
    [flag] = project.flags("s")
    assert (flag.task, flag.id, flag.comment, flag.who) == ("nuclei", 2, "mitosis?", "me")
    assert flag.at.endswith("+00:00")
    assert [one.after for one in done.change.flags] == [flag]
    assert set_flag(project, "s", "nuclei", 2, "mitosis?", who="you") is None
    set_flag(project, "s", "nuclei", 2, "or not?", who="you")
    assert [(one.comment, one.who) for one in project.flags("s", "nuclei")] == [("or not?", "you")]
    done = set_flag(project, "s", "nuclei", 2, None)
    assert done is not None
    assert done.entry.summary == "nucleus 2: question answered"
    assert project.flags("s") == []
    undo(project, "s")
    undo(project, "s")
    assert project.flags("s") == [flag]
    with pytest.raises(UsageError, match="slide 's' has no nucleus 99"):
        set_flag(project, "s", "nuclei", 99, "what?")
