"""Reviewed regions of a project as a training set."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, ProjectError, Rect, UsageError
from pathloop.interchange.training import TrainingRegion, TrainingTask, TrainingTissue
from pathloop.loop._tissue_pixels import tissue_codes, tissue_states
from pathloop.slides import Slide, open_slide
from pathloop.store import Project, Region, SlideRecord

__all__ = ["patient_of", "read_patients", "training_regions"]

TISSUE = "tissue"
SQUARE = 1e-3
_TCGA = re.compile(r"(TCGA-\w{2}-\w{4})", re.IGNORECASE)


def patient_of(record: SlideRecord, patients: Mapping[str, str]) -> str:
    """Whose slide it is: as a table says, else by a TCGA barcode in its name, else the slide itself."""
    if record.slide_id in patients:
        return patients[record.slide_id]
    barcode = _TCGA.search(record.slide_id)
    return barcode.group(1).upper() if barcode else record.slide_id


def read_patients(path: Path) -> dict[str, str]:
    """Patient by slide, from a CSV file with the columns ``slide`` and ``patient``.

    Raises
    ------
    UsageError
        If it is missing or lacks a column.
    """
    import csv

    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return {row["slide"].strip(): row["patient"].strip() for row in csv.DictReader(stream)}
    except (OSError, KeyError, AttributeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: give a CSV file with the columns slide and patient ({error!r})") from error


def training_regions(
    project: Project,
    record: SlideRecord,
    roi: Rect | None,
    patients: Mapping[str, str],
    *,
    held_out: bool | None = False,
    halo_um: float = 0.0,
) -> Iterator[TrainingRegion]:
    """The regions of a slide that are done for some task, with their image at level 0.

    Tasks that are not done in a region are not in it. Objects that a pathologist is asked about are to be ignored.

    Parameters
    ----------
    held_out
        False = regions to train on; what a held-out region covers is to be ignored in them. True = the held-out ones.
        None = both, as they are.
    halo_um
        Width of the rim around a region that comes along for context, to be ignored.

    Raises
    ------
    ProjectError
        If the slide file is not where the project saw it.
    UsageError
        If its pixels are not square.
    """
    regions = project.regions(record.slide_id)
    wanted = [region for region in regions if held_out in (None, region.holdout) and "done" in region.states.values()]
    wanted = [region for region in wanted if roi is None or region.rect.intersect(roi).area]
    if not wanted:
        return
    if abs(record.scale.y / record.scale.x - 1) > SQUARE:
        raise UsageError(f"slide {record.slide_id!r}: its pixels are not square, which training sets need")
    if not record.path.exists():
        raise ProjectError(f"{record.path}: the slide is not there any more; put it back to export its regions")
    source = _Source(
        project,
        record,
        patient_of(record, patients),
        {task: project.classes(task) for task in project.tasks(record.slide_id)},
        {(flag.task, flag.id) for flag in project.flags(record.slide_id)},
        () if held_out is not False else tuple(region.rect for region in regions if region.holdout),
        round(halo_um / record.scale.um_per_px),
    )
    with open_slide(record.path, um_per_px=record.scale.um_per_px) as slide:
        for region in wanted:
            yield _region(source, slide, region)


def is_for_training(region: Region) -> bool:
    """Whether a region is done for some task, and not held out."""
    return not region.holdout and "done" in region.states.values()


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """A slide that regions are taken from.

    Parameters
    ----------
    legends
        Classes by object task.
    asked
        Task and id of the objects that a pathologist is asked about.
    hidden
        Rectangles that are to be ignored.
    halo_px
        Width of the rim, level-0 pixels.
    """

    project: Project
    record: SlideRecord
    patient: str
    legends: Mapping[str, tuple[ClassSpec, ...]]
    asked: set[tuple[str, int]]
    hidden: tuple[Rect, ...]
    halo_px: int


def _region(source: _Source, slide: Slide, region: Region) -> TrainingRegion:
    record, project = source.record, source.project
    done = [task for task, state in region.states.items() if state == "done"]
    rect = region.rect.expand(source.halo_px).intersect(Rect(0, 0, *record.shape))
    inside = np.zeros(rect.shape, bool)
    inside[region.rect.relative_to(rect).slices] = True
    for hidden in source.hidden:
        if (common := hidden.intersect(rect)).area:
            inside[common.relative_to(rect).slices] = False
    return TrainingRegion(
        name=f"{record.slide_id}_region{region.id}",
        group=source.patient,
        image=np.ascontiguousarray(slide.read(rect)),
        um_per_px=record.scale.um_per_px,
        tasks={task: _task(source, rect, task, inside) for task in done if task in source.legends},
        tissue=_tissue(project, record, rect, inside, is_done=TISSUE in done),
        provenance={
            "project": str(project.uuid),
            "slide": record.slide_id,
            "region": region.id,
            "rect": [rect.y, rect.x, rect.height, rect.width],
            **_review_of(project, record, region),
        },
    )


def _task(source: _Source, rect: Rect, task: str, inside: NDArray[np.bool_]) -> TrainingTask:
    slide_id = source.record.slide_id
    labels = source.project.labels(slide_id, task).read(rect)
    ids = np.unique(labels[labels > 0])
    rows = source.project.object_rows(slide_id, task, ids.tolist())
    doubtful = [number for name, number in source.asked if name == task]
    return TrainingTask(
        labels=labels,
        classes=source.legends[task],
        class_codes={number: row.class_code for number, row in rows.items()},
        states={number: row.state for number, row in rows.items()},
        review=(inside & ~np.isin(labels, doubtful)).astype(np.uint8),
    )


def _tissue(
    project: Project, record: SlideRecord, rect: Rect, inside: NDArray[np.bool_], *, is_done: bool
) -> TrainingTissue | None:
    tissue = project.tissue(record.slide_id)
    if tissue is None:
        return None
    codes = tissue_codes(tissue, rect)
    reviewed = inside & (codes > 0 if is_done else tissue_states(tissue, rect) > 0)
    if not reviewed.any():
        return None
    legend = zip(tissue.class_names, tissue.class_colors, strict=True)
    classes = tuple(ClassSpec(name=name, color=color) for name, color in legend)
    return TrainingTissue(codes, classes, np.asarray(reviewed, np.uint8))


def _review_of(project: Project, record: SlideRecord, region: Region) -> dict[str, Any]:
    """Who said last that the region is done, when, and which models had predicted it."""
    word = f"region {region.id} done"
    entries = [one for one in project.journal(record.slide_id) if one.summary.startswith(word)]
    models = sorted({str(run.parameters.get("model", "")) for run in project.runs(record.slide_id)} - {""})
    found: dict[str, Any] = {"models": models}
    return found | ({"who": entries[-1].who, "when": entries[-1].at} if entries else {})
