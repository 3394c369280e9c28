"""A folder of one's own images and label images as a data set."""

import re
from collections import defaultdict
from pathlib import Path

from pathloop.core import DataError
from pathloop.interchange._records import DatasetRecord, read_index, stated_number

__all__ = ["folder_records"]

_IMAGE_ENDINGS = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".webp")
_LABEL_ENDINGS = (".png", ".tif", ".tiff")
_TASK = re.compile(r"[A-Za-z][\w-]*")


def folder_records(path: Path, um_per_px: float | None) -> list[DatasetRecord]:
    """List the images of a folder that have labels.

    Images lie in ``images/`` or in the folder itself. The labels of ``<stem>`` are ``labels/<task>/<stem>`` or
    ``<stem>_<task>`` in ``labels/`` or ``truth/``, or beside the images if there is neither; png or tif. The task
    ``tissue`` holds class numbers, 255 = unknown, not instances. An optional index.csv (image, and any of case,
    um_per_px, stratum) names the images to take, their patient and their scale; without a case, every image is
    its own patient.

    Parameters
    ----------
    path
        The folder.
    um_per_px
        Scale of the images for which the index states none.

    Raises
    ------
    DataError
        If the index is wrong or names a missing image, or two images share a stem.
    """
    images = path / "images" if (path / "images").is_dir() else path
    places = [p for p in (path / "labels", path / "truth") if p.is_dir()]
    if (path / "index.csv").is_file():
        rows = read_index(path, ("image",))
    else:
        files = [f for f in sorted(images.iterdir()) if f.suffix.lower() in _IMAGE_ENDINGS]
        if not places:
            # Labels lie among the images: what is named after another file is no image.
            names = {f.stem for f in files}
            files = [f for f in files if not _split_name(f.stem, names)[1]]
        rows = [{"image": f.relative_to(path).as_posix()} for f in files]
    stems = _stems(path, rows)
    labels = _label_files(places or [images], stems)
    records = []
    for row in rows:
        image = path / row["image"]
        if not image.is_file():
            raise DataError(f"{image}: no such file, though {path / 'index.csv'} names it")
        if found := labels.get(image.stem):
            scale = stated_number(path, row["um_per_px"]) if row.get("um_per_px") else um_per_px
            group = row.get("case") or f"{path.name}/{image.stem}"
            name = Path(row["image"]).with_suffix("").as_posix()
            records.append(DatasetRecord("folder", name, group, row.get("stratum") or "all", image, found, scale))
    return records


def _stems(path: Path, rows: list[dict[str, str]]) -> set[str]:
    stems: dict[str, str] = {}
    for row in rows:
        stem = Path(row["image"]).stem
        if stem in stems:
            raise DataError(f"{path}: {stems[stem]} and {row['image']} share a stem; labels need distinct names")
        stems[stem] = row["image"]
    return set(stems)


def _label_files(places: list[Path], stems: set[str]) -> dict[str, dict[str, Path]]:
    """Image stem -> task -> label image."""
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    for place in places:
        for file in sorted(place.iterdir()):
            if file.is_dir() and place.name == "labels":
                for label in sorted(file.iterdir()):
                    if label.suffix.lower() in _LABEL_ENDINGS and label.stem in stems:
                        found[label.stem][file.name] = label
            elif file.suffix.lower() in _LABEL_ENDINGS and file.stem not in stems:
                stem, task = _split_name(file.stem, stems)
                if task:
                    found[stem].setdefault(task, file)
    return found


def _split_name(name: str, stems: set[str]) -> tuple[str, str]:
    """``<stem>_<task>`` cut after the longest stem that an image has; an empty task if there is none."""
    cut = len(name)
    while (cut := name.rfind("_", 0, cut)) > 0:
        if name[:cut] in stems and _TASK.fullmatch(name[cut + 1 :]):
            return name[:cut], name[cut + 1 :]
    return "", ""
