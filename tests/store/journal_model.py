"""What a project should hold after a person's corrections, worked out in plain pictures and dictionaries."""

import copy
from dataclasses import dataclass, field

import numpy as np
from drawn_objects import measure
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.store import Project

SHAPE = (700, 620)
WHOLE = Rect(0, 0, *SHAPE)
TASKS = ("nuclei", "gland")
CELL_PX = 100.0


@dataclass(frozen=True)
class Said:
    """What is said of an object beside its pixels."""

    class_code: int
    state: str = "predicted"
    locked: bool = False
    is_predicted: bool = False


@dataclass
class Area:
    """A region."""

    rect: Rect
    states: dict[str, str]


@dataclass
class State:
    """All that undo brings back."""

    labels: dict[str, NDArray[np.int32]] = field(
        default_factory=lambda: {task: np.zeros(SHAPE, np.int32) for task in TASKS}
    )
    objects: dict[tuple[str, int], Said] = field(default_factory=dict)
    flags: dict[tuple[str, int], str] = field(default_factory=dict)
    cells: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)
    regions: dict[int, Area] = field(default_factory=dict)
    graves: list[tuple[str, int, NDArray[np.bool_]]] = field(default_factory=list)

    def copy(self) -> "State":
        return copy.deepcopy(self)

    def ids(self, task: str) -> list[int]:
        return sorted(number for name, number in self.objects if name == task)

    def mask(self, task: str, number: int) -> NDArray[np.bool_]:
        return self.labels[task] == number

    def forget(self, task: str, number: int, mask: NDArray[np.bool_]) -> None:
        """An object is gone, by a person's hand."""
        if self.objects.pop((task, number)).is_predicted:
            self.graves.append((task, number, mask))
        self.flags.pop((task, number), None)

    def paint(self, task: str, rect: Rect, number: int) -> set[int]:
        """Fill a rectangle with an id; ids whose pixels changed."""
        window = self.labels[task][rect.slices]
        before = self.labels[task].copy()
        touched = set(np.unique(window[window != number]).tolist())
        if not touched:
            return set()
        window[:] = number
        touched = {one for one in touched | {number} if one}
        for one in touched:
            known = self.objects.get((task, one))
            if not self.mask(task, one).any():
                self.forget(task, one, before == one)
            else:
                code, was = (known.class_code, known) if known else (1, Said(1))
                self.objects[task, one] = Said(code, "edited", was.locked, was.is_predicted)
        return touched

    def delete(self, task: str, numbers: list[int]) -> None:
        for number in numbers:
            mask = self.mask(task, number)
            self.forget(task, number, mask)
            self.labels[task][mask] = 0

    def land(self, task: str, area: Rect, masks: dict[int, NDArray[np.bool_]]) -> None:
        """Predictions come into an area."""
        labels = self.labels[task]
        done = np.zeros(SHAPE, np.bool_)
        for region in self.regions.values():
            if region.states.get(task) == "done":
                done[region.rect.slices] = True
        for number in self.ids(task):
            mask, said = self.mask(task, number), self.objects[task, number]
            ys, xs = np.nonzero(mask)
            inside = area.y <= ys.min() and ys.max() < area.bottom and area.x <= xs.min() and xs.max() < area.right
            spoken_of = said.state != "predicted" or said.locked or (task, number) in self.flags
            if inside and not spoken_of and not (mask & done).any():
                labels[mask] = 0
                del self.objects[task, number]
        graves = [mask for name, number, mask in self.graves if name == task and (task, number) not in self.objects]
        grave = np.any(graves, axis=0) if graves else np.zeros(SHAPE, np.bool_)
        blocked = (labels > 0) | done
        for number, mask in masks.items():
            n = mask.sum()
            if (mask & blocked).sum() * 2 <= n and (mask & grave).sum() * 2 <= n:
                labels[mask & ~blocked] = number
                self.objects[task, number] = Said(number % 4, is_predicted=True)

    def accept(self, number: int) -> bool:
        region = self.regions[number]
        changed = any(state != "done" for state in region.states.values())
        for task in region.states:
            for one in self.ids(task) if task in TASKS else ():
                ys, xs = np.nonzero(self.mask(task, one))
                y, x, said = ys.mean() + 0.5, xs.mean() + 0.5, self.objects[task, one]
                rect = region.rect
                inside = rect.y <= y < rect.bottom and rect.x <= x < rect.right
                if inside and said.state != "accepted" and not said.locked:
                    self.objects[task, one] = Said(said.class_code, "accepted", said.locked, said.is_predicted)
                    changed = True
            for (row, col), (name, state) in self.cells.items() if task == "tissue" else ():
                y, x = (row + 0.5) * CELL_PX, (col + 0.5) * CELL_PX
                rect = region.rect
                if rect.y <= y < rect.bottom and rect.x <= x < rect.right and state != "accepted":
                    self.cells[row, col] = (name, "accepted")
                    changed = True
        region.states = dict.fromkeys(region.states, "done")
        return changed


def assert_holds(project: Project, state: State, *, looks_at_pyramid: bool) -> None:
    """The project says what the model says; rows are what an independent measurement of the pixels gives."""
    for task in TASKS:
        labels = state.labels[task]
        np.testing.assert_array_equal(project.read_labels("s", task, WHOLE), labels)
        truth, table = measure(labels), project.objects("s", task)
        for name in ("ids", "boxes", "areas_px"):
            np.testing.assert_array_equal(getattr(table, name), getattr(truth, name))
        np.testing.assert_allclose(table.centroids, truth.centroids, rtol=0, atol=1e-6)
        near = project.objects("s", task, area=Rect(200, 200, 200, 200))
        meets = (truth.boxes[:, :2] < 400).all(axis=1) & (truth.boxes[:, 2:] > 200).all(axis=1)
        np.testing.assert_array_equal(near.ids, truth.ids[meets])
        rows = project.object_rows("s", task, truth.ids.tolist())
        found = {
            (task, number): Said(row.class_code, row.state, row.locked, row.run is not None)
            for number, row in rows.items()
        }
        assert found == {key: said for key, said in state.objects.items() if key[0] == task}
        if looks_at_pyramid and project.has_labels("s", task):
            pyramid = project.labels("s", task)
            for level, factor in zip(pyramid.levels, pyramid.factors, strict=True):
                np.testing.assert_array_equal(level[:], labels[::factor, ::factor])
    assert {(flag.task, flag.id): flag.comment for flag in project.flags("s")} == state.flags
    cells = {place: (cell.class_name, cell.state) for place, cell in project.tissue_cells("s").items()}
    assert cells == state.cells
    assert {region.id: (region.rect, region.states) for region in project.regions("s")} == {
        number: (area.rect, area.states) for number, area in state.regions.items()
    }
