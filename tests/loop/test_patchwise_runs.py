"""Runs patch by patch, as the published pipeline tiles: the same objects, cells on the grid, a key of their own."""

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
from drawn_slides import drawn_model, drawn_request, maps_of, run, write_blobs
from project_views import assert_equals_whole, opened

from pathloop.core import Message, Rect, RunStarted, UsageError
from pathloop.networks import CERBERUS
from pathloop.predict import ENGINES
from pathloop.slides import open_slide

pytestmark = pytest.mark.slow

SHAPE = (310, 420)


class CellEngine:
    """The maps of the engine "drawn", with the tissue of whole cells of 144 px."""

    shapes: ClassVar[set[tuple[int, int]]] = set()

    def __init__(self, folder, tasks, choice):
        self._tasks = tasks

    def run(self, pixels):
        type(self).shapes.add(pixels.shape[:2])
        out = maps_of(pixels, tuple(task for task in self._tasks if task != "tissue"))
        rows, cols = pixels.shape[0] // 144, pixels.shape[1] // 144
        means = pixels[: rows * 144, : cols * 144].reshape(rows, 144, cols, 144, 3).mean(axis=(1, 3)) / 255
        rest = np.zeros((rows, cols, 1))
        return out | {"tissue": np.moveaxis(np.concatenate([rest, means], axis=-1), -1, 0).astype(np.float32)}


ENGINES.add("cells", f"{__name__}:CellEngine")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patchwise")
    slide = write_blobs(folder / "blobs.tif", SHAPE)
    model = drawn_model(folder / "model", architecture=CERBERUS, margin_px=144)
    return slide, model, folder


@pytest.mark.parametrize("tile_px", [448, 600])
def test_patch_by_patch_gives_the_objects_of_the_whole_slide(places, tile_px):
    slide, model, folder = places
    CellEngine.shapes.clear()
    request = drawn_request(slide, folder / f"p{tile_px}", model, engine="cells", tile_px=tile_px, patchwise=True)
    run(request)
    assert CellEngine.shapes == {(448, 448)}
    assert_equals_whole(request.project, slide)
    with opened(request.project) as held:
        tissue = held.tissue("blobs")
        assert tissue.cell_px == (144, 144)
        codes = np.asarray(tissue.codes)
    # the middle window of a patch begins 8 px before its cell
    image = np.pad(_image(slide), [(8, 160), (8, 160), (0, 0)], mode="reflect")
    expected = [
        [2 + image[y : y + 144, x : x + 144].mean(axis=(0, 1)).argmax() for x in range(0, SHAPE[1], 144)]
        for y in range(0, SHAPE[0], 144)
    ]
    np.testing.assert_array_equal(codes, expected)


def _image(slide):
    with open_slide(slide) as held:
        return held.read(Rect(0, 0, *SHAPE), 0.5).astype(float)


def test_the_two_ways_are_two_runs(places):
    slide, model, folder = places
    whole = drawn_request(slide, folder / "both", model, engine="cells", tile_px=600)
    patched = dataclasses.replace(whole, patchwise=True)
    keys = []
    for request in (whole, patched):
        (start,) = (event for event in run(request) if isinstance(event, RunStarted))
        keys.append(start.run_key)
        assert start.engine.endswith("patchwise") == request.patchwise
    assert keys[0] != keys[1]
    assert any(isinstance(event, Message) and "already segmented" in event.text for event in run(patched))


def test_models_with_other_cells_are_refused_before_anything_is_written(places):
    slide, _, folder = places
    other = drawn_model(folder / "other")
    with pytest.raises(UsageError, match="cannot be run patchwise"):
        run(drawn_request(slide, folder / "none", other, engine="cells", tile_px=600, patchwise=True))
    assert not (folder / "none").exists()
