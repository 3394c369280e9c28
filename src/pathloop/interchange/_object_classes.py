"""The class of each object of a label image: from a table, or from an image of class codes."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError
from pathloop.interchange._label_images import read_label_image
from pathloop.interchange._point_tables import SCORE_COLUMNS
from pathloop.rasters import overlap_table

__all__ = ["ObjectClasses", "read_object_classes"]


@dataclass(frozen=True, slots=True)
class ObjectClasses:
    """Classes of the objects of one label image.

    Parameters
    ----------
    names
        By object id; objects without an entry, or with "", have no known class.
    confidences
        By object id: how sure the object is; None where the file does not say.
    """

    names: Mapping[int, str]
    confidences: Mapping[int, float] | None = None

    def names_of(self, ids: NDArray[Any]) -> list[str]:
        """The class of each of ``ids``."""
        return [self.names.get(int(one), "") for one in ids]

    def confidences_of(self, ids: NDArray[Any]) -> NDArray[np.float64] | None:
        """(N,) the confidence of each of ``ids``; None where one of them has none."""
        known = self.confidences or {}
        values = np.array([known.get(int(one), math.nan) for one in ids], np.float64)
        return None if np.isnan(values).any() else values


def read_object_classes(
    path: Path, labels: NDArray[Any], *, task: str, code_names: Sequence[str] = ()
) -> ObjectClasses:
    """Read the classes of the objects of a label image.

    Parameters
    ----------
    path
        A table (``.csv``) with the columns ``id`` and ``class``, as ``pathloop export --format csv`` and training
        sets have them, and, if there, ``score`` or ``confidence``, and ``task`` (rows of other tasks are left out).
        Or an image of class codes of the shape of ``labels``: an object has the code, above 0, that most of its
        pixels have, of equals the smallest.
    labels
        (H, W) label image.
    task
        Name of the task of ``labels``.
    code_names
        Names of the codes 1, 2, ...; a code without one is its own name. Also for tables whose classes are numbers.

    Raises
    ------
    DataError
        If the file is missing, unreadable, differs in shape, a column is missing, an id occurs twice, or a value has
        the wrong form; the line is named.
    """
    if path.suffix.lower() == ".csv":
        return _from_table(path, task, code_names)
    codes = read_label_image(path)
    if codes.shape != labels.shape:
        sizes = " and ".join(f"{image.shape[0]} x {image.shape[1]}" for image in (codes, labels))
        raise DataError(f"{path}: class codes and label image differ in size: {sizes} pixels (height x width)")
    return ObjectClasses({one: _named(str(code), code_names) for one, code in _majority(labels, codes).items()})


def _majority(labels: NDArray[Any], codes: NDArray[Any]) -> dict[int, int]:
    table = overlap_table(labels, codes)
    rows, columns = table.best_partners()[0], table.second_ids
    met = rows >= 0
    return dict(zip(table.first_ids[met].tolist(), columns[rows[met]].tolist(), strict=True))


def _named(text: str, code_names: Sequence[str]) -> str:
    if not text.isdecimal():
        return text
    code = int(text)
    if code == 0:
        return ""
    return code_names[code - 1] if code <= len(code_names) else str(code)


def _from_table(path: Path, task: str, code_names: Sequence[str]) -> ObjectClasses:
    names: dict[int, str] = {}
    confidences: dict[int, float] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream, skipinitialspace=True, strict=True)
            columns = rows.fieldnames or ()
            if missing := {"id", "class"} - set(columns):
                raise DataError(
                    f"{path}: has no column {' and '.join(sorted(missing))}; its first line must name id,class"
                )
            score = next((name for name in SCORE_COLUMNS if name in columns), None)
            for row in rows:
                if "task" in columns and row["task"] != task:
                    continue
                one = _read_id(row["id"], path, rows.line_num)
                if one in names:
                    raise DataError(f"{path}: line {rows.line_num}: object {one} occurs twice")
                names[one] = _named((row["class"] or "").strip(), code_names)
                if score is not None and (row[score] or "").strip():
                    confidences[one] = _read_score(row[score], path, rows.line_num)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not readable as CSV ({error})") from error
    return ObjectClasses(names, confidences or None)


def _read_id(text: str | None, path: Path, line: int) -> int:
    if text is None or not text.strip().isdecimal():
        raise DataError(f"{path}: line {line}: {text!r} is no object id, a whole number above 0")
    return int(text)


def _read_score(text: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{path}: line {line}: {text!r} is no score")
    return value
