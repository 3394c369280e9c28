"""Any labels layer as something to correct: its journal lies in a project of its own, with the user's settings."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, UsageError, config_folder
from pathloop.gui.correcting._reading import WindowRequest, read_window
from pathloop.gui.correcting._window import MAX_SIDE_PX, EditWindow
from pathloop.objects import Measurer
from pathloop.store import Project

__all__ = ["TASK", "PlainLayer", "can_correct", "open_plain"]

TASK = "objects"
NOMINAL_UM_PER_PX = 1.0
"""Pixels of a plain image have no size that anything here depends on."""


class _NoLayers:
    """A plain layer shows itself."""

    def tiles_arrived(self, task: str, rects: Any) -> None:
        """Nothing else is drawn."""

    def hide_task(self, task: str, *, hidden: bool) -> None:
        """Nothing else is drawn."""


class _NoDesk:
    """Stands where a slide has its desk."""

    def __init__(self) -> None:
        self.layers = _NoLayers()

    def apply(self, change: Any, pyramids: Any, classes: Any) -> None:
        """The window knows already."""

    def set_tissue(self, tissue: Any) -> None:
        """There is none."""


@dataclass(eq=False)
class PlainLayer:
    """A labels layer in the place of a slide.

    Parameters
    ----------
    layer
        The user's napari layer; its array is int32 from now on.
    project_path, slide_id
        Where its journal is.
    is_restored
        Whether corrections from before were found and are back.
    """

    layer: Any
    project_path: Path
    slide_id: str = "layer"
    is_restored: bool = False
    is_writer: bool = True
    project_reason: str = ""
    desk: _NoDesk = field(default_factory=_NoDesk)
    scale: None = None
    path: None = None

    @property
    def name(self) -> str:
        """What the user calls it."""
        return str(self.layer.name)


def can_correct(layer: Any) -> str:
    """Why a layer cannot be corrected as it is; "" if it can."""
    if layer is None or type(layer).__name__ != "Labels":
        return "choose a Labels layer in the list of layers"
    own = layer.metadata.get("pathloop") if isinstance(layer.metadata, dict) else None
    if own:
        return "this layer shows a slide: open a region of it"
    if layer.multiscale or layer.ndim != 2:
        return "only flat labels in one resolution can be corrected"
    if max(layer.data.shape) > MAX_SIDE_PX:
        return f"this layer is larger than {MAX_SIDE_PX:,} px: open its image as a slide, and correct regions of that"
    if not isinstance(layer.data, np.ndarray):
        return "only labels in memory (a numpy array) can be corrected"
    return ""


def own_copy(layer: Any) -> NDArray[np.int32]:
    """The layer's labels as int32; UsageError where ids do not fit."""
    data = np.asarray(layer.data)
    if data.size and (int(data.min()) < 0 or int(data.max()) >= 2**30):
        raise UsageError(f"{layer.name}: ids must lie in 0 .. {2**30 - 1}")
    return np.ascontiguousarray(data, np.int32).copy()


def place_of(name: str, labels: NDArray[np.int32]) -> Path:
    """The project of a layer with this content, whatever it is called now: its corrections are found again."""
    digest = hashlib.sha256(repr(labels.shape).encode() + labels.tobytes()).hexdigest()[:12]
    folder = config_folder() / "layers"
    known = sorted(folder.glob(f"*-{digest}.pathloop"))
    return known[0] if known else folder / f"{re.sub(r'[^A-Za-z0-9_-]+', '_', name)[:40]}-{digest}.pathloop"


def open_plain(project: Project, plain: PlainLayer, labels: NDArray[np.int32]) -> EditWindow:
    """Put a layer's labels into its new project, or read what was made of them; call it in the project's thread."""
    known = {slide.slide_id for slide in project.slides()}
    if plain.slide_id not in known:
        project.add_slide(
            Path(plain.slide_id),
            fingerprint=plain.project_path.stem,
            shape=(labels.shape[0], labels.shape[1]),
            um_per_px_y=NOMINAL_UM_PER_PX,
            um_per_px_x=NOMINAL_UM_PER_PX,
            reader="layer",
        )
    whole = Rect(0, 0, *labels.shape)
    key = hashlib.sha256(plain.project_path.stem.encode()).hexdigest()
    project.class_code(TASK, "object")
    if not project.has_labels(plain.slide_id, TASK):
        project.begin_run(plain.slide_id, key, {"model": plain.name}, tasks=[TASK])
        with project.replace_predicted(plain.slide_id, TASK, run_key=key, area=whole) as replacement:
            replacement.write(whole, labels)
            measurer = Measurer()
            measurer.add(labels, y=0, x=0)
            n = len(measurer.ids)
            found = measurer.instances(confidences=np.ones(n), class_codes=np.ones(n, np.int16))
            replacement.commit(found)
        project.finish_run(plain.slide_id, key, remove_folder=True)
    return read_window(project, WindowRequest(plain.slide_id, whole, whole, (TASK,)))
