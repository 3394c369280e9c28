"""The result of a run outside any project: what one process works out and another puts into the project.

``result/`` in the run's folder, marked whole by ``result.json``, which is written last.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, DataError, Instances, Rect, TileGrid, read_json, write_json
from pathloop.loop._joining import ObjectSource
from pathloop.loop._maps import CellMap, RunMaps
from pathloop.loop._tables import Arrays, columns_of, instances_of, read_arrays, write_arrays
from pathloop.predict import TileJob
from pathloop.rasters import create_label_pyramid, open_label_pyramid

__all__ = ["RESULT_FOLDER", "Result", "StoredObjects", "mark_whole", "store_maps", "stored_objects"]

RESULT_FOLDER = "result"
RESULT_VERSION = 1
MARK = "result.json"
MAPS = "maps.npz"

READ_PX = 1024
"""Side of the level-0 blocks that are read at once: small, so that a window's thread is never held up for long."""


@dataclass(frozen=True, slots=True)
class StoredObjects:
    """The objects of one task in a result folder; an `ObjectSource`.

    Parameters
    ----------
    folder
        The result folder.
    task
        Whose objects.
    classes
        The model's, by code - 1.
    region
        Level-0 pixels of the run.
    """

    folder: Path
    task: str
    classes: tuple[ClassSpec, ...]
    region: Rect

    @property
    def n_blocks(self) -> int:
        """How many blocks there are."""
        return len(TileGrid(self.region, READ_PX))

    def blocks(self) -> Iterator[tuple[Rect, NDArray[np.int32]]]:
        """Level-0 blocks that cover the run's region once, and their ids."""
        pyramid = open_label_pyramid(_labels(self.folder, self.task))
        for tile in TileGrid(self.region, READ_PX):
            yield tile.core, pyramid.read(tile.core)

    def instances(self) -> Instances:
        """The objects by ascending id."""
        with read_arrays(_table(self.folder, self.task)) as arrays:
            return instances_of(arrays)


def stored_objects(folder: Path, job: TileJob, source: ObjectSource) -> Iterator[int]:
    """Store a task's objects; nothing is done where they are stored already.

    Yields
    ------
    int
        Blocks done, after each block.
    """
    table, labels = _table(folder, source.task), _labels(folder, source.task)
    if table.exists():
        return
    if labels.exists():
        shutil.rmtree(labels)  # a kill left a part of it
    attributes = {"task": source.task, "run_key": job.run_key}
    pyramid = create_label_pyramid(labels, job.slide.shape, scale=job.scale, attributes=attributes)
    for index, (block, ids) in enumerate(source.blocks()):
        # only level 0: nobody looks at a result before it is in the project
        if ids.any():
            pyramid.write(block, ids)
        yield index + 1
    write_arrays(table, columns_of(source.instances()), compress=False)


def store_maps(folder: Path, maps: RunMaps) -> None:
    """Store the maps of a run."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, one in (("tissue", maps.tissue), ("uncertainty", maps.uncertainty)):
        if one is not None:
            arrays[f"{name}/values"], arrays[f"{name}/is_run"] = one.values, one.is_run
            arrays[f"{name}/cell_px"] = np.array(one.cell_px)
    write_arrays(folder / MAPS, arrays, compress=True)


def mark_whole(folder: Path, job: TileJob, tasks: dict[str, tuple[ClassSpec, ...]], maps: RunMaps) -> None:
    """Say that everything is stored; the last step."""
    region = job.region
    values = {
        "version": RESULT_VERSION,
        "run_key": job.run_key,
        "slide": job.slide.path.name,
        "region": [region.y, region.x, region.height, region.width],
        "tasks": {task: [one.model_dump(mode="json") for one in classes] for task, classes in tasks.items()},
        "tissue_classes": [one.model_dump(mode="json") for one in maps.classes],
    }
    write_json(folder / MARK, values)


class Result:
    """A whole result folder.

    Parameters
    ----------
    folder
        The ``result`` folder of a run.

    Attributes
    ----------
    run_key, slide_name : str
        Which run, of which slide file.
    region : Rect
        Level-0 pixels of the run.
    tasks : dict
        Classes by object task, in the order in which the tasks go into a project.

    Raises
    ------
    DataError
        If there is no whole result here, or a newer version of pathloop wrote it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            values = read_json(folder / MARK)
            version = int(values["version"])
            if version > RESULT_VERSION:
                raise DataError(f"{folder}: written by a newer pathloop (result format {version}); update pathloop")
            self.run_key, self.slide_name = str(values["run_key"]), str(values["slide"])
            self.region = Rect(*values["region"])
            self.tasks = {task: _classes(rows) for task, rows in values["tasks"].items()}
            self._tissue_classes = _classes(values["tissue_classes"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{folder}: damaged result ({error!r}); delete it and segment again") from error

    @staticmethod
    def is_whole(folder: Path) -> bool:
        """Whether a result is there and complete."""
        return (folder / MARK).is_file()

    def objects(self, task: str) -> StoredObjects:
        """The objects of a task."""
        return StoredObjects(self.folder, task, self.tasks[task], self.region)

    def maps(self) -> RunMaps:
        """The maps."""
        with read_arrays(self.folder / MAPS) as arrays:
            return RunMaps(_map(arrays, "tissue"), self._tissue_classes, _map(arrays, "uncertainty"))

    def unmark(self) -> None:
        """Say that this is no longer a whole result, before its files go one by one."""
        (self.folder / MARK).unlink(missing_ok=True)


def _map(arrays: Arrays, name: str) -> CellMap | None:
    if f"{name}/values" not in arrays:
        return None
    height, width = arrays[f"{name}/cell_px"].tolist()
    return CellMap(arrays[f"{name}/values"], arrays[f"{name}/is_run"], (height, width))


def _classes(rows: list[dict[str, Any]]) -> tuple[ClassSpec, ...]:
    return tuple(ClassSpec.model_validate(row) for row in rows)


def _labels(folder: Path, task: str) -> Path:
    return folder / "labels" / task


def _table(folder: Path, task: str) -> Path:
    return folder / f"{task}.npz"
