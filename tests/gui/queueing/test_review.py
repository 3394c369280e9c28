"""What is said of the object on the card: accepted, locked, its class, a question; and the filter for questions."""

import numpy as np
import pytest

from pathloop.gui.objects import CardPresenter, ObjectsPresenter, ReviewPresenter
from pathloop.gui.objects._filters import Filters
from pathloop.loop.correct import set_flag
from pathloop.store import Project


class View:
    """Hands cards on, remembers the review, and shows nothing else."""

    review = None
    presenter = None

    def show_card(self, card):
        if self.presenter is not None:
            self.presenter.show(card)

    def show_review(self, review):
        self.review = review

    def __getattr__(self, name):
        if not name.startswith("show_"):
            raise AttributeError(name)
        return lambda *values, **more: None


@pytest.fixture
def card(desk):
    """Cards of the opened slide's objects."""
    desk.open()
    view = View()
    objects = ObjectsPresenter(desk.session, view)
    view.presenter = ReviewPresenter(objects, view)
    cards = CardPresenter(objects)
    desk.objects, desk.review, desk.cards = objects, view, cards
    return desk


def select(desk, task, *ids):
    desk.session.select(task, np.array(ids, np.int64), "canvas")
    desk.session.background.flush()


def row(desk, task, number):
    found = []
    desk.session.projects.use(desk.project, lambda project: project.object_row("drawn", task, number), found.append)
    return found[0]


def test_without_an_object_there_is_nothing_to_say(card):
    assert card.review.review is None
    select(card, "gland", 1)
    assert card.review.review.n == 1
    select(card, "gland")
    assert card.review.review is None


def test_accepting_and_locking(card):
    select(card, "gland", 2)
    assert (card.review.review.is_accepted, card.review.review.is_locked) == (False, False)
    card.review.presenter.accept()
    card.session.background.flush()
    assert row(card, "gland", 2).state == "accepted"
    assert card.review.review.is_accepted
    card.review.presenter.lock(locked=True)
    card.session.background.flush()
    assert row(card, "gland", 2).locked
    assert card.review.review.is_locked
    assert not row(card, "gland", 1).locked
    for _ in range(2):
        card.session.journal.undo(card.session.current)
    card.session.background.flush()
    assert (card.review.review.is_accepted, card.review.review.is_locked) == (False, False)


def test_a_class_is_given_to_all_that_are_selected(card):
    select(card, "gland", 1, 2)
    assert card.review.review.n == 2
    assert [choice.title for choice in card.review.review.classes] == ["one", "two"]
    card.review.presenter.choose_class(2)
    card.session.background.flush()
    assert [row(card, "gland", number).class_code for number in (1, 2)] == [2, 2]
    assert card.review.review.class_code == 2
    select(card, "nuclei", 1)
    card.review.presenter.choose_class(2)
    assert row(card, "nuclei", 2).class_code == 1


def test_a_question_is_about_the_object_on_the_card_alone(card):
    select(card, "gland", 1, 2)
    card.review.presenter.ask("  Which type?  ")
    assert card.review.review.question == "Which type?"
    assert card.review.review.asked.startswith("me, 20")
    assert list(card.review.presenter.book.of("gland")) == [1]
    select(card, "gland", 2)
    assert card.review.review.question is None
    select(card, "gland", 1)
    card.review.presenter.ask("")
    assert card.review.review.question is None
    assert card.review.presenter.book.of("gland") == {}


def test_the_table_can_be_filtered_by_questions(card):
    card.objects.choose_task("nuclei")
    card.objects.filter_by(Filters(asked_only=True))
    card.session.background.flush()
    assert len(card.objects.shown) == 0
    work = lambda project, slide: set_flag(project, slide, "nuclei", 2, "Mitosis?")  # noqa: E731
    card.session.journal.submit(card.session.current, work)
    card.session.background.flush()
    assert card.objects.shown.frame.instances.ids[card.objects.shown.order].tolist() == [2]
    card.objects.choose_task("gland")
    card.session.background.flush()
    assert len(card.objects.shown) == 0
    card.objects.filter_by(Filters())
    assert len(card.objects.shown) == 2


def test_a_second_window_shows_and_changes_nothing(desk, card, session):
    session.journal.submit(session.current, lambda project, slide: set_flag(project, slide, "gland", 1, "Why?"))
    session.current.is_writer = False
    session.current.project_reason = "another window writes"
    select(card, "gland", 1)
    assert "another window writes" in card.review.review.problem
    assert card.review.review.question == "Why?"
    card.review.presenter.accept()
    assert row(card, "gland", 1).state == "predicted"


def test_what_is_closed_hears_no_more(card):
    select(card, "gland", 1)
    before = card.review.review
    card.review.presenter.close()
    card.session.journal.submit(
        card.session.current, lambda project, slide: set_flag(project, slide, "gland", 1, "Why?")
    )
    select(card, "gland", 2)
    assert card.review.review is before
    card.session.close()
    with Project.open(card.project, write=False) as project:
        assert [flag.comment for flag in project.flags("drawn")] == ["Why?"]
