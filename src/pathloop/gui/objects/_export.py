"""The shown objects as a CSV file, row by row as the table shows them."""

import csv
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import atomic_path
from pathloop.gui.objects._columns import cell_text, table_columns
from pathloop.gui.objects._order import Shown
from pathloop.gui.objects._words import id_text
from pathloop.interchange import ObjectRow, ObjectTable, SlideIdentity, object_rows, write_objects_csv

__all__ = ["table_text", "write_shown_csv"]

_BREATH_ROWS = 200
_NO_PROJECT = uuid.UUID(int=0)


def write_shown_csv(path: Path, shown: Shown, slide_id: str, project_uuid: uuid.UUID | None) -> Path:
    """Write the objects that a table shows, in its order; atomically.

    The columns are those of ``pathloop export --format csv``. A table with objects of an unfinished run gets one more,
    ``provisional``; those objects have an id such as P12 and no uuid, because both come with the end of the run.

    Parameters
    ----------
    path
        The file.
    shown
        What is shown.
    slide_id
        The slide's id in its project, else its file's stem.
    project_uuid
        None where there is no project: no object has a uuid then.
    """
    frame = shown.frame.take(shown.order)
    states = np.array(frame.state_names)[frame.states]
    table = ObjectTable(frame.task, frame.instances, frame.classes, states=states, locked=frame.locked)
    rows = _breathing(object_rows(table, SlideIdentity(project_uuid or _NO_PROJECT, slide_id, frame.scale)))
    provisional = frame.is_provisional
    if project_uuid is not None and not provisional.any():
        return write_objects_csv(path, rows)
    return _write_marked(path, rows, provisional.tolist(), project_uuid)


def _write_marked(
    path: Path, rows: Iterator[ObjectRow], provisional: list[bool], project_uuid: uuid.UUID | None
) -> Path:
    names = list(ObjectRow.__dataclass_fields__)
    header = ["class" if name == "class_name" else name for name in names]
    marked = any(provisional)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*header, "provisional"] if marked else header)
        for row, not_final in zip(rows, provisional, strict=True):
            values = {name: getattr(row, name) for name in names}
            values["id"] = id_text(row.id)
            if not_final or project_uuid is None:
                values["uuid"] = None
            cells = [_cell(value) for value in values.values()]
            writer.writerow([*cells, _cell(not_final)] if marked else cells)
    return path


def _cell(value: Any) -> Any:
    if value is None or value != value:  # NaN
        return ""
    return str(value).lower() if isinstance(value, bool) else value


def _breathing(rows: Iterator[ObjectRow]) -> Iterator[ObjectRow]:
    """The same rows; now and then the window gets its turn, which a busy Python thread would not give it."""
    for number, row in enumerate(rows):
        if number % _BREATH_ROWS == 0:
            time.sleep(0.0005)
        yield row


def table_text(shown: Shown, lines: NDArray[np.int64]) -> str:
    """Some lines of a table as tab-separated text with a header, for the clipboard of a spreadsheet."""
    columns = table_columns(shown.frame)
    text = ["\t".join(column.header for column in columns)]
    for number, row in enumerate(shown.order[lines].tolist()):
        if number % _BREATH_ROWS == 0:
            time.sleep(0.0005)
        cells = (cell_text(shown.frame, row, column) for column in columns)
        # spreadsheets read thousands separators in many ways
        text.append(
            "\t".join(
                cell.replace(",", "") if column.decimals is not None else cell
                for cell, column in zip(cells, columns, strict=True)
            )
        )
    return "\n".join(text) + "\n"
