"""Images, label images and tables of a training set as files. They are written into a folder that appears whole."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError
from pathloop.interchange.training._region import TrainingTask

__all__ = [
    "NumberedLabels",
    "number_labels",
    "write_ids",
    "write_object_table",
    "write_png",
    "write_table",
    "write_tif",
]

_LAST_16_BIT = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True, eq=False)
class NumberedLabels:
    """Labels numbered anew, without gaps.

    Parameters
    ----------
    labels
        (H, W) int32: 0 and 1 .. n.
    ids
        (n,) int64: number k is the project's id ``ids[k - 1]``; ascending.
    """

    labels: NDArray[np.int32]
    ids: NDArray[np.int64]

    def codes(self, task: TrainingTask) -> NDArray[np.uint8]:
        """(n + 1,) class code by number, 0 for number 0."""
        return np.array([0, *(task.code_of(object_id) for object_id in self.ids.tolist())], np.uint8)


def number_labels(labels: NDArray[np.int32]) -> NumberedLabels:
    """Number the objects of a label image 1 .. n in the order of their ids."""
    ids = np.unique(labels)
    ids = ids[ids > 0]
    numbers = np.searchsorted(ids, labels) + 1
    return NumberedLabels(np.where(labels > 0, numbers, 0).astype(np.int32), ids.astype(np.int64))


def write_png(path: Path, pixels: NDArray[Any]) -> None:
    """Write (H, W, 3) uint8 RGB, or (H, W) uint8 or uint16, without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(".png", pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    if not done:
        raise DataError(f"{path}: OpenCV cannot write {pixels.dtype} {pixels.shape} as PNG")
    path.write_bytes(data.tobytes())


def write_tif(path: Path, pixels: NDArray[Any]) -> None:
    """Write an image or label image as a plain TIFF (zlib without predictor, which every reader knows)."""
    import tifffile

    path.parent.mkdir(parents=True, exist_ok=True)
    kind = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(path, pixels, photometric=kind, compression="zlib", metadata=None, software="pathloop")


def write_ids(stem: Path, numbered: NumberedLabels, *, only_tif: bool) -> Path:
    """Write numbers 1 .. n with 16 bits where they fit, else with 32; as ``<stem>.png`` if that can hold them."""
    fits = len(numbered.ids) <= _LAST_16_BIT
    pixels = numbered.labels.astype(np.uint16 if fits else np.uint32)
    path = stem.with_name(stem.name + (".png" if fits and not only_tif else ".tif"))
    (write_png if path.suffix == ".png" else write_tif)(path, pixels)
    return path


def write_object_table(path: Path, numbered: NumberedLabels, task: TrainingTask) -> None:
    """``id`` in the file, ``project_id``, ``class_code``, ``class``, ``state`` and ``area_px`` of every object."""
    areas = np.bincount(numbered.labels.ravel(), minlength=len(numbered.ids) + 1)[1:].tolist()
    rows = (
        (number, object_id, task.code_of(object_id), task.class_of(object_id), task.state_of(object_id), area)
        for number, (object_id, area) in enumerate(zip(numbered.ids.tolist(), areas, strict=True), start=1)
    )
    write_table(path, ("id", "project_id", "class_code", "class", "state", "area_px"), rows)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A CSV table in UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
