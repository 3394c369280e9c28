"""Public and own data sets in one plain form for training: image, labels, what is unknown, scale, patient.

A data set is listed first (`list_dataset`, cheap: no image is opened) and loaded record by record
(`load_record`, or `iter_dataset` for both). Which licence lets which set train what is the caller's matter.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from pathloop.core import DataError, UsageError
from pathloop.interchange._derived import TISSUE_CLASSES, UNKNOWN_TISSUE, derive_tissue, split_touching
from pathloop.interchange._derived_lumen import derive_lumen, open_lumina
from pathloop.interchange._folder_dataset import folder_records
from pathloop.interchange._pathloop_set import load_pathloop_set, pathloop_set_records
from pathloop.interchange._records import (
    DatasetRecord,
    TrainingImage,
    load_stated,
    read_index,
    read_size_checked,
    record_of,
)

__all__ = ["DATASETS", "DatasetAdapter", "iter_dataset", "list_dataset", "load_record"]


@dataclass(frozen=True, slots=True)
class DatasetAdapter:
    """How one kind of data set is listed and loaded."""

    summary: str
    records: Callable[[Path, float | None], list[DatasetRecord]]
    load: Callable[[DatasetRecord], TrainingImage]


def list_dataset(kind: str, path: Path, *, um_per_px: float | None = None) -> list[DatasetRecord]:
    """List a data set's images without opening them.

    Parameters
    ----------
    kind
        A name in `DATASETS`.
    path
        Its folder.
    um_per_px
        Scale of a ``folder`` whose index states none; the other kinds know their own.

    Raises
    ------
    UsageError
        If the kind is unknown, or a scale is given to a kind that has its own.
    DataError
        If the folder, its index or a file that it names is missing or wrong.
    """
    if kind not in DATASETS:
        raise UsageError(f"unknown kind of data set {kind!r}; known: {', '.join(sorted(DATASETS))}")
    if um_per_px is not None and kind != "folder":
        raise UsageError(f"{kind} has its own scale: leave um_per_px out")
    if um_per_px is not None and not um_per_px > 0:
        raise UsageError(f"um_per_px is {um_per_px}: give a positive number")
    path = Path(path)
    if not path.is_dir():
        raise DataError(f"{path}: no such folder; give the folder of the {kind} data set")
    records = DATASETS[kind].records(path, um_per_px)
    if not records:
        raise DataError(f"{path}: no image with a label in it; see the documentation of the kind {kind!r}")
    return records


def load_record(record: DatasetRecord) -> TrainingImage:
    """Load one listed image.

    Raises
    ------
    DataError
        If a file cannot be read, is of the wrong kind, or image and labels differ in size.
    """
    return DATASETS[record.kind].load(record)


def iter_dataset(kind: str, path: Path, *, um_per_px: float | None = None) -> Iterator[TrainingImage]:
    """List a data set at once (see `list_dataset`, also for errors), then load its images one by one."""
    return map(load_record, list_dataset(kind, path, um_per_px=um_per_px))


# EBHI-Seg. The published squares are 4:3 photographs squeezed to 224 x 224: isolated crypts are 1.3 times taller
# than wide in every diagnosis, and no longer so at 299 x 224. There, normal crypts measure 67 px across (median of
# the minor axis, quartiles 61 and 75), those of GlaS (0.62 um per px) 63 um (57 and 70): 0.94 um per px. Medians of
# single cases with normal crypts spread by 12 %.
_EBHI_SHAPE = (224, 299)
_EBHI_UM_PER_PX = 0.94
_EBHI_SCALE_RANGE = (0.8, 1.25)
# Polyps of this set are hyperplastic or inflammatory: crypts of regular form without atypia, which the paper's own
# classifier confuses with normal ones. Serrated adenomas are neoplastic throughout, like both grades of
# intraepithelial neoplasia.
_EBHI_GLANDS = {
    "normal": "normal_epi",
    "polyp": "normal_epi",
    "serrated_adenoma": "abnormal_epi",
    "low_grade_in": "abnormal_epi",
    "high_grade_in": "abnormal_epi",
    "adenocarcinoma": "abnormal_epi",
}
# Immunohistochemistry (brown), not H&E.
_EBHI_NOT_HE = ("GT2100256-1-400-004", "GT2100256-1-400-005")
# Crypts and nuclei half the size of all others, of the same case too: photographed at half the magnification.
_EBHI_HALF_SIZE = ("GT1815555-2-400-001", "GT1815555-4-400-001")
# Complexes of neoplastic glands narrow and widen without being two glands.
_NECK_RATIO = {"adenocarcinoma": 0.3, "high_grade_in": 0.3}


def _ebhi_records(path: Path, _: float | None) -> list[DatasetRecord]:
    records = []
    for row in read_index(path, ("image", "label", "case", "diagnosis")):
        if row["diagnosis"] not in _EBHI_GLANDS:
            raise DataError(f"{path / 'index.csv'}: unknown diagnosis {row['diagnosis']!r}")
        # Two images have no mask. One case is spelled GTXC2014129 and GTxc2014129: its number is the patient.
        if row["label"] and Path(row["image"]).stem not in _EBHI_NOT_HE:
            number = row["case"].lstrip("GTXCDgtxcd")
            records.append(record_of("ebhi_seg", path, row, "gland", group=number, stratum=row["diagnosis"]))
    return records


def _load_ebhi(record: DatasetRecord) -> TrainingImage:
    """Load an image with square pixels; its glands are split, its lumina and tissue derived."""
    image, labels = read_size_checked(record)
    size = _EBHI_SHAPE[::-1]
    image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    mask = cv2.resize((labels["gland"] > 0).astype(np.uint8) * 255, size, interpolation=cv2.INTER_LINEAR) > 127
    glands = split_touching(mask, neck_ratio=_NECK_RATIO.get(record.stratum, 0.45))
    lumen = derive_lumen(image, glands)
    gland_class = TISSUE_CLASSES.index(_EBHI_GLANDS[record.stratum])
    tissue = derive_tissue(image, glands, lumen.labels, gland_class)
    left_out = open_lumina(image, glands)
    tissue[left_out] = UNKNOWN_TISSUE
    return TrainingImage(
        image=image,
        um_per_px=_EBHI_UM_PER_PX * (2 if record.image.stem in _EBHI_HALF_SIZE else 1),
        scale_range=_EBHI_SCALE_RANGE,
        labels={"gland": glands, "lumen": lumen.labels},
        ignore={"gland": left_out, "lumen": lumen.ignore | left_out},
        tissue=tissue,
        group=record.group,
        source=record.kind,
        name=record.name,
        derived=("lumen", "tissue"),
        stratum=record.stratum,
    )


def _cpm_records(path: Path, _: float | None) -> list[DatasetRecord]:
    rows = read_index(path, ("image", "label", "case", "organ", "um_per_px"))
    return [record_of("cpm_sbu", path, r, "nuclei", group=r["case"], stratum=r["organ"]) for r in rows]


def _glas_records(path: Path, _: float | None) -> list[DatasetRecord]:
    rows = read_index(path, ("image", "label", "case", "grade", "um_per_px"))
    return [record_of("glas", path, r, "gland", group=r["case"], stratum=r["grade"]) for r in rows]


def _dsb_records(path: Path, _: float | None) -> list[DatasetRecord]:
    rows = read_index(path, ("image", "label", "case", "stain"))
    return [record_of("dsb2018_color", path, r, "nuclei", group=r["case"], stratum=r["stain"]) for r in rows]


# Median nuclear diameter in cpm_sbu, whose scale is stated, is 4 to 8.5 um per image, so a nucleus is a poor ruler.
_NUCLEUS_UM = 7.5
_DSB_UM_PER_PX = (0.2, 1.0)
_DSB_SCALE_RANGE = (0.65, 1.4)


def _load_dsb(record: DatasetRecord) -> TrainingImage:
    """Load an image of unknown scale and take its nuclei as the ruler."""
    _, labels = read_size_checked(record)
    areas = np.bincount(labels["nuclei"].ravel())[1:]
    if not areas.any():
        raise DataError(f"{record.labels['nuclei']}: holds no nucleus to tell the scale by; leave the image out")
    diameter_px = float(np.median(np.sqrt(4 * areas[areas > 0] / np.pi)))
    scale = float(np.clip(_NUCLEUS_UM / diameter_px, *_DSB_UM_PER_PX))
    return replace(load_stated(replace(record, um_per_px=scale)), scale_range=_DSB_SCALE_RANGE)


DATASETS = {
    "cpm_sbu": DatasetAdapter("39 TCGA tiles with nuclei (BSD-3-Clause)", _cpm_records, load_stated),
    "dsb2018_color": DatasetAdapter("90 stained tissue images with nuclei (CC0)", _dsb_records, _load_dsb),
    "ebhi_seg": DatasetAdapter("1,786 colon biopsy photographs with glands (CC BY 4.0)", _ebhi_records, _load_ebhi),
    "folder": DatasetAdapter("images with label images of one's own", folder_records, load_stated),
    "glas": DatasetAdapter(
        "85 colon images with glands (research only: evaluate, never ship)", _glas_records, load_stated
    ),
    "pathloop_set": DatasetAdapter(
        "regions that were corrected in pathloop and exported for training", pathloop_set_records, load_pathloop_set
    ),
}
