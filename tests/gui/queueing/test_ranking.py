"""Ranking beside the window: what comes out, cancelling, and a process that fails."""

import threading
import time

import pytest

from pathloop.core import StageProgress
from pathloop.gui.queueing import strategies
from pathloop.gui.queueing._rank_process import main, request_line, request_of
from pathloop.gui.queueing._ranking import RankCommand, Ranker, RankerListener
from pathloop.loop.queue import STRATEGIES, rank


class Ear:
    """Remembers what a ranker tells, in whichever thread it does."""

    def __init__(self, background):
        self.progress, self.queue, self.failed = [], None, ""
        self.ended = threading.Event()
        listener = RankerListener(lambda *news: self.progress.append(news), self.done, self.fail)
        self.ranker = Ranker(background, listener)

    def done(self, command, queue, notes):
        self.queue, self.notes = queue, notes
        self.ended.set()

    def fail(self, text):
        self.failed = text
        self.ended.set()


@pytest.fixture
def ear(desk):
    desk.open()
    return Ear(desk.session.background)


def test_every_strategy_is_offered_in_words():
    assert list(strategies()) == list(STRATEGIES.names())
    assert all(name != title and len(words) > 10 for name, (title, words) in strategies().items())


def test_a_request_goes_through_a_line(tmp_path):
    request = request_of(request_line(tmp_path / "a ü.pathloop", "b 1", "thorough", 7, "cpu"))
    assert (request.project, request.slide_ids, request.strategy) == (tmp_path / "a ü.pathloop", ("b 1",), "thorough")
    assert (request.count, request.network.device, request.store) == (7, "cpu", False)


def test_a_quick_ranking_tells_how_far_it_is_and_stores_nothing(desk, ear):
    ear.ranker.start(RankCommand(desk.session.current, "entropy", 6))
    assert not ear.ranker.is_busy
    assert len(ear.queue) == 6
    assert ear.progress[0] == (None, "Ranking")
    assert ear.progress[-1] == (1.0, "Reading scores: 1 of 1")
    assert desk.stored() == []


def test_a_cancelled_one_comes_to_nothing(desk, ear, monkeypatch):
    asked = []

    def slow(request):
        yield StageProgress("drawn", "looking", 1, 2)
        ear.ranker.cancel()
        asked.append("after")
        yield from rank(request)

    monkeypatch.setattr("pathloop.gui.queueing._ranking.rank", slow)
    ear.ranker.start(RankCommand(desk.session.current, "difficulty", 6))
    assert asked == ["after"]
    assert ear.queue is None
    assert ear.failed == ""
    assert not ear.ranker.is_busy


def test_a_second_one_waits_for_nobody(desk, ear, monkeypatch):
    def nested(request):
        ear.ranker.start(RankCommand(desk.session.current, "random", 3))
        yield from rank(request)

    monkeypatch.setattr("pathloop.gui.queueing._ranking.rank", nested)
    ear.ranker.start(RankCommand(desk.session.current, "difficulty", 6))
    assert len(ear.queue) == 6


@pytest.mark.slow
def test_what_needs_the_network_runs_in_a_process_whose_failure_is_told(desk, ear):
    """The slide was segmented with a model that is not here."""
    desk.session.projects.close()
    ear.ranker.start(RankCommand(desk.session.current, "thorough", 6))
    assert ear.ended.wait(120)
    assert "model" in ear.failed
    assert ear.queue is None
    assert not ear.ranker.is_busy


@pytest.mark.slow
def test_a_process_is_ended_when_it_is_cancelled(desk, ear):
    ear.ranker.start(RankCommand(desk.session.current, "thorough", 6))
    job = ear.ranker._job
    end = time.monotonic() + 60
    while job._process is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    ear.ranker.cancel()
    assert job._process.wait(30) != 0
    assert not ear.ended.wait(0.5)


def test_the_process_says_what_it_finds_and_what_fails(folder, capfd):
    assert main(request_line(folder / "drawn.pathloop", "drawn", "difficulty", 5, "cpu")) == 0
    assert '"kind": "finished"' in capfd.readouterr().out.splitlines()[-1]
    assert main(request_line(folder / "drawn.pathloop", "nowhere", "difficulty", 5, "cpu")) == 1
    assert '"kind": "failed"' in capfd.readouterr().out.splitlines()[-1]
