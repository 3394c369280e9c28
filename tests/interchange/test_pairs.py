"""Pairing of predicted files with truths, and reading of what they hold."""

import re

import cv2
import numpy as np
import pytest
import tifffile

from pathloop.core import DataError, UsageError
from pathloop.interchange import FilePair, files_beside, pair_files, read_label_image, read_points


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def pair(root, *, task="gland"):
    pairs = pair_files([root / "p"], [root / "t"], task=task)
    return [(p.name, p.pred.relative_to(root).as_posix(), p.truth.relative_to(root).as_posix()) for p in pairs]


def test_by_relative_path_where_stems_repeat(tmp_path):
    touch(tmp_path / "p", "a/1.tif", "b/1.tif")
    touch(tmp_path / "t", "b/1.png", "a/1.png")
    assert pair(tmp_path) == [("a/1", "p/a/1.tif", "t/a/1.png"), ("b/1", "p/b/1.tif", "t/b/1.png")]


def test_by_stem_where_folders_differ(tmp_path):
    touch(tmp_path / "p", "x.tif", "deep/y.ome.tif")
    touch(tmp_path / "t", "k1/x.png", "y.PNG")
    assert pair(tmp_path) == [("x", "p/x.tif", "t/k1/x.png"), ("y", "p/deep/y.ome.tif", "t/y.PNG")]


def test_task_does_not_count_and_other_tasks_of_an_export_are_left_out(tmp_path):
    touch(tmp_path / "p", "s_gland.tif", "s_nuclei.tif", "s_tissue.tif", "s_tissue.json", "s_objects.csv")
    touch(tmp_path / "t", "s.png", ".hidden.png", "notes.txt", "photo.jpg")
    assert pair(tmp_path) == [("s", "p/s_gland.tif", "t/s.png")]
    assert pair(tmp_path, task="nuclei") == [("s", "p/s_nuclei.tif", "t/s.png")]


def test_points_pair_with_label_images(tmp_path):
    touch(tmp_path / "p", "img1_nuclei.tif")
    touch(tmp_path / "t", "img1.csv")
    assert pair(tmp_path, task="nuclei") == [("img1", "p/img1_nuclei.tif", "t/img1.csv")]


def test_files_pair_by_stem(tmp_path):
    touch(tmp_path, "p/b_gland.tif", "p/a_gland.tif", "t/a.png", "t/b_gland.png")
    pairs = pair_files(
        [tmp_path / "p/b_gland.tif", tmp_path / "p/a_gland.tif"],
        [tmp_path / "t/a.png", tmp_path / "t/b_gland.png"],
        task="gland",
    )
    assert [(p.name, p.pred.name, p.truth.name) for p in pairs] == [
        ("a", "a_gland.tif", "a.png"),
        ("b", "b_gland.tif", "b_gland.png"),
    ]


def test_a_stem_that_is_only_the_task_stays(tmp_path):
    touch(tmp_path, "p/_gland.tif", "t/_gland.png")
    assert pair(tmp_path) == [("_gland", "p/_gland.tif", "t/_gland.png")]


@pytest.mark.parametrize(
    ("pred", "truth", "named"),
    [
        (["a.tif", "b.tif"], ["a.tif"], "p/b.tif"),
        (["a.tif"], ["a.tif", "c.png"], "t/c.png"),
        (["a.tif", "a.png"], ["a.tif"], "p/a.tif"),
        (["a.tif"], ["k/a.tif", "l/a.tif"], "t/l/a.tif"),
        (["a.tif"], ["k/a.tif", "l/a.tif"], "t/k/a.tif"),
        (["a.tif", "a_gland.tif"], ["other.png"], "p/a_gland.tif"),
        (["a_gland.tif"], ["a.png", "a.csv"], "t/a.csv"),
    ],
)
def test_ambiguous_and_unpaired_files_are_named(tmp_path, pred, truth, named):
    touch(tmp_path / "p", *pred)
    touch(tmp_path / "t", *truth)
    with pytest.raises(DataError, match=re.escape(str(tmp_path / named))):
        pair(tmp_path)


def test_missing_and_empty_places_are_named(tmp_path):
    touch(tmp_path, "t/a.png", "empty/readme.txt")
    with pytest.raises(DataError, match=r"p: no such file or folder"):
        pair(tmp_path)
    with pytest.raises(DataError, match=r"empty: holds no label image"):
        pair_files([tmp_path / "empty"], [tmp_path / "t"], task="gland")
    with pytest.raises(UsageError, match="one folder or any number of files"):
        pair_files([tmp_path / "t", tmp_path / "t/a.png"], [tmp_path / "t"], task="gland")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int32, bool])
def test_tiff_labels_come_back_as_they_are(tmp_path, rng, dtype):
    labels = rng.integers(0, 2 if dtype is bool else np.iinfo(dtype).max, (70, 50)).astype(dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, labels, tile=(16, 16), compression="zlib")
    found = read_label_image(path)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, labels)


def test_first_level_of_a_pyramid_and_single_axes(tmp_path, rng):
    labels = rng.integers(0, 2**32 - 1, (64, 96), dtype=np.uint32)
    with tifffile.TiffWriter(tmp_path / "pyramid.ome.tif") as file:
        file.write(labels, subifds=1, tile=(32, 32))
        file.write(labels[::2, ::2], subfiletype=1, tile=(32, 32))
    np.testing.assert_array_equal(read_label_image(tmp_path / "pyramid.ome.tif"), labels)
    tifffile.imwrite(tmp_path / "single.tif", labels[None, :, :, None], photometric="minisblack")
    np.testing.assert_array_equal(read_label_image(tmp_path / "single.tif"), labels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_labels_come_back_as_they_are(tmp_path, rng, dtype):
    labels = rng.integers(0, np.iinfo(dtype).max, (33, 21)).astype(dtype)
    path = tmp_path / "Gewebe ä.png"
    path.write_bytes(cv2.imencode(".png", labels)[1].tobytes())
    found = read_label_image(path)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, labels)


def test_what_is_no_label_image_is_refused(tmp_path):
    colour = np.zeros((8, 9, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "rgb.png"), colour)
    tifffile.imwrite(tmp_path / "rgb.tif", colour, photometric="rgb")
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((4, 8, 9), np.uint8), photometric="minisblack")
    tifffile.imwrite(tmp_path / "float.tif", np.zeros((8, 9), np.float32))
    tifffile.imwrite(tmp_path / "negative.tif", np.full((8, 9), -1, np.int16))
    cv2.imwrite(str(tmp_path / "photo.jpg"), colour[..., 0])
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "broken.tif").write_bytes(b"no image")
    for name, words in {
        "rgb.png": "8 x 9 x 3",
        "rgb.tif": "single-channel",
        "stack.tif": "4 x 8 x 9",
        "float.tif": "float32",
        "negative.tif": "negative",
        "photo.jpg": "PNG or TIFF",
        "broken.png": "not readable",
        "empty.png": "not readable",
        "broken.tif": "not readable",
        "absent.tif": "no such file",
    }.items():
        with pytest.raises(DataError, match=words) as caught:
            read_label_image(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compression", ["zlib", "zstd", "lzw", None])
def test_a_damaged_tiff_is_named(tmp_path, rng, compression):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, rng.integers(0, 9, (100, 100), dtype=np.uint32), tile=(32, 32), compression=compression)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"cut\.tif: not readable as TIFF"):
        read_label_image(path)


def test_points_with_and_without_types(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\ufeffx,y,type,more\n1.5,2,epithelial,9\n3,4,,9\n", encoding="utf-8")
    table = read_points(path)
    assert table.yx.tolist() == [[2, 1.5], [4, 3]]
    assert table.types == ("epithelial", "")
    path.write_text("y, x\n", encoding="utf-8")
    assert read_points(path).yx.shape == (0, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "no column x and y"),
        ("", "no column x and y"),
        ("x,z\n1,2\n", "no column y"),
        ("x,y\n1,2\n3,zwei\n", r"line 3: 'zwei'"),
        ("x,y\n1\n", "line 2: None"),
        ("x,y\n1,nan\n", "line 2"),
    ],
)
def test_wrong_point_tables_are_refused(tmp_path, text, words):
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=words) as caught:
        read_points(path)
    assert str(path) in str(caught.value)


def test_missing_and_binary_point_tables_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_points(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_bytes(b"x,y\n\xff\xfe\n")
    with pytest.raises(DataError, match="not readable as CSV"):
        read_points(tmp_path / "b.csv")


def test_points_may_have_scores(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y,confidence\n1,2,0.5\n3,4,-7\n")
    found = read_points(path)
    assert found.scores is not None
    assert found.scores.tolist() == [0.5, -7]
    path.write_text("x,y,confidence,score\n1,2,0.5,0.75\n")
    found = read_points(path)
    assert found.scores is not None
    assert found.scores.tolist() == [0.75]
    path.write_text("x,y\n1,2\n")
    assert read_points(path).scores is None
    path.write_text("x,y,score\n1,2,\n")
    with pytest.raises(DataError, match=r"line 2: '' is no score"):
        read_points(path)


def test_files_beside_are_found_by_place_then_by_stem(tmp_path):
    for name in (
        "p/s/a_nuclei.png",
        "p/b.png",
        "c/s/a_types.png",
        "c/deep/b_types.png",
        "c/s/a.png",
        "c/zzz_types.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    pairs = [
        FilePair("s/a", tmp_path / "p/s/a_nuclei.png", tmp_path / "t/s/a.png"),
        FilePair("b", tmp_path / "p/b.png", tmp_path / "t/b.png"),
    ]
    found = files_beside([tmp_path / "c"], pairs, option="--x", endings=("objects", "types"))
    assert found == (tmp_path / "c/s/a_types.png", tmp_path / "c/deep/b_types.png")
    given = files_beside([tmp_path / "c/deep/b_types.png"], pairs[1:], option="--x", endings=("objects", "types"))
    assert given == found[1:]


def test_what_files_beside_refuse(tmp_path):
    for name in ("c/d/a.png", "c/e/a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    pair = FilePair("a", tmp_path / "p/a.png", tmp_path / "t/a.png")
    with pytest.raises(DataError, match=r"a\.png: ambiguous, --x also holds"):
        files_beside([tmp_path / "c"], [pair], option="--x", endings=("types",))
    other = FilePair("b", tmp_path / "p/b.png", tmp_path / "t/b.png")
    with pytest.raises(DataError, match=r"b\.png: no file named b or b_types in --x"):
        files_beside([tmp_path / "c"], [other], option="--x", endings=("types",))
