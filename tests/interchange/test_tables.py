import csv
import math
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathloop.core import ClassSpec, DataError, Instances, Scale
from pathloop.interchange import (
    ObjectRow,
    ObjectTable,
    SlideIdentity,
    object_rows,
    object_uuid,
    read_objects_csv,
    write_objects_csv,
)

PROJECT = uuid.UUID("5b0c2f0e-55ad-4b52-9c0a-7c1b1f2d3e4f")
SLIDE = SlideIdentity(PROJECT, "case-7", Scale(0.25, 0.5))

TABLE = ObjectTable(
    "nuclei",
    Instances(
        ids=np.array([3, 12]),
        boxes=np.array([[0, 2, 5, 9], [100, 200, 110, 220]]),
        centroids=np.array([[2.0, 5.5], [104.0 + 1 / 3, 209.5]]),
        areas_px=np.array([20, 150]),
        confidences=np.array([0.9, 0.35], np.float32),
        class_codes=np.array([0, 1], np.int16),
        class_probabilities=np.array([np.nan, 0.8], np.float32),
    ),
    (ClassSpec(name='Immune "cells", all', color=(1, 2, 3)),),
    states=np.array(["predicted", "edited"]),
    locked=np.array([False, True]),
)

HEADER = (
    "slide,task,id,uuid,class,class_probability,confidence,state,locked,centroid_y_px,centroid_x_px,centroid_y_um,"
    "centroid_x_um,area_px,area_um2,top_px,left_px,bottom_px,right_px"
)


def same(left: ObjectRow, right: ObjectRow) -> bool:
    return repr(left) == repr(right)  # NaN equals NaN here


def test_the_file_to_the_letter(tmp_path: Path) -> None:
    path = write_objects_csv(tmp_path / "case-7_objects.csv", object_rows(TABLE, SLIDE))
    first, second = (object_uuid(PROJECT, "case-7", "nuclei", number) for number in (3, 12))
    assert path.read_text(encoding="utf-8").splitlines() == [
        HEADER,
        f"case-7,nuclei,3,{first},,,0.9,predicted,false,2.0,5.5,0.5,2.75,20,2.5,0,2,5,9",
        f'case-7,nuclei,12,{second},"Immune ""cells"", all",0.8,0.35,edited,true,104.33333333333333,209.5,26.0833,'
        "104.75,150,18.75,100,200,110,220",
    ]


def test_um_columns_are_empty_without_a_scale(tmp_path: Path) -> None:
    path = write_objects_csv(tmp_path / "a.csv", object_rows(TABLE, replace(SLIDE, scale=None)))
    with path.open(newline="") as stream:
        for line in csv.DictReader(stream):
            assert line["area_um2"] == line["centroid_y_um"] == line["centroid_x_um"] == ""
            assert int(line["area_px"]) > 0


finite = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.one_of(st.just(math.nan), finite)
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
rows = st.builds(
    ObjectRow,
    slide=text,
    task=st.sampled_from(["nuclei", "gland"]),
    id=st.integers(1, 2**40),
    uuid=st.uuids(),
    class_name=st.one_of(st.none(), text.filter(bool)),
    class_probability=numbers,
    confidence=numbers,
    state=st.sampled_from(["predicted", "edited", "accepted"]),
    locked=st.booleans(),
    centroid_y_px=finite,
    centroid_x_px=finite,
    centroid_y_um=numbers,
    centroid_x_um=numbers,
    area_px=st.integers(0, 2**40),
    area_um2=numbers,
    top_px=st.integers(-5, 2**33),
    left_px=st.integers(-5, 2**33),
    bottom_px=st.integers(-5, 2**33),
    right_px=st.integers(-5, 2**33),
)


@given(st.lists(rows, max_size=6))
def test_rows_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, written: list[ObjectRow]) -> None:
    path = write_objects_csv(tmp_path_factory.mktemp("table") / "a.csv", written)
    found = list(read_objects_csv(path))
    assert len(found) == len(written)
    assert all(map(same, found, written))


def test_columns_may_stand_in_any_order_among_others(tmp_path: Path) -> None:
    path = write_objects_csv(tmp_path / "a.csv", object_rows(TABLE, SLIDE))
    with path.open(newline="") as stream:
        lines = list(csv.reader(stream))
    other = tmp_path / "b.csv"
    with other.open("w", newline="") as stream:
        csv.writer(stream).writerows(["note", *line[::-1]] for line in lines)
    assert all(map(same, read_objects_csv(other), read_objects_csv(path)))
    assert len(list(read_objects_csv(other))) == 2


def test_an_error_on_the_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")

    def broken() -> Iterator[ObjectRow]:
        yield from object_rows(TABLE, SLIDE)
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        write_objects_csv(path, broken())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("area_px", "surface", "columns are missing: area_px"),
        (",3,", ",three,", "line 2: invalid literal"),
        (",true,", ",yes,", "line 3: expected true or false, got 'yes'"),
        (",0.9,", ",much,", "line 2: could not convert"),
        (",2.5,0,2,5,9", ",2.5,0,2,5", "line 2 has 18 values, the header 19"),
    ],
)
def test_garbage_is_refused_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write_objects_csv(tmp_path / "a.csv", object_rows(TABLE, SLIDE))
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=message) as caught:
        list(read_objects_csv(path))
    assert str(path) in str(caught.value)


def test_missing_empty_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        list(read_objects_csv(tmp_path / "none.csv"))
    (tmp_path / "empty.csv").touch()
    with pytest.raises(DataError, match="columns are missing"):
        list(read_objects_csv(tmp_path / "empty.csv"))
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not readable as CSV"):
        list(read_objects_csv(tmp_path / "binary.csv"))
