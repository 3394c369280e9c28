"""One file into one slide of a project, whatever the file is."""

import re
from collections.abc import Generator
from itertools import islice
from pathlib import Path

from pathloop.core import DataError, Event, UsageError
from pathloop.interchange import object_uuid, read_geojson
from pathloop.loop.importing._geojson import import_geojson
from pathloop.loop.importing._identity import told_key
from pathloop.loop.importing._labels import import_labels
from pathloop.loop.importing._request import ImportRequest
from pathloop.store import Project, slide_stem

__all__ = ["import_file", "import_into"]

OUTLINES = re.compile(r"\.(geojson|json)(\.gz)?$|\.(zip|gz)$", re.IGNORECASE)
ASKED_FEATURES = 1000
"""That many features are asked which slide they belong to."""


def import_file(request: ImportRequest) -> Generator[Event]:
    """Bring a file into a project; see `import_into` for what comes of which file.

    Raises
    ------
    ProjectLockedError
        If another process writes to the project; the message names it.
    ProjectError
        If the project cannot be opened or written.
    DataError
        If the file is missing or not what it must be. Then the project is as it was.
    UsageError
        If slide or task must be given.
    """
    if not request.path.exists():
        raise DataError(f"{request.path}: no such file")
    with Project.open(request.project, write=True) as project:
        yield from import_into(project, request)


def import_into(project: Project, request: ImportRequest) -> Generator[Event]:
    """As `import_file`, into a project that is open for writing; ``request.project`` is not looked at.

    GeoJSON becomes corrections, one entry of the journal that can be undone; label images become predictions.
    """
    is_outlines = request.path.is_file() and OUTLINES.search(request.path.name) is not None
    if not is_outlines and request.delete_missing:
        raise UsageError("--delete-missing is for outlines; a label image replaces the predictions of its area anyway")
    if is_outlines and request.roi is not None and not request.delete_missing:
        raise UsageError("--roi says where missing objects are deleted; give it together with --delete-missing")
    slide_id = request.slide_id or _choose_slide(project, request.path, is_outlines=is_outlines)
    project.slide(slide_id)
    job = import_geojson if is_outlines else import_labels
    yield from job(project, slide_id, request)


def _choose_slide(project: Project, path: Path, *, is_outlines: bool) -> str:
    """The only slide, else the one whose objects the file holds, else the one that the file's name begins with."""
    names = [one.slide_id for one in project.slides()]
    if not names:
        raise UsageError(f"{project.path}: has no slide yet; run 'pathloop segment' first")
    if len(names) == 1:
        return names[0]
    for item in islice(read_geojson(path), ASKED_FEATURES) if is_outlines else ():
        told = told_key(item)
        for name in names if told is not None and item.uuid is not None else ():
            if object_uuid(project.uuid, name, *told) == item.uuid:  # type: ignore[misc]
                return name
    stem = slide_stem(Path(OUTLINES.sub("", path.name) + ".x"))
    if stem in names:
        return stem
    shown = ", ".join(names[:10])
    raise UsageError(f"{path}: which slide is it? give --slide with one of {shown}")
