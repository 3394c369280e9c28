"""Help from the network: the outline that its maps support at a click."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from psygnal import Signal

from pathloop.core import Event, Failed, MapsBlock, MapsDone, UsageError
from pathloop.gui.correcting._corrector import Corrector
from pathloop.gui.correcting._window import TaskWindow
from pathloop.gui.running import conductor_of
from pathloop.loop import MapsRequest, RegionMaps, join_maps, read_maps_block
from pathloop.networks import DEFAULT_MODEL, find_model, read_card
from pathloop.objects import editing
from pathloop.rasters import trace_outlines

__all__ = ["Assistant"]

STEP = 0.04
"""Of the threshold, a notch of the wheel."""
REACH_PX = 8
SURE = 0.5

Point = tuple[float, float]


class Assistant:
    """Has the network's maps of the window made, and turns clicks into outlines. Main thread only.

    Parameters
    ----------
    corrector
        Whose window.
    """

    changed = Signal()
    """What `reason` says may be another now."""

    def __init__(self, corrector: Corrector) -> None:
        self._corrector = corrector
        self._window: object = None
        self._blocks: list[RegionMaps] = []
        self._joined: RegionMaps | None = None
        self._job = 0
        self._folder: Path | None = None
        self._problem = ""
        self._seed: tuple[str, Point, float] | None = None
        self._proposal: editing.Proposal | None = None
        self._hears = False
        corrector.window_changed.connect(self._on_window)

    def reason(self) -> str:
        """Why the network cannot help yet; "" if it can."""
        if self._corrector.window is None:
            return "open a region first"
        if self._problem:
            return self._problem
        if self._of_task(self._corrector.task):
            return ""
        return "the network is looking at this region" if self._job else "the model does not know this task"

    def _of_task(self, task: str) -> RegionMaps | None:
        return self._joined if self._joined is not None and task in self._joined.tasks else None

    # the user

    def click(self, point: Point) -> None:
        """Propose the outline at a place; a click inside the one that is shown takes it.

        Raises
        ------
        UsageError
            If the maps are not there, or show nothing here.
        """
        if self._proposal is not None and self._is_inside(point):
            self.take()
            return
        self.drop()
        own = self._own()
        if own.at(*point):
            raise UsageError("this is an object already; click where one was missed")
        maps = self._maps_at(own, point)
        self._seed = own.task, point, editing.best_threshold(maps, point)
        self._propose()
        if self._proposal is None:
            self._seed = None
            raise UsageError(f"the network sees no {own.task} here: draw it with Lasso")

    def turn(self, delta: float) -> bool:
        """The wheel turned: a larger or smaller outline; whether there was one."""
        if self._seed is None:
            return False
        task, point, threshold = self._seed
        self._seed = task, point, float(np.clip(threshold - np.sign(delta) * STEP, 0.02, 0.98))
        before = self._proposal
        self._propose()
        if self._proposal is None:  # no smaller one is there
            self._proposal, self._seed = before, (task, point, threshold)
            self._draw()
        return True

    def take(self) -> None:
        """Make the previewed outline an object."""
        proposal, seed = self._proposal, self._seed
        if proposal is None or seed is None:
            raise UsageError("click a missed object first")
        self.drop()
        self._corrector.strokes.put(seed[0], proposal.patch, tool="find", summary="")

    def drop(self) -> None:
        """Show no outline any more."""
        self._proposal = self._seed = None
        self._draw()
        window = self._corrector.window
        for own in window.tasks.values() if window is not None else ():
            own.layer.mouse_zoom = True

    def snap(self, point: Point) -> None:
        """Move an object's outline to the edge that the network sees."""
        own = self._own()
        number = own.at(*point)
        if not number:
            raise UsageError("hold the mouse over the object to snap")
        if np.isin(number, own.spared):
            raise UsageError(f"{own.task} {number} is locked or reaches beyond this window")
        maps = self._maps_at(own, point)
        box = editing.object_box(own.labels, number, near=point)
        patch = editing.snap_to_maps(own.labels, number, maps, box=box, threshold=SURE, reach_px=REACH_PX)
        if not self._corrector.strokes.put(own.task, patch, tool="snap"):
            raise UsageError(f"{own.task} {number} follows the network's edge already")

    def close(self) -> None:
        """Forget the maps and delete their files."""
        self._forget()

    # proposals

    def _own(self) -> TaskWindow:
        own = self._corrector.current
        if own is None or self.reason():
            raise UsageError(self.reason() or "open a region first")
        return own

    def _maps_at(self, own: TaskWindow, point: Point) -> editing.Maps:
        y, x = point[0] + own.rect.y, point[1] + own.rect.x
        one = self._of_task(own.task)
        if one is not None and one.rect.y <= y < one.rect.bottom and one.rect.x <= x < one.rect.right:
            interior, boundary = one.tasks[own.task]
            origin = (one.origin[0] - own.rect.y, one.origin[1] - own.rect.x)
            return editing.Maps(interior, boundary, origin, one.step)
        raise UsageError("the network has not looked at this place yet")

    def _propose(self) -> None:
        assert self._seed is not None
        task, point, threshold = self._seed
        window = self._corrector.window
        if window is None:
            return
        own = window.tasks[task]
        self._proposal = editing.propose(own.labels, self._maps_at(own, point), point, threshold, own.new_id())
        self._draw()
        own.layer.mouse_zoom = self._proposal is None

    def _is_inside(self, point: Point) -> bool:
        assert self._proposal is not None
        patch = self._proposal.patch
        y, x = round(point[0]) - patch.rect.y, round(point[1]) - patch.rect.x
        inside = 0 <= y < patch.rect.height and 0 <= x < patch.rect.width
        own = self._corrector.current
        return inside and own is not None and bool(patch.labels[y, x] == own.new_id())

    def _draw(self) -> None:
        sketch = self._corrector.sketch
        if sketch is None:
            return
        if self._proposal is None or self._seed is None or self._corrector.window is None:
            sketch.clear()
            return
        patch, number = self._proposal.patch, self._corrector.window.tasks[self._seed[0]].new_id()
        outlines = trace_outlines(patch.labels == number)
        # edges lie half a pixel before centres
        shift = np.array([patch.rect.y, patch.rect.x]) - 0.5
        sketch.draw_all([part[0] + shift for _, outline in outlines for part in outline], closed=True)

    # maps

    def _on_window(self) -> None:
        window = self._corrector.window
        if window is self._window:
            if self._corrector.tool != "wand" and self._seed is not None:
                self.drop()
            self.changed.emit()
            return
        self._forget()
        self._window = window
        if window is not None:
            self._ask()
        self.changed.emit()

    def _ask(self) -> None:
        corrector, window = self._corrector, self._corrector.window
        opened, session = corrector.opened, corrector.session
        assert window is not None
        if opened is None or opened.path is None:
            self._problem = "the network helps on slides only"
            return
        folder = window.model or find_model(DEFAULT_MODEL)
        card = read_card(folder)
        tasks = tuple(task for task in window.tasks if task in card.labels)
        if not tasks:
            self._problem = f"the model {card.name} knows none of these tasks"
            return
        conductor = conductor_of(session)
        if not self._hears:
            conductor.listeners.append(self._hear)
            self._hears = True
        self._folder = Path(tempfile.mkdtemp(prefix="pathloop-maps-"))
        request = MapsRequest(
            slide=opened.path,
            um_per_px=opened.given_um_per_px,
            rect=window.rect,
            first=window.region,
            folder=self._folder,
            tasks=tasks,
            model=str(folder),
        )
        try:
            self._job = conductor.maps(request)
        except Exception as error:  # noqa: BLE001 - without the network everything else still works
            self._problem = str(error)

    def _hear(self, job: int, event: Event) -> bool:
        if not self._job or job != self._job:
            return False
        if isinstance(event, MapsBlock):
            self._read(Path(event.path))
        elif isinstance(event, Failed):
            self._problem = event.message
        elif isinstance(event, MapsDone):
            self._job = 0
        self.changed.emit()
        return True

    def _read(self, path: Path) -> None:
        window = self._window

        blocks = self._blocks

        def show(found: RegionMaps) -> None:
            if window is self._window:
                self._joined = found
                self.changed.emit()

        def read() -> RegionMaps:
            blocks.append(read_maps_block(path))
            return join_maps(blocks)  # what a seam cuts is whole

        self._corrector.session.background.run(read, show, lambda error: None)

    def _forget(self) -> None:
        self._proposal = self._seed = None
        self._blocks, self._joined, self._problem = [], None, ""
        conductor = self._corrector.session.conductor
        if self._job and conductor is not None:
            conductor.cancel_job(self._job)
        self._job = 0
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
