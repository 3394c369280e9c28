"""Any sequence of corrections, runs, undo, redo and reopening leaves what a plain model of it says."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from journal_model import CELL_PX, SHAPE, TASKS, WHOLE, Area, Said, State, assert_holds
from journal_replay import replay

from pathloop.core import ClassSpec, ProjectError, Rect
from pathloop.loop.correct import (
    accept_region,
    add_regions,
    change_region,
    delete_objects,
    paint,
    redo,
    remove_region,
    set_cells,
    set_flag,
    set_objects,
    undo,
)
from pathloop.store import PixelChange, Project, Region

tasks = st.sampled_from(TASKS)
picks = st.integers(0, 1000)
rects = st.builds(Rect, st.integers(0, 650), st.integers(0, 570), st.integers(1, 200), st.integers(1, 200)).map(
    lambda rect: rect.intersect(WHOLE)
)


areas = st.one_of(st.just(WHOLE), rects)
corner_sets = st.sets(st.tuples(st.integers(0, 17), st.integers(0, 15)), max_size=12)


class Corrections(RuleBasedStateMachine):
    """A project beside its model."""

    @initialize(has_runs=st.booleans())
    def begin(self, has_runs: bool) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.project = Project.create(self.folder / "p.pathloop")
        self.project.add_slide(
            Path("s.tif"), fingerprint="f", shape=SHAPE, um_per_px_y=0.5, um_per_px_x=0.5, reader="tiff"
        )
        for task in TASKS:
            self.project.register_classes(task, [ClassSpec(name=name, color=(1, 2, 3)) for name in "abc"])
        self.project.set_tissue_grid("s", (CELL_PX, CELL_PX), (0.0, 0.0))
        self.now, self.past, self.future = State(), list[State](), list[State]()
        self.has_runs, self.n_runs, self.used = has_runs, 0, {task: {0} for task in TASKS}
        self.lazily = False

    def teardown(self) -> None:
        if hasattr(self, "project"):
            self.project.close()
            shutil.rmtree(self.folder)

    def take(self, new: State, done: Any) -> None:
        """The project did something, or said that there was nothing to do."""
        if done is None:
            assert _plain(new) == _plain(self.now)
            return
        self.past.append(self.now)
        self.now, self.future = new, []

    def pick(self, task: str, number: int) -> int | None:
        ids = self.now.ids(task)
        return ids[number % len(ids)] if ids else None

    @rule(task=tasks, rect=rects, what=st.sampled_from(["new", "old", "nothing"]), number=picks)
    def paints(self, task: str, rect: Rect, what: str, number: int) -> None:
        own = self.pick(task, number) if what == "old" else 0
        if what == "new" or own is None:
            own = self.project.next_free_id("s", task)
            assert own not in self.used[task]
        before = self.project.read_labels("s", task, rect)
        patch = PixelChange(task, rect, before, np.full_like(before, own))
        new = self.now.copy()
        touched = new.paint(task, rect, own)
        if any(self.now.objects[task, one].locked for one in touched if (task, one) in self.now.objects):
            with pytest.raises(ProjectError, match="is locked; unlock it first"):
                paint(self.project, "s", [patch], tool="brush")
            return
        self.used[task].add(own)
        self.take(new, paint(self.project, "s", [patch], tool="brush"))

    @rule(task=tasks, numbers=st.lists(picks, min_size=1, max_size=4))
    def deletes(self, task: str, numbers: list[int]) -> None:
        ids = sorted({one for number in numbers if (one := self.pick(task, number)) is not None})
        free = [one for one in ids if not self.now.objects[task, one].locked]
        if ids and not free:
            with pytest.raises(ProjectError, match="locked; unlock first"):
                delete_objects(self.project, "s", task, ids)
            return
        new = self.now.copy()
        new.delete(task, free)
        self.take(new, delete_objects(self.project, "s", task, ids))

    @rule(
        task=tasks,
        number=picks,
        what=st.sampled_from(
            [{"state": "accepted"}, {"state": "predicted"}, {"locked": True}, {"locked": False}, {"class_code": 3}]
        ),
    )
    def says(self, task: str, number: int, what: dict[str, Any]) -> None:
        own = self.pick(task, number)
        if own is None:
            return
        said = self.now.objects[task, own]
        if said.locked and what != {"locked": False}:
            with pytest.raises(ProjectError, match="is locked"):
                set_objects(self.project, "s", task, [own], **what)
            return
        changed = dict(vars(said)) | what
        if changed["class_code"] != said.class_code:
            changed["state"] = "edited"
        new = self.now.copy()
        new.objects[task, own] = Said(**changed)
        self.take(new, set_objects(self.project, "s", task, [own], **what))

    @rule(task=tasks, number=picks, comment=st.sampled_from(["what?", "mitosis?", None]))
    def asks(self, task: str, number: int, comment: str | None) -> None:
        own = self.pick(task, number)
        if own is not None:
            new = self.now.copy()
            new.flags.pop((task, own), None)
            if comment is not None:
                new.flags[task, own] = comment
            self.take(new, set_flag(self.project, "s", task, own, comment))

    @rule(row=st.integers(0, 6), col=st.integers(0, 6), name=st.sampled_from(["tumour", "stroma", None]))
    def says_tissue(self, row: int, col: int, name: str | None) -> None:
        new = self.now.copy()
        new.cells.pop((row, col), None)
        if name is not None:
            new.cells[row, col] = (name, "edited")
        self.take(new, set_cells(self.project, "s", {(row, col): name}))

    @rule(rect=rects, done=st.booleans(), named=st.lists(st.sampled_from([*TASKS, "tissue"]), min_size=1, unique=True))
    def adds_region(self, rect: Rect, done: bool, named: list[str]) -> None:
        states = dict.fromkeys(named, "done" if done else "todo")
        committed, (region,) = add_regions(self.project, "s", [Region(0, "s", rect, states=states)])  # type: ignore[arg-type]
        new = self.now.copy()
        new.regions[region.id] = Area(rect, dict(states))
        self.take(new, committed)

    @precondition(lambda self: self.now.regions)
    @rule(number=picks, what=st.sampled_from(["accept", "remove", "begin"]))
    def reviews(self, number: int, what: str) -> None:
        own, new = sorted(self.now.regions)[number % len(self.now.regions)], self.now.copy()
        if what == "accept":
            new.accept(own)
            self.take(new, accept_region(self.project, own))
        elif what == "remove":
            del new.regions[own]
            self.take(new, remove_region(self.project, own))
        else:
            region = self.project.region(own)
            states = dict.fromkeys(region.states, "doing")
            new.regions[own].states = dict(states)
            changed = Region(region.id, "s", region.rect, states=states)  # type: ignore[arg-type]
            self.take(new, change_region(self.project, changed))

    @precondition(lambda self: self.has_runs)
    @rule(task=tasks, area=areas, corners=corner_sets)
    def predicts(self, task: str, area: Rect, corners: set[tuple[int, int]]) -> None:
        self.n_runs += 1
        key, squares = f"{self.n_runs:064d}", [Rect(37 * y, 38 * x, 33, 34) for y, x in sorted(corners)]
        squares = [one for one in squares if one.intersect(area) == one]
        self.project.begin_run("s", key, {"model": "m"}, tasks=[task])
        labels, new = np.zeros(SHAPE, np.int32), self.now.copy()
        with self.project.replace_predicted("s", task, run_key=key, area=area) as replacement:
            first = replacement.first_id
            assert first > max(self.used[task])
            for index, square in enumerate(squares):
                labels[square.slices] = first + index
            replacement.write(area, labels[area.slices])
            replacement.commit(_measured(labels))
        self.project.finish_run("s", key, remove_folder=True)
        self.used[task] |= set(self.project.objects("s", task).ids.tolist())
        new.land(task, area, {first + index: labels == first + index for index in range(len(squares))})
        self.take(new, "run")

    @rule()
    def undoes(self) -> None:
        done = undo(self.project, "s")
        assert (done is None) == (not self.past)
        if self.past:
            self.future.append(self.now)
            self.now = self.past.pop()

    @rule()
    def redoes(self) -> None:
        done = redo(self.project, "s")
        assert (done is None) == (not self.future)
        if self.future:
            self.past.append(self.now)
            self.now = self.future.pop()

    @rule(lazily=st.booleans())
    def reopens(self, lazily: bool) -> None:
        self.project.close()
        with Project.open(self.folder / "p.pathloop", write=False) as reader:
            assert_holds(reader, self.now, looks_at_pyramid=True)
        self.project = Project.open(self.folder / "p.pathloop", write=True)
        self.project.applies_at_once = not lazily
        self.lazily = lazily

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "project"):
            assert_holds(self.project, self.now, looks_at_pyramid=not self.lazily)
            if not self.has_runs:
                for task in TASKS:
                    np.testing.assert_array_equal(replay(self.project.path, "s", task, SHAPE), self.now.labels[task])


def _measured(labels: Any) -> Any:
    from drawn_objects import measure

    return measure(labels)


def _plain(state: State) -> Any:
    return (
        {task: labels.tobytes() for task, labels in state.labels.items()},
        state.objects,
        state.flags,
        state.cells,
        state.regions,
    )


TestCorrections = pytest.mark.slow(Corrections.TestCase)
TestCorrections.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)
