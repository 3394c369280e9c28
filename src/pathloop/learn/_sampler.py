"""The task sampler of Graham et al. 2023. Every batch follows from (seed, step) alone, so a run resumes exactly."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import TrainingError
from pathloop.learn._config import TrainConfig
from pathloop.learn._pool import SamplePool
from pathloop.learn._samples import Sample, cut_cells, cut_patch

__all__ = ["Batch", "TaskSampler"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples of one super task.

    Parameters
    ----------
    step
        The step that it is for.
    images
        (B, S, S, 3) uint8.
    rows
        By task: (n,) int64, the samples that own it.
    targets
        By task: (n, ...) uint8, 255 = unknown.
    """

    step: int
    images: NDArray[np.uint8]
    rows: dict[str, NDArray[np.int64]]
    targets: dict[str, NDArray[np.uint8]]


class TaskSampler:
    """Draws batches.

    Parameters
    ----------
    pool
        Images.
    config
        The run.

    Raises
    ------
    TrainingError
        If no image owns any of the tasks.
    """

    def __init__(self, pool: SamplePool, config: TrainConfig) -> None:
        self.pool = pool
        self.config = config
        if not pool.dense_tasks and not pool.patch_tasks:
            raise TrainingError("none of the training images owns a label of the model's tasks")

    def tasks_of_batch(self, rng: np.random.Generator) -> tuple[bool, list[str]]:
        """Whether a segmentation batch comes next, and the task of each of its samples (p = 1 / T)."""
        pool, fit = self.pool, self.config.fit
        dense = bool(pool.dense_tasks) and (not pool.patch_tasks or rng.random() < fit.segmentation_share)
        return dense, self._tasks(rng, dense=dense)

    def _tasks(self, rng: np.random.Generator, *, dense: bool) -> list[str]:
        pool, fit = self.pool, self.config.fit
        names = pool.dense_tasks if dense else pool.patch_tasks
        size = fit.batch if dense else fit.patch_batch
        # one cell of a task's own would leave its batch norm a single value
        if fit.batching == "fixed" or (not dense and self.config.has_one_cell):
            return [names[int(rng.integers(len(names)))]] * size
        return [names[int(index)] for index in rng.integers(len(names), size=size)]

    def batch(self, step: int, rank: int = 0) -> Batch:
        """The batch of a step, the same one whenever it is asked for.

        Of several processes that train together each has its own (``rank``), all of one super task.
        """
        rng = np.random.default_rng([self.config.seed, step])
        dense, tasks = self.tasks_of_batch(rng)
        if rank:
            rng = np.random.default_rng([self.config.seed, step, rank])
            tasks = self._tasks(rng, dense=dense)
        samples = [self._dense(task, rng) if dense else self._cells(task, rng) for task in tasks]
        return collate(step, samples)

    def _dense(self, task: str, rng: np.random.Generator) -> Sample:
        source = self.pool.draw_dense(task, rng)
        side = self.config.fit.patch_px
        return cut_patch(source, rng, side_px=side, pool=self.pool, augment=self.config.augment)

    def _cells(self, task: str, rng: np.random.Generator) -> Sample:
        source, code = self.pool.draw_patch(task, rng)
        config = self.config
        return cut_cells(
            source,
            rng,
            task=task,
            code=code,
            side_px=config.patch_side_px,
            cell_px=config.network.cell_px,
            pool=self.pool,
            augment=config.augment,
        )


def collate(step: int, samples: list[Sample]) -> Batch:
    """Stack samples; each task keeps the rows that own it."""
    owners: dict[str, list[int]] = {}
    for row, sample in enumerate(samples):
        for task in sample.targets:
            owners.setdefault(task, []).append(row)
    return Batch(
        step=step,
        images=np.stack([sample.image for sample in samples]),
        rows={task: np.array(rows, np.int64) for task, rows in owners.items()},
        targets={task: np.stack([samples[row].targets[task] for row in rows]) for task, rows in owners.items()},
    )
