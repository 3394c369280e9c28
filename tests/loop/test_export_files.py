"""What `export` writes, read back by independent programs and compared with the project."""

import csv
import json
import shutil
from collections import defaultdict

import numpy as np
import pytest
import shapely
import tifffile
from drawn_slides import SHAPE, TISSUES, drawn_model, drawn_request, run, write_blobs
from project_views import OBJECT_TASKS, all_labels, opened, pyramid

from pathloop.core import Message, ProjectError, Rect, Scale, UsageError
from pathloop.loop import ExportRequest, export, segment
from pathloop.store import Project

ROI = Rect(50, 80, 140, 200)
FILE_FORMATS = ("labels-tiff", "labels-zarr", "geojson", "csv", "parquet")


def exported(project, output, **options):
    return list(export(ExportRequest(project=project, output=output, **options)))


def test_label_images_are_the_pyramids(segmented, tmp_path):
    events = exported(segmented[0], tmp_path, format="labels-tiff")
    names = [f"blobs_{task}.tif" for task in OBJECT_TASKS] + ["blobs_tissue.tif", "blobs_tissue.json"]
    assert events[-1].summary["files"] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for task, ids in all_labels(segmented[0]).items():
        with tifffile.TiffFile(tmp_path / f"blobs_{task}.tif") as tiff:
            page = tiff.pages[0]
            assert (page.dtype, page.shape, page.is_tiled) == (np.uint32, SHAPE, True)
            assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
            x, y = (np.divide(*page.tags[name].value) for name in ("XResolution", "YResolution"))
            assert (x, y, page.tags["ResolutionUnit"].value) == (20_000, 20_000, tifffile.RESUNIT.CENTIMETER)
            np.testing.assert_array_equal(page.asarray(), ids)


def test_the_tissue_image_has_a_legend(segmented, tmp_path):
    exported(segmented[0], tmp_path, format="labels-tiff")
    codes = tifffile.imread(tmp_path / "blobs_tissue.tif")
    with opened(segmented[0]) as project:
        cells = project.tissue("blobs").codes
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(codes, np.kron(cells, np.ones((64, 64), np.uint8))[: SHAPE[0], : SHAPE[1]])
    legend = json.loads((tmp_path / "blobs_tissue.json").read_text())
    assert legend["codes"]["0"] == {"name": "not run", "color": None}
    assert [legend["codes"][str(code)]["name"] for code in range(1, 5)] == list(TISSUES)


def test_cells_of_the_tissue_image_need_not_be_whole_pixels(model, tmp_path):
    slide = write_blobs(tmp_path / "blobs.tif", (230, 301), um_per_px=Scale(0.62, 0.41))
    run(drawn_request(slide, tmp_path / "p", model, tasks=("tissue",)))
    exported(tmp_path / "p", tmp_path / "out", format="labels-tiff")
    with opened(tmp_path / "p") as project:
        cells = project.tissue("blobs").codes
    rows = ((np.arange(230) + 0.5) * 0.62 // 32).astype(int)
    cols = ((np.arange(301) + 0.5) * 0.41 // 32).astype(int)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out" / "blobs_tissue.tif"), cells[rows][:, cols])
    page = tifffile.TiffFile(tmp_path / "out" / "blobs_tissue.tif")
    with page as tiff:
        x, y = (np.divide(*tiff.pages[0].tags[name].value) for name in ("XResolution", "YResolution"))
    assert (1e4 / x, 1e4 / y) == pytest.approx((0.41, 0.62))


def test_a_region_is_cut_out(segmented, tmp_path):
    exported(segmented[0], tmp_path, format="labels-tiff", roi=ROI)
    for task, ids in all_labels(segmented[0]).items():
        np.testing.assert_array_equal(tifffile.imread(tmp_path / f"blobs_{task}.tif"), ids[ROI.slices])
    assert tifffile.imread(tmp_path / "blobs_tissue.tif").shape == ROI.shape
    # beyond the edge it is cut to the slide
    exported(segmented[0], tmp_path / "edge", format="labels-tiff", roi=Rect(-10, 300, 100, 900))
    assert tifffile.imread(tmp_path / "edge" / "blobs_gland.tif").shape == (90, SHAPE[1] - 300)


def named_objects(path):
    """Task and id by uuid."""
    with opened(path) as project:
        return {
            str(project.object_uuid("blobs", task, one)): (task, one)
            for task in OBJECT_TASKS
            for one in project.objects("blobs", task).ids.tolist()
        }


def features(path):
    found = json.loads(path.read_text())
    assert found["type"] == "FeatureCollection"
    return found["features"]


def test_outlines_give_the_pixels_back(segmented, tmp_path):
    exported(segmented[0], tmp_path, format="geojson")
    labels = all_labels(segmented[0])
    drawn = {task: np.zeros(SHAPE, np.int32) for task in OBJECT_TASKS}
    seen = defaultdict(set)
    names = named_objects(segmented[0])
    for feature in features(tmp_path / "blobs.geojson"):
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.is_valid
        left, top, right, bottom = (int(value) for value in shape.bounds)
        ys, xs = np.mgrid[top:bottom, left:right]
        inside = shapely.contains_xy(shape, xs + 0.5, ys + 0.5)
        task, one = names[feature["id"]]
        assert not drawn[task][top:bottom, left:right][inside].any()
        drawn[task][top:bottom, left:right][inside] = one
        seen[task].add(one)
    for task, ids in labels.items():
        np.testing.assert_array_equal(drawn[task], ids)
        assert seen[task] == set(np.unique(ids)) - {0}


def test_tissue_regions_give_the_cells_back(segmented, tmp_path):
    exported(segmented[0], tmp_path, format="geojson", with_tissue=True)
    drawn = np.zeros(SHAPE, np.uint8)
    for feature in features(tmp_path / "blobs_tissue.geojson"):
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.is_valid
        ys, xs = np.mgrid[: SHAPE[0], : SHAPE[1]]
        code = TISSUES.index(feature["properties"]["classification"]["name"]) + 1
        drawn[shapely.contains_xy(shape, xs + 0.5, ys + 0.5)] = code
    exported(segmented[0], tmp_path / "tiff", format="labels-tiff")
    codes = tifffile.imread(tmp_path / "tiff" / "blobs_tissue.tif")
    background = TISSUES.index("background") + 1
    np.testing.assert_array_equal(drawn, np.where(codes == background, 0, codes))
    assert (codes == background).any()


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("roi", [None, ROI])
def test_the_table_is_the_database(segmented, tmp_path, roi):
    exported(segmented[0], tmp_path, format="csv", roi=roi)
    rows = rows_of(tmp_path / "blobs_objects.csv")
    with opened(segmented[0]) as project:
        expected = {}
        for task in OBJECT_TASKS:
            objects = project.objects("blobs", task)
            meets = np.ones(len(objects), bool)
            if roi is not None:
                top, left, bottom, right = objects.boxes.T
                meets = (bottom > roi.y) & (top < roi.bottom) & (right > roi.x) & (left < roi.right)
            for index in np.flatnonzero(meets):
                expected[task, int(objects.ids[index])] = objects, index
        assert [(row["task"], int(row["id"])) for row in rows] == list(expected)
        for row in rows:
            objects, index = expected[row["task"], int(row["id"])]
            assert row["uuid"] == str(project.object_uuid("blobs", row["task"], int(row["id"])))
            assert int(row["area_px"]) == objects.areas_px[index]
            assert float(row["confidence"]) == pytest.approx(objects.confidences[index], rel=1e-6)
            assert (row["class"], row["state"]) == (row["task"], "predicted")
    assert rows


def test_geojson_of_a_region_holds_what_meets_it(segmented, tmp_path):
    exported(segmented[0], tmp_path, format="geojson", roi=ROI)
    exported(segmented[0], tmp_path, format="csv", roi=ROI)
    names = named_objects(segmented[0])
    outlined = {names[feature["id"]] for feature in features(tmp_path / "blobs.geojson")}
    listed = {(row["task"], int(row["id"])) for row in rows_of(tmp_path / "blobs_objects.csv")}
    assert outlined == listed


@pytest.mark.parametrize("format", FILE_FORMATS)
def test_twice_gives_equal_bytes(segmented, tmp_path, format):
    for name in ("one", "two"):
        exported(segmented[0], tmp_path / name, format=format, with_tissue=True)
    first = sorted(path for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert first
    for path in first:
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_one_slide_of_several(model, tmp_path):
    slides = tuple(write_blobs(tmp_path / f"{name}.tif", (100, 90), seed=ord(name)) for name in "ab")
    project = tmp_path / "p"
    run(drawn_request(slides[0], project, model, slides=slides))
    exported(project, tmp_path / "one", format="csv", slide_id="b")
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["b_objects.csv"]
    exported(project, tmp_path / "all", format="csv")
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == ["a_objects.csv", "b_objects.csv"]
    with pytest.raises(ProjectError, match=r"has no slide 'c'.*a, b"):
        exported(project, tmp_path / "none", format="csv", slide_id="c")
    with pytest.raises(UsageError, match="outside slide 'a'"):
        exported(project, tmp_path / "none", format="csv", roi=Rect(100, 0, 10, 10))
    assert not (tmp_path / "none").exists()


def test_an_empty_project_says_so(tmp_path):
    Project.create(tmp_path / "p").close()
    for each in FILE_FORMATS:
        with pytest.raises(ProjectError, match=r"nothing was segmented yet; run 'pathloop segment' first$"):
            exported(tmp_path / "p", tmp_path / "out", format=each)
    assert not (tmp_path / "out").exists()


def test_a_slide_that_was_not_reached_is_left_out(segmented, model, tmp_path):
    project = shutil.copytree(segmented[0], tmp_path / "p")
    other = write_blobs(tmp_path / "other.tif", (200, 200), seed=8)
    events = segment(drawn_request(other, project, model))
    for _ in range(3):
        next(events)
    events.close()
    events = exported(project, tmp_path / "out", format="csv")
    assert [event.text for event in events if isinstance(event, Message)] == [
        "slide 'other': not segmented yet, left out"
    ]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["blobs_objects.csv"]
    with pytest.raises(ProjectError, match="nothing was segmented yet"):
        exported(project, tmp_path / "out", format="csv", slide_id="other")


@pytest.mark.parametrize("stage", ["writing nuclei", "joining gland", "writing lumen"])
def test_a_half_replaced_slide_is_not_exported(slide, model, segmented, tmp_path, stage):
    project = shutil.copytree(segmented[0], tmp_path / "p")
    other = drawn_model(tmp_path / "other", um_per_px=0.7)
    events = segment(drawn_request(slide, project, other))
    while getattr(next(events), "stage", None) != stage:
        pass
    # as another process sees it meanwhile
    with pytest.raises(ProjectError, match="being segmented, or a run on it was interrupted; run the same"):
        exported(project, tmp_path / "out", format="csv")
    events.close()
    if stage == "writing nuclei":
        # closing has put the old labels back
        exported(project, tmp_path / "out", format="labels-tiff")
        np.testing.assert_array_equal(
            tifffile.imread(tmp_path / "out" / "blobs_nuclei.tif"), all_labels(segmented[0])["nuclei"]
        )
    else:
        with pytest.raises(ProjectError, match="interrupted"):
            exported(project, tmp_path / "out", format="csv")


def test_tiles_of_an_unfinished_run_do_not_hinder(slide, model, segmented, tmp_path):
    project = shutil.copytree(segmented[0], tmp_path / "p")
    events = segment(drawn_request(slide, project, model, tile_px=192))
    for _ in range(3):
        next(events)
    exported(project, tmp_path / "out", format="labels-tiff")
    events.close()
    with opened(segmented[0]) as opened_project:
        ids = pyramid(opened_project, "blobs", "gland")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out" / "blobs_gland.tif"), ids)


def test_output_that_cannot_be_written_says_so(segmented, tmp_path):
    (tmp_path / "file").write_text("")
    for each in FILE_FORMATS:
        with pytest.raises(ProjectError, match=r"file: cannot be written \(.*\); choose another folder with -o"):
            exported(segmented[0], tmp_path / "file", format=each)
    with pytest.raises(UsageError, match="unknown format 'pdf'"):
        exported(segmented[0], tmp_path / "out", format="pdf")
