"""The pool of images, and the patches and targets cut from it."""

from dataclasses import replace

import numpy as np
import pytest
from training_sets import ALL_KINDS, JOINT, STILL, TISSUE, TYPED, classes, pool, training_image

from pathloop.core import DataError, LabelSchema, TaskSpec
from pathloop.learn._pool import SamplePool, WeightedImage
from pathloop.learn._samples import cell_classes, cut_cells, cut_patch
from pathloop.targets import encode_instances


def test_pool_knows_who_owns_what() -> None:
    found = pool(training_image(0, ("nuclei",)), training_image(1, ("gland",), tissue=True))
    assert found.dense_tasks == ["nuclei", "gland"]
    assert found.patch_tasks == ["tissue"]
    rng = np.random.default_rng(0)
    assert all(found.draw_dense("gland", rng) is found.images[1] for _ in range(5))


def test_data_sets_choose_their_tasks() -> None:
    item = training_image(0, tissue=True)
    found = SamplePool([WeightedImage(item, "a", tasks=("gland",))], JOINT, 0.5)
    assert (found.dense_tasks, found.patch_tasks) == (["gland"], [])


def test_weights_strata_and_areas_set_the_odds() -> None:
    """Sets by weight; within a set, a stratum by the square root of its images, an image by that of its area."""
    small, large = training_image(0, side=40), training_image(1, side=80)
    many = [training_image(seed, stratum="many") for seed in range(2, 11)]
    one = training_image(11, stratum="one")
    listed = [WeightedImage(item, "a") for item in (small, large)]
    listed += [WeightedImage(item, "b", 3.0) for item in (*many, one)]
    found = SamplePool(listed, JOINT, 0.5)
    rng = np.random.default_rng(0)
    draws = [found.draw_dense("nuclei", rng) for _ in range(4000)]
    counts = np.array([sum(image is other for image in draws) for other in found.images]) / len(draws)
    expected = [0.25 / 3, 0.5 / 3, *[0.75 * 0.75 / 9] * 9, 0.75 * 0.25]
    np.testing.assert_allclose(counts, expected, atol=0.02)


def test_two_folders_are_two_sets() -> None:
    """Sets of one kind keep weights of their own."""
    listed = [WeightedImage(training_image(0), "folder:a", 1.0), WeightedImage(training_image(1), "folder:b", 4.0)]
    found = SamplePool(listed, JOINT, 0.5)
    rng = np.random.default_rng(0)
    share = np.mean([found.draw_dense("nuclei", rng) is found.images[1] for _ in range(2000)])
    assert share == pytest.approx(0.8, abs=0.04)


def test_finer_images_are_reduced_once() -> None:
    item = replace(training_image(0, tissue=True), um_per_px=0.25)
    found = pool(item).images[0]
    assert found.image.shape == (40, 40, 3)
    assert found.um_per_px == 0.5
    assert found.labels["nuclei"].shape == found.cells["tissue"].shape == (40, 40)
    # nuclei stay where their dark pixels are
    inside = found.labels["nuclei"] > 0
    assert found.image[inside].mean() < found.image[~inside].mean() - 50
    slightly = pool(replace(training_image(0), um_per_px=0.4)).images[0]
    assert slightly.image.shape == (80, 80, 3)


def test_ids_beyond_sixteen_bits_stay_apart() -> None:
    item = training_image(0)
    ids = item.labels["nuclei"].astype(np.int64)
    far = np.where(ids > 0, ids * 65536, 0).astype(np.int32)
    found = pool(replace(item, labels={"nuclei": far})).images[0].labels["nuclei"]
    pairs = np.unique(np.stack([far.ravel(), found.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(far)) == len(np.unique(found))
    assert not found[far == 0].any()


def test_class_codes_that_the_task_lacks_are_refused() -> None:
    item = training_image(0, ("nuclei", "nuclei_type"), tissue=True)
    with pytest.raises(DataError, match=r"image 0: holds class 7 of the task 'nuclei_type'"):
        pool(replace(item, labels={"nuclei_type": item.labels["nuclei_type"] * 0 + 7}), labels=TYPED)
    with pytest.raises(DataError, match="holds class 3 of the task 'tissue', whose last class is 2"):
        pool(replace(item, tissue=np.full((80, 80), 3, np.uint8)))
    # unknown is no class
    pool(replace(item, tissue=np.full((80, 80), 255, np.uint8)))


def test_patch_tasks_of_other_names_take_their_label_image() -> None:
    grade = TaskSpec(name="grade", output="patch", classes=classes("low", "high"))
    labels = LabelSchema(tasks=(*JOINT.tasks, grade))
    stripes = training_image(0, tissue=True)
    found = pool(replace(stripes, labels={"grade": np.ones((80, 80), np.int32)}), labels=labels)
    assert found.patch_tasks == ["tissue", "grade"]
    source, code = found.draw_patch("grade", np.random.default_rng(0))
    assert code == 1
    sample = cut_cells(
        source,
        np.random.default_rng(0),
        task="grade",
        code=1,
        side_px=64,
        cell_px=32,
        pool=found,
        augment=STILL,
    )
    assert {task: target.tolist() for task, target in sample.targets.items()} == {"grade": [[1, 1], [1, 1]]}


def test_image_without_a_clear_class_trains_no_patch_task() -> None:
    item = replace(training_image(0), tissue=np.full((80, 80), 255, np.uint8))
    assert pool(item).patch_tasks == []


def test_targets_of_a_patch() -> None:
    item = training_image(3, ("nuclei", "gland", "nuclei_type"))
    found = pool(item, labels=TYPED)
    for seed in range(8):
        sample = cut_patch(found.images[0], np.random.default_rng(seed), side_px=80, pool=found, augment=STILL)
        assert sample.image.dtype == np.uint8
        assert set(sample.targets) == {"nuclei", "gland", "nuclei_type"}
        assert all(target.shape == (80, 80) and target.dtype == np.uint8 for target in sample.targets.values())
        turn = next(
            (turns, flip)
            for turns in range(4)
            for flip in (False, True)
            if np.array_equal(sample.image, np.rot90(item.image[:, ::-1] if flip else item.image, turns))
        )

        def moved(array: np.ndarray, turn: tuple[int, bool] = turn) -> np.ndarray:
            return np.rot90(array[:, ::-1] if turn[1] else array, turn[0])

        np.testing.assert_array_equal(sample.targets["gland"], encode_instances(moved(item.labels["gland"]), 5))
        np.testing.assert_array_equal(sample.targets["nuclei"], encode_instances(moved(item.labels["nuclei"]), 3))
        np.testing.assert_array_equal(sample.targets["nuclei_type"], moved(item.labels["nuclei_type"]))


def test_unknown_pixels_of_a_patch() -> None:
    item = training_image(3)
    everywhere = {"gland": np.ones((80, 80), bool), "nuclei": np.zeros((80, 80), bool)}
    everywhere["nuclei"][20:60] = True
    found = pool(replace(item, ignore=everywhere))
    sample = cut_patch(found.images[0], np.random.default_rng(1), side_px=64, pool=found, augment=STILL)
    assert set(np.unique(sample.targets["gland"])) == {255}
    share = (sample.targets["nuclei"] == 255).mean()
    assert share == pytest.approx(40 / 64, abs=0.15)


def test_patches_are_drawn_where_something_is_known() -> None:
    item = training_image(3)
    unknown = np.ones((80, 80), bool)
    unknown[40:72, 8:40] = False
    rim = replace(item, ignore={"gland": unknown, "nuclei": unknown})
    found = pool(rim)
    assert found.images[0].window == (40, 8, 72, 40)
    for seed in range(10):
        sample = cut_patch(found.images[0], np.random.default_rng(seed), side_px=32, pool=found, augment=STILL)
        assert not (sample.targets["gland"] == 255).any()
    # a task that is known everywhere lets patches come from everywhere
    assert pool(replace(item, ignore={"gland": unknown})).images[0].window == (0, 0, 80, 80)


def test_scale_range_widens_the_zoom() -> None:
    item = replace(training_image(0, side=200), scale_range=(0.5, 2.0))
    found = pool(item)
    areas = []
    for seed in range(40):
        sample = cut_patch(found.images[0], np.random.default_rng(seed), side_px=96, pool=found, augment=STILL)
        areas.append((sample.targets["nuclei"] > 0).mean())
    # the share of nuclei hardly depends on the zoom, the number of their pixels per object does
    interior = [area for area in areas if area > 0]
    assert len(interior) == 40
    assert max(areas) > 1.1 * min(areas)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ([1, 1, 1, 1], 1),  # all of one class
        ([1, 1, 1, 255], 1),  # three quarters known
        ([1, 1, 255, 255], 255),  # half known
        ([1, 1, 2, 2], 255),  # no majority
        ([1, 1, 1, 2], 1),  # three quarters of one class
        ([0, 0, 0, 255], 0),  # background is a class
        ([255, 255, 255, 255], 255),
    ],
)
def test_class_of_a_cell(cell: list[int], expected: int) -> None:
    tissue = np.array(cell, np.uint16).reshape(2, 2).repeat(4, axis=0).repeat(4, axis=1)
    assert cell_classes(tissue, 8, 3).tolist() == [[expected]]


def test_cells_of_a_map_with_a_remainder() -> None:
    tissue = np.zeros((20, 13), np.uint16)
    tissue[8:16] = 2
    assert cell_classes(tissue, 4, 3)[:, 0].tolist() == [0, 0, 2, 2, 0]
    assert cell_classes(tissue, 8, 3).shape == (2, 1)


def test_cut_cells_shows_the_asked_class() -> None:
    found = pool(training_image(0, tissue=True))
    for code in range(3):
        for seed in range(6):
            sample = cut_cells(
                found.images[0],
                np.random.default_rng(seed),
                task="tissue",
                code=code,
                side_px=64,
                cell_px=16,
                pool=found,
                augment=STILL,
            )
            assert sample.image.shape == (64, 64, 3)
            assert sample.targets["tissue"].shape == (4, 4)
            assert code in sample.targets["tissue"]


def test_schemas_of_the_tests_hold_all_kinds() -> None:
    assert {task.output for task in ALL_KINDS.tasks} == {"instance", "type", "patch"}
    assert TISSUE in JOINT.tasks
