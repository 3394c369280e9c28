"""What a window knows of one slide: its objects and maps, landed and provisional, and the layers that show them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pathloop.core import ClassSpec, Rect, Scale
from pathloop.gui._background import Background
from pathloop.gui._joined_frame import Roots, joined_frame
from pathloop.gui._slide_content import SlideContent
from pathloop.gui._warm import before_labels
from pathloop.gui.display import IdPyramid, SlideLayers
from pathloop.loop import (
    ObjectFrame,
    Preview,
    PreviewPart,
    changed_frame,
)
from pathloop.rasters import LabelPyramid
from pathloop.store import Change, ObjectChange, RunRecord, TissueMap, UncertaintyMap

__all__ = ["SlideDesk"]


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
        self._edits: dict[str, list[ObjectChange]] = {}
        self._classes: dict[str, tuple[ClassSpec, ...]] = {}
        self._reading = 0
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
        self._edits, self._classes = {}, {}
        self._reading += 1
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

    def apply(
        self, change: Change, pyramids: dict[str, LabelPyramid], classes: dict[str, tuple[ClassSpec, ...]]
    ) -> None:
        """Show a correction: rows at once, pixels when `SlideLayers.tiles_arrived` says that they are written.

        Parameters
        ----------
        change
            What the journal says.
        pyramids
            Labels of the tasks that it changes.
        classes
            Classes of these tasks, new ones among them.
        """
        if self._removed:
            return
        self._classes.update(classes)
        for task in change.tasks:
            self._landed.setdefault(task, ObjectFrame.empty(task, scale=self._scale))
            self._edits.setdefault(task, []).extend(one for one in change.objects if one.task == task)
            if task not in self._pyramids and task in pyramids:
                self._pyramids[task] = pyramids[task]
                self._ids.pop(task, None)
            self._arrived.setdefault(task, [])
            self._join(task)

    def set_tissue(self, tissue: TissueMap | None) -> None:
        """Show another tissue map."""
        self.tissue = tissue
        self.layers.show_tissue(tissue)

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
        rects, edits, reading = self._arrived.pop(task, []), list(self._edits.get(task, ())), self._reading
        base = self._landed.get(task) or ObjectFrame.empty(task, scale=self._scale)
        classes = self._classes.get(task, base.classes)
        mine = [each for each in self._provisional.values() if task in each.preview.tasks]
        parts = [each.of(task) for each in mine]
        own = next((each.preview.classes[task] for each in mine), ())

        def failed(error: Exception) -> None:
            self._joining.discard(task)
            raise error

        def work() -> tuple[ObjectFrame, ObjectFrame, Roots]:
            before_labels()
            landed = changed_frame(base, edits, classes)
            return landed, *joined_frame(landed, parts, own)

        def show(result: tuple[ObjectFrame, ObjectFrame, Roots]) -> None:
            if reading != self._reading:  # everything was read anew meanwhile
                self._joining.discard(task)
                self._join(task)
                return
            if edits:
                self._landed[task] = result[0]
                del self._edits[task][: len(edits)]
            self._show(task, *result[1:], rects)

        self._background.run(work, show, failed)

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
