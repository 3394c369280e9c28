import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.interchange.test_tables import SLIDE, TABLE, rows, same

from pathloop.core import DataError, UsageError
from pathloop.interchange import (
    ObjectRow,
    object_rows,
    read_objects_csv,
    read_objects_parquet,
    write_objects_csv,
    write_objects_parquet,
)

pytest.importorskip("pyarrow", reason="needs the extra 'tables'")


@given(st.lists(rows, max_size=6))
def test_rows_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, written: list[ObjectRow]) -> None:
    path = write_objects_parquet(tmp_path_factory.mktemp("table") / "a.parquet", written)
    found = list(read_objects_parquet(path))
    assert len(found) == len(written)
    assert all(map(same, found, written))


def test_pandas_reads_the_columns_of_the_csv_with_types(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = list(object_rows(TABLE, SLIDE))
    ours = pandas.read_parquet(write_objects_parquet(tmp_path / "a.parquet", table))
    theirs = pandas.read_csv(write_objects_csv(tmp_path / "a.csv", table))
    assert list(ours.columns) == list(theirs.columns)
    assert [str(ours[name].dtype) for name in ("id", "area_um2", "locked")] == ["int64", "float64", "bool"]
    assert math.isnan(ours["class_probability"][0])
    assert ours["class"].isna().tolist() == theirs["class"].isna().tolist()
    for name in ("id", "uuid", "state", "locked", "centroid_y_px", "area_um2", "right_px"):
        assert ours[name].tolist() == theirs[name].tolist()


def test_many_rows_go_in_groups(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    (row, *_) = object_rows(TABLE, SLIDE)
    path = write_objects_parquet(tmp_path / "a.parquet", (replace(row, id=number) for number in range(150_000)))
    file = pq.ParquetFile(path)
    assert [file.metadata.row_group(index).num_rows for index in range(3)] == [65_536, 65_536, 150_000 - 2 * 65_536]
    assert file.read(columns=["id"])["id"].to_pylist() == list(range(150_000))


def test_no_rows_still_have_columns(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = write_objects_parquet(tmp_path / "a.parquet", [])
    assert pq.read_table(path).column_names[:5] == ["slide", "task", "id", "uuid", "class"]
    assert list(read_objects_parquet(path)) == []


def test_an_error_on_the_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_text("old")

    def broken() -> Iterator[ObjectRow]:
        yield from object_rows(TABLE, SLIDE)
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        write_objects_parquet(path, broken())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"slide,task\n", bytes(500)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not readable as Parquet"):
        list(read_objects_parquet(path))
    with pytest.raises(DataError, match="no such file"):
        list(read_objects_parquet(tmp_path / "b.parquet"))


def test_missing_columns_are_named(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"slide": ["a"], "id": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="columns are missing: task, uuid, class"):
        list(read_objects_parquet(tmp_path / "a.parquet"))


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'pathloop\[tables\]'"):
        write_objects_parquet(tmp_path / "a.parquet", object_rows(TABLE, SLIDE))
    assert list(tmp_path.iterdir()) == []


def test_csv_and_parquet_hold_the_same(tmp_path: Path) -> None:
    table = list(object_rows(TABLE, SLIDE))
    one = read_objects_csv(write_objects_csv(tmp_path / "a.csv", table))
    other = read_objects_parquet(write_objects_parquet(tmp_path / "a.parquet", table))
    assert all(map(same, one, other))
