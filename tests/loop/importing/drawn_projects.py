"""Projects made from label images, their GeoJSON files, and the same changed as other programs would."""

import json
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage

from pathloop.core import ClassSpec, Instances, Rect
from pathloop.loop import ExportRequest, export
from pathloop.loop.importing import ImportRequest, import_file
from pathloop.store import Project, named

NUCLEI = (ClassSpec(name="tumour", color=(200, 0, 0)), ClassSpec(name="stroma", color=(0, 200, 0)))
GLANDS = (ClassSpec(name="gland", color=(0, 0, 200)),)
CLASSES = {"nuclei": NUCLEI, "gland": GLANDS}


def measured(labels):
    """Objects of a label image, by an independent library; every other one of the second class."""
    ids = np.unique(labels[labels > 0]).astype(np.int64)
    found = ndimage.find_objects(labels)
    boxes = [(found[i - 1][0].start, found[i - 1][1].start, found[i - 1][0].stop, found[i - 1][1].stop) for i in ids]
    return Instances(
        ids=ids,
        boxes=np.array(boxes, np.int64).reshape(-1, 4),
        centroids=np.array(ndimage.center_of_mass(labels > 0, labels, ids), np.float64).reshape(-1, 2),
        areas_px=ndimage.sum_labels(labels > 0, labels, ids).astype(np.int64),
        confidences=np.full(len(ids), 0.5, np.float32),
        class_codes=np.ones(len(ids), np.int16),
        class_probabilities=np.full(len(ids), 0.75, np.float32),
    )


def add_slide(project, name, shape):
    return project.add_slide(
        Path(f"{name}.tif"), fingerprint=name, shape=shape, um_per_px_y=0.5, um_per_px_x=0.5, reader="tiff"
    ).slide_id


def predict(project, slide_id, task, labels, key="a"):
    """Make a label image the predictions of a task."""
    project.register_classes(task, CLASSES[task])
    whole = Rect(0, 0, *labels.shape)
    project.begin_run(slide_id, key * 64, {"model": "drawn"}, tasks=[task])
    with project.replace_predicted(slide_id, task, run_key=key * 64, area=whole) as replacement:
        moved = np.where(labels > 0, labels + replacement.first_id - 1, 0).astype(np.int32)
        replacement.write(whole, moved)
        replacement.commit(measured(moved))
    project.finish_run(slide_id, key * 64, remove_folder=True)


def make_project(folder, *, slide="s", **labels):
    """A project in a new folder with one slide; label images by task."""
    path = Path(tempfile.mkdtemp(dir=folder)) / "p.pathloop"
    with Project.create(path) as project:
        shape = next(iter(labels.values())).shape
        add_slide(project, slide, shape)
        for task, image in labels.items():
            predict(project, slide, task, image, key=task[0])
    return path


def exported(path, slide="s"):
    """The features that an export writes."""
    out = Path(tempfile.mkdtemp(dir=path.parent))
    list(export(ExportRequest(path, "geojson", out, slide_id=slide)))
    return json.loads((out / f"{slide}.geojson").read_text())["features"]


def written(path, features, name="in.geojson"):
    """A FeatureCollection beside a project."""
    file = path.parent / name
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return file


def brought(path, features, **options):
    """Import features: the summary, and the texts of the messages."""
    file = features if isinstance(features, Path) else written(path, features)
    events = list(import_file(ImportRequest(path, file, **options)))
    return events[-1].summary, [one.text for one in events if one.kind == "message"]


def whole_labels(path, task="nuclei", slide="s"):
    with Project.open(path, write=False) as project:
        pyramid = project.labels(slide, task)
        return pyramid.read(pyramid.bounds)


def everything(path, slide="s"):
    """All that a person can see of a slide, but for the journal."""
    with Project.open(path, write=False) as project:
        found = {"regions": project.regions(slide), "flags": project.flags(slide)}
        for task in project.tasks(slide):
            pyramid = project.labels(slide, task)
            found[task] = [np.asarray(level[:]).tolist() for level in pyramid.levels]
            ids = project.objects(slide, task).ids.tolist()
            found[task, "rows"] = project.object_rows(slide, task, ids)
            found[task, "classes"] = project.classes(task)
        return found


def rows(path, task="nuclei", slide="s"):
    with Project.open(path, write=False) as project:
        return project.object_rows(slide, task, project.objects(slide, task).ids.tolist())


def entries(path):
    with Project.open(path, write=False) as project:
        return [entry for entry in project.journal() if entry.kind != "run"]


def square(y, x, height, width=None, **properties):
    """A feature of a rectangle of pixels, as QuPath writes annotations."""
    bottom, right = y + height, x + (width or height)
    ring = [[x, y], [right, y], [right, bottom], [x, bottom], [x, y]]
    kind = {"objectType": "annotation"}
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": kind | properties}


def of_class(name, color=(1, 2, 3)):
    return {"classification": {"name": name, "color": list(color)}}


def of_id(features, number, task="nuclei"):
    """The feature of an object."""
    return next(one for one in features if one["properties"]["name"] == named(task, number))
