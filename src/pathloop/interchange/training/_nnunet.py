"""nnU-Net v2: one data set a task, with its label for "ignore"."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pathloop.core import ClassSpec, UsageError, write_json
from pathloop.interchange.training._files import number_labels, write_png
from pathloop.interchange.training._layout import TrainingOptions
from pathloop.interchange.training._region import TrainingRegion, TrainingTask, TrainingTissue

__all__ = ["NnUnetSet"]

_ENDING = ".png"


class NnUnetSet:
    """``DatasetNNN_<task>`` folders for ``nnUNet_raw``."""

    summary = """\
* One `Dataset<NNN>_<task>` a task: put it into `nnUNet_raw`. `imagesTr` and `labelsTr` hold the regions of the splits
  train and val, `imagesTs` and `labelsTs` those of test.
* `imagesTr/<name>_0000.png` is one RGB file with three channels (nnU-Net's way for natural images),
  `labelsTr/<name>.png` holds the labels that `dataset.json` names.
* Labels: 0 background, then the inside of the objects of each class (one class, named as the task, if the task has
  none), then `boundary`: the pixels of an object within the boundary's width of another label. nnU-Net knows no
  instances; the boundary keeps touching objects apart: number the connected insides, then grow them into it. An object
  too small to have an inside has no boundary. The edge of the image is no boundary.
* `ignore`, the highest label, is nnU-Net's own: pixels that nobody has reviewed, and objects without a class where the
  task has several. A region in which nothing was reviewed is left out.
* The tissue map is a data set of its own, with plain semantic classes.
* `splits_final.json` has one fold (0): train against val, by patient. Copy it into the data set's folder in
  `nnUNet_preprocessed` after `nnUNetv2_plan_and_preprocess`, else nnU-Net deals regions and not patients. It is missing
  if no patient is in train or none in val.
"""

    def __init__(self, folder: Path, options: TrainingOptions) -> None:
        self._folder = folder
        self._options = options
        self._labels: dict[str, dict[str, int]] = {}
        self._cases: dict[str, list[str]] = {}

    def add(self, region: TrainingRegion) -> dict[str, Any]:
        """Write image and labels of every task."""
        entries, dropped = [], []
        width = self._options.nnunet_boundary_px
        found = {name: _instance_case(name, task, width) for name, task in sorted(region.tasks.items())}
        if region.tissue is not None:
            found["tissue"] = _tissue_case(region.tissue)
        for name, (labels, names) in found.items():
            self._labels[name] = names
            if (labels == names["ignore"]).all():
                dropped.append(f"{name}: nothing was reviewed")
                continue
            waiting = self._folder / name
            write_png(waiting / "imagesTr" / f"{region.name}_0000{_ENDING}", region.image)
            write_png(waiting / "labelsTr" / f"{region.name}{_ENDING}", labels)
            self._cases.setdefault(name, []).append(region.name)
            entries.append({"task": name, "file": region.name, "rect": [0, 0, *labels.shape]})
        return {"images": entries, "dropped": dropped}

    def finish(self, splits: Mapping[str, str]) -> None:
        """Take test regions aside, write ``dataset.json`` and ``splits_final.json``, number the data sets."""
        last = self._options.nnunet_id + len(self._cases) - 1
        if last > 999:
            raise UsageError(f"nnU-Net's data sets end at 999, these would at {last}; give a lower nnunet_id")
        for number, (name, cases) in enumerate(sorted(self._cases.items()), start=self._options.nnunet_id):
            folder = self._folder / f"Dataset{number:03d}_{name}"
            (self._folder / name).rename(folder)
            by_split = {split: sorted(c for c in cases if splits[c] == split) for split in ("train", "val", "test")}
            for case in by_split["test"]:
                for kind, file in (("images", f"{case}_0000{_ENDING}"), ("labels", f"{case}{_ENDING}")):
                    (folder / f"{kind}Ts").mkdir(exist_ok=True)
                    (folder / f"{kind}Tr" / file).rename(folder / f"{kind}Ts" / file)
            dataset = {
                "channel_names": {"0": "R", "1": "G", "2": "B"},
                "labels": self._labels[name],
                "numTraining": len(by_split["train"]) + len(by_split["val"]),
                "file_ending": _ENDING,
                "overwrite_image_reader_writer": "NaturalImage2DIO",
                "name": folder.name,
                "description": f"{name}, corrected in pathloop",
            }
            write_json(folder / "dataset.json", dataset)
            if by_split["train"] and by_split["val"]:
                write_json(folder / "splits_final.json", [{"train": by_split["train"], "val": by_split["val"]}])


def _instance_case(name: str, task: TrainingTask, width: int) -> tuple[NDArray[np.uint8], dict[str, int]]:
    names = _names(name, task.classes)
    if width:
        names["boundary"] = len(names)
    names["ignore"] = len(names)
    numbered = number_labels(task.labels)
    several = len(task.classes) > 1
    codes = np.array([0, *(task.code_of(one) if several else 1 for one in numbered.ids.tolist())], np.uint8)
    codes[1:][codes[1:] == 0] = names["ignore"]
    labels = codes[numbered.labels]
    if width:
        boundary = _boundary(numbered.labels, width) & (labels != names["ignore"])
        labels[boundary] = names["boundary"]
    labels[~task.reviewed] = names["ignore"]
    return labels, names


def _tissue_case(tissue: TrainingTissue) -> tuple[NDArray[np.uint8], dict[str, int]]:
    """Codes from 1 on; a class called background takes nnU-Net's label 0."""
    others = tuple(one for one in tissue.classes if one.name != "background")
    names = _names("tissue", others)
    names["ignore"] = len(names)
    table = np.array([names["ignore"], *(names[one.name] for one in tissue.classes)], np.uint8)
    return table[tissue.known], names


def _names(task: str, classes: tuple[ClassSpec, ...]) -> dict[str, int]:
    names = {"background": 0}
    for number, name in enumerate([one.name for one in classes] or [task], start=1):
        if name in names or name in ("boundary", "ignore"):
            raise UsageError(f"{task}: nnU-Net has a meaning of its own for a class named {name!r}, or it comes twice")
        names[name] = number
    return names


def _boundary(labels: NDArray[np.int32], width: int) -> NDArray[np.bool_]:
    """(H, W): pixels of objects that have another label within ``width`` rows and columns, but for small objects."""
    side = 2 * width + 1
    highest = ndimage.maximum_filter(labels, side, mode="nearest")
    lowest = ndimage.minimum_filter(labels, side, mode="nearest")
    inside = (labels > 0) & (highest == labels) & (lowest == labels)
    has_inside = np.zeros(int(labels.max(initial=0)) + 1, bool)
    has_inside[labels[inside]] = True
    return np.asarray((labels > 0) & ~inside & has_inside[labels])
