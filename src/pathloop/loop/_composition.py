"""What an area is made of: how many objects of which class, how dense, how large, and which tissue."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, Scale, atomic_path
from pathloop.loop._frames import ObjectFrame
from pathloop.store import TissueMap

__all__ = ["NO_CLASS", "Composition", "ObjectShare", "TissueShare", "composition", "write_composition_csv"]

NO_CLASS = "no class"
NOT_RUN = "not analysed"
BACKGROUND = "background"
"""A tissue class of this name is glass: it counts as analysed, not as tissue."""
_UM2_PER_MM2 = 1e6


@dataclass(frozen=True, slots=True)
class ObjectShare:
    """Objects of one class of a task whose centre lies in the area.

    Parameters
    ----------
    task, class_name, color
        `NO_CLASS` and None for objects without a class; ``all`` for the row that sums up a task of several classes.
    count
        Objects.
    per_mm2, per_tissue_mm2
        Objects per mm2 of the area, and of the tissue in it; None where scale or tissue is unknown or 0.
    area_share
        Sum of the objects' areas over the area, 0 to 1; objects at the edge may make it larger. None for no area.
    mean_area, median_area
        um2, px where the scale is unknown; None without objects.
    """

    task: str
    class_name: str
    color: tuple[int, int, int] | None
    count: int
    per_mm2: float | None
    per_tissue_mm2: float | None
    area_share: float | None
    mean_area: float | None
    median_area: float | None


@dataclass(frozen=True, slots=True)
class TissueShare:
    """How much of the area a tissue class covers: pixels at level 0, mm2 (None: no scale), share 0 to 1."""

    class_name: str
    color: tuple[int, int, int] | None
    area_px: float
    area_mm2: float | None
    share: float


@dataclass(frozen=True, slots=True)
class Composition:
    """What an area is made of.

    Parameters
    ----------
    area
        Level-0 pixels; None = unbounded, because neither an area nor the slide's size was given.
    area_mm2
        None where the scale or the area is unknown.
    tissue_mm2
        Tissue in it by the tissue map; None without one.
    objects
        By task and class.
    tissue
        By class; what was not analysed last. Empty without a tissue map.
    has_scale
        Whether areas are in um2 (else px).
    """

    area: Rect | None
    area_mm2: float | None
    tissue_mm2: float | None
    objects: tuple[ObjectShare, ...]
    tissue: tuple[TissueShare, ...]
    has_scale: bool


def composition(
    frames: Iterable[ObjectFrame],
    area: Rect | None,
    tissue: TissueMap | None,
    scale: Scale | None,
    *,
    shape: tuple[int, int] | None = None,
) -> Composition:
    """Count and measure.

    Parameters
    ----------
    frames
        One a task.
    area
        Level-0 pixels; None = the whole slide. An object belongs to the area in which its centre lies, so that the
        numbers of areas side by side add up.
    tissue
        The slide's tissue map, or None.
    scale
        um per px of level 0; None leaves out what is in um or mm.
    shape
        (height, width) of the slide: areas are cut to it.
    """
    whole = None if shape is None else Rect(0, 0, *shape)
    place = whole if area is None else area if whole is None else area.intersect(whole)
    um2_per_px = None if scale is None else scale.um2_per_px
    shares = () if tissue is None else tuple(_tissue_shares(tissue, place, um2_per_px))
    if place is None and shares:  # no bounds are known but those of the map
        area_px: float | None = sum(share.area_px for share in shares)
    else:
        area_px = None if place is None else float(place.area)
    area_mm2 = _mm2(area_px, um2_per_px)
    covered = sum(share.area_px for share in shares if share.class_name not in (NOT_RUN, BACKGROUND))
    tissue_mm2 = _mm2(covered, um2_per_px) if shares else None
    objects = [
        share for frame in frames for share in _object_shares(frame, place, (area_px, area_mm2, tissue_mm2), um2_per_px)
    ]
    return Composition(place, area_mm2, tissue_mm2, tuple(objects), shares, scale is not None)


def _mm2(area_px: float | None, um2_per_px: float | None) -> float | None:
    return None if area_px is None or um2_per_px is None else area_px * um2_per_px / _UM2_PER_MM2


def _object_shares(
    frame: ObjectFrame,
    place: Rect | None,
    sizes: tuple[float | None, float | None, float | None],
    um2_per_px: float | None,
) -> Iterator[ObjectShare]:
    codes, areas = frame.instances.class_codes, frame.instances.areas_px
    if place is not None:
        y, x = frame.instances.centroids.T + 0.5
        inside = (y >= place.y) & (y < place.bottom) & (x >= place.x) & (x < place.right)
        codes, areas = codes[inside], areas[inside]
    n = len(frame.classes)
    codes = np.where((codes > 0) & (codes <= n), codes, 0)

    def share(name: str, color: tuple[int, int, int] | None, own: NDArray[np.int64]) -> ObjectShare:
        area_px, area_mm2, tissue_mm2 = sizes
        factor = um2_per_px or 1.0
        return ObjectShare(
            task=frame.task,
            class_name=name,
            color=color,
            count=len(own),
            per_mm2=len(own) / area_mm2 if area_mm2 else None,
            per_tissue_mm2=len(own) / tissue_mm2 if tissue_mm2 else None,
            area_share=float(own.sum()) / area_px if area_px else None,
            mean_area=float(own.mean()) * factor if len(own) else None,
            median_area=float(np.median(own)) * factor if len(own) else None,
        )

    without = areas[codes == 0]
    if n + bool(len(without)) > 1:
        yield share("all", None, areas)
    for code, spec in enumerate(frame.classes, start=1):
        yield share(spec.name, spec.color, areas[codes == code])
    if len(without) or n == 0:
        yield share(NO_CLASS, None, without)


def _tissue_shares(tissue: TissueMap, place: Rect | None, um2_per_px: float | None) -> Iterator[TissueShare]:
    rows, columns = tissue.codes.shape
    tops = None if place is None else (place.y, place.bottom)
    sides = None if place is None else (place.x, place.right)
    weight_y = _covered(rows, tissue.cell_px[0], tissue.origin_px[0], tops)
    weight_x = _covered(columns, tissue.cell_px[1], tissue.origin_px[1], sides)
    weights = weight_y[:, None] * weight_x[None, :]
    by_code = np.bincount(tissue.codes.ravel(), weights=weights.ravel(), minlength=len(tissue.class_names) + 1)
    total = float(place.area) if place is not None else float(weights.sum())
    covered = float(by_code[1:].sum())
    named = zip(tissue.class_names, tissue.class_colors, by_code[1:].tolist(), strict=True)
    for name, color, area_px in named:
        yield TissueShare(name, color, area_px, _mm2(area_px, um2_per_px), area_px / total if total else 0.0)
    rest = max(total - covered, 0.0)  # also what lies beside the map
    if rest > 1e-9 * total:
        yield TissueShare(NOT_RUN, None, rest, _mm2(rest, um2_per_px), rest / total)


def _covered(count: int, cell: float, origin: float, limits: tuple[int, int] | None) -> NDArray[np.float64]:
    """(count,) pixels of each cell along an axis that lie within limits."""
    starts = origin + cell * np.arange(count)
    if limits is None:
        return np.full(count, cell)
    return np.asarray(np.clip(np.minimum(starts + cell, limits[1]) - np.maximum(starts, limits[0]), 0, None))


Kind = Literal["object", "tissue"]


@dataclass(frozen=True, slots=True)
class _Row:
    slide: str
    area: str
    top_px: int | None
    left_px: int | None
    bottom_px: int | None
    right_px: int | None
    kind: Kind
    task: str
    class_name: str
    count: int | None = None
    per_mm2: float | None = None
    per_tissue_mm2: float | None = None
    area_mm2: float | None = None
    area_share: float | None = None
    mean_area_um2: float | None = None
    median_area_um2: float | None = None
    mean_area_px: float | None = None
    median_area_px: float | None = None


def write_composition_csv(path: Path, found: Composition, *, slide: str, area_name: str) -> Path:
    """Write one row a class of objects and of tissue; atomically. Returns the path.

    Parameters
    ----------
    path
        The file.
    found
        What to write.
    slide
        Goes into every row.
    area_name
        ``whole slide``, ``view`` or ``region``; goes into every row.
    """
    rows = [_object_row(share, slide, area_name, found) for share in found.objects]
    rows += [
        _Row(
            slide, area_name, *_limits(found), kind="tissue", task="tissue", class_name=share.class_name,
            area_mm2=share.area_mm2, area_share=share.share,
        )
        for share in found.tissue
    ]  # fmt: skip
    names = [field.name for field in fields(_Row)]
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow("class" if name == "class_name" else name for name in names)
        for row in rows:
            writer.writerow(_cell(value) for value in asdict(row).values())
    return path


def _object_row(share: ObjectShare, slide: str, area_name: str, found: Composition) -> _Row:
    row = _Row(
        slide, area_name, *_limits(found), kind="object", task=share.task, class_name=share.class_name,
        count=share.count, per_mm2=share.per_mm2, per_tissue_mm2=share.per_tissue_mm2, area_share=share.area_share,
    )  # fmt: skip
    if found.has_scale:
        return replace(row, mean_area_um2=share.mean_area, median_area_um2=share.median_area)
    return replace(row, mean_area_px=share.mean_area, median_area_px=share.median_area)


def _limits(found: Composition) -> tuple[int | None, int | None, int | None, int | None]:
    box = found.area
    return (None, None, None, None) if box is None else (box.y, box.x, box.bottom, box.right)


def _cell(value: object) -> object:
    if value is None:
        return ""
    return round(value, 6) if isinstance(value, float) else value
