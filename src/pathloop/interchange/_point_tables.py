"""Points in CSV files: annotated or predicted centres."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError

__all__ = ["PointTable", "read_points"]

SCORE_COLUMNS = ("score", "confidence")


@dataclass(frozen=True, slots=True)
class PointTable:
    """Points of one image.

    Parameters
    ----------
    yx
        (N, 2) float64: (y, x) in pixels, pixel centres at integers.
    types
        N names of classes; "" = not classified.
    scores
        (N,) float64: how sure each point is; None where the table does not say.
    """

    yx: NDArray[np.float64]
    types: tuple[str, ...]
    scores: NDArray[np.float64] | None = None


def read_points(path: Path) -> PointTable:
    """Read a table with the columns ``x`` and ``y`` in pixels and, if there, ``type`` and ``score``.

    ``confidence`` is another name of ``score``; other columns are ignored.

    Parameters
    ----------
    path
        CSV file with a header line; a file with only the header has no points.

    Raises
    ------
    DataError
        If the file is missing or not text, a column is missing, or a coordinate or score is no number; the line is
        named.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream, skipinitialspace=True, strict=True)
            missing = {"x", "y"} - set(rows.fieldnames or ())
            if missing:
                raise DataError(f"{path}: has no column {' and '.join(sorted(missing))}; its first line must name x,y")
            score_column = next((name for name in SCORE_COLUMNS if name in (rows.fieldnames or ())), None)
            points, types, scores = [], [], []
            for row in rows:
                points.append((_number(row["y"], path, rows.line_num), _number(row["x"], path, rows.line_num)))
                types.append((row.get("type") or "").strip())
                if score_column is not None:
                    scores.append(_number(row[score_column], path, rows.line_num, what="score"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not readable as CSV ({error})") from error
    return PointTable(
        np.array(points, np.float64).reshape(-1, 2),
        tuple(types),
        None if score_column is None else np.array(scores, np.float64),
    )


def _number(text: str | None, path: Path, line: int, *, what: str = "coordinate in pixels") -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{path}: line {line}: {text!r} is no {what}")
    return value
