"""Export a project's objects, labels and maps to the files of other tools."""

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Event, JobFinished, Message, ProjectError, Rect, StageProgress, UsageError, write_json
from pathloop.interchange import (
    DESCRIBED_OBJECTS,
    ObjectRow,
    ObjectTable,
    OutlinedObject,
    SlideIdentity,
    check_parquet,
    object_rows,
    outlined_objects,
    write_geojson,
    write_labels_zarr,
    write_objects_csv,
    write_objects_parquet,
)
from pathloop.interchange.training import SplitPlan, TrainingFlavour, TrainingRegion, write_training_set
from pathloop.loop._export_training import is_for_training, read_patients, training_regions
from pathloop.loop._final_set import FinalSet
from pathloop.loop._overview import overview
from pathloop.loop._tissue_pixels import tissue_codes
from pathloop.loop._tissue_regions import tissue_regions
from pathloop.rasters import LabelPyramid, write_tiff_pyramid
from pathloop.store import OBJECT_STATES, Project, SlideRecord, TissueMap

__all__ = ["EXPORT_FORMATS", "ExportRequest", "export"]

ExportFormat = Literal["labels-tiff", "labels-zarr", "geojson", "csv", "parquet", "training"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = ("labels-tiff", "labels-zarr", "geojson", "csv", "parquet", "training")


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export, and where to.

    Parameters
    ----------
    project
        Project folder; only read.
    format
        One of `EXPORT_FORMATS`.
    output
        Folder; created.
    slide_id
        One slide; None = all.
    roi
        Level-0 pixels: label images are cut to it, tables and outlines keep the objects whose box meets it.
    with_tissue
        ``geojson``: also write the tissue map as regions.
    flavour
        ``training``: the layout, one of `pathloop.interchange.training.TRAINING_FLAVOURS`.
    patients
        ``training``: CSV file with the columns ``slide`` and ``patient``; None = slides are patients, or a TCGA
        barcode in their name says so.
    final
        ``training``: the whole verified set, with the held-out regions; refused while anything is not verified.
    """

    project: Path
    format: ExportFormat
    output: Path
    slide_id: str | None = None
    roi: Rect | None = None
    with_tissue: bool = False
    flavour: TrainingFlavour = "pathloop"
    patients: Path | None = None
    final: bool = False


def export(request: ExportRequest) -> Generator[Event]:
    """Write one set of files a slide; each file is complete or not there.

    Yields
    ------
    Event
        `StageProgress` a file; the last one is `JobFinished` with the names of the files.

    Raises
    ------
    ProjectError
        If the project holds nothing to export, an interrupted run left a slide half replaced, or the output cannot
        be written.
    UsageError
        If the region of interest lies outside a slide, the format is unknown, or its library is not installed.
    """
    if request.format not in EXPORT_FORMATS:
        raise UsageError(f"unknown format {request.format!r}; known: {', '.join(EXPORT_FORMATS)}")
    if request.final and (request.format != "training" or request.slide_id or request.roi):
        raise UsageError("--final is for --format training and the whole project: leave out --slide and --roi")
    if request.format == "parquet":
        check_parquet()
    written: list[str] = []
    if request.output.resolve().is_relative_to(request.project.resolve()):
        raise UsageError(f"{request.output}: lies inside the project; name a folder outside it with -o")
    with Project.open(request.project, write=False) as project:
        slides = [project.slide(request.slide_id)] if request.slide_id else project.slides()
        for record in slides:
            _check(project, record, request.roi)
        segmented = [record for record in slides if _is_segmented(project, record)]
        if not segmented:
            raise ProjectError(f"{project.path}: nothing was segmented yet; run 'pathloop segment' first")
        for record in slides:
            if record not in segmented:
                yield Message(f"slide {record.slide_id!r}: not segmented yet, left out", level="warning")
        if request.format == "training":
            yield from (_final if request.final else _training)(project, segmented, request)
            return
        for record in segmented:
            files = _WRITERS[request.format](project, record, request)
            with _writing(request.output):
                for stage, path in files:
                    written.append(path.name)
                    yield StageProgress(record.slide_id, stage, len(written), 0)
    yield JobFinished(request.output, {"files": written})


@contextlib.contextmanager
def _writing(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise ProjectError(f"{output}: cannot be written ({reason}); choose another folder with -o") from error


def _is_segmented(project: Project, record: SlideRecord) -> bool:
    return bool(project.tasks(record.slide_id)) or project.tissue(record.slide_id) is not None


def _check(project: Project, record: SlideRecord, roi: Rect | None) -> None:
    """Refuse a slide on which one task may be new and another old."""
    half_done = any(run.state == "running" and run.areas for run in project.runs(record.slide_id))
    if half_done or project.pending(record.slide_id):
        raise ProjectError(
            f"{project.path}: slide {record.slide_id!r} is being segmented, or a run on it was interrupted;"
            " run the same 'pathloop segment' command again, then export"
        )
    if roi is not None and roi.intersect(Rect(0, 0, *record.shape)).area == 0:
        height, width = record.shape
        raise UsageError(
            f"{project.path}: the region of interest lies outside slide {record.slide_id!r} ({height} x {width} px)"
        )


def _window(record: SlideRecord, roi: Rect | None) -> Rect:
    whole = Rect(0, 0, *record.shape)
    return whole if roi is None else roi.intersect(whole)


def _labels(project: Project, record: SlideRecord, request: ExportRequest) -> Iterator[tuple[str, Path]]:
    window = _window(record, request.roi)
    for task in project.tasks(record.slide_id):
        path = request.output / f"{record.slide_id}_{task}.tif"
        source = partial(_ids, project.labels(record.slide_id, task), window)
        write_tiff_pyramid(path, source, shape=window.shape, um_per_px=record.scale)
        yield f"{task} labels", path
    tissue = project.tissue(record.slide_id)
    if tissue is not None:
        path = request.output / f"{record.slide_id}_tissue.tif"
        codes = partial(_tissue_part, tissue, window)
        write_tiff_pyramid(path, codes, shape=window.shape, um_per_px=record.scale)
        yield "tissue map", path
        write_json(path.with_suffix(".json"), _legend(tissue))
        yield "tissue legend", path.with_suffix(".json")


def _labels_zarr(project: Project, record: SlideRecord, request: ExportRequest) -> Iterator[tuple[str, Path]]:
    window = _window(record, request.roi)
    path = request.output / f"{record.slide_id}.ome.zarr"
    tasks = project.tasks(record.slide_id)
    layers = {task: partial(_ids, project.labels(record.slide_id, task), window) for task in tasks}
    few = [task for task in tasks if project.counts(record.slide_id, task).total <= DESCRIBED_OBJECTS]
    described = {table.task: table for task in few for table in _task_tables(project, record, task, request.roi)}
    if layers:
        write_labels_zarr(
            path,
            layers,
            shape=window.shape,
            um_per_px=record.scale,
            origin=(window.y, window.x),
            objects=described,
            picture=overview(record, window),
        )
        yield "labels", path


def _training(project: Project, records: list[SlideRecord], request: ExportRequest) -> Iterator[Event]:
    patients = {} if request.patients is None else read_patients(request.patients)
    done = [region for record in records for region in project.regions(record.slide_id)]
    held = sum(region.holdout and "done" in region.states.values() for region in done)
    if held:
        yield Message(f"{held} held-out regions are left out: they measure models and never train one")
    if not any(is_for_training(region) for region in done):
        raise ProjectError(f"{project.path}: no region is done yet; mark one done in the panel Correct first")
    regions = chain.from_iterable(training_regions(project, one, request.roi, patients) for one in records)
    yield _training_set(project, request, regions)


def _final(project: Project, records: list[SlideRecord], request: ExportRequest) -> Iterator[Event]:
    final = FinalSet(project, records, {} if request.patients is None else read_patients(request.patients))
    yield _training_set(project, request, final.regions(), final.plan(), final.about())


def _training_set(
    project: Project,
    request: ExportRequest,
    regions: Iterator[TrainingRegion],
    plan: SplitPlan | None = None,
    more: Mapping[str, Any] | None = None,
) -> JobFinished:
    about = {"program": "pathloop", "project": str(project.uuid), **(more or {})}
    with _writing(request.output):
        files = write_training_set(request.output, regions, flavour=request.flavour, plan=plan, about=about)
    return JobFinished(request.output, {"files": [path.relative_to(request.output).as_posix() for path in files]})


def _ids(pyramid: LabelPyramid, window: Rect, rect: Rect) -> NDArray[np.uint32]:
    return pyramid.read(rect.shift(window.y, window.x)).astype(np.uint32)


def _tissue_part(tissue: TissueMap, window: Rect, rect: Rect) -> NDArray[np.uint8]:
    return tissue_codes(tissue, rect.shift(window.y, window.x))


def _legend(tissue: TissueMap) -> dict[str, object]:
    """Schema: ``codes`` maps each pixel value to a name and an sRGB colour; 0 is "not run"."""
    classes = zip(tissue.class_names, tissue.class_colors, strict=True)
    codes: dict[str, object] = {"0": {"name": "not run", "color": None}}
    codes |= {str(code): {"name": name, "color": list(color)} for code, (name, color) in enumerate(classes, start=1)}
    return {"format_version": 1, "cell_px_level0": list(tissue.cell_px), "codes": codes}


def _identity(project: Project, record: SlideRecord) -> SlideIdentity:
    return SlideIdentity(project.uuid, record.slide_id, record.scale)


def _tables(project: Project, record: SlideRecord, roi: Rect | None) -> Iterator[ObjectTable]:
    for task in project.tasks(record.slide_id):
        yield from _task_tables(project, record, task, roi)


def _task_tables(project: Project, record: SlideRecord, task: str, roi: Rect | None) -> Iterator[ObjectTable]:
    states = project.object_states(record.slide_id, task)
    names = np.array(OBJECT_STATES)
    for part in project.iter_objects(record.slide_id, task, area=roi):
        rows = np.searchsorted(states.ids, part.ids)
        yield ObjectTable(
            task, part, project.classes(task), states=names[states.states[rows]], locked=states.locked[rows]
        )


def _geojson(project: Project, record: SlideRecord, request: ExportRequest) -> Iterator[tuple[str, Path]]:
    objects = chain.from_iterable(
        outlined_objects(table, project.labels(record.slide_id, table.task).read)
        for table in _tables(project, record, request.roi)
    )
    path = request.output / f"{record.slide_id}.geojson"
    yield "outlines", write_geojson(path, objects, slide=_identity(project, record))
    tissue = project.tissue(record.slide_id)
    if request.with_tissue and tissue is not None:
        regions: Iterator[OutlinedObject] = tissue_regions(tissue, record.shape)
        path = request.output / f"{record.slide_id}_tissue.geojson"
        yield "tissue regions", write_geojson(path, regions, slide=_identity(project, record))


def _csv(project: Project, record: SlideRecord, request: ExportRequest) -> Iterator[tuple[str, Path]]:
    path = request.output / f"{record.slide_id}_objects.csv"
    yield "object table", write_objects_csv(path, _rows(project, record, request))


def _parquet(project: Project, record: SlideRecord, request: ExportRequest) -> Iterator[tuple[str, Path]]:
    path = request.output / f"{record.slide_id}_objects.parquet"
    yield "object table", write_objects_parquet(path, _rows(project, record, request))


def _rows(project: Project, record: SlideRecord, request: ExportRequest) -> Iterator[ObjectRow]:
    identity = _identity(project, record)
    return chain.from_iterable(object_rows(table, identity) for table in _tables(project, record, request.roi))


_WRITERS: dict[str, Callable[[Project, SlideRecord, ExportRequest], Iterator[tuple[str, Path]]]] = {
    "labels-tiff": _labels,
    "labels-zarr": _labels_zarr,
    "geojson": _geojson,
    "csv": _csv,
    "parquet": _parquet,
}
