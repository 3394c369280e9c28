"""What to import, and where to."""

from dataclasses import dataclass
from pathlib import Path

from pathloop.core import Rect

__all__ = ["ImportRequest"]


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import, and where to.

    Parameters
    ----------
    project
        Project folder; written.
    path
        GeoJSON (``.geojson``, ``.json``, also ``.gz`` and ``.zip``), or a label image (TIFF, PNG, a zarr folder).
    slide_id
        The slide; None = the only one, or the one that the file's objects belong to.
    task
        Of all objects of a label image; of those outlines that do not tell theirs.
    roi
        Level-0 pixels. Label images: the part of the slide that they show. Outlines: where those that the file lacks
        are deleted.
    delete_missing
        Outlines: delete the objects that the file lacks.
    """

    project: Path
    path: Path
    slide_id: str | None = None
    task: str | None = None
    roi: Rect | None = None
    delete_missing: bool = False
