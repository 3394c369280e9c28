"""A label image of another tool as predictions."""

import hashlib
import json
from collections.abc import Generator, Iterator

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, DataError, Event, Instances, JobFinished, Rect, StageProgress, TileGrid, UsageError
from pathloop.loop._land import put_objects
from pathloop.loop.importing._label_files import LabelFile, content_hash, open_label_file
from pathloop.loop.importing._request import ImportRequest
from pathloop.objects import Measurer
from pathloop.store import Project, counted

__all__ = ["import_labels"]

BLOCK_PX = 2048
MASK_VALUE = 255


def import_labels(project: Project, slide_id: str, request: ImportRequest) -> Generator[Event]:
    """Make a label image the predictions of a task, as a run of a model with the file's name.

    Free predicted objects of the task in the image's area are replaced; what people have corrected, accepted or
    locked stays, as when a slide is segmented again. The same file a second time does nothing.

    Parameters
    ----------
    project
        Open for writing.
    slide_id
        The slide that the image shows.
    request
        The file, the task, and the part of the slide that it shows (None = all of it).

    Yields
    ------
    Event
        `StageProgress`, then `JobFinished`: its summary holds ``slide``, ``task``, ``words`` ("" if nothing was done)
        and ``objects``.

    Raises
    ------
    UsageError
        If no task is given.
    DataError
        If the image is none, is a mask, or has another size than the slide.
    """
    if request.task is None:
        raise UsageError(f"{request.path}: say what its objects are, for example with --task nuclei")
    whole = Rect(0, 0, *project.slide(slide_id).shape)
    region = whole if request.roi is None else request.roi
    if region.intersect(whole) != region or region.area == 0:
        raise UsageError(f"{region} does not lie inside slide {slide_id!r} ({whole.height} x {whole.width} px)")
    with open_label_file(request.path, request.task) as file:
        _check_size(file, slide_id, region)
        source = _Source(file, request.task, region)
        yield from source.collect(slide_id)
        n_objects = yield from _put(project, slide_id, source)
    words = f"{counted(request.task, n_objects)} of {request.path.name}" if n_objects is not None else ""
    summary = {"slide": slide_id, "task": request.task, "words": words, "objects": n_objects or 0}
    yield JobFinished(project.path, summary)


def _check_size(file: LabelFile, slide_id: str, region: Rect) -> None:
    if file.shape != region.shape:
        (height, width), (rows, cols) = file.shape, region.shape
        raise DataError(
            f"{file.path}: is {height} x {width} px, slide {slide_id!r} is {rows} x {cols} px here (height x width);"
            " give labels at level-0 size, or --roi Y X H W for the part that they show"
        )


def _put(project: Project, slide_id: str, source: "_Source") -> Generator[Event, None, int | None]:
    """Put the objects in; how many there are, or None where they were here already."""
    task, region, name = source.task, source.region, source.file.path.name
    identity = {"labels": content_hash(source.file.path), "task": task, "region": _bounds(region)}
    run_key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    known = [run for run in project.runs(slide_id) if run.run_key == run_key]
    if known and known[0].state == "finished" and known[0].areas.get(task) == region:
        return None
    if not project.classes(task):
        project.class_code(task, task)
    source.classes = project.classes(task)[:1]
    parameters = {
        "model": name,
        "kind": "labels",
        "file_sha256": identity["labels"],
        "tasks": [task],
        "region": _bounds(region),
        "tissue_mask": False,
        "tissue_map": False,
        "n_tiles": source.n_blocks,
    }
    run = project.begin_run(slide_id, run_key, parameters, tasks=[task])
    if run.areas.get(task) != region:  # else a kill came just before the end
        yield from put_objects(project, slide_id, source, run_key=run_key, region=region, name=name)
    run = project.finish_run(slide_id, run_key, remove_folder=True)
    found = project.objects(slide_id, task, area=region).ids
    return int(np.count_nonzero(found >= run.first_ids[task]))


def _bounds(region: Rect) -> list[int]:
    return [region.y, region.x, region.height, region.width]


class _Source:
    """The objects of a label image, as `put_objects` wants them: ids 1..n by ascending id of the file."""

    classes: tuple[ClassSpec, ...] = ()

    def __init__(self, file: LabelFile, task: str, region: Rect) -> None:
        self.file, self.task, self.region = file, task, region
        self._ids = np.zeros(0, np.int64)
        self._measurer = Measurer()

    def collect(self, slide_id: str) -> Iterator[StageProgress]:
        """Read the image once, to know its ids and that all of it can be read."""
        found = [self._ids]
        for done, block in enumerate(self._rects(), 1):
            found.append(np.unique(self._read(block)))
            yield StageProgress(slide_id, "reading labels", done, self.n_blocks)
        ids = np.unique(np.concatenate(found))
        self._ids = ids[ids > 0]
        if len(self._ids) == 0:
            raise DataError(f"{self.file.path}: holds no object, every pixel is 0")
        if len(self._ids) == 1 and self._ids[0] == MASK_VALUE:
            raise DataError(
                f"{self.file.path}: is a mask (0 and 255), not one number an object; number its objects first"
            )

    @property
    def n_blocks(self) -> int:
        """How many blocks there are."""
        return len(TileGrid(self.region, BLOCK_PX))

    def blocks(self) -> Iterator[tuple[Rect, NDArray[np.int32]]]:
        """Level-0 blocks that cover the region once, and their ids."""
        self._measurer = Measurer()
        for rect in self._rects():
            raw = self._read(rect)
            labels = np.where(raw > 0, np.searchsorted(self._ids, raw) + 1, 0).astype(np.int32)
            self._measurer.add(labels, y=rect.y, x=rect.x)
            yield rect, labels

    def instances(self) -> Instances:
        """The objects by ascending id; ask once all blocks have been taken."""
        n = len(self._measurer.ids)
        unknown = np.full(n, np.nan, np.float32)
        return self._measurer.instances(
            confidences=np.ones(n), class_codes=np.ones(n, np.int16), class_probabilities=unknown
        )

    def _rects(self) -> Iterator[Rect]:
        for tile in TileGrid(self.region, BLOCK_PX):
            yield tile.core

    def _read(self, rect: Rect) -> NDArray[np.int64]:
        return self.file.read(rect.relative_to(self.region))
