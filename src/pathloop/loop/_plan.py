"""What is run on a slide, decided and checked in one place before anything is written."""

from collections.abc import Sequence

from pathloop.core import Message, Rect, SlideError, UnknownScaleError, UsageError
from pathloop.networks import ModelCard
from pathloop.predict import PATCH_CORE_PX, PATCH_MARGIN_PX, EngineChoice, TileJob, tiles_to_run
from pathloop.slides import Slide, tissue_mask

__all__ = ["DEFAULT_TILE_PX", "check_slide", "choose_tasks", "core_size", "empty_run_warning", "plan_job"]

WARN_COARSER = 1.5
REFUSE_COARSER = 4.0
"""A slide coarser than these multiples of the model's scale warns, and is refused unless forced."""

DEFAULT_TILE_PX = 1024
MAX_TILE_PX = 8192


def plan_job(
    slide: Slide,
    card: ModelCard,
    *,
    tasks: Sequence[str] | None = None,
    roi: Rect | None = None,
    use_tissue_mask: bool = True,
    tile_px: int = DEFAULT_TILE_PX,
    choice: EngineChoice,
    force: bool = False,
) -> tuple[TileJob, list[Message]]:
    """Check everything that can be wrong with a run, and work out what it does.

    Parameters
    ----------
    slide
        Open, and open as long as the job is used.
    card
        The model.
    tasks
        Tasks to run; None = all of the model's. Those that clip or type them come along.
    roi
        Level-0 pixels; cut to the slide. None = the whole slide.
    use_tissue_mask
        Leave out tiles without tissue. A slide on which no tissue is found runs whole, with a warning.
    tile_px
        Side of a network input tile, margin included.
    choice
        Engine, device and precision.
    force
        Run although the slide is far coarser than the model.

    Returns
    -------
    job
        What to run.
    messages
        What the user should know, in the order in which it was found.

    Raises
    ------
    UnknownScaleError
        If the slide's scale is not known.
    SlideError
        If the slide is far too coarse.
    UsageError
        If a task is unknown, the region lies outside the slide, or the tile size does not fit.
    """
    wanted, core_px = choose_tasks(tasks, card), core_size(tile_px, card, patchwise=choice.patchwise)
    region, messages = check_slide(slide, card, roi=roi, force=force)
    tissue = tissue_mask(slide) if use_tissue_mask else None
    if tissue is not None and not tissue.mask.any():
        messages.append(Message(f"{slide.path.name}: no tissue found; running on the whole slide", level="warning"))
        tissue = None
    return TileJob(slide, card, wanted, region, tissue, choice, core_px), messages


def empty_run_warning(job: TileJob) -> Message | None:
    """What to say of a run whose region holds no tile with tissue; None for any other run."""
    if tiles_to_run(job):
        return None
    name = job.slide.path.name
    return Message(f"{name}: no tissue in this region; --no-tissue-mask runs on it all the same", level="warning")


def choose_tasks(wanted: Sequence[str] | None, card: ModelCard) -> tuple[str, ...]:
    """The asked tasks in the card's order, with the tasks that clip or type them.

    Raises
    ------
    UsageError
        If none is named, or the model lacks one.
    """
    if wanted is None:
        return card.labels.names
    if not wanted:
        raise UsageError(f"no task named; model {card.name!r} has {', '.join(card.labels.names)}")
    unknown = [task for task in wanted if task not in card.labels]
    if unknown:
        known = ", ".join(card.labels.names)
        raise UsageError(f"model {card.name!r} has no task {', '.join(unknown)}; it has {known}")
    needed = {*wanted}
    for task in wanted:
        needed |= {owner for owner in (card.labels[task].post.clip_to, card.labels[task].of) if owner}
    needed |= {task.name for task in card.labels.tasks if task.of in needed}
    return tuple(task for task in card.labels.names if task in needed)


def core_size(tile_px: int, card: ModelCard, *, patchwise: bool = False) -> int:
    """What is left of an input tile inside the margin, in whole tissue cells.

    Raises
    ------
    UsageError
        If nothing is left, the tile is too large, or the model cannot be run patch by patch.
    """
    cell = card.architecture.cell_px
    margin = PATCH_MARGIN_PX if patchwise else -(-card.margin_px // cell) * cell
    if patchwise and cell != PATCH_CORE_PX:
        raise UsageError(
            f"model {card.name!r} cannot be run patchwise: its tissue cells are {cell} px wide,"
            f" those of the published network {PATCH_CORE_PX}"
        )
    if tile_px > MAX_TILE_PX:
        raise UsageError(f"tiles of {tile_px} px are more than fits in memory; use at most {MAX_TILE_PX}")
    core = (tile_px - 2 * margin) // cell * cell
    if core <= 0:
        least = 2 * margin + cell
        raise UsageError(f"tiles of {tile_px} px leave nothing inside a margin of {margin} px; use at least {least}")
    return core


def check_slide(slide: Slide, card: ModelCard, *, roi: Rect | None, force: bool) -> tuple[Rect, list[Message]]:
    """The level-0 pixels to segment, and what the user should know about scale and region.

    Raises
    ------
    UnknownScaleError, SlideError, UsageError
        As ``plan_job``.
    """
    if slide.scale is None:
        raise UnknownScaleError(
            f"{slide.path}: states no um per px; give it with --um-per-px (0.25 for most 40x, 0.5 for most 20x scans)"
        )
    messages = []
    ratio = slide.scale.um_per_px / card.um_per_px
    if ratio > REFUSE_COARSER and not force:
        raise SlideError(
            f"{slide.path}: {slide.scale.um_per_px:.3g} um per px is {ratio:.1f} times coarser than model"
            f" {card.name!r} ({card.um_per_px:g}); check --um-per-px, or add --force to run all the same"
        )
    if ratio > WARN_COARSER:
        text = (
            f"{slide.path.name}: {slide.scale.um_per_px:.3g} um per px is {ratio:.1f} times coarser than the model"
            f" expects ({card.um_per_px:g}); small objects will be missed"
        )
        messages.append(Message(text, level="warning"))
    region = _region(slide, roi)
    if roi is not None and region != roi:
        text = f"{slide.path.name}: the region of interest is cut to the slide: {region}"
        messages.append(Message(text, level="warning"))
    return region, messages


def _region(slide: Slide, roi: Rect | None) -> Rect:
    """Level-0 pixels to segment."""
    whole = Rect(0, 0, *slide.shape)
    region = whole if roi is None else roi.intersect(whole)
    if region.area == 0:
        height, width = slide.shape
        raise UsageError(f"{slide.path}: the region of interest lies outside the slide ({height} x {width} px)")
    return region
