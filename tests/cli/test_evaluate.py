"""`pathloop evaluate` from files to tables, JSON and CSV."""

import argparse
import csv
import json
import re

import cv2
import numpy as np
import pytest
import tifffile

from pathloop.cli import _evaluate
from pathloop.core import DataError, UsageError


def evaluate(*words):
    parser = argparse.ArgumentParser(prog="pathloop")
    _evaluate.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["evaluate", *map(str, words)])
    return args.run(args)


def write(folder, **images):
    folder.mkdir(exist_ok=True)
    for name, image in images.items():
        tifffile.imwrite(folder / f"{name}.tif", image)
    return folder


def labels(*boxes, shape=(12, 12), dtype=np.uint32):
    image = np.zeros(shape, dtype)
    for number, (top, left, bottom, right) in enumerate(boxes, start=1):
        image[top:bottom, left:right] = number
    return image


A, B = (0, 0, 4, 4), (6, 6, 8, 8)


@pytest.fixture
def folders(tmp_path):
    pred = write(tmp_path / "pred", one_gland=labels(A), two_gland=labels((0, 0, 4, 3)), none_gland=labels())
    truth = write(tmp_path / "truth", one=labels(A), two=labels(A, B), none=labels())
    return pred, truth


def as_json(capsys, *words):
    assert evaluate(*words, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_json_of_objects(folders, capsys):
    found = as_json(capsys, "--pred", folders[0], "--truth", folders[1], "--task", "gland")
    assert (found["schema"], found["version"], found["kind"], found["task"]) == (
        "pathloop-evaluation",
        1,
        "objects",
        "gland",
    )
    assert [row["name"] for row in found["images"]] == ["none", "one", "two"]
    none, one, two = found["images"]
    assert none["dice"] is None
    assert none["pq"] is None
    assert one["dice"] == one["pq"] == one["object_dice"] == 1
    assert two["dice"] == pytest.approx(24 / 32)
    summary = found["summary"]
    assert (summary["n_images"], summary["n_empty_in_both"]) == (3, 1)
    assert summary["dice"] == pytest.approx((1 + 24 / 32) / 2)
    assert summary["pq"] == pytest.approx((1 + 0.75 / 1.5) / 2)
    assert (summary["tp"], summary["fp"], summary["fn"]) == (2, 0, 1)
    assert summary["f1"] == pytest.approx(4 / 5)
    assert summary["pq_pooled"] == pytest.approx(1.75 / 2.5)
    assert summary["glas_object_hausdorff_px"] > 0


def test_hausdorff_is_for_glands_unless_asked(folders, capsys):
    words = ("--pred", folders[0], "--truth", folders[1])
    assert as_json(capsys, *words, "--task", "gland", "--no-hausdorff")["summary"]["glas_object_hausdorff_px"] is None
    folders[0].joinpath("one_gland.tif").rename(folders[0] / "one_nuclei.tif")
    folders[1].joinpath("one.tif").rename(folders[1] / "one_nuclei.tif")
    nuclei = as_json(capsys, *words, "--task", "nuclei")
    assert nuclei["summary"]["n_images"] == 1
    assert nuclei["summary"]["glas_object_hausdorff_px"] is None
    asked = as_json(capsys, *words, "--task", "nuclei", "--hausdorff")
    assert asked["summary"]["glas_object_hausdorff_px"] == 0


def test_table_of_objects(folders, capsys):
    assert evaluate("--pred", folders[0], "--truth", folders[1], "--task", "gland") == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert lines[0].split()[:4] == ["image", "n_pred", "n_truth", "dice"]
    assert len({len(line) for line in lines[:4]}) == 1
    assert "gland: 3 images, 1 of them empty in both and in no mean" in text
    assert re.search(r"^  Dice +0\.8750$", text, re.MULTILINE)
    assert re.search(r"^  F1 +0\.8000  \(TP 2, FP 0, FN 1\)$", text, re.MULTILINE)


def test_many_images_are_listed_only_on_request(tmp_path, capsys):
    images = {f"image{number:02d}": labels(A) for number in range(21)}
    words = ("--pred", write(tmp_path / "p", **images), "--truth", write(tmp_path / "t", **images), "--task", "gland")
    evaluate(*words)
    assert "image07" not in capsys.readouterr().out
    evaluate(*words, "--per-image")
    assert "image07" in capsys.readouterr().out


def test_csv_has_one_row_an_image(folders, tmp_path, capsys):
    target = tmp_path / "out" / "rows.csv"
    evaluate("--pred", folders[0], "--truth", folders[1], "--task", "gland", "--csv", target)
    with target.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["name"] for row in rows] == ["none", "one", "two"]
    assert [row["dice"] for row in rows] == ["", "1.0", "0.75"]


def test_masks_are_one_object_unless_split(tmp_path, capsys):
    mask = np.where(labels(A, B) > 0, 255, 0).astype(np.uint8)
    pred = tmp_path / "pred"
    pred.mkdir()
    cv2.imwrite(str(pred / "a.png"), mask)
    truth = write(tmp_path / "truth", a=labels(A, B))
    words = ("--pred", pred, "--truth", truth, "--task", "gland")
    whole = as_json(capsys, *words)
    assert whole["images"][0]["n_pred"] == 1
    assert len(whole["notes"]) == 1
    assert "a.png holds one object in 2 separate parts" in whole["notes"][0]
    evaluate(*words)
    assert "note: " in capsys.readouterr().out
    split = as_json(capsys, *words, "--components")
    assert split["summary"]["pq"] == 1
    assert split["notes"] == []


def test_components_leave_label_images_alone(tmp_path, capsys):
    touching = labels((0, 0, 4, 4), (0, 4, 4, 8))
    folder = write(tmp_path / "p", a=touching)
    found = as_json(capsys, "--pred", folder, "--truth", folder, "--task", "gland", "--components")
    assert found["summary"]["tp"] == 2


def points(folder, **tables):
    folder.mkdir()
    for name, rows in tables.items():
        (folder / f"{name}.csv").write_text("x,y,type\n" + "".join(f"{x},{y},\n" for x, y in rows))
    return folder


def test_truth_may_be_points(tmp_path, capsys):
    pred = write(tmp_path / "pred", a_nuclei=labels(A, B), b_nuclei=labels())
    # the centres of A and B are (1.5, 1.5) and (6.5, 6.5)
    truth = points(tmp_path / "truth", a=[(1.5, 4.5), (100, 100)], b=[])
    found = as_json(capsys, "--pred", pred, "--truth", truth, "--task", "nuclei", "--radius", "3")
    assert found["kind"] == "points"
    assert found["summary"] == {
        "n_images": 2,
        "radius_px": 3,
        "f1": 0.5,
        "precision": 0.5,
        "recall": 0.5,
        "tp": 1,
        "fp": 1,
        "fn": 1,
        "mean_f1": 0.5,
        "mean_distance_px": 3,
    }
    narrow = as_json(capsys, "--pred", pred, "--truth", truth, "--task", "nuclei", "--radius", "2.9")
    assert narrow["summary"]["tp"] == 0
    assert as_json(capsys, "--pred", pred, "--truth", truth, "--task", "nuclei")["summary"]["radius_px"] == 6
    evaluate("--pred", truth, "--truth", truth, "--task", "nuclei")
    text = capsys.readouterr().out
    assert "points matched within 6 px" in text
    assert re.search(r"^  F1 +1\.0000  \(TP 2, FP 0, FN 0\)$", text, re.MULTILINE)


def test_masks_become_points_by_component(tmp_path, capsys):
    pred = write(tmp_path / "pred", a=(labels(A, B) > 0).astype(np.uint8))
    truth = points(tmp_path / "truth", a=[(1.5, 1.5), (6.5, 6.5)])
    words = ("--pred", pred, "--truth", truth, "--task", "nuclei", "--radius", "1")
    assert as_json(capsys, *words)["summary"]["tp"] == 0
    assert as_json(capsys, *words, "--components")["summary"]["tp"] == 2


def test_tissue_classes(tmp_path, capsys):
    pred = write(tmp_path / "pred", s_tissue=np.array([[1, 1, 0, 2]], np.uint8), s_gland=labels())
    truth = write(tmp_path / "truth", s=np.array([[1, 2, 2, 2]], np.uint8))
    words = ("--pred", pred, "--truth", truth, "--task", "tissue")
    found = as_json(capsys, *words)
    assert found["kind"] == "classes"
    assert [row["code"] for row in found["classes"]] == [1, 2]
    assert [row["dice"] for row in found["classes"]] == [pytest.approx(2 / 3), pytest.approx(2 / 3)]
    assert found["summary"]["accuracy"] == pytest.approx(2 / 3)
    assert found["summary"]["coverage"] == 0.75
    assert found["images"][0]["dice_1"] == pytest.approx(2 / 3)
    evaluate(*words)
    text = capsys.readouterr().out
    assert "class 1" in text
    assert re.search(r"^coverage +0\.7500", text, re.MULTILINE)


def test_wrong_data_is_one_line_that_names_the_files(tmp_path):
    pred = write(tmp_path / "pred", a=labels(A))
    for name, truth, words in (
        ("shape", labels(A, shape=(12, 13)), r"pred.a\.tif has 12 x 12 and .*a\.tif has 12 x 13"),
        ("rgb", np.zeros((12, 12, 3), np.uint8), r"rgb.a\.tif: has shape 12 x 12 x 3"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            evaluate("--pred", pred, "--truth", write(tmp_path / name, a=truth), "--task", "gland")
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"b\.tif: no file named b or b_gland in --truth"):
        evaluate("--pred", write(tmp_path / "more", a=labels(A), b=labels(A)), "--truth", pred, "--task", "gland")
    large = write(tmp_path / "large", a=labels(A) * np.uint32(300))
    with pytest.raises(DataError, match="more than a class code can be"):
        evaluate("--pred", large, "--truth", pred, "--task", "tissue")


def test_tables_and_images_do_not_mix(tmp_path):
    images = write(tmp_path / "images", a=labels(A), b=labels(A))
    tables = points(tmp_path / "tables", a=[(1, 1)], b=[(1, 1)])
    mixed = write(tmp_path / "mixed", a=labels(A))
    (mixed / "b.csv").write_text("x,y\n1,1\n")
    with pytest.raises(DataError, match="evaluate them apart"):
        evaluate("--pred", images, "--truth", mixed, "--task", "nuclei")
    with pytest.raises(DataError, match="but the truth"):
        evaluate("--pred", tables, "--truth", images, "--task", "nuclei")
    with pytest.raises(UsageError, match="no objects to match"):
        evaluate("--pred", images, "--truth", tables, "--task", "tissue")


def test_wrong_usage(tmp_path, folders, capsys):
    with pytest.raises(UsageError, match="--radius is for"):
        evaluate("--pred", folders[0], "--truth", folders[1], "--task", "gland", "--radius", "5")
    tables = points(tmp_path / "tables", a=[(1, 1)])
    for radius in ("0", "-3", "nan", "inf"):
        with pytest.raises(UsageError, match="positive number"):
            evaluate("--pred", tables, "--truth", tables, "--task", "nuclei", "--radius", radius)
    with pytest.raises(SystemExit) as stopped:
        evaluate("--pred", folders[0], "--task", "gland")
    assert stopped.value.code == 2


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as stopped:
        evaluate("--help")
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert "pathloop evaluate --pred labels --truth annotations --task gland" in text


def test_a_failed_run_leaves_the_csv_alone(tmp_path, folders):
    target = tmp_path / "rows.csv"
    target.write_text("old")
    (folders[1] / "two.tif").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"two\.tif: not readable"):
        evaluate("--pred", folders[0], "--truth", folders[1], "--task", "gland", "--csv", target)
    assert target.read_text() == "old"


def test_real_points_against_themselves(data_dir, capsys):
    folder = data_dir / "restricted" / "crchistophenotypes" / "points"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    found = as_json(capsys, "--pred", folder, "--truth", folder, "--task", "nuclei")
    assert found["summary"]["f1"] == 1
    assert found["summary"]["n_images"] > 1
