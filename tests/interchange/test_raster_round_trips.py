"""Labels to QuPath's GeoJSON and back, through files, wherever the labels lie and however they are shaped."""

import uuid
from pathlib import Path

import numpy as np
import pytest
from drawn_features import crop, table_of
from drawn_regions import discs, label_images
from hypothesis import given
from hypothesis import strategies as st

from pathloop.core import Rect, Scale
from pathloop.interchange import (
    ObjectTable,
    OutlinedObject,
    SlideIdentity,
    outlined_objects,
    read_geojson,
    write_geojson,
)
from pathloop.rasters import fill_outlines, trace_outlines

SLIDE = SlideIdentity(uuid.UUID(int=7), "slide", Scale(0.25, 0.25))


def through_a_file(path: Path, objects: list[OutlinedObject], rect: Rect) -> np.ndarray:
    """Written, read, painted; ids as QuPath keeps them, in the metadata."""
    written = write_geojson(path, objects, slide=SLIDE)
    found = list(read_geojson(written))
    assert [one.uuid for one in found] == [SLIDE.uuid_of(one.task, one.id) for one in objects]
    return fill_outlines([(int(one.metadata["id"]), one.outline) for one in found], rect)


@given(label_images, st.tuples(st.integers(0, 100_000), st.integers(0, 100_000)))
def test_outlines_of_a_window_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, labels: np.ndarray, origin: tuple[int, int]
) -> None:
    rect = Rect(*origin, *labels.shape)
    objects = [OutlinedObject("nuclei", number, outline) for number, outline in trace_outlines(labels, origin=origin)]
    found = through_a_file(tmp_path_factory.mktemp("out") / "a.geojson", objects, rect)
    assert np.array_equal(found, labels)


@pytest.mark.parametrize("seed", range(3))
def test_a_slide_of_discs_comes_back_exactly(tmp_path: Path, seed: int) -> None:
    labels = discs((700, 500), 120, np.random.default_rng(seed), (2, 60))
    # rings inside rings, parts, and objects that touch at corners only
    labels[::7, ::5] = 0
    table: ObjectTable = table_of(labels)
    objects = list(outlined_objects(table, crop(labels), block_px=256))
    assert np.array_equal(through_a_file(tmp_path / "a.geojson", objects, Rect(0, 0, *labels.shape)), labels)
