"""Rank the regions of a project: from a request to a stored queue."""

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathloop.core import Event, JobFinished, Message, ProjectError, StageProgress, UsageError
from pathloop.loop.queue._grid import Candidate
from pathloop.loop.queue._kept import OFFERED
from pathloop.loop.queue._offer import offered
from pathloop.loop.queue._request import RankRequest, Work
from pathloop.loop.queue._roles import slide_roles
from pathloop.loop.queue._score import Ranking
from pathloop.loop.queue._storing import region_values, store_queue
from pathloop.loop.queue._strategies import STRATEGIES
from pathloop.loop.queue._survey import Survey, joined, survey_slide
from pathloop.store import Project, Region, SlideRecord

__all__ = ["in_order", "propose", "rank"]

TISSUE = "tissue"


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Candidates in their order; what becomes of them depends on the regions that there are when they are offered."""

    candidates: tuple[Candidate, ...]
    ranking: Ranking
    tasks: Mapping[str, tuple[str, ...]]
    slide_ids: tuple[str, ...]

    def queue(self, project: Project, request: RankRequest) -> list[Region]:
        """The queue over the regions that the project has now."""
        there = [region for slide_id in self.slide_ids for region in project.regions(slide_id)]
        origin = "random" if request.strategy == "random" else "ranked"
        return offered(
            self.candidates,
            self.ranking,
            there,
            count=request.count,
            project=project.uuid,
            tasks=self.tasks,
            origin=origin,
            roles=slide_roles(project),
        )


def rank(request: RankRequest) -> Generator[Event]:
    """Rank regions and store the queue: on each slide as one entry of the journal, of the tool "rank".

    Regions that were offered before and nobody took up (still todo, not assigned, no question about them) give way;
    everything else stays, held-out regions too. Where the project cannot be written now, because a window has it open
    or its folder is read-only, the queue is worked out all the same and only reported.

    Parameters
    ----------
    request
        What to rank.

    Yields
    ------
    Event
        `Message` and `StageProgress`; the last one is `JobFinished`, whose summary holds ``strategy``, ``stored``
        (bool), ``reason`` (why not, else "") and ``regions``: all that wait, by rank, as `region_values` gives them.
        Closing cancels; nothing is stored then.

    Raises
    ------
    UsageError
        If strategy, task or an option is not known.
    ProjectError
        If the project cannot be read, has no such slide, or nothing in it was segmented.
    PathloopError
        If a slide's file or the model is needed by the strategy and not there.
    """
    STRATEGIES.resolve(request.strategy)
    reason = _why_not_stored(request)
    with _reading(request.project) as project:
        if reason and request.store:
            yield Message(f"{reason}; the queue is shown, not stored", level="warning")
        found = yield from in_order(project, request)
        path, queue = project.path, found.queue(project, request)
        regions = _waiting(project, found.slide_ids, queue)
    if not reason:
        try:
            with _writing(request.project) as project:
                # what others did meanwhile counts
                queue = found.queue(project, request)
                store_queue(project, queue, slide_ids=found.slide_ids, strategy=request.strategy, who=request.who)
                regions = _waiting(project, found.slide_ids, None)
        except ProjectError as error:
            reason = str(error)
            yield Message(f"{reason}; the queue is shown, not stored", level="warning")
    summary = {"strategy": request.strategy, "stored": not reason, "reason": reason}
    yield JobFinished(path, {**summary, "regions": [region_values(region) for region in regions]})


def propose(request: RankRequest) -> Generator[Event, None, tuple[Region, ...]]:
    """The queue that `rank` would store, without storing it: regions by rank, new ones with id 0.

    Store it with `store_queue`, from the process that writes.

    Yields
    ------
    Event
        As `rank`, without the last one.

    Returns
    -------
    tuple of Region
        The generator's value (``regions = yield from propose(request)``).
    """
    with _reading(request.project) as project:
        found = yield from in_order(project, request)
        return tuple(found.queue(project, request))


def in_order(project: Project, request: RankRequest) -> Generator[Event, None, Ranked]:
    """All candidates as the strategy puts them, whatever is held out or there already; raises as `rank`."""
    strategy = STRATEGIES.resolve(request.strategy)
    records, messages = _records(project, request.slide_ids)
    yield from messages
    tasks = {record.slide_id: _tasks(project, record.slide_id, request.tasks) for record in records}
    surveys: list[Survey] = []
    told: list[Message] = []
    for index, record in enumerate(records):
        survey = survey_slide(project, record, region_um=request.region_um, model=request.network.model)
        yield from (note for note in survey.notes if note not in told)
        told += survey.notes
        surveys.append(survey)
        yield StageProgress(record.slide_id, "reading scores", index + 1, len(records))
    candidates, scores = joined(surveys)
    if not candidates:
        raise ProjectError(f"{project.path}: no region has enough segmented tissue to be worth a look")
    slides = {record.slide_id: record for record in records}
    work = Work(project, slides, tuple(candidates), tuple(scores), request.network, request.count)
    ranking: Ranking = yield from strategy(work)
    return Ranked(work.candidates, ranking, tasks, tuple(slides))


def _records(project: Project, slide_ids: Sequence[str] | None) -> tuple[list[SlideRecord], list[Message]]:
    """The slides to rank, and what is said of those that are left out."""
    wanted = project.slides() if slide_ids is None else [project.slide(one) for one in dict.fromkeys(slide_ids)]
    records, messages = [], []
    for record in wanted:
        if not project.tasks(record.slide_id) and project.tissue(record.slide_id) is None:
            messages.append(Message(f"slide {record.slide_id!r}: not segmented yet, left out", level="warning"))
        elif project.pending(record.slide_id):
            text = f"slide {record.slide_id!r}: is being segmented, or a run was interrupted; left out"
            messages.append(Message(text, level="warning"))
        else:
            records.append(record)
    if not records:
        why = f" ({messages[0].text})" if messages else ""
        raise ProjectError(f"{project.path}: nothing to rank{why}; run 'pathloop segment' first")
    return records, messages


def _tasks(project: Project, slide_id: str, wanted: Sequence[str] | None) -> tuple[str, ...]:
    known = tuple(project.tasks(slide_id))
    has_tissue = project.tissue(slide_id) is not None
    if wanted is None:
        return known or (TISSUE,)
    unknown = [task for task in wanted if task not in known and not (task == TISSUE and has_tissue)]
    if unknown:
        names = ", ".join((*known, TISSUE) if has_tissue else known)
        raise UsageError(f"slide {slide_id!r} has no task {', '.join(unknown)}; it has {names}")
    return tuple(dict.fromkeys(wanted))


def _waiting(project: Project, slide_ids: Sequence[str], queue: Sequence[Region] | None) -> list[Region]:
    """All regions that wait: those of a queue that is not stored, or the stored ones, and those added by hand."""
    stored = [region for slide_id in slide_ids for region in project.regions(slide_id) if region.state != "done"]
    if queue is not None:
        stored = [*queue, *(one for one in stored if one.origin not in OFFERED)]
    return sorted(stored, key=lambda one: (one.rank is None, one.rank or 0, one.id))


def _why_not_stored(request: RankRequest) -> str:
    """Why the queue will not be stored; "" if it will, as far as can be told now."""
    if not request.store:
        return "not asked for"
    if isinstance(request.project, Project):
        return "" if request.project.is_writer else f"{request.project.path}: is open for reading only"
    try:
        # before minutes of work; it also brings an older project up to date, which readers cannot
        Project.open(request.project, write=True).close()
    except ProjectError as error:
        return str(error)
    return ""


@contextlib.contextmanager
def _reading(project: Path | Project) -> Iterator[Project]:
    """The project, open; the lock is not held, since a strategy may take minutes."""
    if isinstance(project, Project):
        yield project
        return
    with Project.open(project, write=False) as opened:
        yield opened


@contextlib.contextmanager
def _writing(project: Path | Project) -> Iterator[Project]:
    if isinstance(project, Project):
        yield project
        return
    with Project.open(project, write=True) as opened:
        yield opened
