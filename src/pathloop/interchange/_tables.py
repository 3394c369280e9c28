"""Object tables as CSV, written and read."""

import csv
import math
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from pathloop.core import DataError, atomic_path
from pathloop.interchange._object_table import ObjectTable, SlideIdentity

__all__ = ["COLUMNS", "FIELDS", "ObjectRow", "object_rows", "read_objects_csv", "write_objects_csv"]


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """One object, one line of ``<slide>_objects.csv``; the columns are named after the fields.

    In the file NaN and None are empty, booleans are ``true`` and ``false``, the decimal sign is a point.

    Parameters
    ----------
    slide
        Id of the slide in its project.
    task
        "nuclei", "gland", "lumen" and so on.
    id
        Id of the object, as in label images; unique for a slide and task.
    uuid
        Its name outside the project, the same as in GeoJSON.
    class_name
        Column ``class``; None where no class is known.
    class_probability
        0..1; NaN where no type head ran.
    confidence
        0..1: mean interior probability over the object's interior.
    state
        "predicted", "edited" or "accepted".
    locked
        Protected from changes.
    centroid_y_px, centroid_x_px
        Mean of the object's pixels, level-0 pixels, pixel centres at integers (QuPath: add 0.5).
    centroid_y_um, centroid_x_um
        The same place times um per px; NaN where the scale is unknown.
    area_px
        Level-0 pixels.
    area_um2
        NaN where the scale is unknown.
    top_px, left_px, bottom_px, right_px
        Box, level-0 pixels; bottom and right are the first row and column outside.
    """

    slide: str
    task: str
    id: int
    uuid: uuid.UUID
    class_name: str | None
    class_probability: float
    confidence: float
    state: str
    locked: bool
    centroid_y_px: float
    centroid_x_px: float
    centroid_y_um: float
    centroid_x_um: float
    area_px: int
    area_um2: float
    top_px: int
    left_px: int
    bottom_px: int
    right_px: int


FIELDS = tuple(field.name for field in fields(ObjectRow))
COLUMNS = tuple("class" if name == "class_name" else name for name in FIELDS)


def object_rows(table: ObjectTable, slide: SlideIdentity) -> Iterator[ObjectRow]:
    """One row for each object of a table, in its order."""
    instances, scale = table.instances, slide.scale
    scale_y, scale_x = (scale.y, scale.x) if scale else (math.nan, math.nan)
    columns = zip(
        instances.ids.tolist(),
        instances.class_probabilities.astype(str).tolist(),
        instances.confidences.astype(str).tolist(),
        instances.centroids.tolist(),
        instances.areas_px.tolist(),
        instances.boxes.tolist(),
        strict=True,
    )
    for index, (object_id, class_probability, confidence, (y, x), area, box) in enumerate(columns):
        class_spec = table.class_of(index)
        yield ObjectRow(
            slide=slide.slide_id,
            task=table.task,
            id=object_id,
            uuid=slide.uuid_of(table.task, object_id),
            class_name=class_spec.name if class_spec else None,
            # By way of text: the shortest decimal form of a float32.
            class_probability=float(class_probability),
            confidence=float(confidence),
            state=table.state_of(index),
            locked=table.is_locked(index),
            centroid_y_px=y,
            centroid_x_px=x,
            centroid_y_um=round(y * scale_y, 4),
            centroid_x_um=round(x * scale_x, 4),
            area_px=area,
            area_um2=round(area * scale_y * scale_x, 4),
            top_px=box[0],
            left_px=box[1],
            bottom_px=box[2],
            right_px=box[3],
        )


def write_objects_csv(path: Path, rows: Iterable[ObjectRow]) -> Path:
    """Write rows as CSV (UTF-8, comma, one header line), one at a time and atomically; returns the path.

    If ``rows`` raises, the old file stays. Reading the file gives equal rows.
    """
    values = attrgetter(*FIELDS)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([_cell(value) for value in values(row)] for row in rows)
    return path


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def read_objects_csv(path: Path) -> Iterator[ObjectRow]:
    """Read what `write_objects_csv` wrote, one row at a time; further columns are left out.

    Raises
    ------
    DataError
        While iterating, if the file is missing, a column is missing or a value has the wrong form; the line is named.
    """
    line = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            header = next(reader, [])
            if missing := [name for name in COLUMNS if name not in header]:
                raise DataError(f"{path}: no object table, columns are missing: {', '.join(missing)}")
            places = [header.index(name) for name in COLUMNS]
            for cells in reader:
                line = reader.line_num
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise DataError(f"{path}: line {line} has {len(cells)} values, the header {len(header)}")
                yield ObjectRow(*(read(cells[place]) for read, place in zip(_READERS, places, strict=True)))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except DataError:
        raise
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not readable as CSV ({error})") from error
    except ValueError as error:
        raise DataError(f"{path}: line {line}: {error}") from error


def _read_float(cell: str) -> float:
    return float(cell) if cell else math.nan


def _read_bool(cell: str) -> bool:
    if cell not in ("true", "false"):
        raise ValueError(f"expected true or false, got {cell!r}")
    return cell == "true"


_READ: dict[Any, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: _read_float,
    bool: _read_bool,
    uuid.UUID: uuid.UUID,
    str | None: lambda cell: cell or None,
}
_READERS = tuple(_READ[field.type] for field in fields(ObjectRow))
