"""What a window knows of one slide: its objects and maps, landed and provisional, and the layers that show them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, Instances, ProjectError, Rect, Scale
from pathloop.gui._background import Background
from pathloop.gui._warm import before_labels
from pathloop.gui.display import IdPyramid, SlideLayers
from pathloop.loop import (
    ObjectFrame,
    Preview,
    PreviewPart,
    inside,
    merged,
    read_frame,
    read_preview,
    unfinished_runs,
)
from pathloop.rasters import LabelPyramid
from pathloop.store import Project, RunRecord, TissueMap, UncertaintyMap

Roots = tuple[NDArray[np.int64], NDArray[np.int64]]

__all__ = ["SlideContent", "SlideDesk", "find_content", "joined_frame", "read_content"]


@dataclass(frozen=True, slots=True)
class SlideContent:
    """Everything that a project holds of a slide, read in one go.

    Parameters
    ----------
    frames, pyramids
        By task, landed objects and their labels.
    tissue, uncertainty
        Maps, None where there are none.
    unfinished
        Runs that were begun and not finished, but for those that newer results cover; the latest to work last.
    previews
        Their provisional objects: run folder, preview, and its parts by tile.
    """

    frames: dict[str, ObjectFrame]
    pyramids: dict[str, LabelPyramid]
    tissue: TissueMap | None
    uncertainty: UncertaintyMap | None
    unfinished: tuple[RunRecord, ...] = ()
    previews: tuple[tuple[Path, Preview, dict[tuple[int, int], dict[str, PreviewPart]]], ...] = ()

    @classmethod
    def nothing(cls) -> "SlideContent":
        """What a project holds that does not know the slide."""
        return cls({}, {}, None, None)


def read_content(project: Project, slide_id: str, *, previews: bool = True) -> SlideContent:
    """Read what a project holds of a slide; call it in the project's thread."""
    record = project.slide(slide_id)
    frames, pyramids = {}, {}
    for task in project.tasks(slide_id):
        frames[task] = read_frame(project, slide_id, task, scale=record.scale)
        try:
            pyramids[task] = project.labels(slide_id, task)
        except ProjectError:
            continue
    unfinished = tuple(unfinished_runs(project, slide_id))
    found = []
    for run in unfinished if previews else ():
        preview = Preview.open(run.folder)
        if preview is not None:
            found.append((run.folder, preview, read_preview(project, slide_id, preview)))
    return SlideContent(
        frames, pyramids, project.tissue(slide_id), project.uncertainty(slide_id), unfinished, tuple(found)
    )


def find_content(project: Project, fingerprint: str) -> tuple[str | None, SlideContent | None, Scale | None]:
    """Name, content and scale of the slide with a fingerprint; None of them where the project does not know it."""
    known = next((one for one in project.slides() if one.fingerprint == fingerprint), None)
    return (None, None, None) if known is None else (known.slide_id, read_content(project, known.slide_id), known.scale)


@dataclass
class _Provisional:
    """One unfinished run's objects, as far as they are there."""

    preview: Preview
    parts: dict[tuple[int, int], dict[str, PreviewPart]] = field(default_factory=dict)

    def of(self, task: str) -> list[PreviewPart]:
        """The tiles' parts of a task."""
        return [tile[task] for tile in self.parts.values() if task in tile]


class SlideDesk:
    """Holds a slide's frames and keeps its layers up to date. Main thread only; joining runs in the background.

    Parameters
    ----------
    layers
        Shows what is here.
    background
        Joins the objects of tiles.
    shape, scale
        Of level 0.
    on_changed
        Told the task whose frame has changed.
    """

    def __init__(
        self,
        layers: SlideLayers,
        background: Background,
        shape: tuple[int, int],
        scale: Scale | None,
        on_changed: Callable[[str], Any],
    ) -> None:
        self.layers = layers
        self.tissue: TissueMap | None = None
        self.uncertainty: UncertaintyMap | None = None
        self.unfinished: tuple[RunRecord, ...] = ()
        self._background = background
        self._shape, self._scale = shape, scale
        self._on_changed = on_changed
        self._landed: dict[str, ObjectFrame] = {}
        self._pyramids: dict[str, LabelPyramid] = {}
        self._provisional: dict[Path, _Provisional] = {}
        self._ids: dict[str, IdPyramid] = {}
        self._frames: dict[str, ObjectFrame] = {}
        self._arrived: dict[str, list[Rect]] = {}
        self._joining: set[str] = set()
        self._removed = False

    @property
    def tasks(self) -> tuple[str, ...]:
        """Object tasks that have anything to show, in the order in which they came."""
        found = dict.fromkeys(self._landed)
        for each in self._provisional.values():
            found |= dict.fromkeys(each.preview.tasks)
        return tuple(found)

    def frame(self, task: str) -> ObjectFrame:
        """Landed and provisional objects of a task; empty where there are none."""
        return self._frames.get(task) or ObjectFrame.empty(task, scale=self._scale)

    def set_content(self, content: SlideContent) -> None:
        """Take over what was read from the project, and show it."""
        if self._removed:
            return
        self._landed, self._pyramids = dict(content.frames), dict(content.pyramids)
        self.unfinished = content.unfinished
        self._provisional = {folder: _Provisional(preview, dict(parts)) for folder, preview, parts in content.previews}
        self.tissue, self.uncertainty = content.tissue, content.uncertainty
        for task in {*self.tasks, *self._ids}:
            self._ids.pop(task, None)
            self._arrived.setdefault(task, [])
            self._join(task)
        self.layers.show_tissue(self.tissue)
        self.layers.show_uncertainty(self.uncertainty)

    def add_tile(self, folder: Path, preview: Preview, place: tuple[int, int], parts: dict[str, PreviewPart]) -> None:
        """Show a tile that an unfinished run has just done."""
        own = self._provisional.setdefault(folder, _Provisional(preview))
        own.preview = preview
        own.parts[place] = parts
        for task, part in parts.items():
            self._arrived.setdefault(task, []).append(part.rect)
            self._join(task)

    def set_scale(self, scale: Scale) -> None:
        """Say how large the slide's pixels are."""
        self._scale = scale
        self.layers.set_scale(scale)

    def remove(self) -> None:
        """Take the layers away."""
        self._removed = True
        self.layers.remove()

    def _join(self, task: str) -> None:
        """Join what is there in a thread; tiles that come meanwhile wait for the next round."""
        if task in self._joining:
            return
        self._joining.add(task)
        rects = self._arrived.pop(task, [])
        landed = self._landed.get(task) or ObjectFrame.empty(task, scale=self._scale)
        mine = [each for each in self._provisional.values() if task in each.preview.tasks]
        parts = [each.of(task) for each in mine]
        own = next((each.preview.classes[task] for each in mine), ())

        def failed(error: Exception) -> None:
            self._joining.discard(task)
            raise error

        def work() -> tuple[ObjectFrame, Roots]:
            before_labels()
            return joined_frame(landed, parts, own)

        self._background.run(work, lambda result: self._show(task, *result, rects), failed)

    def _show(
        self,
        task: str,
        frame: ObjectFrame,
        roots: Roots,
        rects: Sequence[Rect],
    ) -> None:
        self._joining.discard(task)
        if self._removed:
            return
        self._frames[task] = frame
        previews = [
            (each.preview.pyramid(task), [rect for part in each.of(task) for rect in part.shown])
            for each in self._provisional.values()
            if task in each.preview.tasks
        ]
        if task in self._ids:
            self._ids[task].set_previews(previews)
            self.layers.update_frame(task, frame, roots)
            self.layers.tiles_arrived(task, rects)
        else:
            self._ids[task] = IdPyramid(self._shape, self._pyramids.get(task))
            self._ids[task].set_previews(previews)
            self.layers.show_task(task, self._ids[task], frame, roots)
        self._on_changed(task)
        if task in self._arrived:
            self._join(task)


def joined_frame(
    landed: ObjectFrame, runs: Sequence[Sequence[PreviewPart]], own: tuple[ClassSpec, ...]
) -> tuple[ObjectFrame, Roots]:
    """Landed objects, with those of finished tiles in the place of what lay there.

    Parameters
    ----------
    landed
        What the project holds.
    runs
        Finished tiles by unfinished run.
    own
        Classes of the tiles' class codes.

    Returns
    -------
    tuple
        The frame; and ids and roots, (M,) int64 each, ids ascending, of parts that belong to another part's row.
    """
    found = [merged(parts) for parts in runs if parts]
    if not found:
        return landed, (np.zeros(0, np.int64), np.zeros(0, np.int64))
    instances = Instances.concatenate([each for each, _ in found])
    pairs = np.concatenate([roots for _, roots in found])
    pairs = pairs[np.argsort(pairs[:, 0])]
    classes = landed.classes or own
    rects = [rect for parts in runs for part in parts for rect in part.shown]
    kept = landed.take(~inside(landed.instances.centroids, rects))
    together = Instances.concatenate([kept.instances, _coded(instances, own, classes)])
    n = len(instances)
    states = np.concatenate([kept.states, np.zeros(n, np.uint8)])
    locked = np.concatenate([kept.locked, np.zeros(n, np.bool_)])
    order = np.argsort(together.ids, kind="stable")
    frame = ObjectFrame(landed.task, together.take(order), states[order], locked[order], classes, landed.scale)
    return frame, (pairs[:, 0], pairs[:, 1])


def _coded(instances: Instances, own: Sequence[ClassSpec], wanted: Sequence[ClassSpec]) -> Instances:
    """The same objects with the class codes of another list of classes, by name; unknown names become 0."""
    place = {spec.name: code for code, spec in enumerate(wanted, 1)}
    lookup = np.array([0, *(place.get(spec.name, 0) for spec in own)], np.int16)
    codes = np.minimum(instances.class_codes, len(own))
    values: dict[str, Any] = {name: getattr(instances, name) for name in Instances.__dataclass_fields__}
    return Instances(**values | {"class_codes": lookup[codes]})
