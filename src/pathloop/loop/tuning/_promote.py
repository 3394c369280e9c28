"""Make a candidate the project's model, and take that back: one line more in the record, in one step."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from pathloop.core import Event, JobFinished, Message, ModelError, PathloopError, ProjectError, UsageError
from pathloop.loop._segment import SegmentRequest, segment
from pathloop.loop.tuning._comparison import Comparison, read_comparison
from pathloop.loop.tuning._current import (
    ModelEntry,
    current_model,
    folder_of,
    model_history,
    model_of_project,
    write_history,
)
from pathloop.loop.tuning._runs import TuneRun
from pathloop.loop.tuning._stale import scale_to_give, stale_slides
from pathloop.networks import export_model, known_models, read_card
from pathloop.store import Project, now, who_am_i

__all__ = ["Promotion", "comparison_of", "promote", "repredict", "rollback", "why_not"]


@dataclass(frozen=True, slots=True)
class Promotion:
    """What to promote.

    Parameters
    ----------
    candidate
        Model folder; it is copied into the project.
    comparison
        With the model that the project works with now.
    run
        Name of the run that made it; "" = none.
    reason
        Why it is promoted although it is worse; it is recorded. None = it must not be worse.
    confirmed
        That too few held-out regions are known to be too few.
    who
        Name for the record; None = the user's.
    """

    candidate: Path
    comparison: Comparison
    run: str = ""
    reason: str | None = None
    confirmed: bool = False
    who: str | None = None


def why_not(comparison: Comparison) -> str:
    """Why a candidate is not promoted without more ado, in words; "" where it is."""
    if comparison.faults:
        return f"worse than {comparison.parent.name}: {'; '.join(comparison.faults)}"
    if not comparison.is_enough:
        n = comparison.n_regions
        return (
            f"not enough evidence: {n} held-out {'region is' if n == 1 else 'regions are'} done, at least 4 are needed"
        )
    return ""


def promote(project: Project, promotion: Promotion) -> ModelEntry:
    """Make a candidate the project's model.

    Raises
    ------
    UsageError
        If the comparison is of other models.
    ModelError
        If the candidate is worse and no reason is given, or too little is held out and that is not confirmed; or it is
        damaged or cannot be copied.
    ProjectError
        If the project is open for reading only.
    """
    if not project.is_writer:
        raise ProjectError(f"{project.path}: is open for reading only")
    card, comparison = read_card(promotion.candidate), promotion.comparison
    parent = model_of_project(project)
    parent_card = read_card(parent)
    if comparison.candidate.checksum != card.checksum or comparison.parent.checksum != parent_card.checksum:
        raise UsageError(
            f"the comparison is of {comparison.candidate.name} with {comparison.parent.name}, but the project works"
            f" with {parent_card.name} now; compare {card.name} with that first"
        )
    reason = (promotion.reason or "").strip()
    problem = why_not(comparison)
    if comparison.faults and not reason:
        raise ModelError(f"{card.name} is {problem}; to promote it all the same, give a reason, which is recorded")
    if problem and not reason and not promotion.confirmed:
        raise ModelError(f"{card.name}: {problem}; to promote it all the same, say so")
    target = project.path / "models" / card.name
    if not target.exists():
        export_model(promotion.candidate, target)
    elif read_card(target).checksum != card.checksum:
        raise ModelError(f"{target}: holds another model of this name; move it away")
    who = promotion.who or who_am_i()
    history = model_history(project.path)
    if not history:
        history = (ModelEntry(kind="start", model=_name(project, parent), checksum=parent_card.checksum, at=now()),)
    gains = {task: one.gain.model_dump() for task, one in comparison.tasks.items() if one.gain}
    entry = ModelEntry(
        kind="promote",
        model=card.name,
        checksum=card.checksum,
        run=promotion.run,
        gains=gains,
        reason=reason or ("too little was held out; confirmed" if problem else ""),
        who=who,
        at=now(),
    )
    write_history(project.path, (*history, entry))
    return entry


def rollback(project: Project, *, who: str | None = None) -> ModelEntry:
    """Go back to the model before the last promotion that still stands.

    Raises
    ------
    UsageError
        If there is none.
    ModelError
        If that model is not there any more.
    ProjectError
        If the project is open for reading only.
    """
    if not project.is_writer:
        raise ProjectError(f"{project.path}: is open for reading only")
    history = model_history(project.path)
    standing: list[ModelEntry] = []
    for entry in history:
        if entry.kind == "rollback":
            standing.pop()
        else:
            standing.append(entry)
    if len(standing) < 2:
        raise UsageError(f"{project.path}: no promotion to roll back")
    before = standing[-2]
    if read_card(folder_of(project.path, before)).checksum != before.checksum:
        raise ModelError(f"{before.model}: is another model now than when the project worked with it; put it back")
    entry = ModelEntry(kind="rollback", model=before.model, checksum=before.checksum, who=who or who_am_i(), at=now())
    write_history(project.path, (*history, entry))
    return entry


def _name(project: Project, folder: Path) -> str:
    """How an entry names a model: its folder's name where it is known by that, else the whole path."""
    is_known = folder.parent == project.path / "models" or known_models().get(folder.name) == folder
    return folder.name if is_known else str(folder.resolve())


def comparison_of(run: TuneRun) -> Comparison:
    """The comparison of a finished run.

    Raises
    ------
    UsageError
        If it is not finished.
    DataError
        If it is damaged.
    """
    if run.state != "finished":
        raise UsageError(f"{run.name}: is {run.state}, there is no candidate to promote yet")
    return read_comparison(run.comparison)


def repredict(path: Path, *, device: str = "auto") -> Generator[Event]:
    """Segment anew, with the project's model, what other models segmented; nothing that is reviewed changes.

    Every slide is run where it was run before. A slide whose file is gone is left out, with a warning.

    Yields
    ------
    Event
        As `segment`; one `JobFinished` for all slides at the end.

    Raises
    ------
    PathloopError
        As `segment`.
    """
    with Project.open(path, write=False) as project:
        model = current_model(project.path) or model_of_project(project)
        card = read_card(model)
        stale = stale_slides(project, card.checksum, card.labels.names)
    objects: dict[str, dict[str, int]] = {}
    for one in stale:
        slide = one.slide
        try:
            um_per_px = scale_to_give(slide)
        except PathloopError as error:
            yield Message(f"{error}; its objects stay as they are", "warning")
            continue
        for region, is_masked in one.places:
            request = SegmentRequest(
                slides=(slide.path,),
                project=path,
                model=str(model),
                device=device,
                um_per_px=um_per_px,
                roi=region,
                use_tissue_mask=is_masked,
                to_srgb=one.is_srgb,
                look_first=False,
            )
            for event in segment(request):
                if isinstance(event, JobFinished):
                    objects[slide.slide_id] = event.summary["objects"]
                else:
                    yield event
    total: dict[str, int] = {}
    for counts in objects.values():
        for task, n in counts.items():
            total[task] = total.get(task, 0) + n
    yield JobFinished(path, {"slides": len(objects), "objects": total})
