"""What tests read from a project, compared whole."""

import contextlib
import dataclasses

import numpy as np
from drawn_slides import PLAIN, expected_objects
from scipy import ndimage

from pathloop.core import Rect
from pathloop.store import Project

OBJECT_TASKS = ("nuclei", "gland", "lumen")


@contextlib.contextmanager
def opened(path, write=False):
    with Project.open(path, write=write) as project:
        yield project


def pyramid(project, slide_id, task):
    labels = project.labels(slide_id, task)
    return labels.read(Rect(0, 0, *project.slide(slide_id).shape))


def all_labels(path, slide_id="blobs"):
    with opened(path) as project:
        return {task: pyramid(project, slide_id, task) for task in project.tasks(slide_id)}


def snapshot(path):
    """Everything that a user can see of a project."""
    with opened(path) as project:
        found = {}
        for record in project.slides():
            name = record.slide_id
            found[name, "slide"] = record
            for task in project.tasks(name):
                found[name, task] = pyramid(project, name, task)
                found[name, task, "objects"] = project.objects(name, task)
            found[name, "runs"] = [dataclasses.replace(one, started="", finished="") for one in project.runs(name)]
            found[name, "tissue"], found[name, "unsure"] = project.tissue(name), project.uncertainty(name)
        return found


def assert_same(one, other):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_equal(_plain(one[key]), _plain(other[key]), err_msg=str(key))


def _plain(value):
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def assert_equals_whole(path, slide, *, labels=PLAIN, slide_id="blobs", um_per_px=None):
    """Pyramids hold the objects of the whole slide's maps, ids by first pixel; tables say the same."""
    expected = expected_objects(slide, labels, um_per_px)
    with opened(path) as project:
        for task in OBJECT_TASKS:
            ids = pyramid(project, slide_id, task)
            assert ids.max() > 1
            np.testing.assert_array_equal(ids, expected.labels[task])
            assert_table(project.objects(slide_id, task), ids)


def assert_table(objects, ids):
    """Areas, boxes and centroids are those of the pixels."""
    there = np.unique(ids[ids > 0])
    np.testing.assert_array_equal(objects.ids, there)
    np.testing.assert_array_equal(objects.areas_px, np.bincount(ids.ravel())[there])
    boxes = [ndimage.find_objects(ids)[one - 1] for one in there]
    found = [[box[0].start, box[1].start, box[0].stop, box[1].stop] for box in boxes]
    np.testing.assert_array_equal(objects.boxes, np.reshape(found, (-1, 4)))
    centres = ndimage.center_of_mass(ids > 0, ids, there)
    np.testing.assert_allclose(objects.centroids, np.reshape(centres, (-1, 2)), atol=1e-9)
    assert ((objects.confidences > 0.5) & (objects.confidences <= 1)).all()


def assert_same_objects(path, other):
    one, two = snapshot(path), snapshot(other)
    for key in one:
        if key[-1] not in ("runs", "slide"):
            np.testing.assert_equal(_plain(one[key]), _plain(two[key]), err_msg=str(key))
