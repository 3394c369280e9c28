"""Ranking whole projects."""

import gc
from dataclasses import replace

import numpy as np
import planted
import pytest
from planted import HARD, HARDER, HARDEST, place

from pathloop.core import Message, ProjectError, Rect, StageProgress, UsageError, outcome
from pathloop.loop.queue import (
    NetworkPass,
    RankRequest,
    Score,
    propose,
    rank,
    region_from_values,
    region_values,
    store_queue,
)
from pathloop.loop.queue._rank import in_order
from pathloop.store import Project


def of(summary):
    return [region_from_values(values) for values in summary["regions"]]


def journal(path):
    with Project.open(path, write=False) as project:
        return [entry for entry in project.journal() if entry.tool == "rank"]


def test_the_hardest_come_first_and_say_why(project_path):
    events, summary = planted.ranked(project_path)
    regions = of(summary)
    score = {region.rect: region.score for region in regions}
    assert score[place(*HARDEST)] > score[place(*HARDER)] > score[place(*HARD)] > score[place(0, 0)] == 0
    ranked = [region for region in regions if not region.holdout]
    assert [region.score for region in ranked] == sorted((region.score for region in ranked), reverse=True)
    for region in ranked:
        if region.score:
            [reason] = region.reasons
            assert reason.score == "entropy"
            assert reason.value == pytest.approx(region.score, abs=1e-3)
            assert reason.words == f"the model is unsure of {100 * reason.value:.0f} % of the tissue in this region"
        else:
            assert region.reasons == ()
    held = [region for region in regions if region.holdout]
    assert all(region.rank % 4 == 0 and "held out" in region.reasons[0].words for region in held)
    assert {"nuclei", "gland", "lumen"} == set(regions[0].states)
    assert any(isinstance(event, StageProgress) for event in events)
    texts = [event.text for event in events if isinstance(event, Message)]
    assert any("not calibrated" in text for text in texts)
    assert any("without diversity" in text for text in texts)


def test_glass_is_left_out(project_path):
    rects = {region.rect for region in of(planted.ranked(project_path)[1])}
    assert len(rects) == 34
    assert not rects & {place(*planted.GLASS), place(*planted.THIN)}


def test_it_is_stored_as_one_entry_and_the_same_again_changes_nothing(project_path):
    _, first = planted.ranked(project_path, count=20, who="eva")
    assert (first["stored"], first["reason"], first["strategy"]) == (True, "", "difficulty")
    assert planted.regions(project_path) == of(first)
    [entry] = journal(project_path)
    assert (entry.slide_id, entry.who) == ("a", "eva")
    assert entry.summary == "ranked regions by difficulty: 15 new, 5 new held out"
    _, second = planted.ranked(project_path, count=20)
    assert second == first
    assert len(journal(project_path)) == 1


def test_undoing_takes_the_queue_back(project_path):
    planted.ranked(project_path)
    with Project.open(project_path, write=True) as project:
        project.undo("a")
        assert project.regions() == []
        project.redo("a")
        assert len(project.regions()) == 34


def test_ranking_again_keeps_what_people_have_taken_up(project_path):
    first = of(planted.ranked(project_path, count=12)[1])
    ranked = [region for region in first if not region.holdout]
    done = planted.change(project_path, ranked[0], states={"nuclei": "done", "gland": "done", "lumen": "done"})
    doing = planted.change(project_path, ranked[1], states={"nuclei": "doing", "gland": "todo", "lumen": "todo"})
    assigned = planted.change(project_path, ranked[2], assigned="eva")
    asked = planted.change(project_path, ranked[3], flag="is this tumour?")
    held = [region for region in first if region.holdout]
    second = of(planted.ranked(project_path, count=12)[1])
    stored = planted.regions(project_path)
    for region in (done, doing, assigned, asked, *held):
        assert region in stored
    assert done not in second
    assert len(second) == 12
    assert sum(region.holdout for region in second) == 3
    # the others are the same ones, and one is new for the one that is done
    free = {region.rect for region in ranked[4:]}
    assert free < {region.rect for region in second}
    assert len({region.rank for region in second}) == 12


def test_a_held_out_region_stays_when_it_is_done_and_another_one_is_drawn(project_path):
    first = of(planted.ranked(project_path, count=8)[1])
    held = [region for region in first if region.holdout]
    done = planted.change(project_path, held[0], states=dict.fromkeys(held[0].states, "done"))
    second = of(planted.ranked(project_path, count=8)[1])
    assert done in planted.regions(project_path)
    new = [region for region in second if region.holdout and region not in held]
    assert [region.rank for region in new] == [4]
    assert held[1] in second


def test_regions_by_hand_are_kept_and_not_covered(project_path):
    rect = Rect(2 * 125 + 20, 4 * 125 + 20, 100, 100)  # most of the hardest region, and a bit of its neighbours'
    manual = planted.change(project_path, None, slide_id="a", rect=rect, states={"gland": "todo"})
    regions = of(planted.ranked(project_path)[1])
    assert regions[-1] == manual
    rects = [region.rect for region in regions[:-1]]
    assert place(*HARDEST) not in rects
    assert place(2, 3) in rects
    assert len(rects) == 33
    planted.change(project_path, manual, rect=Rect(20, 20, 30, 30))
    assert place(*HARDEST) in [region.rect for region in of(planted.ranked(project_path)[1])]


def test_the_queue_goes_over_all_slides(project_path):
    with Project.open(project_path, write=True) as project:
        planted.add(project, "b", unsure={(0, 0): 0.5, (1, 2): 0.3})
    _, summary = planted.ranked(project_path, count=16)
    regions = of(summary)
    for slide_id in ("a", "b"):
        scores = [region.score for region in regions if not region.holdout and region.slide_id == slide_id]
        assert scores == sorted(scores, reverse=True)
    assert {region.slide_id for region in regions} == {"a", "b"}
    assert [entry.slide_id for entry in journal(project_path)] == ["a", "b"]
    assert len({region.id for region in regions}) == 16
    # one slide by itself leaves the other as it is
    before = planted.regions(project_path, "b")
    _, alone = planted.ranked(project_path, slide_ids=("a",), count=8)
    assert planted.regions(project_path, "b") == before
    assert {values["slide_id"] for values in alone["regions"]} == {"a"}


class SameLook:
    """A network that minds no flips, and to which all regions look alike."""

    def __init__(self, work):
        self.n = len(work.candidates)

    def disagreement(self, chosen):
        yield from ()
        return tuple(Score(name, np.zeros(self.n), ("",) * self.n, 1.0) for name in ("flips", "outline"))

    def features(self, chosen):
        yield from ()
        return np.ones((len(chosen), 2), np.float32)


@pytest.mark.parametrize("strategy", ["difficulty", "thorough"])
def test_patients_take_turns_over_all_slides(tmp_path, monkeypatch, strategy):
    monkeypatch.setattr("pathloop.loop.queue._strategies.NetworkLook", SameLook)
    path = planted.make(tmp_path / "p.pathloop", unsure={(0, 0): 0.9, (1, 1): 0.85, (2, 2): 0.8})
    with Project.open(path, write=True) as project:
        planted.add(project, "b", unsure={(0, 0): 0.6})

    def in_front():
        with Project.open(path, write=False) as project:
            found = outcome(in_order(project, RankRequest(path, strategy=strategy)), lambda event: None)
        return [found.candidates[index].slide_id for index in found.ranking.order[:4].tolist()]

    # what is left of their bits: 3.3, 2.7 / 2, 2.3 / 4 of a, and 1.3 of b
    assert in_front() == ["a", "a", "b", "a"]
    planted.change(path, None, slide_id="a", rect=place(4, 4), states={"gland": "done"})
    assert in_front() == ["a", "b", "a", "a"]


def test_lumina_outside_glands_lift_a_region(tmp_path):
    objects = [("lumen", planted.box(3, 3, 10 + 20 * n, 10, 6, 6), 0.9, np.nan) for n in range(3)]
    objects += [("gland", planted.box(0, 1, 5, 5, 60, 60), 0.9, np.nan)]
    objects += [("lumen", planted.box(0, 1, 20, 20, 9, 9), 0.9, np.nan)]
    path = planted.make(tmp_path / "p.pathloop", unsure={}, objects=objects)
    regions = of(planted.ranked(path)[1])
    assert [region.rect for region in regions if region.score] == [place(3, 3)]
    [found] = [region for region in regions if region.score]
    if not found.holdout:
        assert found.rank == 1
        assert [reason.words for reason in found.reasons] == ["3 lumina lie outside any gland"]


def test_strategies(project_path):
    with Project.open(project_path, write=True) as project:
        planted.add(project, "b", objects=[("gland", planted.box(5, 5, 5, 5, 20, 20), 0.6, np.nan)] * 1)
    by = {name: of(planted.ranked(project_path, strategy=name, store=False)[1]) for name in ("entropy", "random")}
    assert all(reason.score == "entropy" for one in by["entropy"] if not one.holdout for reason in one.reasons)
    assert {region.origin for region in by["random"]} == {"random"}
    assert [region.holdout for region in by["random"]] == [region.rank % 4 == 0 for region in by["random"]]
    held = {name: [(one.slide_id, one.rect) for one in found if one.holdout] for name, found in by.items()}
    assert held["random"] == held["entropy"]
    loose = [region.score for region in by["random"] if not region.holdout]
    assert loose != sorted(loose, reverse=True)
    with pytest.raises(UsageError, match="unknown strategy 'hunch'; known: difficulty, thorough, entropy, random"):
        planted.ranked(project_path, strategy="hunch")


def test_nothing_is_stored_where_another_process_writes(project_path):
    with planted.held(project_path):
        events, summary = planted.ranked(project_path)
    assert not summary["stored"]
    assert "is being written by" in summary["reason"]
    assert any(isinstance(event, Message) and "shown, not stored" in event.text for event in events)
    assert len(summary["regions"]) == 34
    assert {values["id"] for values in summary["regions"]} == {0}
    assert planted.regions(project_path) == []


def test_a_project_that_is_open_is_used_as_it_is(project_path):
    with Project.open(project_path, write=False) as project:
        _, summary = planted.ranked(project)
        assert not summary["stored"]
        assert "reading only" in summary["reason"]
    with Project.open(project_path, write=True) as project:
        assert planted.ranked(project)[1]["stored"]
        assert len(project.regions()) == 34


def test_a_proposal_is_stored_later_by_the_process_that_writes(project_path):
    events = propose(RankRequest(project_path, count=12))
    while True:
        try:
            next(events)
        except StopIteration as end:
            proposed = end.value
            break
    assert planted.regions(project_path) == []
    passed_on = [region_from_values(region_values(region)) for region in proposed]
    assert passed_on == list(proposed)
    # meanwhile somebody marked a region
    manual = planted.change(project_path, None, slide_id="a", rect=proposed[0].rect, states={"gland": "todo"})
    with Project.open(project_path, write=True) as project:
        [entry] = store_queue(project, passed_on, slide_ids=("a",), strategy="difficulty")
    assert entry.summary == "ranked regions by difficulty: 8 new, 3 new held out"
    stored = planted.regions(project_path)
    assert [replace(region, id=0) for region in stored if region != manual] == list(proposed[1:])


def test_closing_stores_nothing(project_path):
    events = rank(RankRequest(project_path))
    for event in events:
        if isinstance(event, StageProgress):
            break
    events.close()
    del events
    gc.collect()
    assert planted.regions(project_path) == []
    Project.open(project_path, write=True).close()  # and the lock is free


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({"count": 0}, UsageError, "at least one region"),
        ({"slide_ids": ()}, UsageError, "at least one slide"),
        ({"slide_ids": ("z",)}, ProjectError, "has no slide 'z'"),
        ({"tasks": ("vessel",)}, UsageError, "no task vessel; it has nuclei, gland, lumen, tissue"),
        ({"region_um": 3.0}, UsageError, "50 .. 5000 um"),
    ],
)
def test_wrong_requests_change_nothing(project_path, changes, kind, text):
    with pytest.raises(kind, match=text):
        planted.ranked(project_path, **changes)
    assert planted.regions(project_path) == []


def test_network_passes_are_checked():
    with pytest.raises(UsageError, match="4 or 8 ways"):
        NetworkPass(views=3)
    with pytest.raises(UsageError, match="at least one region"):
        NetworkPass(top=0)


def test_projects_without_anything_to_rank(tmp_path):
    path = tmp_path / "p.pathloop"
    with pytest.raises(ProjectError, match="no such project folder"):
        planted.ranked(path)
    with Project.create(path) as project:
        with pytest.raises(ProjectError, match="nothing to rank"):
            planted.ranked(project)
        project.add_slide(
            tmp_path / "s.tif", fingerprint="f", shape=(300, 300), um_per_px_y=4, um_per_px_x=4, reader="tiff"
        )
        with pytest.raises(ProjectError, match="slide 's': not segmented yet"):
            planted.ranked(project)
        planted.add(project, "a")
        events, _ = planted.ranked(project)
        assert any("'s': not segmented yet, left out" in getattr(event, "text", "") for event in events)
    with pytest.raises(UsageError, match="no slide has an uncertainty map"):
        planted.ranked(planted.make(tmp_path / "q.pathloop", with_maps=False), strategy="entropy")


def test_tasks_are_as_asked(project_path):
    regions = of(planted.ranked(project_path, tasks=("gland", "tissue"), store=False)[1])
    assert all(region.states == {"gland": "todo", "tissue": "todo"} for region in regions)


def test_ranking_by_another_strategy_replaces_the_queue_but_not_the_held_out(project_path):
    first = of(planted.ranked(project_path, count=12)[1])
    second = of(planted.ranked(project_path, count=12, strategy="random")[1])
    assert [one for one in first if one.holdout] == [one for one in second if one.holdout]
    assert {one.rect for one in first} != {one.rect for one in second}
    assert planted.regions(project_path) == second
