"""What `pathloop evaluate` adds for classes, scores and confidences."""

import argparse
import csv
import json
import re
from pathlib import Path

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


def as_json(capsys, *words):
    assert evaluate(*words, "--json") == 0
    return json.loads(capsys.readouterr().out)


def as_text(capsys, *words):
    assert evaluate(*words) == 0
    return capsys.readouterr().out


def images(folder, **content):
    folder.mkdir(exist_ok=True)
    for name, image in content.items():
        tifffile.imwrite(folder / f"{name}.tif", image, photometric="minisblack")
    return folder


def tables(folder, header, **content):
    folder.mkdir(exist_ok=True)
    for name, rows in content.items():
        lines = [",".join(map(str, row)) for row in rows]
        (folder / f"{name}.csv").write_text("\n".join([header, *lines]) + "\n")
    return folder


def squares(*row):
    """2 x 2 squares side by side."""
    return np.repeat(np.repeat(np.array([row], np.uint16), 2, 0), 2, 1)


@pytest.fixture
def typed(tmp_path):
    """Image one: a found, b taken for a, b found; image two: a missed, c invented. Rows of another task in between."""
    pred = images(tmp_path / "pred", one_nuclei=squares(1, 2, 0, 3), two_nuclei=squares(1, 0), one_gland=squares(1))
    truth = images(tmp_path / "truth", one=squares(1, 2, 0, 3), two=squares(0, 7))
    pred_classes = tables(
        tmp_path / "pred_classes",
        "task,id,class,confidence",
        one_objects=[
            ("gland", 1, "b", 0.1),
            ("nuclei", 1, "a", 0.9),
            ("nuclei", 2, "a", 0.8),
            ("nuclei", 3, "b", 0.7),
            ("nuclei", 9, "b", 0.7),
        ],
        two_objects=[("nuclei", 1, "c", 0.95)],
    )
    truth_classes = tables(
        tmp_path / "truth_classes", "id,class,area", one=[(1, "a", 4), (2, "b", 4), (3, "b", 4)], two=[(7, "a", 4)]
    )
    return [
        *("--pred", pred, "--truth", truth, "--task", "nuclei"),
        *("--pred-classes", pred_classes, "--truth-classes", truth_classes),
    ]


def test_classes_of_objects(typed, capsys):
    """The numbers of the worked case in the tests of the metrics."""
    found = as_json(capsys, *typed)
    types = found["types"]
    assert [row["class"] for row in types["classes"]] == ["a", "b", "c"]
    assert types["mpq"] == pytest.approx((2 / 3 + (2 / 3 + 0) / 2) / 2)
    assert types["mpq_plus"] == types["mf1"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert types["mf1_matched"] == types["accuracy_matched"] == pytest.approx(2 / 3)
    assert types["map"] == pytest.approx(1 / 2)
    assert types["confusion"] == {"classes": ["a", "b", "c"], "matrix": [[1, 0, 0], [1, 1, 0], [0, 0, 0]]}
    assert types["n_unknown"] == 0
    a, b, c = types["classes"]
    assert (a["n_truth"], a["n_pred"], a["tp"], a["fp"], a["fn"]) == (2, 2, 1, 1, 1)
    assert (b["pq"], b["pq_plus"], b["dq_plus"], b["sq_plus"]) == pytest.approx((2 / 3, 2 / 3, 2 / 3, 1))
    assert (c["pq"], c["pq_plus"], c["f1_matched"], c["ap"]) == (None, 0, None, None)


def test_confidences_of_objects(typed, capsys):
    found = as_json(capsys, *typed, "--false-positives", 0, 0.5)
    # sorted: false 0.95, right 0.9, right 0.8, right 0.7; four true ones, two images
    assert found["scored"]["ap"] == pytest.approx((1 / 2 + 2 / 3 + 3 / 4) / 4)
    assert found["scored"]["froc"] == [
        {"false_positives_per_image": 0, "sensitivity": 0},
        {"false_positives_per_image": 0.5, "sensitivity": 0.75},
    ]
    assert found["scored"]["froc_score"] == 0.375
    calibration = found["calibration"]
    assert (calibration["n"], len(calibration["bins"])) == (4, 15)
    assert calibration["mce"] == pytest.approx(0.95)
    assert calibration["brier"] == pytest.approx((0.95**2 + 0.1**2 + 0.2**2 + 0.3**2) / 4)
    # confidences alone need no classes of the truth
    alone = as_json(capsys, *typed[:-2])
    assert alone["scored"]["ap"] == found["scored"]["ap"]
    assert "types" not in alone


def test_text_of_objects_explains_what_it_shows(typed, capsys):
    text = as_text(capsys, *typed)
    for words in (r"mPQ +0\.5000", r"mPQ\+ +0\.3889", r"mF1 +0\.3889", r"AP +0\.4792", r"FROC score", r"ECE +0\."):
        assert re.search(rf"^ *{words}", text, re.MULTILINE), words
    assert re.search(r"^  b +1 +1 +0$", text, re.MULTILINE)
    for name in ("Dice", "AJI", "mPQ+", "FROC", "ECE"):
        assert re.search(rf"^  {re.escape(name)} +\S+ \S+", text.partition("what the numbers say")[2], re.MULTILINE)
    plain = as_text(capsys, *typed[:6])
    assert "AJI  " in plain
    assert "mPQ+" not in plain
    assert "ECE" not in plain


def test_aji_and_pixel_accuracy(typed, capsys, tmp_path):
    found = as_json(capsys, *typed[:6], "--csv", tmp_path / "rows.csv")
    assert [row["aji"] for row in found["images"]] == [1, 0]
    assert [row["pixel_accuracy"] for row in found["images"]] == [1, 0]
    assert found["summary"]["aji"] == 0.5
    assert found["summary"]["aji_pooled"] == pytest.approx(12 / 20)
    assert found["summary"]["pixel_accuracy_pooled"] == pytest.approx(16 / 24)
    with (tmp_path / "rows.csv").open(newline="") as stream:
        assert [row["aji"] for row in csv.DictReader(stream)] == ["1.0", "0.0"]
    assert not {"types", "scored", "calibration", "confusion"} & found.keys()


def test_classes_may_be_images_of_codes(tmp_path, capsys):
    labels = squares(1, 2, 3)
    folder = images(tmp_path / "labels", x=labels)
    codes = squares(1, 2, 0)
    codes[0, 2] = 1  # a minority
    truth = images(tmp_path / "codes", x_types=codes, x=np.zeros((9, 9), np.uint8))
    pred = tables(tmp_path / "table", "id,class", x=[(1, "round"), (2, 1), (3, 2)])
    words = ("--pred", folder, "--truth", folder, "--task", "nuclei", "--pred-classes", pred, "--truth-classes", truth)
    types = as_json(capsys, *words, "--class-names", "round", "long")["types"]
    assert types["confusion"] == {"classes": ["round", "long"], "matrix": [[1, 0], [1, 0]]}
    assert types["n_unknown"] == 1
    # what matches the unknown one is no false "long"
    assert [row["fp"] for row in types["classes"]] == [1, 0]
    assert "1 true one of unknown class left out" in as_text(capsys, *words)


def test_points_with_types_and_scores(tmp_path, capsys):
    pred = tables(
        tmp_path / "pred",
        "x,y,type,score",
        a=[(1, 1, "u", 0.9), (20, 20, "u", 0.8), (40, 40, "v", 0.7)],
        b=[(5, 5, "v", 0.6)],
        c=[],
    )
    truth = tables(tmp_path / "truth", "x,y,type", a=[(1, 2, "u"), (20, 21, "v")], b=[(5, 5, "v")], c=[(9, 9, "u")])
    words = ("--pred", pred, "--truth", truth, "--task", "nuclei", "--radius", 3)
    found = as_json(capsys, *words)
    assert found["summary"]["f1"] == pytest.approx(2 * 3 / (2 * 3 + 1 + 1))
    types = found["types"]
    assert types["confusion"] == {"classes": ["u", "v"], "matrix": [[1, 0], [1, 1]]}
    assert [(row["tp"], row["fp"], row["fn"]) for row in types["classes"]] == [(1, 1, 1), (1, 1, 1)]
    assert types["mf1"] == 0.5
    assert types["mpq"] is None
    assert types["map"] == pytest.approx((1 / 2 + 1 / 2 * 1 / 2) / 2)
    assert found["scored"]["ap"] == pytest.approx((1 + 1 + 3 / 4) / 4)
    assert [point["sensitivity"] for point in found["scored"]["froc"]] == [0.5, *[0.75] * 5]
    assert found["calibration"]["n"] == 4
    assert "mPQ" not in as_text(capsys, *words)


def test_scores_need_not_be_confidences(tmp_path, capsys):
    pred = tables(tmp_path / "pred", "x,y,score", a=[(1, 1, 12.5), (20, 20, -3)])
    truth = tables(tmp_path / "truth", "x,y", a=[(1, 1)])
    found = as_json(capsys, "--pred", pred, "--truth", truth, "--task", "nuclei")
    assert found["scored"]["ap"] == 1
    assert "calibration" not in found
    assert "types" not in found


def test_some_images_without_confidences_are_noted(typed, capsys, tmp_path):
    tables(tmp_path / "pred_classes", "task,id,class,confidence", two_objects=[("nuclei", 1, "c", "")])
    found = as_json(capsys, *typed)
    assert "scored" not in found
    assert "calibration" not in found
    assert found["types"]["map"] is None
    assert found["notes"] == ["no AP, FROC, calibration: 1 image holds predictions without confidence, two first"]


def test_tissue_with_confidences(tmp_path, capsys):
    pred = images(tmp_path / "pred", s_tissue=np.array([[1, 1, 0, 2]], np.uint8))
    truth = images(tmp_path / "truth", s=np.array([[1, 2, 2, 2]], np.uint8))
    sure = images(tmp_path / "sure", s_confidence=np.array([[0.9, 0.6, 0.0, 0.8]], np.float32))
    words = ("--pred", pred, "--truth", truth, "--task", "tissue", "--class-names", "tumour", "stroma")
    found = as_json(capsys, *words, "--confidence", sure)
    assert found["summary"]["mf1"] == found["summary"]["mean_dice"] == pytest.approx(2 / 3)
    assert found["confusion"] == {"codes": [1, 2], "classes": ["tumour", "stroma"], "matrix": [[1, 0], [1, 1]]}
    assert [row["name"] for row in found["classes"]] == ["tumour", "stroma"]
    assert found["calibration"]["n"] == 3
    assert found["calibration"]["ece"] == pytest.approx((0.1 + 0.6 + 0.2) / 3)
    eight_bit = images(tmp_path / "eight", s=np.array([[255, 255, 255, 0]], np.uint8))
    assert as_json(capsys, *words, "--confidence", eight_bit)["calibration"]["brier"] == pytest.approx(2 / 3)
    text = as_text(capsys, *words, "--confidence", sure)
    assert re.search(r"^  stroma +1 +1$", text, re.MULTILINE)
    assert re.search(r"^  ECE +0\.3000$", text, re.MULTILINE)
    assert "calibration" not in as_json(capsys, *words)


@pytest.mark.parametrize(
    ("sure", "clue"),
    [
        (np.full((1, 4), 1.5, np.float32), "0 to 1"),
        (np.full((1, 4), np.nan, np.float32), "0 to 1"),
        (np.ones((1, 4), np.int32), "8 or 16 bit"),
        (np.ones((2, 4), np.float32), r"2 x 4 and .* has 1 x 4"),
        (np.ones((5, 4, 3), np.uint8), "one channel"),
    ],
)
def test_wrong_confidences_are_named(tmp_path, sure, clue):
    codes = images(tmp_path / "codes", s=np.ones((1, 4), np.uint8))
    folder = images(tmp_path / "sure", s=sure)
    with pytest.raises(DataError, match=rf"(?s)sure.s\.tif.*{clue}"):
        evaluate("--pred", codes, "--truth", codes, "--task", "tissue", "--confidence", folder)


@pytest.mark.parametrize(
    ("header", "rows", "clue"),
    [
        ("id,type", [(1, "a")], "has no column class"),
        ("id,class", [("x", "a")], r"line 2: 'x' is no object id"),
        ("id,class", [(1, "a"), (1, "b")], "line 3: object 1 occurs twice"),
        ("id,class,score", [(1, "a", "high")], r"line 2: 'high' is no score"),
    ],
)
def test_wrong_class_tables_are_named(tmp_path, header, rows, clue):
    labels = images(tmp_path / "labels", x=squares(1))
    folder = tables(tmp_path / "classes", header, x=rows)
    with pytest.raises(DataError, match=rf"x\.csv: {clue}"):
        evaluate("--pred", labels, "--truth", labels, "--task", "nuclei", "--pred-classes", folder)


def test_class_files_must_be_there_and_fit(tmp_path):
    labels = images(tmp_path / "labels", x=squares(1))
    words = ("--pred", labels, "--truth", labels, "--task", "nuclei", "--pred-classes")
    other = tables(tmp_path / "other", "id,class", y=[(1, "a")])
    with pytest.raises(DataError, match=r"x\.tif: no file named x or x_objects or .* in --pred-classes"):
        evaluate(*words, other)
    with pytest.raises(DataError, match="no such file or folder"):
        evaluate(*words, tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"differ in size: 3 x 3 and 2 x 2"):
        evaluate(*words, images(tmp_path / "codes", x=np.ones((3, 3), np.uint8)))
    twice = tables(tmp_path / "twice", "id,class", x_a=[(1, "a")])
    for sub in ("p", "q"):
        tables(twice / sub, "id,class", x_objects=[(1, "a")])
    with pytest.raises(DataError, match="ambiguous"):
        evaluate(*words, twice)


def test_options_that_would_go_unused_are_refused(tmp_path):
    labels = images(tmp_path / "labels", x=squares(1))
    points = tables(tmp_path / "points", "x,y", x=[(1, 1)])
    both = ("--pred", labels, "--truth", labels, "--task")
    for words, clue in (
        ((*both, "nuclei", "--truth-classes", labels), "needs --pred-classes"),
        ((*both, "nuclei", "--confidence", labels), "--confidence is for task tissue"),
        ((*both, "tissue", "--pred-classes", labels), "class codes themselves"),
        (("--pred", points, "--truth", points, "--task", "nuclei", "--pred-classes", points), "have a column type"),
        ((*both, "nuclei", "--false-positives", "-1"), "0 or more"),
    ):
        with pytest.raises(UsageError, match=clue):
            evaluate(*words)


def test_real_glands_against_a_shifted_copy(data_dir, tmp_path, capsys):
    cv2 = pytest.importorskip("cv2")
    source = data_dir / "restricted" / "glas" / "labels"
    if not source.is_dir():
        pytest.skip(f"{source} is not there")
    names = sorted(path.stem for path in source.glob("*.png"))[:3]
    labels = {name: cv2.imread(str(source / f"{name}.png"), cv2.IMREAD_UNCHANGED) for name in names}
    truth = images(tmp_path / "truth", **labels)
    moved = images(tmp_path / "moved", **{name: np.roll(image, 4, axis=1) for name, image in labels.items()})
    same = as_json(capsys, "--pred", truth, "--truth", truth, "--task", "gland")["summary"]
    assert same["aji"] == same["pixel_accuracy"] == same["pq"] == 1
    shifted = as_json(capsys, "--pred", moved, "--truth", truth, "--task", "gland")["summary"]
    assert 0.7 < shifted["aji"] < shifted["dice"] < 1


def test_every_key_is_documented(typed, capsys):
    page = (Path(__file__).parents[2] / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    section = page.partition("## `pathloop evaluate --json`")[2].partition("\n## ")[0]
    found = as_json(capsys, *typed)

    def keys(value):
        if isinstance(value, dict):
            return {*value, *(key for one in value.values() for key in keys(one))}
        return {key for one in value for key in keys(one)} if isinstance(value, list) else set()

    named = keys({key: found[key] for key in ("types", "scored", "calibration")}) | found.keys()
    assert not [key for key in named if f"`{key}`" not in section]


def test_tissue_with_probabilities(tmp_path, capsys):
    pred = images(tmp_path / "pred", s=np.array([[1, 2, 0, 2]], np.uint8), t=np.array([[1, 0]], np.uint8))
    truth = images(tmp_path / "truth", s=np.array([[1, 1, 2, 2]], np.uint8), t=np.array([[2, 1]], np.uint8))
    first = np.array([[[0.9, 0.25, 1.0, 0.4]], [[0.1, 0.75, 0.0, 0.6]]], np.float32)
    likely = images(
        tmp_path / "likely", s_probabilities=first, t_probabilities=np.array([[[0.8, 0]], [[0.2, 0]]], np.float32)
    )
    words = ("--pred", pred, "--truth", truth, "--task", "tissue", "--probabilities")
    found = as_json(capsys, *words, likely)
    # the third pixel has no prediction; class 1: right 0.9, wrong 0.8, wrong 0.4, right 0.25
    aps = [1 / 2 + 1 / 2 * 2 / 4, 1 / 2 * 1 / 2 + 1 / 2 * 2 / 3]
    assert [row["ap"] for row in found["classes"]] == pytest.approx(aps)
    assert found["summary"]["map"] == pytest.approx(sum(aps) / 2)
    assert re.search(r"^mAP +0\.6667$", as_text(capsys, *words, likely), re.MULTILINE)
    assert as_json(capsys, *words[:-1])["summary"]["map"] is None
    wrong = images(tmp_path / "wrong", s=first[:1], t=np.ones((1, 2), np.float32))
    with pytest.raises(DataError, match=r"s\.tif: has 1 channels, but .* holds class 2"):
        evaluate(*words, wrong)
    with pytest.raises(DataError, match=r"s\.tif: has shape 2 x 1 x 3, not one channel"):
        evaluate(*words, images(tmp_path / "size", s=first[:, :, :3], t=first))
    with pytest.raises(DataError, match=r"s\.tif: probabilities are"):
        evaluate(*words, images(tmp_path / "range", s=first * 2, t=first))
    more = images(tmp_path / "more", s=first, t=np.ones((3, 1, 2), np.uint8))
    with pytest.raises(DataError, match=r"t\.tif: has 3 channels, others have 2"):
        evaluate(*words, more)


def test_components_have_no_ids_of_a_table(tmp_path):
    labels = images(tmp_path / "labels", x=(squares(1) > 0).astype(np.uint8))
    table = tables(tmp_path / "classes", "id,class", x=[(1, "a")])
    words = ("--pred", labels, "--truth", labels, "--task", "nuclei", "--components", "--pred-classes")
    with pytest.raises(UsageError, match=r"x\.csv: a table by id, but --components numbers objects anew"):
        evaluate(*words, table)
    evaluate(*words, images(tmp_path / "codes", x=(squares(1) > 0).astype(np.uint8)))
