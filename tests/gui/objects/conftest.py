"""A session without a viewer or a slide file, and frames of any size."""

from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import numpy as np
import pytest
from psygnal import Signal

from pathloop.core import ClassSpec, Instances, Rect, Scale
from pathloop.gui._background import InlineBackground
from pathloop.loop import FIRST_PREVIEW_ID, ObjectFrame

CLASSES = (
    ClassSpec(name="tumour", color=(213, 94, 0)),
    ClassSpec(name="immune", color=(0, 114, 178)),
    ClassSpec(name="stroma", color=(0, 158, 115)),
)
SIDE = 10_000


def make_frame(n=50, seed=0, *, task="nuclei", scale=0.5, provisional=0, classes=CLASSES):
    """Objects at random places; some have no class, some no class probability."""
    rng = np.random.default_rng(seed)
    ids = np.sort(rng.choice(np.arange(1, 3 * n + 1), n - provisional, replace=False)).astype(np.int64)
    ids = np.concatenate([ids, FIRST_PREVIEW_ID + 1 + np.arange(provisional)])
    top_left = rng.integers(0, SIDE - 100, (n, 2))
    sizes = rng.integers(4, 60, (n, 2))
    codes = rng.integers(0, len(classes) + 1, n).astype(np.int16)
    probabilities = rng.random(n).astype(np.float32)
    probabilities[(codes == 0) | (rng.random(n) < 0.1)] = np.nan
    instances = Instances(
        ids=ids,
        boxes=np.concatenate([top_left, top_left + sizes], axis=1).astype(np.int64),
        centroids=top_left + (sizes - 1) / 2,
        areas_px=(sizes.prod(axis=1) * 3 // 4).astype(np.int64),
        confidences=rng.random(n).round(2).astype(np.float32),
        class_codes=codes,
        class_probabilities=probabilities,
    )
    states = rng.integers(0, 3, n).astype(np.uint8)
    states[n - provisional :] = 0
    locked = rng.random(n) < 0.2
    return ObjectFrame(task, instances, states, locked, classes, None if scale is None else Scale.isotropic(scale))


class FakeProjects:
    uuid = UUID(int=7)

    def use(self, path, work, done=None, failed=None):
        result = work(SimpleNamespace(uuid=self.uuid, runs=lambda slide_id: [], flags=lambda slide_id: []))
        if done is not None:
            done(result)


class FakeJournal:
    committed = Signal(object, object)

    def submit(self, opened, work, *, done=None, failed=None):
        raise AssertionError("nothing is changed here")


class FakeSession:
    current_changed = Signal()
    scale_changed = Signal()
    objects_changed = Signal(str)
    maps_changed = Signal()
    project_changed = Signal()
    selection_changed = Signal(str, object, str)
    view_moved = Signal()

    def __init__(self, frames=(), folder=Path("nowhere"), background=None):
        self.viewer = SimpleNamespace(layers=SimpleNamespace(selection=SimpleNamespace(active=None)))
        self.background = background or InlineBackground()
        self.projects = FakeProjects()
        self.journal = FakeJournal()
        self.frames = {frame.task: frame for frame in frames}
        self.said, self.visited, self.selections = [], [], []
        self.view = Rect(0, 0, 1000, 1000)
        self.is_closed = False
        slide = SimpleNamespace(
            shape=(SIDE, SIDE),
            scale=Scale.isotropic(0.5),
            read_downsampled=lambda rect, downsample: np.full((*rect.shape, 3), 200, np.uint8),
        )
        layers = SimpleNamespace(read_ids=self.read_ids)
        self.current = SimpleNamespace(
            path=folder / "slide 1.svs",
            slide=slide,
            layer=None,
            slide_id="slide_1",
            project_path=folder / "slide 1.pathloop",
            is_writer=True,
            project_reason="",
            scale=slide.scale,
            desk=SimpleNamespace(layers=layers, tissue=None),
        )

    def read_ids(self, task, rect=None):
        """Objects are their boxes."""
        out = np.zeros(rect.shape, np.int32)
        found = self.frames[task].instances
        for number, box in zip(found.ids.tolist(), found.boxes.tolist(), strict=True):
            part = Rect.from_bounds(*box).intersect(rect)
            if part.area:
                out[part.relative_to(rect).slices] = number
        return out

    @property
    def tasks(self):
        return tuple(self.frames)

    def frame(self, task):
        return self.frames.get(task) or ObjectFrame.empty(task)

    def put(self, frame):
        self.frames[frame.task] = frame
        self.objects_changed.emit(frame.task)

    def select(self, task, ids, origin=""):
        self.selections.append((task, np.asarray(ids), origin))
        self.selection_changed.emit(task, ids, origin)

    def go_to(self, rect):
        self.visited.append(rect)

    def view_rect(self):
        return self.view

    def um_per_screen_px(self):
        return 0.5

    def is_busy(self):
        return False

    def close(self):
        self.is_closed = True

    def say(self, text, level="info"):
        self.said.append((text, level))


class FakeView:
    """Remembers what it was last told."""

    def __init__(self):
        self.tasks = self.current = self.classes = self.shown = self.sort = self.selected = None
        self.counts = self.empty = self.problem = self.region = self.copied = ""
        self.card = self.thumbnail = self.is_own = None
        self.n_rows_shown = 0
        self.busy = []

    def show_tasks(self, tasks, current):
        self.tasks, self.current = [choice.key for choice in tasks], current

    def show_classes(self, classes):
        self.classes = [choice.title for choice in classes]

    def show_rows(self, shown, sort, selected):
        self.shown, self.sort, self.selected = shown, sort, selected
        self.n_rows_shown += 1

    def show_selected(self, selected, *, is_own):
        self.selected, self.is_own = selected, is_own

    def show_counts(self, text, empty):
        self.counts, self.empty = text, empty

    def show_busy(self, *, busy):
        self.busy.append(busy)

    def show_filter_problem(self, text):
        self.problem = text

    def show_region(self, text, *, is_set):
        self.region = text

    def show_card(self, card):
        self.card = card

    def show_thumbnail(self, thumbnail):
        self.thumbnail = thumbnail

    def copy(self, text):
        self.copied = text


@pytest.fixture(scope="session")
def frame_of():
    return make_frame


@pytest.fixture
def session_of(tmp_path):
    return lambda *frames, **more: FakeSession(frames, tmp_path, **more)


@pytest.fixture
def view():
    return FakeView()
