"""The task sampler: its statistics, its batches, and the loader that deals them to workers."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from torch.utils.data import DataLoader
from training_sets import JOINT, classes, config, pool, training_image

from pathloop.core import LabelSchema, TaskSpec, TrainingError
from pathloop.learn._fit import Steps
from pathloop.learn._pool import SamplePool
from pathloop.learn._sampler import Batch, TaskSampler


@pytest.fixture(scope="module")
def images() -> SamplePool:
    """One image a task, so that each sample tells what it was drawn for."""
    return pool(training_image(0, ("nuclei",)), training_image(1, ("gland",)), training_image(2, (), tissue=True))


def plans(sampler: TaskSampler, n: int) -> list[tuple[bool, list[str]]]:
    return [sampler.tasks_of_batch(np.random.default_rng([7, step])) for step in range(n)]


def test_mixed_batches_draw_every_sample_uniformly(images: SamplePool) -> None:
    drawn = plans(TaskSampler(images, config(batch=10, patch_batch=6)), 2000)
    share = np.mean([dense for dense, _ in drawn])
    assert share == pytest.approx(0.7, abs=4 * np.sqrt(0.21 / 2000))
    tasks = Counter(task for dense, names in drawn if dense for task in names)
    total = sum(tasks.values())
    assert tasks["nuclei"] / total == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / total))
    assert set(tasks) == {"nuclei", "gland"}
    assert {len(names) for dense, names in drawn if dense} == {10}
    assert {len(names) for dense, names in drawn if not dense} == {6}
    # samples are independent: the pairs of a batch are uniform too
    pairs = Counter(names[0] + names[1] for dense, names in drawn if dense)
    assert all(count / sum(pairs.values()) == pytest.approx(0.25, abs=0.05) for count in pairs.values())
    assert len(pairs) == 4


def test_fixed_batches_have_one_task(images: SamplePool) -> None:
    drawn = plans(TaskSampler(images, config(batching="fixed", batch=5)), 1000)
    assert all(len(set(names)) == 1 for _, names in drawn)
    tasks = Counter(names[0] for dense, names in drawn if dense)
    assert tasks["nuclei"] / sum(tasks.values()) == pytest.approx(0.5, abs=0.08)
    batch = TaskSampler(images, config(batching="fixed", segmentation_share=1.0)).batch(0)
    assert len(batch.rows) == 1


@pytest.mark.parametrize(("share", "dense"), [(0.0, False), (1.0, True)])
def test_share_of_segmentation(images: SamplePool, share: float, dense: bool) -> None:
    sampler = TaskSampler(images, config(segmentation_share=share))
    assert {kind for kind, _ in plans(sampler, 50)} == {dense}


def test_without_one_super_task_the_other_fills_every_step() -> None:
    only_dense = TaskSampler(pool(training_image(0)), config(segmentation_share=0.0))
    only_cells = TaskSampler(pool(training_image(0, (), tissue=True)), config(segmentation_share=1.0))
    assert {kind for kind, _ in plans(only_dense, 30)} == {True}
    assert {kind for kind, _ in plans(only_cells, 30)} == {False}


def test_nothing_to_train_is_an_error() -> None:
    with pytest.raises(TrainingError, match="none of the training images owns"):
        TaskSampler(pool(training_image(0, ())), config())


def same(one: Batch, other: Batch) -> bool:
    return (
        one.step == other.step
        and np.array_equal(one.images, other.images)
        and one.rows.keys() == other.rows.keys()
        and all(np.array_equal(one.rows[task], other.rows[task]) for task in one.rows)
        and all(np.array_equal(one.targets[task], other.targets[task]) for task in one.rows)
    )


def test_batches_follow_from_seed_and_step_alone(images: SamplePool) -> None:
    first, second = TaskSampler(images, config()), TaskSampler(images, config())
    second.batch(9)
    assert same(first.batch(3), second.batch(3))
    assert not np.array_equal(first.batch(3).images, first.batch(5).images)
    other_seed = TaskSampler(images, config(seed=12))
    assert not all(same(first.batch(step), other_seed.batch(step)) for step in range(3))


def test_rows_name_the_samples_that_own_a_task() -> None:
    found = pool(training_image(0, ("nuclei",)), training_image(1, ("nuclei", "gland")))
    sampler = TaskSampler(found, config(batch=12))
    batch = sampler.batch(0)
    assert batch.images.shape == (12, 32, 32, 3)
    assert batch.rows["nuclei"].tolist() == list(range(12))
    assert 0 < len(batch.rows["gland"]) < 12
    for task, rows in batch.rows.items():
        assert batch.targets[task].shape == (len(rows), 32, 32)
    # row by row: the gland target lies where the gland's colour is
    for row, target in zip(batch.rows["gland"], batch.targets["gland"], strict=True):
        inside = target == 1
        if 50 < inside.sum() < inside.size - 50:
            green = batch.images[row][..., 1].astype(float)
            assert np.median(green[inside]) < np.median(green[target == 0])


def test_patch_samples_of_one_cell_share_their_task() -> None:
    """Batch norm of a patch head cannot train on a single cell."""
    grade = TaskSpec(name="grade", output="patch", classes=classes("low", "high"))
    item = training_image(0, (), tissue=True)
    item = replace(item, labels={"grade": np.ones((80, 80), np.int32)})
    found = pool(item, labels=LabelSchema(tasks=(*JOINT.tasks, grade)))
    one_cell = TaskSampler(found, config(found.labels, patch_batch=2))
    assert {len(set(names)) for _, names in plans(one_cell, 50)} == {1}
    several = TaskSampler(found, config(found.labels, patch_batch=2, patch_side_px=64))
    assert {len(set(names)) for _, names in plans(several, 50)} == {1, 2}


def test_patch_batches_hold_cells(images: SamplePool) -> None:
    batch = TaskSampler(images, config(segmentation_share=0.0, patch_side_px=64)).batch(0)
    assert batch.images.shape == (3, 64, 64, 3)
    assert batch.targets["tissue"].shape == (3, 2, 2)


@pytest.mark.parametrize(
    "workers", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_loader_keeps_the_order_of_steps(images: SamplePool, workers: int) -> None:
    sampler = TaskSampler(images, config(steps=9, workers=workers))
    loaded = list(DataLoader(Steps(sampler, 2), batch_size=None, num_workers=workers))
    assert [batch.step for batch in loaded] == list(range(2, 9))
    assert all(same(batch, sampler.batch(batch.step)) for batch in loaded)
