"""Projects of drawn objects, copies of them, and edits by script."""

import atexit
import shutil
import tempfile
from collections import namedtuple
from functools import cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from pathloop.core import ClassSpec, Instances, Rect
from pathloop.loop.correct import delete_objects, paint, set_objects
from pathloop.store import PixelChange, Project, TissueMap

SHAPE = (1300, 1400)
"""More than one block of 1,024 px each way."""
WHOLE = Rect(0, 0, *SHAPE)
CLASSES = tuple(ClassSpec(name=name, color=(10, 20, 30)) for name in ("tumour", "other"))
SQUARES = [(y, x) for y in range(40, 1200, 200) for x in range(40, 1300, 200)]
"""Corners of the objects that every copy begins with, 60 px wide; some lie across the border of two blocks."""
SIDE = 60

Copies = namedtuple("Copies", "mine theirs")
Pixels = namedtuple("Pixels", "n places")


def corner_labels(corners, side=SIDE):
    labels = np.zeros(SHAPE, np.int32)
    for number, (y, x) in enumerate(corners, 1):
        labels[y : y + side, x : x + side] = number
    return labels


def rows_of(labels):
    """Objects of a label image, by an independent library; odd ids are of the first class, even ones of the second."""
    ids = np.unique(labels[labels > 0]).astype(np.int64)
    found = ndimage.find_objects(labels)
    boxes = [[found[i - 1][0].start, found[i - 1][1].start, found[i - 1][0].stop, found[i - 1][1].stop] for i in ids]
    return Instances(
        ids=ids,
        boxes=np.array(boxes, np.int64).reshape(-1, 4),
        centroids=np.array(ndimage.center_of_mass(labels > 0, labels, ids), np.float64).reshape(-1, 2),
        areas_px=np.bincount(labels.ravel())[ids],
        confidences=np.full(len(ids), 0.75, np.float32),
        class_codes=np.where(ids % 2, 1, 2).astype(np.int16),
        class_probabilities=np.full(len(ids), 0.5, np.float32),
    )


def run_again(project, labels, key, *, task="gland", slide_id="s"):
    """Another run over the whole slide; its ids begin where the project's end."""
    whole = Rect(0, 0, *labels.shape)
    project.begin_run(slide_id, key * 64, {"model": f"drawn-{key}"}, tasks=[task])
    with project.replace_predicted(slide_id, task, run_key=key * 64, area=whole) as replacement:
        labels = np.where(labels > 0, labels + replacement.first_id - 1, 0).astype(np.int32)
        replacement.write(whole, labels)
        replacement.commit(rows_of(labels))
    project.finish_run(slide_id, key * 64)


def make_project(path, labels, *, task="gland", fingerprint="f", shape=SHAPE, name="s.tif"):
    """A project whose only slide was segmented into these labels."""
    with Project.create(path) as project:
        project.add_slide(
            Path(name), fingerprint=fingerprint, shape=shape, um_per_px_y=0.5, um_per_px_x=0.5, reader="tiff"
        )
        project.register_classes(task, CLASSES)
        slide_id = project.slides()[0].slide_id
        run_again(project, labels, "a", task=task, slide_id=slide_id)
        codes = np.ones((5, 6), np.uint8)
        tissue = TissueMap(codes, ("stroma", "muscle"), ((1, 2, 3), (4, 5, 6)), (256.0, 256.0), (0.0, 0.0), "a" * 64)
        project.write_tissue(slide_id, tissue)
    return path


@cache
def _template():
    folder = Path(tempfile.mkdtemp(prefix="readers-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return make_project(folder / "mine.pathloop", corner_labels(SQUARES))


def make_copies(folder, *, prepare=None):
    """Two copies; ``prepare`` works in the project before it is copied."""
    folder = Path(tempfile.mkdtemp(dir=folder))
    mine, theirs = folder / "mine.pathloop", folder / "theirs.pathloop"
    shutil.copytree(_template(), mine)
    if prepare is not None:
        with Project.open(mine, write=True) as project:
            prepare(project)
    shutil.copytree(mine, theirs)
    return Copies(mine, theirs)


def labels_of(project, task="gland", slide_id="s"):
    return project.read_labels(slide_id, task, WHOLE)


def draw(project, rect, number, *, task="gland", only=None, tool="brush"):
    """Paint a rectangle with an id (0 = erase), or only where some id lies."""
    rect = Rect(*rect)
    before = project.read_labels("s", task, rect)
    after = np.full(rect.shape, number, np.int32)
    if only is not None:
        after = np.where(before == only, after, before)
    return paint(project, "s", [PixelChange(task, rect, before, after)], tool=tool)


def draw_new(project, rect, *, code=1, task="gland"):
    """Draw a new object; its id."""
    number = project.next_free_id("s", task)
    rect = Rect(*rect)
    before = project.read_labels("s", task, rect)
    patch = PixelChange(task, rect, before, np.where(before == 0, np.int32(number), before))
    paint(project, "s", [patch], tool="lasso", class_codes={(task, number): code})
    return number


def delete(project, *ids):
    return delete_objects(project, "s", "gland", ids)


def accept(project, *ids):
    return set_objects(project, "s", "gland", ids, state="accepted")


def state(project, task="gland"):
    """Everything that merging objects may change: id -> pixels, class, state and lock."""
    labels = labels_of(project, task).ravel()
    where = np.flatnonzero(labels)
    where = where[np.argsort(labels[where], kind="stable")]
    ids, starts = np.unique(labels[where], return_index=True)
    pixels = dict(zip(ids.tolist(), np.split(where, starts[1:]), strict=True)) if ids.size else {}
    rows = project.object_rows("s", task, list(pixels))
    assert rows.keys() == pixels.keys()
    names = ["", *(spec.name for spec in project.classes(task))]
    return {
        number: (Pixels(len(pixels[number]), pixels[number].tobytes()), names[row.class_code], row.state, row.locked)
        for number, row in rows.items()
    }


def shapes(project, task="gland"):
    """Pixels and class of every object, without their ids."""
    return {(pixels, name) for pixels, name, _, _ in state(project, task).values()}


def everything(project):
    """All that undo must bring back."""
    cells = project.tissue_cells("s")
    return state(project), cells, project.regions(), [(f.id, f.comment) for f in project.flags("s")]


def assert_consistent(project, task="gland"):
    """The table says what the pixels say, by an independent library, and the pyramid what the journal says."""
    labels = labels_of(project, task)
    expected, found = rows_of(labels), project.objects("s", task)
    for name in ("ids", "boxes", "areas_px"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    np.testing.assert_allclose(found.centroids, expected.centroids, atol=1e-9)
    pyramid = project.labels("s", task)
    for level, factor in enumerate(pyramid.factors):
        np.testing.assert_array_equal(np.asarray(pyramid.levels[level][:]), labels[::factor, ::factor])
