"""Projects whose difficulty is known: squares of objects and maps put where a test wants them.

A pixel is 4 um, so that a region is 125 px a side and the label pyramids are looked at in full.
"""

import contextlib
from pathlib import Path

import numpy as np
from scipy import ndimage

from pathloop.core import ClassSpec, Instances, JobFinished, Rect
from pathloop.loop.queue import RankRequest, rank
from pathloop.store import Change, Project, Region, RegionChange, TissueMap, UncertaintyMap

UM_PER_PX = 4.0
STEP = 125
SHAPE = (700, 750)
"""Six rows, the last one cut to 75 px, of six regions."""
KEY = "k" * 64
MAP_CELL = 5.0

HARD, HARDER, HARDEST = (1, 1), (3, 2), (2, 4)
"""(row, col) of regions whose tissue is unsure to 20, 40 and 60 %."""
UNSURE = {HARD: 0.2, HARDER: 0.4, HARDEST: 0.6}
GLASS = (0, 3)
THIN = (4, 5)
"""A region of which 8 % is tissue."""


def make(path: Path, **changes) -> Path:
    """A project with one slide, "a"."""
    with Project.create(path) as project:
        add(project, "a", **changes)
    return path


def add(project, name, *, unsure=UNSURE, objects=(), shape=SHAPE, with_maps=True, fingerprint=None):
    """Add a slide and what a run left of it.

    ``objects``: (task, box, confidence, class probability), boxes (top, left, bottom, right).
    """
    slide_id = project.add_slide(
        Path(f"/nowhere/{name}.tif"),
        fingerprint=fingerprint or name,
        shape=shape,
        um_per_px_y=UM_PER_PX,
        um_per_px_x=UM_PER_PX,
        reader="tiff",
    ).slide_id
    tasks = ("nuclei", "gland", "lumen")
    project.begin_run(slide_id, KEY, {"model": "unknown", "model_checksum": "0"}, tasks=tasks)
    for task in tasks:
        _fill(project, slide_id, task, [one[1:] for one in objects if one[0] == task], shape)
    if with_maps:
        project.write_uncertainty(slide_id, unsure_map(unsure, shape))
        project.write_tissue(slide_id, tissue_map(shape))
    project.finish_run(slide_id, KEY)
    return slide_id


def _fill(project, slide_id, task, objects, shape):
    project.register_classes(task, [ClassSpec(name="one", color=(1, 2, 3)), ClassSpec(name="two", color=(4, 5, 6))])
    labels = np.zeros(shape, np.int32)
    for number, (box, *_) in enumerate(objects, start=1):
        labels[box[0] : box[2], box[1] : box[3]] = number
    there = np.unique(labels[labels > 0])
    whole = Rect(0, 0, *shape)
    with project.replace_predicted(slide_id, task, run_key=KEY, area=whole) as replacement:
        replacement.write(whole, labels)
        instances = Instances(
            ids=there.astype(np.int64),
            boxes=np.array([objects[one - 1][0] for one in there], np.int64).reshape(-1, 4),
            centroids=np.array(ndimage.center_of_mass(labels > 0, labels, there), np.float64).reshape(-1, 2),
            areas_px=np.bincount(labels.ravel(), minlength=1)[there].astype(np.int64),
            confidences=np.array([objects[one - 1][1] for one in there], np.float32),
            class_codes=np.ones(len(there), np.int16),
            class_probabilities=np.array([objects[one - 1][2] for one in there], np.float32),
        )
        replacement.commit(instances)


def unsure_map(unsure, shape=SHAPE):
    """Cells of 5 px; in each region the given share of them, from the top, is as unsure as two classes alike."""
    rows, cols = (int(-(-side // MAP_CELL)) for side in shape)
    values = np.full((rows, cols), 30, np.uint8)
    side = int(STEP / MAP_CELL)
    for (row, col), share in unsure.items():
        values[row * side : row * side + round(share * side), col * side : (col + 1) * side] = 160
    return UncertaintyMap(values, "entropy", (MAP_CELL, MAP_CELL), (0.0, 0.0), KEY)


def tissue_map(shape=SHAPE):
    """All stroma, but for one region of glass and one with a strip of tissue."""
    rows, cols = (int(-(-side // MAP_CELL)) for side in shape)
    codes = np.full((rows, cols), 2, np.uint8)
    side = int(STEP / MAP_CELL)
    for row, col in (GLASS, THIN):
        codes[row * side : (row + 1) * side, col * side : (col + 1) * side] = 1
    codes[THIN[0] * side : THIN[0] * side + 2, THIN[1] * side : (THIN[1] + 1) * side] = 2
    names, colors = ("background", "stroma"), ((255, 255, 255), (200, 100, 100))
    return TissueMap(codes, names, colors, (MAP_CELL, MAP_CELL), (0.0, 0.0), KEY)


def place(row, col):
    """A region's rectangle."""
    return Rect(row * STEP, col * STEP, STEP, STEP).intersect(Rect(0, 0, *SHAPE))


def box(row, col, y, x, height, width):
    """A box inside a region."""
    return row * STEP + y, col * STEP + x, row * STEP + y + height, col * STEP + x + width


def ranked(path, **changes):
    """The events of a ranking, and its summary."""
    events = list(rank(RankRequest(path, **changes)))
    assert isinstance(events[-1], JobFinished)
    return events, events[-1].summary


def regions(path, slide_id=None):
    """What is stored."""
    with Project.open(path, write=False) as project:
        return project.regions(slide_id)


def change(path, region, **changes):
    """Store a region with other values; ``region`` None adds one."""
    from dataclasses import replace

    with Project.open(path, write=True) as project:
        number = region.id if region is not None else project.new_region_id()
        after = Region(id=number, **changes) if region is None else replace(region, **changes)
        edit = Change(regions=(RegionChange(number, region, after),))
        project.commit(after.slide_id, edit, tool="test", summary="test")
    return after


@contextlib.contextmanager
def held(path):
    """The project is open for writing elsewhere."""
    with Project.open(path, write=True) as project:
        yield project
