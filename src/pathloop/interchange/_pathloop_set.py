"""Our own training sets (see `write_training_set`) as a data set."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, read_json
from pathloop.interchange._derived import TISSUE_CLASSES, UNKNOWN_TISSUE
from pathloop.interchange._label_images import read_label_image
from pathloop.interchange._records import DatasetRecord, TrainingImage, read_size_checked
from pathloop.interchange.training import SET_FORMAT, SET_VERSION

__all__ = ["load_pathloop_set", "pathloop_set_records"]

_KIND = "pathloop_set"


def pathloop_set_records(path: Path, _: float | None) -> list[DatasetRecord]:
    """List the regions of a set in the flavour ``pathloop``, but for those of the split "test".

    Raises
    ------
    DataError
        If the manifest is missing or wrong, another flavour's, or of a newer version, or names a missing file.
    """
    manifest = read_json(path / "manifest.json")
    if not isinstance(manifest, dict) or manifest.get("format") != SET_FORMAT:
        raise DataError(f"{path / 'manifest.json'}: is not the manifest of a training set")
    try:
        version, flavour = int(manifest["format_version"]), str(manifest["flavour"])
        if version > SET_VERSION:
            raise DataError(f"{path}: written by a newer pathloop (training set {version}); update pathloop")
        if flavour != "pathloop":
            raise DataError(f"{path}: is a set for {flavour}; export it again in the flavour pathloop")
        return [_record(path, row) for row in manifest["regions"] if row["split"] != "test"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path / 'manifest.json'}: damaged manifest ({error!r}); export the set again") from error


def _record(path: Path, row: dict[str, Any]) -> DatasetRecord:
    image = path / "images" / f"{row['name']}.png"
    labels = {str(one["task"]): path / one["file"] for one in row["images"]}
    for file in (image, *labels.values()):
        if not file.is_file():
            raise DataError(f"{file}: no such file, though {path / 'manifest.json'} names it")
    return DatasetRecord(_KIND, row["name"], row["group"], row["stratum"], image, labels, float(row["um_per_px"]))


def load_pathloop_set(record: DatasetRecord) -> TrainingImage:
    """Load a region: what nobody has reviewed is ignored, or of unknown tissue.

    A task with several classes also gives the label image ``<task>_type`` of its class codes, which a ``type`` task of
    that name trains on; there, objects without a known class are ignored too.

    Raises
    ------
    DataError
        If a file cannot be read or does not fit the others.
    """
    root = record.image.parents[1]
    image, labels = read_size_checked(record)
    codes = labels.pop("tissue", None)
    tissue = None if codes is None else _tissue(root / "tissue" / "classes.json", codes)
    ignore: dict[str, NDArray[np.bool_]] = {}
    for task in tuple(labels):
        unknown = _mask(root / task / "review" / record.image.name, image.shape[:2]) == 0
        if unknown.any():
            ignore[task] = unknown
        if len(_class_names(root / task / "classes.json")) > 1:
            classes = _mask(root / task / "classes" / record.image.name, image.shape[:2]).astype(np.int32)
            labels[f"{task}_type"] = classes
            unknown = unknown | ((labels[task] > 0) & (classes == 0))
            if unknown.any():
                ignore[f"{task}_type"] = unknown
    return TrainingImage(
        image=image,
        um_per_px=float(record.um_per_px or 0),
        scale_range=(1.0, 1.0),
        labels=labels,
        ignore=ignore or None,
        tissue=tissue,
        group=record.group,
        source=record.kind,
        name=record.name,
        derived=(),
        stratum=record.stratum,
    )


def _mask(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    mask = read_label_image(path)
    if mask.shape != shape:
        raise DataError(f"{path}: is {mask.shape[0]} x {mask.shape[1]}, its image {shape[0]} x {shape[1]}")
    return mask


def _class_names(path: Path) -> list[str]:
    """Names of the codes 1, 2, ... of a legend."""
    try:
        codes = read_json(path)["codes"]
        return [str(codes[str(code)]["name"]) for code in range(1, len(codes))]
    except (KeyError, TypeError) as error:
        raise DataError(f"{path}: damaged legend ({error!r}); export the set again") from error


def _tissue(path: Path, codes: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Places in `TISSUE_CLASSES` where the legend holds nothing else, else in the legend; 0 becomes unknown."""
    names = _class_names(path)
    if codes.max(initial=0) > len(names):
        raise DataError(f"{path}: names {len(names)} classes, an image holds code {codes.max()}; export the set again")
    places = [TISSUE_CLASSES.index(name) for name in names] if {*names} <= {*TISSUE_CLASSES} else range(len(names))
    return np.array([UNKNOWN_TISSUE, *places], np.uint8)[codes]
