"""Training sets in our own layout: what is read back, by our own adapter too; whole or not at all."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from drawn_regions import CLASSES, TISSUE, drawn_region, ids_of, label_images, noise, plain_region
from hypothesis import given

from pathloop.core import ClassSpec, DataError, UsageError, file_sha256
from pathloop.interchange import (
    TISSUE_CLASSES,
    TRAINING_FLAVOURS,
    SplitPlan,
    TrainingRegion,
    TrainingTask,
    TrainingTissue,
    iter_dataset,
    list_dataset,
    read_label_image,
    write_training_set,
)

TRAIN_ONLY = SplitPlan({"train": 1})


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def original_ids(numbers: np.ndarray, objects: Path) -> np.ndarray:
    ids = np.array([0, *(int(row["project_id"]) for row in table(objects))])
    return ids[numbers]


@given(label_images)
def test_labels_to_the_set_and_back_are_exact(tmp_path_factory: pytest.TempPathFactory, labels: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("out") / "set"
    region = plain_region(labels)
    write_training_set(folder, [region], plan=TRAIN_ONLY)
    (item,) = iter_dataset("pathloop_set", folder)
    assert np.array_equal(item.image, region.image)
    assert np.array_equal(original_ids(item.labels["nuclei"], folder / "nuclei/objects/a.csv"), labels)
    assert ids_of(item.labels["nuclei"]) == list(range(1, len(ids_of(labels)) + 1))
    assert item.ignore is None


def test_every_file_says_what_it_promises(tmp_path: Path) -> None:
    region = drawn_region(1)
    folder = tmp_path / "set"
    files = write_training_set(folder, [region], plan=TRAIN_ONLY, about={"who": "A. Pathologist"})
    assert files == sorted(path for path in folder.rglob("*") if path.is_file())
    nuclei, name = region.tasks["nuclei"], region.name
    numbers = read_label_image(folder / "nuclei/instances" / f"{name}.png")
    assert numbers.dtype == np.uint16
    assert np.array_equal(original_ids(numbers, folder / "nuclei/objects" / f"{name}.csv"), nuclei.labels)
    classes = read_label_image(folder / "nuclei/classes" / f"{name}.png")
    for object_id in ids_of(nuclei.labels):
        assert set(classes[nuclei.labels == object_id].tolist()) == {nuclei.class_codes[object_id]}
    assert not classes[nuclei.labels == 0].any()
    review = read_label_image(folder / "nuclei/review" / f"{name}.png")
    assert np.array_equal(review, np.where(nuclei.review, 255, 0))
    assert (read_label_image(folder / "gland/review" / f"{name}.png") == 255).all()
    legend = json.loads((folder / "nuclei/classes.json").read_text(encoding="utf-8"))["codes"]
    assert [legend[code]["name"] for code in "012"] == ["no object, or no class known", "Tumor", "Stroma"]
    tissue = read_label_image(folder / "tissue" / f"{name}.png")
    assert np.array_equal(tissue, np.where(nuclei.review, region.tissue.codes, 0))
    for row in table(folder / "nuclei/objects" / f"{name}.csv"):
        object_id = int(row["project_id"])
        assert row["state"] == nuclei.states.get(object_id, "predicted")
        assert row["class"] == ("", "Tumor", "Stroma")[nuclei.class_codes[object_id]]
        assert int(row["area_px"]) == np.count_nonzero(nuclei.labels == object_id)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["format"], manifest["format_version"], manifest["flavour"]) == (
        "pathloop training set",
        1,
        "pathloop",
    )
    assert manifest["about"] == {"who": "A. Pathologist"}
    assert [one["name"] for one in manifest["tasks"]["nuclei"]] == ["Tumor", "Stroma"]
    (row,) = manifest["regions"]
    assert row["provenance"] == region.provenance
    assert (row["split"], row["group"], row["um_per_px"]) == ("train", "patient 1", 0.5)
    assert {file: file_sha256(folder / file) for file in manifest["files"]} == manifest["files"]
    assert {*manifest["files"], "manifest.json"} == {path.relative_to(folder).as_posix() for path in files}


def test_our_own_training_reads_it(tmp_path: Path) -> None:
    regions = [drawn_region(n) for n in range(3)]
    write_training_set(tmp_path / "set", regions, plan=TRAIN_ONLY)
    for item, region in zip(iter_dataset("pathloop_set", tmp_path / "set"), regions, strict=True):
        nuclei = region.tasks["nuclei"]
        unknown = nuclei.review == 0
        assert (item.name, item.group, item.um_per_px, item.stratum) == (region.name, region.group, 0.5, "all")
        assert set(item.labels) == {"nuclei", "nuclei_type", "gland"}
        assert set(item.ignore) == {"nuclei", "nuclei_type"}
        assert np.array_equal(item.ignore["nuclei"], unknown)
        unclassed = (nuclei.labels > 0) & (item.labels["nuclei_type"] == 0)
        assert unclassed.any()
        assert np.array_equal(item.ignore["nuclei_type"], unknown | unclassed)
        assert all(labels.dtype == np.int32 for labels in item.labels.values())
        # code k of the map is place k - 1 in TISSUE_CLASSES here; 0 and what nobody reviewed are unknown
        codes = np.where(unknown, 0, region.tissue.codes)
        assert np.array_equal(item.tissue, np.where(codes == 0, 255, codes - 1))


@pytest.mark.parametrize("flavour", TRAINING_FLAVOURS)
def test_slides_have_all_kinds_of_names(tmp_path: Path, flavour: str) -> None:
    labels = np.ones((20, 20), np.int32)
    names = ["Fall & Probe [3]'s #2 100%", "größe_ñ.ome.x", "~a~", "TCGA-AA-0001-01Z-00-DX1." + "f" * 100]
    regions = [plain_region(labels, name) for name in names]
    files = write_training_set(tmp_path / "set", regions, flavour=flavour, plan=TRAIN_ONLY)
    for name in names:
        assert any(path.name.startswith(name) for path in files)
    if flavour == "pathloop":
        found = {item.name: item.labels["nuclei"] for item in iter_dataset("pathloop_set", tmp_path / "set")}
        assert set(found) == set(names)
        assert all(np.array_equal(one, labels) for one in found.values())


def test_tissue_classes_are_matched_by_name(tmp_path: Path) -> None:
    codes = np.arange(1, 5, dtype=np.uint8).repeat(4).reshape(4, 4)
    for legend, places in (
        (TISSUE[::-1], [3, 2, 1, 0]),
        ((*TISSUE[:3], ClassSpec(name="necrosis", color=(0, 0, 0))), [0, 1, 2, 3]),
    ):
        region = TrainingRegion(
            "a", "p", noise((4, 4), np.random.default_rng(0)), 0.5, {}, TrainingTissue(codes, legend)
        )
        folder = tmp_path / legend[-1].name
        write_training_set(folder, [region], plan=TRAIN_ONLY)
        (item,) = iter_dataset("pathloop_set", folder)
        assert item.labels == {}
        assert item.tissue[:, 0].tolist() == places
    assert len(TISSUE_CLASSES) == 4


def test_test_patients_do_not_train(tmp_path: Path) -> None:
    regions = [drawn_region(n) for n in range(8)]
    write_training_set(tmp_path / "set", regions)
    names = {record.name for record in list_dataset("pathloop_set", tmp_path / "set")}
    kept = {row["name"] for row in table(tmp_path / "set/splits.csv") if row["split"] != "test"}
    assert names == kept
    assert 0 < len(names) < 8


def test_more_objects_than_16_bits_hold(tmp_path: Path) -> None:
    labels = np.arange(260 * 260, dtype=np.int32).reshape(260, 260)
    folder = tmp_path / "set"
    write_training_set(folder, [plain_region(labels)], plan=TRAIN_ONLY)
    assert tifffile.imread(folder / "nuclei/instances/a.tif").dtype == np.uint32
    (item,) = iter_dataset("pathloop_set", folder)
    assert np.array_equal(item.labels["nuclei"], labels)


@pytest.mark.parametrize("flavour", TRAINING_FLAVOURS)
def test_the_same_regions_give_the_same_bytes(tmp_path: Path, flavour: str) -> None:
    sums = []
    for name in ("a", "b"):
        regions = [drawn_region(n) for n in range(4)]
        files = write_training_set(tmp_path / name, iter(regions), flavour=flavour)
        sums.append({path.relative_to(tmp_path / name): file_sha256(path) for path in files})
    assert sums[0] == sums[1]
    assert {Path("README.md"), Path("manifest.json"), Path("splits.csv")} < set(sums[0])


@pytest.mark.parametrize("flavour", TRAINING_FLAVOURS)
def test_it_appears_whole_or_not_at_all(tmp_path: Path, flavour: str) -> None:
    def broken():
        yield drawn_region(1)
        raise RuntimeError("the drive is gone")

    folder = tmp_path / "set"
    with pytest.raises(RuntimeError, match="gone"):
        write_training_set(folder, broken(), flavour=flavour)
    assert list(tmp_path.iterdir()) == []
    before = write_training_set(folder, [drawn_region(2)], flavour=flavour)
    sums = [file_sha256(path) for path in before]
    with pytest.raises(RuntimeError, match="gone"):
        write_training_set(folder, broken(), flavour=flavour)
    assert [file_sha256(path) for path in before] == sums
    after = write_training_set(folder, [drawn_region(3)], flavour=flavour)
    assert not any("slide 2" in path.name for path in after), "a set as it was written is replaced"
    assert list(tmp_path.iterdir()) == [folder]
    assert not any(path.name.startswith(".") for path in folder.rglob("*"))


def test_a_set_that_someone_added_to_is_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_training_set(folder, [drawn_region(1)])
    (folder / "results.txt").write_text("weeks of it", encoding="utf-8")
    with pytest.raises(UsageError, match=r"holds results\.txt, which is no part of a training set"):
        write_training_set(folder, [drawn_region(1)])
    assert (folder / "results.txt").is_file()
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="is a file"):
        write_training_set(tmp_path / "file", [drawn_region(1)])


def test_regions_that_contradict_each_other(tmp_path: Path) -> None:
    labels = np.ones((4, 4), np.int32)
    other = plain_region(labels, "b", tasks={"nuclei": TrainingTask(labels, CLASSES)})
    for regions, words in (
        ([], "none was given"),
        ([plain_region(labels, "A"), plain_region(labels, "a")], "two regions have this name"),
        ([plain_region(labels, "a"), other], "classes of nuclei differ"),
    ):
        with pytest.raises(UsageError, match=words):
            write_training_set(tmp_path / "set", regions)
    for options in ({"flavour": "yolo"}, {"about": {"a": object()}}):
        with pytest.raises(UsageError, match=r"unknown flavour 'yolo'|what JSON cannot"):
            write_training_set(tmp_path / "set", [other], **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "../a"}, "cannot be the name"),
        ({"name": "a~1"}, "cannot be the name"),
        ({"name": "a."}, "cannot be the name"),
        ({"name": "a\n"}, "cannot be the name"),
        ({"name": ""}, "cannot be the name"),
        ({"name": "a" * 181}, "cannot be the name"),
        ({"group": ""}, "names no patient"),
        ({"image": np.zeros((4, 4), np.uint8)}, "expected"),
        ({"image": np.zeros((4, 5, 3), np.uint8)}, r"nuclei is \(4, 4\), its image \(4, 5\)"),
        ({"um_per_px": float("nan")}, "positive number"),
        ({"tasks": {}}, "has no labels"),
        ({"tasks": {"tissue": TrainingTask(np.zeros((4, 4), np.int32))}}, "cannot be the name of an object task"),
        ({"split": "holdout"}, "unknown split"),
        ({"provenance": {"at": {1, 2}}}, "what JSON cannot"),
        ({"tissue": TrainingTissue(np.zeros((2, 2), np.uint8), TISSUE)}, "tissue map is"),
    ],
)
def test_regions_that_are_none(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        plain_region(np.zeros((4, 4), np.int32), **changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TrainingTask(np.zeros((4, 4), np.uint8)),
        lambda: TrainingTask(np.full((4, 4), -1, np.int32)),
        lambda: TrainingTask(np.zeros((4, 4), np.int32), review=np.zeros((4, 5), np.uint8)),
        lambda: TrainingTask(np.zeros((4, 4), np.int32), review=np.full((4, 4), 255, np.uint8)),
        lambda: TrainingTask(np.zeros((4, 4), np.int32), CLASSES, {1: 3}),
        lambda: TrainingTissue(np.full((4, 4), 5, np.uint8), TISSUE),
        lambda: TrainingTissue(np.zeros((4, 4), np.int32), TISSUE),
    ],
)
def test_labels_that_are_none(make: Any) -> None:
    with pytest.raises(UsageError):
        make()


def test_sets_that_our_training_cannot_read(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_training_set(folder, [drawn_region(1)], flavour="coco")
    with pytest.raises(DataError, match="is a set for coco"):
        list_dataset("pathloop_set", folder)
    write_training_set(folder, [drawn_region(1)], plan=TRAIN_ONLY)
    manifest = folder / "manifest.json"
    text = manifest.read_text(encoding="utf-8")
    for wrong, words in (
        ("{}", "is not the manifest"),
        (text.replace('"format_version": 1', '"format_version": 2'), "update pathloop"),
        (text.replace('"um_per_px"', '"scale"'), "damaged manifest"),
        (text.replace("nuclei/instances/slide 1", "nuclei/instances/slide 9"), "no such file"),
    ):
        manifest.write_text(wrong, encoding="utf-8")
        with pytest.raises(DataError, match=words):
            list_dataset("pathloop_set", folder)
    manifest.write_text(text, encoding="utf-8")
    (folder / "nuclei/review/slide 1_r1.png").unlink()
    with pytest.raises(DataError, match=r"slide 1_r1\.png: no such file"):
        next(iter_dataset("pathloop_set", folder))
    write_training_set(folder, [plain_region(np.ones((4, 4), np.int32), split="test")])
    with pytest.raises(DataError, match="no image with a label"):
        list_dataset("pathloop_set", folder)
