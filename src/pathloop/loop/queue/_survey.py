"""What can be said of all regions of the segmented slides without running the network."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Message, ModelError, ProjectError
from pathloop.loop._model_of import model_of
from pathloop.loop.queue._calibration import Calibration, read_calibration
from pathloop.loop.queue._conflicts import conflict_pyramids, conflict_score
from pathloop.loop.queue._doubts import class_score, faint_score, limit_of, read_doubts
from pathloop.loop.queue._entropy import entropy_score
from pathloop.loop.queue._grid import Candidate, Grid, Samples, find_candidates
from pathloop.loop.queue._score import Score
from pathloop.networks import ModelCard, read_card
from pathloop.store import Project, SlideRecord, UncertaintyMap

__all__ = ["Survey", "joined", "survey_slide"]


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """The candidates of a slide and their scores.

    Parameters
    ----------
    candidates
        Row by row.
    scores
        Those that the project has data for.
    notes
        What the user should know of those that it has none for.
    """

    candidates: tuple[Candidate, ...]
    scores: tuple[Score, ...]
    notes: tuple[Message, ...]


def survey_slide(project: Project, record: SlideRecord, *, region_um: float, model: str | None) -> Survey:
    """Find the candidates of a slide and score them by everything that is stored.

    Parameters
    ----------
    project
        Open for reading or writing.
    record
        The slide.
    region_um
        Side of a region.
    model
        The model whose calibration holds; None = the one that made the uncertainty map.
    """
    slide_id = record.slide_id
    samples = Samples(Grid.of(record, region_um))
    candidates, tissue = find_candidates(project, record, samples)
    if not candidates:
        return Survey((), (), ())
    scores: list[Score | None] = []
    notes: list[Message] = []
    uncertainty = project.uncertainty(slide_id)
    card, calibration = None, None
    if uncertainty is None:
        notes.append(Message(f"slide {slide_id!r}: has no uncertainty map; segment it again to have one"))
    else:
        card, calibration, note = _calibration(project, slide_id, uncertainty, model)
        notes.append(note)
        scores.append(entropy_score(uncertainty, calibration, samples, tissue, candidates))
    pyramids = conflict_pyramids(project, slide_id)
    with ThreadPoolExecutor(1, "conflicts") as pool:
        conflicts: Future[Score] | None = None
        if pyramids:  # half of the time goes into the pyramids, half into the tables
            conflicts = pool.submit(conflict_score, pyramids, record.scale.um_per_px, samples.grid, candidates)
        doubts = {
            task: read_doubts(project, slide_id, task, samples.grid, limit_of(task, card, calibration))
            for task in project.tasks(slide_id)
        }
    if doubts:
        scores.append(faint_score(doubts, candidates))
        scores.append(class_score(doubts, candidates))
        if not any(one.has_classes for one in doubts.values()):
            notes.append(Message(f"slide {slide_id!r}: its objects have no types, so none can be a toss-up"))
    scores.append(None if conflicts is None else conflicts.result())
    return Survey(tuple(candidates), tuple(one for one in scores if one is not None), tuple(notes))


def _calibration(
    project: Project, slide_id: str, uncertainty: UncertaintyMap, model: str | None
) -> tuple[ModelCard | None, Calibration | None, Message]:
    try:
        card = read_card(model_of(project, slide_id, model, run_key=uncertainty.run_key))
    except (ModelError, ProjectError) as error:
        if model is not None:
            raise
        message = f"slide {slide_id!r}: uncertainty is taken as it is, not calibrated ({error})"
        return None, None, Message(message)
    found = read_calibration(card)
    if found is not None:
        return card, found, Message(f"uncertainty is calibrated by the card of model {card.name!r}")
    return card, None, Message(f"model {card.name!r} holds no calibration: its uncertainty is taken as it is")


def joined(surveys: Sequence[Survey]) -> tuple[list[Candidate], list[Score]]:
    """The candidates of several slides one after the other; a slide without a score has 0 there, and no words."""
    candidates = [one for survey in surveys for one in survey.candidates]
    names = dict.fromkeys(score.name for survey in surveys for score in survey.scores)
    scores = []
    for name in names:
        values: list[NDArray[np.float64]] = []
        words: list[str] = []
        weight = 0.0
        for survey in surveys:
            own = next((score for score in survey.scores if score.name == name), None)
            n = len(survey.candidates)
            values.append(np.zeros(n) if own is None else own.values)
            words += [""] * n if own is None else own.words
            weight = weight if own is None else own.weight
        scores.append(Score(name, np.concatenate(values), tuple(words), weight))
    return candidates, scores
