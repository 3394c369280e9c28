"""nnU-Net, Cellpose, StarDist and COCO: labels come back, rules of each format hold, unreviewed pixels stay out."""

import csv
import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from drawn_regions import CLASSES, discs, drawn_region, ids_of, label_images, noise, plain_region
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pathloop.core import Rect, UsageError
from pathloop.interchange import (
    SplitPlan,
    TrainingOptions,
    TrainingRegion,
    TrainingTask,
    read_label_image,
    write_training_set,
)
from pathloop.interchange._records import read_rgb
from pathloop.rasters import fill_outlines, grow, label_components

TRAIN_ONLY = SplitPlan({"train": 1})


def original_ids(numbers: np.ndarray, objects: Path) -> np.ndarray:
    with objects.open(newline="", encoding="utf-8") as stream:
        ids = [0, *(int(row["project_id"]) for row in csv.DictReader(stream))]
    return np.array(ids)[numbers]


def manifest_images(folder: Path, task: str) -> list[tuple[str, str, Rect]]:
    """Region, file name and rectangle of every image of a task."""
    regions = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["regions"]
    return [(r["name"], one["file"], Rect(*one["rect"])) for r in regions for one in r["images"] if one["task"] == task]


def decode_counts(text: str) -> list[int]:
    """COCO's compressed counts, by its description: 5 bits a letter, the sixth says that more follow."""
    counts: list[int] = []
    letters = iter(text)
    for letter in letters:
        groups = [ord(letter) - 48]
        while groups[-1] & 32:
            groups.append(ord(next(letters)) - 48)
        assert all(0 <= group < 64 for group in groups)
        value = sum((group & 31) << (5 * place) for place, group in enumerate(groups))
        if groups[-1] & 16:
            value -= 1 << (5 * len(groups))
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
    return counts


def decode_mask(annotation: dict[str, Any], shape: tuple[int, int]) -> np.ndarray:
    segmentation = annotation["segmentation"]
    if isinstance(segmentation, dict):
        assert segmentation["size"] == list(shape)
        runs = decode_counts(segmentation["counts"])
        assert min(runs[1:], default=1) > 0
        assert sum(runs) == shape[0] * shape[1]
        return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(shape[::-1]).T
    parts = tuple((np.array(one).reshape(-1, 2)[:, ::-1],) for one in segmentation)
    return fill_outlines([(1, parts)], Rect(0, 0, *shape)) > 0


def check_coco(path: Path) -> tuple[dict[str, Any], dict[int, np.ndarray]]:
    """The rules of COCO's instances. Returns the file and by image id its labels, of project ids."""
    coco = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(f"bare {name}"))
    assert {"info", "licenses", "images", "annotations", "categories"} == set(coco)
    images = {one["id"]: one for one in coco["images"]}
    categories = {one["id"]: one for one in coco["categories"]}
    assert len(images) == len(coco["images"])
    assert len(categories) == len(coco["categories"]) == len({one["name"] for one in coco["categories"]})
    assert len({one["id"] for one in coco["annotations"]}) == len(coco["annotations"])
    labels = {}
    for number, image in images.items():
        assert type(number) is int
        assert number > 0
        pixels = read_rgb(path.parent / "images" / image["file_name"])
        assert pixels.shape == (image["height"], image["width"], 3)
        labels[number] = np.zeros(pixels.shape[:2], np.int64)
    for one in coco["annotations"]:
        assert one["category_id"] in categories
        assert one["iscrowd"] == 0
        mask = decode_mask(one, labels[one["image_id"]].shape)
        rows, cols = np.nonzero(mask)
        assert one["area"] == len(rows) > 0
        left, top, right, bottom = cols.min(), rows.min(), cols.max() + 1, rows.max() + 1
        assert one["bbox"] == [left, top, right - left, bottom - top]
        assert not labels[one["image_id"]][mask].any(), "objects of one image do not overlap"
        labels[one["image_id"]][mask] = one["project_id"]
    return coco, labels


def check_nnunet(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The rules of nnU-Net v2. Returns dataset.json and the label image of every case."""
    dataset = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    assert {"channel_names", "labels", "numTraining", "file_ending"} <= set(dataset)
    assert list(dataset["channel_names"]) == ["0", "1", "2"], "one RGB file is read as three channels"
    values = list(dataset["labels"].values())
    assert dataset["labels"]["background"] == 0
    assert values == list(range(len(values))), "consecutive"
    assert list(dataset["labels"])[-1] == "ignore", "nnU-Net wants it to be the highest"
    cases = {}
    for part in ("Tr", "Ts"):
        names = sorted(p.name.removesuffix("_0000.png") for p in (folder / f"images{part}").glob("*"))
        assert names == sorted(p.name.removesuffix(".png") for p in (folder / f"labels{part}").glob("*"))
        if part == "Tr":
            assert len(names) == dataset["numTraining"]
        for name in names:
            labels = read_label_image(folder / f"labels{part}" / f"{name}.png")
            assert read_rgb(folder / f"images{part}" / f"{name}_0000.png").shape[:2] == labels.shape
            assert set(np.unique(labels)) <= set(values)
            cases[name] = labels
    return dataset, cases


@given(label_images, st.sampled_from(["rle", "polygon"]))
def test_labels_to_coco_and_back_are_exact(tmp_path_factory: pytest.TempPathFactory, labels, kind) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("out") / "set"
    options = TrainingOptions(coco_segmentation=kind)
    write_training_set(folder, [plain_region(labels)], flavour="coco", plan=TRAIN_ONLY, options=options)
    coco, found = check_coco(folder / "nuclei/annotations.json")
    assert np.array_equal(found[1], labels)
    assert [one["name"] for one in coco["categories"]] == ["nuclei"]


@given(label_images, st.sampled_from(["cellpose", "stardist"]))
def test_labels_to_pairs_and_back_are_exact(tmp_path_factory: pytest.TempPathFactory, labels, flavour) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("out") / "set"
    region = plain_region(labels)
    write_training_set(folder, [region], flavour=flavour, plan=TRAIN_ONLY)
    train = folder / "nuclei/train"
    image, mask = {
        "cellpose": (train / "a.png", train / "a_masks.tif"),
        "stardist": (train / "images/a.tif", train / "masks/a.tif"),
    }[flavour]
    numbers = tifffile.imread(mask)
    assert numbers.dtype == np.uint16
    assert ids_of(numbers) == list(range(1, len(ids_of(labels)) + 1))
    assert np.array_equal(original_ids(numbers, folder / "nuclei/objects/a.csv"), labels)
    assert np.array_equal(read_rgb(image), region.image)


@given(label_images, st.integers(0, 2))
def test_labels_to_nnunet_keep_background_and_objects(tmp_path_factory: pytest.TempPathFactory, labels, width) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("out") / "set"
    options = TrainingOptions(nnunet_boundary_px=width)
    write_training_set(folder, [plain_region(labels)], flavour="nnunet", plan=TRAIN_ONLY, options=options)
    dataset, cases = check_nnunet(folder / "Dataset501_nuclei")
    names, found = dataset["labels"], cases["a"]
    assert np.array_equal(found > 0, labels > 0)
    assert ("boundary" in names) == (width > 0)
    inside = found == names["nuclei"]
    for object_id in ids_of(labels):
        assert inside[labels == object_id].any(), "every object has an inside"
    for row, col in np.argwhere(found == names.get("boundary", 99)):
        near = labels[max(row - width, 0) : row + width + 1, max(col - width, 0) : col + width + 1]
        assert (near != labels[row, col]).any()


def test_nnunet_keeps_touching_objects_apart(tmp_path: Path) -> None:
    labels = discs((300, 300), 60, np.random.default_rng(5), (6, 12))
    # what other discs left of a covered one is no nucleus
    for object_id in ids_of(labels):
        if np.count_nonzero(labels == object_id) < 80:
            labels[labels == object_id] = 0
    write_training_set(tmp_path / "set", [plain_region(labels)], flavour="nnunet", plan=TRAIN_ONLY)
    dataset, cases = check_nnunet(tmp_path / "set/Dataset501_nuclei")
    insides, n_insides = label_components(cases["a"] == dataset["labels"]["nuclei"])
    n_objects = len(ids_of(labels))
    assert label_components(labels > 0)[1] < 0.8 * n_objects, "many touch"
    assert n_insides == n_objects
    # as the set's README says: grow the insides into the boundary
    found = grow(insides, cases["a"] > 0, 3)
    for number in range(1, n_objects + 1):
        object_id = int(labels[insides == number][0])
        common = np.count_nonzero((found == number) & (labels == object_id))
        assert common / np.count_nonzero((found == number) | (labels == object_id)) > 0.9


def test_classes_and_review_in_nnunet(tmp_path: Path) -> None:
    regions = [drawn_region(n) for n in range(6)]
    folder = tmp_path / "set"
    options = TrainingOptions(nnunet_id=700, nnunet_boundary_px=0)
    write_training_set(folder, regions, flavour="nnunet", options=options)
    assert sorted(p.name for p in folder.glob("Dataset*")) == [
        "Dataset700_gland",
        "Dataset701_nuclei",
        "Dataset702_tissue",
    ]
    dataset, cases = check_nnunet(folder / "Dataset701_nuclei")
    assert dataset["labels"] == {"background": 0, "Tumor": 1, "Stroma": 2, "ignore": 3}
    tissue_set, tissue_cases = check_nnunet(folder / "Dataset702_tissue")
    assert list(tissue_set["labels"]) == ["background", "stroma_other", "normal_epi", "abnormal_epi", "ignore"]
    for region in regions:
        nuclei = region.tasks["nuclei"]
        codes = np.zeros(nuclei.labels.shape, np.int64)
        for object_id in ids_of(nuclei.labels):
            codes[nuclei.labels == object_id] = nuclei.class_codes[object_id] or 3
        assert np.array_equal(cases[region.name], np.where(nuclei.review, codes, 3))
        # background has code 1 in the map and 0 in nnU-Net; 0, not run, and what nobody reviewed are to be ignored
        wanted = np.where(nuclei.review & (region.tissue.codes > 0), region.tissue.codes.astype(int) - 1, 4)
        assert np.array_equal(tissue_cases[region.name], wanted)
    splits = json.loads((folder / "Dataset701_nuclei/splits_final.json").read_text(encoding="utf-8"))
    with (folder / "splits.csv").open(newline="", encoding="utf-8") as stream:
        by_split = {row["name"]: row["split"] for row in csv.DictReader(stream)}
    assert len(splits) == 1
    for part in ("train", "val"):
        assert splits[0][part] == sorted(name for name, split in by_split.items() if split == part)
    tests = {p.name.removesuffix(".png") for p in (folder / "Dataset701_nuclei/labelsTs").glob("*")}
    assert tests == {name for name, split in by_split.items() if split == "test"}


def test_a_region_that_nobody_reviewed_is_left_out(tmp_path: Path) -> None:
    labels = discs((60, 60), 5, np.random.default_rng(0))
    seen, unseen = plain_region(labels, "seen"), plain_region(labels, "unseen", review=np.zeros((60, 60), np.uint8))
    for flavour in ("nnunet", "cellpose", "stardist", "coco"):
        folder = tmp_path / flavour
        files = write_training_set(folder, [seen, unseen], flavour=flavour, plan=TRAIN_ONLY)
        assert not [path for path in files if path.name.startswith("unseen")]
        assert "* unseen: nuclei: " in (folder / "README.md").read_text(encoding="utf-8")
        with pytest.raises(UsageError, match="no region with labels to write"):
            write_training_set(tmp_path / "none", [unseen], flavour=flavour)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("flavour", ["cellpose", "stardist", "coco"])
@pytest.mark.parametrize("seed", range(4))
def test_nothing_unreviewed_gets_out_where_a_format_cannot_ignore(tmp_path: Path, flavour: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (300 + 40 * seed, 420)
    labels = discs(shape, 80, rng)
    review = np.ones(shape, np.uint8)
    for _ in range(3):
        top, left = int(rng.integers(0, 250)), int(rng.integers(0, 350))
        review[top : top + 60, left : left + 80] = 0
    region = plain_region(labels, review=review)
    folder = tmp_path / "set"
    write_training_set(folder, [region], flavour=flavour, plan=TRAIN_ONLY, options=TrainingOptions(min_side_px=64))
    pieces = manifest_images(folder, "nuclei")
    covered = np.zeros(shape, np.int64)
    coco_labels = check_coco(folder / "nuclei/annotations.json")[1] if flavour == "coco" else {}
    for number, (_, name, rect) in enumerate(pieces, start=1):
        covered[rect.slices] += 1
        assert min(rect.shape) >= 64
        if flavour == "coco":
            found = coco_labels[number]
            image = read_rgb(folder / f"nuclei/images/{name}.png")
        else:
            place = folder / "nuclei/train"
            mask = place / f"{name}_masks.tif" if flavour == "cellpose" else place / f"masks/{name}.tif"
            found = original_ids(tifffile.imread(mask), folder / f"nuclei/objects/{name}.csv")
            image = read_rgb(place / f"{name}.png" if flavour == "cellpose" else place / f"images/{name}.tif")
        assert np.array_equal(found, labels[rect.slices])
        assert np.array_equal(image, region.image[rect.slices])
    assert covered.max() == 1, "rectangles do not overlap"
    assert not covered[review == 0].any()
    assert covered.sum() > 0.5 * review.sum()
    lost = int(review.sum() - covered.sum())
    assert f"* a: nuclei: {lost} reviewed pixels that no rectangle holds" in (folder / "README.md").read_text("utf-8")


def test_small_regions_stay_whole_and_the_largest_rectangle_is_found(tmp_path: Path) -> None:
    labels = discs((90, 90), 6, np.random.default_rng(0))
    review = np.ones((90, 90), np.uint8)
    review[30, 50] = 0
    regions = [plain_region(labels, "whole"), plain_region(labels, "cut", review=review)]
    options = TrainingOptions(min_side_px=20)
    write_training_set(tmp_path / "set", regions, flavour="stardist", plan=TRAIN_ONLY, options=options)
    assert manifest_images(tmp_path / "set", "nuclei") == [
        ("whole", "whole", Rect(0, 0, 90, 90)),
        ("cut", "cut~1", Rect(31, 0, 59, 90)),
        ("cut", "cut~2", Rect(0, 0, 30, 90)),
    ]


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(0, 1)))
def test_the_first_rectangle_is_the_largest_there_is(
    tmp_path_factory: pytest.TempPathFactory, review: np.ndarray
) -> None:
    height, width = review.shape
    largest = max(
        (bottom - top) * (right - left)
        for top, left in np.ndindex(height, width)
        for bottom, right in product(range(top, height + 1), range(left, width + 1))
        if review[top:bottom, left:right].all()
    )
    folder = tmp_path_factory.mktemp("out") / "set"
    region = plain_region(np.ones(review.shape, np.int32), review=review)
    options = TrainingOptions(min_side_px=1)
    if not largest:
        with pytest.raises(UsageError, match="no reviewed rectangle"):
            write_training_set(folder, [region], flavour="stardist", plan=TRAIN_ONLY, options=options)
        return
    write_training_set(folder, [region], flavour="stardist", plan=TRAIN_ONLY, options=options)
    rects = [rect for _, _, rect in manifest_images(folder, "nuclei")]
    assert rects[0].area == largest
    covered = np.zeros(review.shape, np.int64)
    for rect in rects:
        covered[rect.slices] += 1
    if len(rects) < 16:
        assert np.array_equal(covered, review), "with sides of 1 px nothing that was reviewed is lost"


def test_files_lie_by_split_and_keep_their_classes(tmp_path: Path) -> None:
    regions = [drawn_region(n, shape=(200, 260)) for n in range(7)]
    for flavour in ("cellpose", "stardist", "coco"):
        folder = tmp_path / flavour
        write_training_set(folder, regions, flavour=flavour)
        with (folder / "splits.csv").open(newline="", encoding="utf-8") as stream:
            splits = {row["name"]: row["split"] for row in csv.DictReader(stream)}
        assert set(splits.values()) == {"train", "val", "test"}
        for region, file, _ in manifest_images(folder, "nuclei"):
            split = splits[region]
            if flavour == "coco":
                coco, _ = check_coco(folder / f"nuclei/annotations_{split}.json")
                assert f"{file}.png" in [one["file_name"] for one in coco["images"]]
                assert {one["split"] for one in coco["images"]} == {split}
            else:
                ending = {"cellpose": f"{file}.png", "stardist": f"images/{file}.tif"}[flavour]
                assert (folder / "nuclei" / split / ending).is_file()
    coco, _ = check_coco(tmp_path / "coco/nuclei/annotations.json")
    assert [one["name"] for one in coco["categories"]] == ["Tumor", "Stroma", "unclassified"]
    by_name = {region.name: region.tasks["nuclei"] for region in regions}
    regions_of = {image["id"]: image["region"] for image in coco["images"]}
    for one in coco["annotations"]:
        task = by_name[regions_of[one["image_id"]]]
        assert one["category_id"] == (task.class_codes[one["project_id"]] or 3)
        assert one["state"] == task.states.get(one["project_id"], "predicted")


def test_polygons_are_exact_and_holes_stay_holes(tmp_path: Path) -> None:
    labels = np.zeros((12, 16), np.int32)
    labels[1:6, 1:6] = 5
    labels[3, 3] = 0
    labels[2:4, 8:10] = labels[8:10, 12:14] = 9
    options = TrainingOptions(coco_segmentation="polygon")
    folder = tmp_path / "set"
    write_training_set(folder, [plain_region(labels)], flavour="coco", plan=TRAIN_ONLY, options=options)
    coco, found = check_coco(folder / "nuclei/annotations.json")
    ring, parts = coco["annotations"]
    assert isinstance(ring["segmentation"], dict)
    assert parts["segmentation"] == [[8, 2, 10, 2, 10, 4, 8, 4], [12, 8, 14, 8, 14, 10, 12, 10]]
    assert np.array_equal(found[1], labels)


def test_names_that_a_tool_would_misread(tmp_path: Path) -> None:
    labels = discs((60, 60), 5, np.random.default_rng(0))
    regions = [plain_region(labels, name) for name in ("a", "a_masks", "b_flows", "c.d")]
    folder = tmp_path / "set"
    write_training_set(folder, regions, flavour="cellpose", plan=TRAIN_ONLY)
    assert sorted(p.name for p in (folder / "nuclei/train").glob("*.png")) == [
        "a.png",
        "a_masks~image.png",
        "b_flows~image.png",
        "c.d.png",
    ]
    assert np.array_equal(
        tifffile.imread(folder / "nuclei/train/a_masks~image_masks.tif"),
        tifffile.imread(folder / "nuclei/train/a_masks.tif"),
    )


def test_options_and_classes_that_a_format_cannot_take(tmp_path: Path) -> None:
    for wrong in (
        {"min_side_px": 0},
        {"nnunet_id": 1000},
        {"nnunet_boundary_px": -1},
        {"coco_segmentation": "box"},
    ):
        with pytest.raises(UsageError):
            TrainingOptions(**wrong)
    labels = np.ones((4, 4), np.int32)
    image = noise((4, 4), np.random.default_rng(0))
    for name in ("background", "boundary", "ignore"):
        classes = (CLASSES[0], CLASSES[1].model_copy(update={"name": name}))
        region = TrainingRegion("a", "p", image, 0.5, {"nuclei": TrainingTask(labels, classes)})
        with pytest.raises(UsageError, match="a meaning of its own"):
            write_training_set(tmp_path / "set", [region], flavour="nnunet")
    options = TrainingOptions(nnunet_id=998)
    with pytest.raises(UsageError, match="end at 999"):
        write_training_set(tmp_path / "set", [drawn_region(1)], flavour="nnunet", options=options)
    assert list(tmp_path.iterdir()) == []
