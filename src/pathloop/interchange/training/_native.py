"""The set in our own layout: nothing is cut, numbered tables lead back to the project."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pathloop.core import ClassSpec, write_json
from pathloop.interchange.training._files import number_labels, write_ids, write_object_table, write_png
from pathloop.interchange.training._layout import TrainingOptions
from pathloop.interchange.training._region import TrainingRegion, TrainingTask, TrainingTissue

__all__ = ["NativeSet"]


class NativeSet:
    """See `write_training_set`; every region gives one image, ``pathloop train`` reads it as ``pathloop_set``."""

    summary = """\
* `images/<name>.png`: RGB, 8 bit.
* `<task>/instances/<name>.png`: object numbers 1 .. n, 0 = none, 16 bit (`.tif` with 32 bit above 65,535 objects).
* `<task>/objects/<name>.csv`: for each number the object's id in the project, class, review state and area.
* `<task>/classes/<name>.png`: class code of each pixel, 0 = no object or no class known; `<task>/classes.json` names
  the codes.
* `<task>/review/<name>.png`: 255 = reviewed, use it; 0 = ignore, whatever the labels say there.
* `tissue/<name>.png`: tissue class, 0 = unknown, ignore; `tissue/classes.json` names the codes.
"""

    def __init__(self, folder: Path, options: TrainingOptions) -> None:
        self._folder = folder

    def add(self, region: TrainingRegion) -> dict[str, Any]:
        """Write all files of a region."""
        write_png(self._folder / "images" / f"{region.name}.png", region.image)
        images = [self._add_task(region.name, name, task) for name, task in sorted(region.tasks.items())]
        if region.tissue is not None:
            images.append(self._add_tissue(region.name, region.tissue))
        return {"images": images, "dropped": []}

    def _add_task(self, region: str, name: str, task: TrainingTask) -> dict[str, Any]:
        folder = self._folder / name
        numbered = number_labels(task.labels)
        path = write_ids(folder / "instances" / region, numbered, only_tif=False)
        write_object_table(folder / "objects" / f"{region}.csv", numbered, task)
        write_png(folder / "classes" / f"{region}.png", numbered.codes(task)[numbered.labels])
        write_png(folder / "review" / f"{region}.png", np.where(task.reviewed, np.uint8(255), np.uint8(0)))
        write_json(folder / "classes.json", _legend(task.classes, "no object, or no class known"))
        height, width = task.labels.shape
        entry = {"task": name, "file": path.relative_to(self._folder).as_posix(), "rect": [0, 0, height, width]}
        reviewed = round(float(task.reviewed.mean()), 6)
        return {**entry, "objects": len(numbered.ids), "reviewed_share": reviewed}

    def _add_tissue(self, region: str, tissue: TrainingTissue) -> dict[str, Any]:
        path = self._folder / "tissue" / f"{region}.png"
        write_png(path, tissue.known)
        write_json(path.parent / "classes.json", _legend(tissue.classes, "unknown"))
        height, width = tissue.codes.shape
        known = round(float((tissue.known > 0).mean()), 6)
        return {
            "task": "tissue",
            "file": path.relative_to(self._folder).as_posix(),
            "rect": [0, 0, height, width],
            "reviewed_share": known,
        }

    def finish(self, splits: Mapping[str, str]) -> None:
        """Nothing: files do not lie by split."""


def _legend(classes: tuple[ClassSpec, ...], zero: str) -> dict[str, Any]:
    codes: dict[str, Any] = {"0": {"name": zero, "color": None}}
    codes |= {str(code): {"name": one.name, "color": list(one.color)} for code, one in enumerate(classes, start=1)}
    return {"format_version": 1, "codes": codes}
