"""The orders in which regions can be offered, by name."""

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from pathloop.core import Event, Message, Registry, UsageError
from pathloop.loop.queue._diversity import farthest_first
from pathloop.loop.queue._network import NetworkLook
from pathloop.loop.queue._request import Work, lot
from pathloop.loop.queue._score import Ranking, combined
from pathloop.loop.queue._turns import Turns, by_turns, doubts
from pathloop.store import Reason

__all__ = ["STRATEGIES", "difficulty", "entropy", "random", "thorough"]

STRATEGIES = Registry(
    "strategy",
    {name: f"{__name__}:{name}" for name in ("difficulty", "thorough", "entropy", "random")},
)
"""Strategies by name; each is called as ``strategy(work)`` and returns a `Ranking`."""

POOL = 4
"""Times the wanted regions among which those that look different from each other are put first."""

UNLIKE = 0.5
"""Distance from all regions before it, as a share of the largest, from which on a region is said to look different."""


def difficulty(work: Work) -> Generator[Event, None, Ranking]:
    """By everything that is stored, patients taking turns; runs no network, and so says nothing of diversity."""
    yield Message("ordered without diversity, which needs the network's features: strategy 'thorough' has it")
    ranking = combined(work.scores, work.candidates)
    return replace(ranking, order=by_turns(ranking.values, Turns.of(work)))


def entropy(work: Work) -> Generator[Event, None, Ranking]:
    """By the uncertainty map alone.

    Raises
    ------
    UsageError
        If no slide has one.
    """
    yield from ()
    scores = [score for score in work.scores if score.name == "entropy"]
    if not scores:
        raise UsageError("no slide has an uncertainty map; segment it again, or choose another strategy")
    return combined(scores, work.candidates)


def random(work: Work) -> Generator[Event, None, Ranking]:
    """By lot: what other strategies are compared with."""
    yield from ()
    lots = [lot(work.project.uuid, one.slide_id, one.rect, "order") for one in work.candidates]
    order = np.array(sorted(range(len(lots)), key=lots.__getitem__), np.int64)
    reasons = ((Reason("random", 0.0, "drawn by lot"),),) * len(lots)
    return Ranking(combined(work.scores, work.candidates).values, reasons, order)


def thorough(work: Work) -> Generator[Event, None, Ranking]:
    """As `difficulty`; then the network looks at what is most difficult, and what looks alike is spread out."""
    top = combined(work.scores, work.candidates).order[: work.network.top]
    look = NetworkLook(work)
    flips, outlines = yield from look.disagreement(top)
    ranking, turns = combined([*work.scores, flips, outlines], work.candidates), Turns.of(work)
    by_turn = by_turns(ranking.values, turns)
    offered = by_turn[~turns.idle[by_turn]]
    pool = offered[: min(POOL * work.count, work.network.top)]
    features = yield from look.features(pool)
    if features is None:
        return replace(ranking, order=by_turn)
    patients = [turns.patients[index] for index in pool.tolist()]
    order, distances = farthest_first(doubts(ranking.values[pool]), features, patients, turns.taken)
    spread = pool[order]
    reasons = list(ranking.reasons)
    for place, (index, distance) in enumerate(zip(spread.tolist(), distances.tolist(), strict=True)):
        if place and distance >= UNLIKE:
            words = "looks different from the regions chosen before it"
            reasons[index] = (*reasons[index], Reason("diversity", round(distance, 4), words))
    rest = by_turn[~np.isin(by_turn, spread)]
    return Ranking(ranking.values, tuple(reasons), np.concatenate([spread, rest]))
