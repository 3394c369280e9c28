"""Object tables as Parquet, written and read: the columns of the CSV with their types."""

import math
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import fields
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any

from pathloop.core import DataError, UsageError, atomic_path
from pathloop.interchange._tables import COLUMNS, FIELDS, ObjectRow

__all__ = ["check_parquet", "read_objects_parquet", "write_objects_parquet"]

ROW_GROUP = 65_536
"""Rows that are in memory at a time."""


def check_parquet() -> None:
    """Raise UsageError where pyarrow (extra ``tables``) is not installed."""
    _pyarrow()


def write_objects_parquet(path: Path, rows: Iterable[ObjectRow]) -> Path:
    """Write rows as Parquet (zstd), in row groups of 65,536, atomically; returns the path.

    The columns are those of `write_objects_csv`, with types: int64, double, bool, string; ``uuid`` is text. NaN and
    None are null. If ``rows`` raises, the old file stays. Reading the file gives equal rows.

    Raises
    ------
    UsageError
        If pyarrow is not installed.
    """
    pa, pq = _pyarrow()
    schema, values, rest = _schema(pa), attrgetter(*FIELDS), iter(rows)
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        while part := list(islice(rest, ROW_GROUP)):
            columns = zip(*(values(row) for row in part), strict=True)
            arrays = [pa.array(map(_cell, column), type=one.type) for column, one in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return path


def read_objects_parquet(path: Path) -> Iterator[ObjectRow]:
    """Read what `write_objects_parquet` wrote, a row group at a time; further columns are left out.

    Raises
    ------
    UsageError
        If pyarrow is not installed.
    DataError
        While iterating, if the file is missing or damaged, or a column is missing.
    """
    pa, pq = _pyarrow()
    try:
        with path.open("rb") as stream, pq.ParquetFile(stream) as file:
            if missing := [name for name in COLUMNS if name not in file.schema_arrow.names]:
                raise DataError(f"{path}: no object table, columns are missing: {', '.join(missing)}")
            for batch in file.iter_batches(ROW_GROUP, columns=list(COLUMNS)):
                columns = [batch.column(name).to_pylist() for name in COLUMNS]
                for cells in zip(*columns, strict=True):
                    yield ObjectRow(*map(_value, _TYPES, cells))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DataError(f"{path}: not readable as Parquet ({error})") from error


_TYPES = tuple(field.type for field in fields(ObjectRow))


def _schema(pa: Any) -> Any:
    kinds: dict[Any, Any] = {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    return pa.schema([(name, kinds.get(kind, pa.string())) for name, kind in zip(COLUMNS, _TYPES, strict=True)])


def _cell(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return str(value)
    return None if isinstance(value, float) and math.isnan(value) else value


def _value(kind: Any, cell: Any) -> Any:
    """The inverse of `_cell`."""
    if kind is uuid.UUID:
        return uuid.UUID(cell)
    return math.nan if kind is float and cell is None else cell


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow, which is not installed: pip install 'pathloop[tables]'") from error
    return pyarrow, pyarrow.parquet
