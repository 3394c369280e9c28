"""A view that remembers, and projects whose regions are worth a look."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "loop" / "queue"))

import planted

from pathloop.slides import open_slide
from pathloop.store import Change, Project, Region, RegionChange

SHAPE = planted.SHAPE
UM_PER_PX = planted.UM_PER_PX
OBJECTS = (
    ("gland", (20, 20, 60, 70), 0.9, 0.6),
    ("gland", (150, 150, 200, 210), 0.5, 0.6),
    ("nuclei", (30, 30, 36, 36), 0.9, 0.9),
    ("nuclei", (160, 160, 168, 168), 0.4, 0.55),
    ("lumen", (165, 172, 175, 182), 0.8, 0.9),
)


def make_project(path: Path, slide_path: Path) -> str:
    """A project that holds the slide with maps and objects, as a run leaves them; the slide's id."""
    with open_slide(slide_path, um_per_px=UM_PER_PX) as slide, Project.open_or_create(path) as project:
        return planted.add(project, "drawn", fingerprint=slide.fingerprint, shape=slide.shape, objects=OBJECTS)


def add_regions(path: Path, slide_id: str, *regions: Region) -> None:
    """Store regions as they are."""
    with Project.open(path, write=True) as project:
        change = Change(regions=tuple(RegionChange(one.id, None, one) for one in regions))
        project.commit(slide_id, change, tool="test", summary="test")


class View:
    """Remembers what it was shown last, and every note."""

    def __init__(self):
        self.rows, self.empty, self.current, self.counts, self.tasks = [], "", None, "", ()
        self.buttons, self.progress, self.notes, self.frames, self.pictures = {}, [], [], None, []
        self.n_rows_shown = 0

    def show_rows(self, rows, empty):
        self.rows, self.empty = list(rows), empty
        self.n_rows_shown += 1

    def show_current(self, key):
        self.current = key

    def show_picture(self, rect):
        self.pictures.append(rect)

    def show_counts(self, text):
        self.counts = text

    def show_buttons(self, buttons):
        self.buttons = dict(buttons)

    def show_tasks(self, tasks):
        self.tasks = tuple(tasks)

    def show_progress(self, share, text):
        self.progress.append((share, text))

    def show_note(self, text, details):
        self.notes.append((text, details))

    def show_frames(self, *, on):
        self.frames = on

    @property
    def note(self):
        """The last one."""
        return self.notes[-1][0]
