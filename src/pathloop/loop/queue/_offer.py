"""From an order of candidates to a queue: which regions are kept, which are new, which are held out."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count as numbers
from types import MappingProxyType
from uuid import UUID

from pathloop.core import Rect
from pathloop.loop.queue._grid import Candidate
from pathloop.loop.queue._kept import OFFERED, is_kept
from pathloop.loop.queue._request import lot
from pathloop.loop.queue._roles import Role
from pathloop.loop.queue._score import Ranking
from pathloop.store import Reason, Region

__all__ = ["HOLDOUT_STEP", "MAX_OVERLAP", "covered", "offered"]

HOLDOUT_STEP = 4
"""Every fourth region of the queue is drawn by lot and held out."""

MAX_OVERLAP = 0.25
"""Share of a new region that regions which are there already may cover."""

HELD_OUT = Reason("random", 0.0, "drawn by lot and held out: it measures models, whatever is in it")


def offered(
    candidates: Sequence[Candidate],
    ranking: Ranking,
    there: Iterable[Region],
    *,
    count: int,
    project: UUID,
    tasks: Mapping[str, Sequence[str]],
    origin: str = "ranked",
    roles: Mapping[str, Role] = MappingProxyType({}),
) -> list[Region]:
    """The regions that wait in the queue: those that are kept as they are, and new ones with id 0, by rank.

    The held-out ones are drawn first, from all candidates alike that no other region touches: taken from what ranking
    leaves over, they would be the easy ones, and what overlaps may be trained on. New regions take the ranks that no
    waiting region has: held-out ones every fourth.

    Parameters
    ----------
    candidates, ranking
        What can be offered, and in which order.
    there
        All regions of the slides that are ranked.
    count
        Regions that wait afterwards, if there are so many.
    project
        Whose lots are drawn.
    tasks
        By slide: what is to be reviewed.
    origin
        Of the regions that are not held out.
    roles
        By slide, where patients are parted: on slides to judge by, all regions are drawn and held out; on slides to
        learn from, none is. Slides that are not named do both.
    """
    kept = [region for region in there if is_kept(region)]
    waiting = [region for region in kept if region.origin in OFFERED and region.state != "done"]
    blocked: dict[str, list[Rect]] = {}
    for region in kept:
        blocked.setdefault(region.slide_id, []).append(region.rect)
    shares = [covered(one.rect, blocked.get(one.slide_id, ())) for one in candidates]
    free = [index for index, share in enumerate(shares) if share <= MAX_OVERLAP]
    total = min(count, len(waiting) + len(free))
    n_held = sum(region.holdout for region in waiting)
    held = max(0, total // HOLDOUT_STEP - n_held)
    to_judge, to_learn = (
        {index for index in free if roles.get(candidates[index].slide_id, "both") in (role, "both")}
        for role in ("held", "train")
    )
    drawn = _drawn(candidates, [index for index in to_judge if shares[index] == 0], project)[:held]
    left = to_learn.difference(drawn)
    ranked = [index for index in ranking.order.tolist() if index in left]
    ranked = ranked[: max(0, total - len(waiting) - len(drawn))]
    taken = {region.rank for region in waiting}
    held_ranks, ranks = _free_ranks(taken, held_out=True), _free_ranks(taken, held_out=False)
    new = [_region(candidates[k], ranking, k, rank=next(held_ranks), origin=None) for k in drawn]
    new += [_region(candidates[k], ranking, k, rank=next(ranks), origin=origin) for k in ranked]
    new = [replace(one, states=dict.fromkeys(tasks[one.slide_id], "todo")) for one in new]
    return sorted([*waiting, *new], key=lambda region: (region.rank is None, region.rank or 0, region.id))


def _region(one: Candidate, ranking: Ranking, index: int, *, rank: int, origin: str | None) -> Region:
    """A new region; held out where no origin is given."""
    return Region(
        id=0,
        slide_id=one.slide_id,
        rect=one.rect,
        origin=origin or "random",
        rank=rank,
        score=float(ranking.values[index]),
        reasons=ranking.reasons[index] if origin else (HELD_OUT,),
        holdout=origin is None,
    )


def covered(rect: Rect, others: Iterable[Rect]) -> float:
    """Share of a rectangle that others cover; where those overlap each other, more than that."""
    return sum(rect.intersect(other).area for other in others) / rect.area


def _drawn(candidates: Sequence[Candidate], free: Collection[int], project: UUID) -> list[int]:
    lots = {index: lot(project, candidates[index].slide_id, candidates[index].rect, "hold-out") for index in free}
    return sorted(free, key=lots.__getitem__)


def _free_ranks(taken: Collection[int | None], *, held_out: bool) -> Iterator[int]:
    for rank in numbers(1):
        if (rank % HOLDOUT_STEP == 0) == held_out and rank not in taken:
            yield rank
