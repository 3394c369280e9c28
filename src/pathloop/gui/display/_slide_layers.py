"""The layers of one slide: objects by task, tissue map, uncertainty map."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from pathloop.core import Rect, Scale, UsageError
from pathloop.gui._background import Background
from pathloop.gui.display._codes import Style
from pathloop.gui.display._copies import add_copy, area_to_copy
from pathloop.gui.display._id_levels import IdPyramid
from pathloop.gui.display._layer_stack import LayerStack
from pathloop.gui.display._map_layers import TISSUE, UNCERTAINTY, MapLayers, label_colormap
from pathloop.gui.display._modes import ColourBy
from pathloop.gui.display._palettes import LegendEntry
from pathloop.gui.display._refresh_queue import RefreshQueue
from pathloop.gui.display._task_layer import Drawing, Roots, TaskCodes
from pathloop.loop import ObjectFrame
from pathloop.rasters import LabelPyramid
from pathloop.store import TissueMap, UncertaintyMap

__all__ = ["Hit", "SlideLayers"]

NEAR = (1.6, 2.0)
"""Screen pixels a level-0 pixel: outlines grow thin above the second, wide below the first."""

_NAMES = {TISSUE: "tissue map"}


@dataclass(frozen=True, slots=True)
class Hit:
    """An object under a position: its task, id and row in the task's frame."""

    task: str
    id: int
    row: int


class SlideLayers:
    """Keeps a slide's layers up to date. Main thread only.

    Layers are read-only. One that the user deletes stays away until ``show_task``, ``show_tissue`` or
    ``show_uncertainty`` shows it again, or ``task_visible`` hides and shows it.

    Parameters
    ----------
    viewer
        The napari viewer or its model.
    background
        For refreshing one layer after the other.
    name
        Name of the slide's image layer; layers are called "<name> - nuclei" and the like.
    shape
        (height, width) of level 0.
    scale
        um per px of level 0; None where it is not known.
    """

    legend_changed = Signal(str)
    """A task, "tissue" or "uncertainty": ask `legend` again."""

    def __init__(
        self, viewer: Any, background: Background, name: str, shape: tuple[int, int], scale: Scale | None
    ) -> None:
        self._viewer = viewer
        self._name, self._shape, self._scale = name, shape, scale
        self._stack = LayerStack(viewer, name, scale)
        self._tasks: dict[str, TaskCodes] = {}
        self._drawing = Drawing()
        self._opacities: dict[str, float] = {}
        self._maps = MapLayers(self._stack, self._options)
        self._queue = RefreshQueue(background, self._refresh)
        viewer.scene.camera.events.center.connect(self._queue.view_moved)
        viewer.scene.camera.events.zoom.connect(self._on_zoom)
        self._on_zoom()

    # objects

    def show_task(
        self, task: str, pyramid: IdPyramid | LabelPyramid | None, frame: ObjectFrame, roots: Roots | None = None
    ) -> None:
        """Show the objects of a task.

        Parameters
        ----------
        task
            ``nuclei``, ``gland``, ``lumen``, ...
        pyramid
            Its ids. An `IdPyramid` may change later; say so with `tiles_arrived`.
        frame
            Its objects; ids that it does not hold are not drawn.
        roots
            (M,) ids of parts, ascending, and the ids of the objects in ``frame`` that they belong to.
        """
        ids = pyramid if isinstance(pyramid, IdPyramid) else IdPyramid(self._shape, pyramid)
        own = self._tasks.get(task)
        if own is None:
            own = self._tasks[task] = TaskCodes(task, ids)
            own.draw(self._drawing)
        else:
            own.codes.set_ids(ids)
        self.update_frame(task, frame, roots)
        if task not in self._stack:
            self._add_task(task)

    def update_frame(self, task: str, frame: ObjectFrame, roots: Roots | None = None) -> None:
        """Colour by other objects of a task that is shown already; see `show_task`."""
        own = self._tasks.get(task)
        if own is None:
            return
        recolor = own.classes != frame.classes
        own.set_frame(frame, roots)
        if recolor and task in self._stack:
            self._stack[task].colormap = label_colormap(own.colors())
        self._changed(task)

    def tiles_arrived(self, task: str, rects: Sequence[Rect]) -> None:
        """Read level-0 rectangles again, soon: their ids have changed."""
        if task in self._tasks:
            if rects:
                self._tasks[task].codes.ids.invalidate(rects)
            self._queue.add(task)

    def selected(self, task: str, ids: Iterable[int] | NDArray[Any]) -> None:
        """Highlight these objects of a task, and no others of it."""
        if task in self._tasks and self._tasks[task].select(ids):
            self._queue.add(task)

    def at(self, y: float, x: float) -> Hit | None:
        """The topmost visible object at a level-0 position (pixel centres at whole numbers)."""
        for task in self._stack.from_top():
            own = self._tasks.get(task)
            if own is None or not self._stack.visible(task):
                continue
            row = own.row_at(y, x, int(self._stack[task].data_level))
            if row >= 0:
                return Hit(task, int(own.frame.instances.ids[row]), row)
        return None

    def legend(self, task: str) -> list[LegendEntry]:
        """What the colours of a task, "tissue" or "uncertainty" mean; empty where they mean nothing."""
        if task in (TISSUE, UNCERTAINTY):
            return self._maps.legend(task)
        return self._tasks[task].legend if task in self._tasks else []

    # how things are drawn

    def colour_by(self, by: ColourBy) -> None:
        """Colour objects of all tasks by ``class``, ``instance``, ``confidence``, ``area`` or ``review``."""
        self._draw(replace(self._drawing, by=by))

    def style(self, style: Style) -> None:
        """Draw objects as ``fill`` (translucent, with edges where they are large enough) or ``outline``."""
        self._draw(replace(self._drawing, style=style))

    def patterns(self, *, on: bool) -> None:
        """Hatch filled objects by class."""
        self._draw(replace(self._drawing, patterns=on))

    def hide_class(self, task: str, code: int, *, hidden: bool) -> None:
        """Leave out a class of a task or of "tissue" by its code in the legend of classes."""
        if task == TISSUE:
            if self._maps.hide_tissue(code, hidden=hidden):
                self.legend_changed.emit(TISSUE)
        elif task in self._tasks and self._tasks[task].hide(code, hidden=hidden):
            self._changed(task)

    def opacity(self, task: str, opacity: float) -> None:
        """Opacity of a task's or map's layer, 0..1."""
        self._opacities[task] = opacity
        if task in self._stack and self._stack[task].opacity != opacity:
            self._stack[task].opacity = opacity

    def task_visible(self, task: str, *, visible: bool) -> None:
        """Show or hide the layer of a task or map; hiding and showing brings back one that the user has deleted."""
        self._stack.ask(task, visible=visible)
        if visible and task not in self._stack and not self._stack.is_deleted(task):
            if task in self._tasks:
                self._add_task(task)
            else:
                self._maps.bring_back(task)

    def hide_task(self, task: str, *, hidden: bool) -> None:
        """Hide the layer of a task while another layer stands for it."""
        self._stack.cover(task, covered=hidden)

    def is_visible(self, task: str) -> bool:
        """Whether the layer of a task or map is there and shown, but for `peek` and `set_visible`."""
        return self._stack.visible(task)

    def peek(self, *, on: bool, reason: str = "peek") -> None:
        """Hide all layers to see what lies below, and show again those that were visible when no reason is left."""
        self._stack.hide_all(reason, hidden=on)

    def set_visible(self, *, visible: bool) -> None:
        """Hide all layers while another slide is looked at, and show again those that were visible."""
        self._stack.hide_all("other slide", hidden=not visible)

    def set_scale(self, scale: Scale | None) -> None:
        """Take another um per px."""
        self._scale = scale
        self._stack.set_scale(scale)
        self._on_zoom()

    def show_tissue(self, tissue: TissueMap | None) -> None:
        """Show a tissue map in the place of the one before; None: none."""
        self._maps.show_tissue(tissue)
        self.legend_changed.emit(TISSUE)

    def show_uncertainty(self, uncertainty: UncertaintyMap | None) -> None:
        """Show an uncertainty map in the place of the one before; None: none."""
        self._maps.show_uncertainty(uncertainty)
        self.legend_changed.emit(UNCERTAINTY)

    def read_ids(self, task: str, rect: Rect | None = None) -> NDArray[np.int32]:
        """Ids of a task in a level-0 rectangle (None: the whole slide), cut to the slide; right from any thread.

        Raises
        ------
        UsageError
            If the task is not shown, or the area is empty or larger than 16,384 px a side.
        """
        own = self._tasks.get(task)
        if own is None:
            raise UsageError(f"no {task} to copy: segment the slide first")
        return own.rooted(own.codes.ids.read(area_to_copy(rect, self._shape)))

    def copy_to_labels(self, task: str, rect: Rect | None = None, ids: NDArray[np.int32] | None = None) -> Any:
        """Add an ordinary, editable labels layer with the ids of a task; changes in it change nothing else.

        Parameters
        ----------
        task
            What to copy.
        rect
            Level-0 pixels; None: the whole slide.
        ids
            What `read_ids` gave for the same area, where that was read in a thread; None: read here.

        Gives the napari layer; raises UsageError as `read_ids` does.
        """
        area = area_to_copy(rect, self._shape)
        pixels = self.read_ids(task, area) if ids is None else ids
        return add_copy(self._viewer, f"{self._name} - {task} copy", pixels, area, self._scale)

    def remove(self) -> None:
        """Take all layers away; copies stay."""
        self._viewer.scene.camera.events.center.disconnect(self._queue.view_moved)
        self._viewer.scene.camera.events.zoom.disconnect(self._on_zoom)
        self._queue.close()
        self._stack.close()
        self._tasks.clear()

    # inside

    def _options(self, key: str) -> dict[str, Any]:
        return {
            "name": f"{self._name} - {_NAMES.get(key, key)}",
            "metadata": {"pathloop": {"slide": self._name, "task": key}},
            "opacity": self._opacities.get(key, 1.0),
            "blending": "translucent",
        }

    def _add_task(self, task: str) -> None:
        from napari.layers import Labels

        own = self._tasks[task]
        layer = Labels(own.codes.levels, multiscale=True, colormap=label_colormap(own.colors()), **self._options(task))
        self._stack.put(task, layer)

    def _draw(self, drawing: Drawing) -> None:
        if drawing == self._drawing:
            return
        recoloured = drawing.by != self._drawing.by
        self._drawing = drawing
        for task, own in self._tasks.items():
            own.draw(drawing)
            self._queue.add(task)
            if recoloured:
                self.legend_changed.emit(task)

    def _on_zoom(self, event: Any = None) -> None:
        um_per_px = 1.0 if self._scale is None else self._scale.um_per_px
        magnified = self._viewer.scene.camera.zoom * um_per_px
        near = magnified > (NEAR[0] if self._drawing.near else NEAR[1])
        self._draw(replace(self._drawing, near=near))

    def _changed(self, task: str) -> None:
        self._queue.add(task)
        self.legend_changed.emit(task)

    def _refresh(self, task: str) -> None:
        self._tasks[task].codes.update_tiny()
        if task in self._stack:
            self._stack[task].refresh(extent=False)
