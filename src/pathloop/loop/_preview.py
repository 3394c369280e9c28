"""Previews of an unfinished run: each finished tile's objects, decoded by itself, with provisional ids.

``preview/`` in the run's folder: label pyramids, and a table a tile, written last. One process writes
(`PreviewWriter`), others read while it does.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, DataError, Instances, Rect, read_json
from pathloop.loop._tables import instances_of, read_arrays
from pathloop.rasters import LabelPyramid, link, open_label_pyramid

__all__ = ["PREVIEW_SLOTS", "SLOT_IDS", "Preview", "PreviewPart", "inside", "merged"]

PREVIEW_SLOTS = 15
"""Previews that a slide can have at a time without sharing ids."""

SLOT_IDS = 2**26
"""Ids of a slot: those of preview s begin at ``FIRST_PREVIEW_ID + s * SLOT_IDS``."""

PREVIEW_FOLDER = "preview"
PREVIEW_VERSION = 1
HEADER = "preview.json"

_NAME = re.compile(r"^tile_(\d+)_(\d+)\.npz$")


@dataclass(frozen=True, slots=True, eq=False)
class PreviewPart:
    """The provisional objects of one task in one tile.

    Parameters
    ----------
    rect
        Level-0 pixels of the tile's core; those of all tiles cover the run's region exactly once.
    instances
        Provisional ids (`FIRST_PREVIEW_ID` and more), class codes of the model (1 = the task's one class where
        no type head ran). An object that a seam cuts is one object in each tile.
    links
        (K, 2) int64: ids of this tile and of tiles that were finished before it that are one object cut by the seam.
    shown
        What is left of the tile after `without`: rectangles that do not overlap.
    """

    rect: Rect
    instances: Instances
    links: NDArray[np.int64]
    shown: tuple[Rect, ...]

    def without(self, areas: Sequence[Rect]) -> "PreviewPart":
        """The same tile where none of these areas lie; objects go by their centroid."""
        shown, instances = self.shown, self.instances
        for area in areas:
            shown = tuple(piece for rect in shown for piece in rect.minus(area))
            instances = instances.take(~inside(instances.centroids, [area]))
        return PreviewPart(self.rect, instances, self.links, shown)


class Preview:
    """What is known of an unfinished run, read while another process adds to it; made by ``open``.

    Parameters
    ----------
    folder
        The ``preview`` folder of a run.

    Attributes
    ----------
    run_key : str
        The run.
    slot : int
        Whose ids: those from ``FIRST_PREVIEW_ID + slot * SLOT_IDS`` on.
    region : Rect
        Level-0 pixels of the run.
    tasks : tuple[str, ...]
        Its object tasks.
    classes : dict[str, tuple[ClassSpec, ...]]
        By task: the model's classes, by code - 1.

    Raises
    ------
    DataError
        If the folder is damaged, or a newer version of pathloop wrote it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            values = read_json(folder / HEADER)
            version = int(values["version"])
            if version > PREVIEW_VERSION:
                raise DataError(f"{folder}: written by a newer pathloop (preview format {version}); update pathloop")
            self.run_key, self.slot = str(values["run_key"]), int(values["slot"])
            self.region = Rect(*values["region"])
            self.classes = {
                task: tuple(ClassSpec.model_validate(row) for row in rows) for task, rows in values["tasks"].items()
            }
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{folder}: damaged preview ({error!r}); delete it") from error
        self.tasks = tuple(self.classes)

    @classmethod
    def open(cls, run_folder: Path) -> "Preview | None":
        """The preview of a run; None where there is none (yet)."""
        folder = run_folder / PREVIEW_FOLDER
        return cls(folder) if (folder / HEADER).is_file() else None

    def pyramid(self, task: str) -> LabelPyramid:
        """The label pyramid of provisional ids, for reading; it has the slide's shape."""
        return open_label_pyramid(self.folder / task)

    def done(self) -> set[tuple[int, int]]:
        """(row, col) of every tile whose preview is whole."""
        names = (_NAME.match(path.name) for path in self.folder.glob("tile_*.npz"))
        return {(int(match[1]), int(match[2])) for match in names if match}

    def load(self, row: int, col: int) -> dict[str, PreviewPart]:
        """The provisional objects of a tile, by task.

        Raises
        ------
        DataError
            If the tile has no whole preview, or it is damaged.
        """
        with read_arrays(tile_table(self.folder, row, col)) as arrays:
            rect = Rect(*(int(value) for value in arrays["rect"]))
            return {
                task: PreviewPart(rect, instances_of(arrays, f"{task}/"), arrays[f"{task}/links"], (rect,))
                for task in self.tasks
            }


def inside(centroids: NDArray[np.float64], rects: Sequence[Rect]) -> NDArray[np.bool_]:
    """Which (y, x) centroids, (N, 2), lie in one of some rectangles of pixels."""
    found = np.zeros(len(centroids), np.bool_)
    if len(centroids) == 0:
        return found
    y, x = centroids.T
    for rect in rects:
        found |= (y >= rect.y - 0.5) & (y < rect.bottom - 0.5) & (x >= rect.x - 0.5) & (x < rect.right - 0.5)
    return found


def merged(parts: Sequence[PreviewPart]) -> tuple[Instances, NDArray[np.int64]]:
    """Objects over the seams of their tiles, one row an object.

    Parameters
    ----------
    parts
        Of one task of one run, each tile once, in any order. Links to tiles that are not among them count for
        nothing.

    Returns
    -------
    instances
        By ascending id. An object in several pieces has its smallest id; areas are summed, centroids and
        confidences averaged by area, boxes united; class and class probability are those of its largest piece.
    roots
        (M, 2) int64 by ascending id: every other id, and the id of the object that it belongs to.
    """
    found = Instances.concatenate([part.instances for part in parts])
    found = found.take(np.argsort(found.ids))
    links = np.concatenate([np.zeros((0, 2), np.int64), *(part.links for part in parts)])
    rows = np.searchsorted(found.ids, links)
    here = np.append(found.ids, -1)[rows] == links
    groups, count = link(len(found), rows[here.all(axis=1)])
    if count == len(found):
        return found, np.zeros((0, 2), np.int64)
    # groups are numbered by their first member, which has the smallest id
    first = np.unique(groups, return_index=True)[1]
    roots = found.ids[first][groups]
    others = roots != found.ids
    return _united(found, groups, first), np.stack([found.ids, roots], axis=1)[others]


def _united(found: Instances, groups: NDArray[np.int64], first: NDArray[np.int64]) -> Instances:
    """One row a group; rows of groups with one member stay as they are."""
    out = found.take(first)
    sizes = np.bincount(groups)
    rows = np.flatnonzero(sizes[groups] > 1)
    rows = rows[np.argsort(groups[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[rows], prepend=-1))
    target = groups[rows][starts]
    areas = found.areas_px[rows]
    total = np.add.reduceat(areas, starts)
    out.areas_px[target] = total
    weighted = np.add.reduceat(found.centroids[rows] * areas[:, None], starts)
    out.centroids[target] = weighted / total[:, None]
    out.confidences[target] = np.add.reduceat(found.confidences[rows] * areas, starts) / total
    out.boxes[target, :2] = np.minimum.reduceat(found.boxes[rows, :2], starts)
    out.boxes[target, 2:] = np.maximum.reduceat(found.boxes[rows, 2:], starts)
    # the largest piece of each group, of equals the one with the smaller id
    order = np.lexsort((rows, -areas, groups[rows]))
    largest = rows[order][starts]
    out.class_codes[target] = found.class_codes[largest]
    out.class_probabilities[target] = found.class_probabilities[largest]
    return out


def tile_table(folder: Path, row: int, col: int) -> Path:
    """The table of a tile."""
    return folder / f"tile_{row}_{col}.npz"
