"""From an order to a queue: properties over all kinds of regions that are there already."""

from dataclasses import replace
from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pathloop.core import Rect
from pathloop.loop.queue import Candidate, Ranking, is_kept
from pathloop.loop.queue._offer import offered
from pathloop.store import Region

SIDE = 100
SLIDES = ("a", "b")
TASKS = {"a": ("nuclei", "gland"), "b": ("nuclei",)}


def candidates_of(n):
    """Alternately on both slides, three a row."""
    return [
        Candidate(SLIDES[k % 2], Rect(k // 6 * SIDE, k // 2 % 3 * SIDE, SIDE, SIDE), k // 6, k // 2 % 3, 1.0)
        for k in range(n)
    ]


def ranking_of(values):
    values = np.round(np.array(values, float), 4)
    return Ranking(values, ((),) * len(values), np.argsort(-values, kind="stable"))


def regions_of(number):
    """A region that is there already, of any kind."""
    return st.builds(
        Region,
        id=st.just(number),
        slide_id=st.sampled_from(SLIDES),
        rect=st.builds(Rect, st.integers(0, 400), st.integers(0, 250), st.integers(10, 150), st.integers(10, 150)),
        origin=st.sampled_from(["ranked", "random", "manual", "imported", "disagreement"]),
        rank=st.one_of(st.none(), st.integers(1, 12)),
        holdout=st.booleans(),
        states=st.dictionaries(
            st.sampled_from(["nuclei", "gland"]), st.sampled_from(["todo", "doing", "done"]), min_size=1
        ),
        assigned=st.sampled_from(["", "", "eva"]),
        flag=st.sampled_from([None, None, "mitosis?"]),
    )


@st.composite
def situations(draw):
    n = draw(st.integers(1, 24))
    values = draw(st.lists(st.floats(0, 1), min_size=n, max_size=n))
    there = [draw(regions_of(number)) for number in range(1, draw(st.integers(0, 6)) + 1)]
    return candidates_of(n), ranking_of(values), there, draw(st.integers(1, 30)), draw(st.uuids())


def queue_of(situation):
    candidates, ranking, there, count, project = situation
    return offered(candidates, ranking, there, count=count, project=project, tasks=TASKS)


def is_offered_and_waits(region):
    return is_kept(region) and region.origin in ("ranked", "random") and region.state != "done"


@given(situation=situations())
def test_what_is_kept_is_kept_and_what_is_new_overlaps_little(situation):
    candidates, _, there, count, _ = situation
    queue = queue_of(situation)
    new = [region for region in queue if region.id == 0]
    assert [region for region in queue if region.id] == sorted(
        filter(is_offered_and_waits, there), key=lambda one: (one.rank is None, one.rank or 0, one.id)
    )
    squares = {(one.slide_id, one.rect) for one in candidates}
    kept = [region for region in there if is_kept(region)]
    for region in new:
        assert (region.slide_id, region.rect) in squares
        assert region.states == dict.fromkeys(TASKS[region.slide_id], "todo")
        mine = [one.rect.intersect(region.rect).area for one in kept if one.slide_id == region.slide_id]
        assert sum(mine) <= (0 if region.holdout else 0.25 * region.rect.area)
    assert len({(region.slide_id, region.rect) for region in new}) == len(new)
    assert len(queue) <= max(count, len(queue) - len(new))


@given(situation=situations())
def test_every_fourth_is_held_out_and_drawn_by_lot(situation):
    queue = queue_of(situation)
    for region in (one for one in queue if one.id == 0):
        assert region.holdout == (region.origin == "random") == (region.rank % 4 == 0)
    ranks = [region.rank for region in queue if region.id == 0]
    waiting = {region.rank for region in queue if region.id}
    assert len(set(ranks)) == len(ranks)
    assert not waiting.intersection(ranks)


@given(n=st.integers(1, 24), count=st.integers(1, 30), project=st.uuids(), seed=st.integers(0, 99))
def test_a_fresh_queue(n, count, project, seed):
    values = np.random.default_rng(seed).random(n)
    queue = queue_of((candidates_of(n), ranking_of(values), [], count, project))
    total = min(n, count)
    assert [region.rank for region in queue] == list(range(1, total + 1))
    assert sum(region.holdout for region in queue) == total // 4
    scores = [region.score for region in queue if not region.holdout]
    assert scores == sorted(scores, reverse=True)
    # ranked ones are the best of all that are not held out
    held = {(region.slide_id, region.rect) for region in queue if region.holdout}
    left = [
        value
        for one, value in zip(candidates_of(n), np.round(values, 4), strict=True)
        if (one.slide_id, one.rect) not in held
    ]
    assert scores == sorted(left, reverse=True)[: len(scores)]


@given(n=st.integers(4, 24), project=st.uuids(), seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_lots_know_nothing_of_difficulty(n, project, seeds):
    def held(seed):
        values = np.random.default_rng(seed).random(n)
        queue = queue_of((candidates_of(n), ranking_of(values), [], n, project))
        return [(region.rank, region.slide_id, region.rect) for region in queue if region.holdout]

    assert held(seeds[0]) == held(seeds[1])


def test_projects_draw_differently():
    draws = {
        tuple(
            (region.slide_id, region.rect)
            for region in queue_of((candidates_of(24), ranking_of([0.5] * 24), [], 24, UUID(int=number)))
            if region.holdout
        )
        for number in range(20)
    }
    assert len(draws) > 15


@given(situation=situations())
def test_ranking_again_changes_nothing(situation):
    candidates, ranking, there, count, project = situation
    stored = [
        replace(region, id=100 + number) if region.id == 0 else region
        for number, region in enumerate(queue_of(situation))
    ]
    rest = [region for region in there if is_kept(region) and region not in stored]
    again = queue_of((candidates, ranking, [*stored, *rest], count, project))
    assert [replace(region, id=0) for region in again] == [replace(region, id=0) for region in stored]
