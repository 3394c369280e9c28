"""The plain form of a training image and the files it is read from."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError
from pathloop.interchange._label_images import read_label_image

__all__ = [
    "DatasetRecord",
    "TrainingImage",
    "load_stated",
    "read_index",
    "read_rgb",
    "read_size_checked",
    "record_of",
    "stated_number",
]

_TIFF_ENDINGS = (".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class TrainingImage:
    """One annotated image.

    Attributes
    ----------
    image
        (H, W, 3) uint8 RGB, square pixels.
    um_per_px
        Best estimate of the scale.
    scale_range
        The true scale lies in ``um_per_px`` times this range, (1, 1) where the source states it.
    labels
        Task -> (H, W) int32 instance ids, 0 = none; only tasks that are annotated, or listed in `derived`.
    ignore
        Task -> (H, W) bool, pixels whose label is unknown; tasks without an entry are known everywhere.
    tissue
        (H, W) uint8 index into `TISSUE_CLASSES`, `UNKNOWN_TISSUE` (255) where unknown; None without any hint.
    group
        Patient or case: one fold everywhere.
    source, name
        Kind of data set, and the image's path in it without the ending.
    derived
        Tasks whose labels no annotator drew.
    stratum
        Diagnosis, organ or stain, for balancing.
    """

    image: NDArray[np.uint8]
    um_per_px: float
    scale_range: tuple[float, float]
    labels: dict[str, NDArray[np.int32]]
    ignore: dict[str, NDArray[np.bool_]] | None
    tissue: NDArray[np.uint8] | None
    group: str
    source: str
    name: str
    derived: tuple[str, ...]
    stratum: str


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """One image of a data set, not yet loaded.

    Attributes
    ----------
    kind, name, group, stratum
        As `source`, `name`, `group`, `stratum` of the `TrainingImage` it loads as.
    image
        Path of the image.
    labels
        Task -> path of its label image.
    um_per_px
        What the index or the caller states, None if neither does.
    """

    kind: str
    name: str
    group: str
    stratum: str
    image: Path
    labels: dict[str, Path] = field(default_factory=dict)
    um_per_px: float | None = None


def read_index(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of ``path/index.csv``, which must have the given columns and at least one row.

    Raises
    ------
    DataError
        If the file is missing, is not UTF-8 CSV, or lacks a column.
    """
    file = path / "index.csv"
    if not file.is_file():
        raise DataError(f"{file}: no such file; the folder needs an index with the columns {', '.join(columns)}")
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            rows = [{key: (value or "").strip() for key, value in row.items() if key is not None} for row in reader]
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: not a CSV table in UTF-8 ({error})") from error
    if missing:
        raise DataError(f"{file}: lacks the column {', '.join(missing)}")
    return rows


def record_of(kind: str, path: Path, row: dict[str, str], task: str, *, group: str, stratum: str) -> DatasetRecord:
    """The record of one index row with the columns image, label and maybe um_per_px.

    Raises
    ------
    DataError
        If a file that the row names does not exist, or its scale is no positive number.
    """
    image, label = path / row["image"], path / row["label"]
    for file in (image, label):
        if not file.is_file():
            raise DataError(f"{file}: no such file, though {path / 'index.csv'} names it")
    scale = stated_number(path, row["um_per_px"]) if row.get("um_per_px") else None
    name = str(Path(row["image"]).with_suffix(""))
    return DatasetRecord(kind, name, f"{kind}/{group or image.stem}", stratum or "all", image, {task: label}, scale)


def stated_number(path: Path, text: str) -> float:
    """A positive number from an index.

    Raises
    ------
    DataError
        If it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise DataError(f"{path / 'index.csv'}: um_per_px is {text!r}; give a positive number")
    return value


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read an image as (H, W, 3) uint8 RGB.

    Raises
    ------
    DataError
        If it is missing, unreadable or not an 8-bit RGB image.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such image")
    if path.suffix.lower() in _TIFF_ENDINGS:
        import tifffile

        try:
            with tifffile.TiffFile(path) as file:
                series = file.series[0].levels[0]
                image = series.asarray()
                if series.axes.startswith(("C", "S")):
                    image = np.moveaxis(image, 0, -1)
        except (OSError, ValueError, IndexError, tifffile.TiffFileError) as error:
            raise DataError(f"{path}: not readable as TIFF ({error})") from error
    else:
        # From memory, since OpenCV cannot open every path on every system; labels ignore EXIF turns, so images do.
        data = np.fromfile(path, np.uint8)
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        found = cv2.imdecode(data, flags) if data.size else None
        if found is None:
            raise DataError(f"{path}: not readable as an image")
        image = cv2.cvtColor(found, cv2.COLOR_BGR2RGB)
    if image.ndim != 3 or image.shape[2] not in (3, 4) or image.dtype != np.uint8:
        raise DataError(f"{path}: is {image.dtype} of shape {image.shape}; give an 8-bit RGB image")
    return np.ascontiguousarray(image[..., :3])


def read_size_checked(record: DatasetRecord) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.int32]]]:
    """Image and label images of a record, all of one size.

    Raises
    ------
    DataError
        If a file is wrong or sizes differ.
    """
    image = read_rgb(record.image)
    labels = {task: read_label_image(file).astype(np.int32) for task, file in record.labels.items()}
    for task, array in labels.items():
        if array.shape != image.shape[:2]:
            raise DataError(
                f"{record.labels[task]}: is {array.shape[0]} x {array.shape[1]}, "
                f"its image {image.shape[0]} x {image.shape[1]}; they must have one size"
            )
    return image, labels


def load_stated(record: DatasetRecord) -> TrainingImage:
    """Load an image whose labels and scale are as its source states them.

    Raises
    ------
    DataError
        If no scale is stated, or a file is wrong.
    """
    if record.um_per_px is None:
        raise DataError(f"{record.image}: no um_per_px in an index and none given; state the scale")
    image, labels = read_size_checked(record)
    tissue = labels.pop("tissue", None)
    if tissue is not None and tissue.max(initial=0) > 255:
        raise DataError(f"{record.labels['tissue']}: a tissue image holds class numbers up to 254, and 255 = unknown")
    return TrainingImage(
        image=image,
        um_per_px=record.um_per_px,
        scale_range=(1.0, 1.0),
        labels=labels,
        ignore=None,
        tissue=None if tissue is None else tissue.astype(np.uint8),
        group=record.group,
        source=record.kind,
        name=record.name,
        derived=(),
        stratum=record.stratum,
    )
