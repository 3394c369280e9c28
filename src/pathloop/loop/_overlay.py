"""Pictures of a project's objects over its slides: for reports, the demo and a quick look."""

import math
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, atomic_path
from pathloop.slides import Slide
from pathloop.store import Project

__all__ = ["draw_overlay", "write_overlays"]

MAX_SIDE_PX = 1600
DETAIL_PX = 800
BAR_UM = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000)

Color = tuple[int, int, int]


def draw_overlay(
    image: NDArray[np.uint8],
    labels: Mapping[str, NDArray[np.int32]],
    colors: Mapping[str, Color],
    *,
    thickness: int = 2,
) -> NDArray[np.uint8]:
    """Object outlines in the colour of their task.

    Parameters
    ----------
    image
        (H, W, 3) uint8; not changed.
    labels
        By task: (H, W) ids, 0 = background.
    colors
        By task, sRGB.
    thickness
        Width of an outline, pixels; it lies inside the object.

    Returns
    -------
    (H, W, 3) uint8.
    """
    out = image.copy()
    for task, ids in labels.items():
        out[_rims(ids, thickness)] = colors[task]
    return out


def _rims(ids: NDArray[np.int32], thickness: int) -> NDArray[np.bool_]:
    """Pixels of objects within ``thickness`` of a pixel with another id."""
    rim = np.zeros(ids.shape, bool)
    for axis in (0, 1):
        for step in range(1, thickness + 1):
            ahead, behind = [slice(None)] * 2, [slice(None)] * 2
            ahead[axis], behind[axis] = slice(step, None), slice(None, -step)
            differs = ids[tuple(ahead)] != ids[tuple(behind)]
            rim[tuple(ahead)] |= differs
            rim[tuple(behind)] |= differs
    return rim & (ids > 0)


def write_overlays(project: Project, slide_id: str, slide: Slide, folder: Path) -> list[Path]:
    """Write PNG pictures of a segmented slide: the whole, its tissue map, and the detail with most nuclei.

    Returns
    -------
    list of Path
        ``<slide>_overview.png``, ``<slide>_tissue.png`` (if there is a tissue map), ``<slide>_detail.png``.
    """
    colors = {task: project.classes(task)[0].color for task in project.tasks(slide_id)}
    height, width = slide.shape
    factor = max(1, math.ceil(max(height, width) / MAX_SIDE_PX))
    small = Rect(0, 0, *slide.shape_downsampled(factor))
    image = slide.read_downsampled(small, factor)
    labels = {task: _reduced(project, slide_id, task, factor, image.shape[:2]) for task in colors if task != "nuclei"}
    um_per_px = None if slide.scale is None else slide.scale.um_per_px
    overview = draw_overlay(image, labels, colors)
    drawn_colors = {task: colors[task] for task in labels}
    written = [_write(folder / f"{slide_id}_overview.png", _annotated(overview, drawn_colors, um_per_px, factor))]
    tissue = project.tissue(slide_id)
    if tissue is not None:
        shades = np.array([(255, 255, 255), *tissue.class_colors], np.uint8)[tissue.codes]
        picture = _tinted(image, shades, (tissue.cell_px[0] / factor, tissue.cell_px[1] / factor), tissue.codes > 0)
        legend = dict(zip(tissue.class_names, tissue.class_colors, strict=True))
        written.append(_write(folder / f"{slide_id}_tissue.png", _annotated(picture, legend, um_per_px, factor)))
    window = _busiest(project, slide_id, slide)
    detail = slide.read(window)
    parts = {task: project.labels(slide_id, task).read(window) for task in colors}
    drawn = draw_overlay(detail, parts, colors)
    written.append(_write(folder / f"{slide_id}_detail.png", _annotated(drawn, colors, um_per_px, 1)))
    return written


def _reduced(project: Project, slide_id: str, task: str, factor: int, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Every ``factor``-th id, read strip by strip so that a large slide is never in memory."""
    pyramid = project.labels(slide_id, task)
    height, width = pyramid.shape
    out = np.zeros(shape, np.int32)
    rows_at_once = max(1, 2048 // factor)
    for top in range(0, shape[0], rows_at_once):
        strip = Rect.from_bounds(top * factor, 0, min((top + rows_at_once) * factor, height), width)
        ids = pyramid.read(strip)[factor // 2 :: factor, factor // 2 :: factor]
        out[top : top + ids.shape[0], : ids.shape[1]] = ids[: shape[0] - top, : shape[1]]
    return out


def _busiest(project: Project, slide_id: str, slide: Slide) -> Rect:
    """The detail with most objects, of the task that has most."""
    height, width = slide.shape
    side_y, side_x = min(DETAIL_PX, height), min(DETAIL_PX, width)
    counts = np.zeros((-(-height // side_y), -(-width // side_x)), np.int64)
    for task in project.tasks(slide_id):
        for part in project.iter_objects(slide_id, task):
            places = (part.centroids / (side_y, side_x)).astype(int)
            np.add.at(counts, (places[:, 0], places[:, 1]), 1)
    row, col = np.unravel_index(int(counts.argmax()), counts.shape)
    return Rect(min(int(row) * side_y, height - side_y), min(int(col) * side_x, width - side_x), side_y, side_x)


def _tinted(
    image: NDArray[np.uint8], shades: NDArray[np.uint8], cell: tuple[float, float], shown: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    rows = np.minimum(((np.arange(image.shape[0]) + 0.5) / cell[0]).astype(int), shades.shape[0] - 1)
    cols = np.minimum(((np.arange(image.shape[1]) + 0.5) / cell[1]).astype(int), shades.shape[1] - 1)
    tint, there = shades[np.ix_(rows, cols)], shown[np.ix_(rows, cols)][..., None]
    mixed = np.rint(0.6 * image + 0.4 * tint).astype(np.uint8)
    return np.where(there, mixed, image)


def _annotated(
    image: NDArray[np.uint8], legend: Mapping[str, Color], um_per_px: float | None, factor: int
) -> NDArray[np.uint8]:
    """The picture with a legend and a scale bar below it, on white."""
    width = image.shape[1]
    strip = np.full((44, width, 3), 255, np.uint8)
    x = 12
    for name, color in legend.items():
        cv2.rectangle(strip, (x, 14), (x + 16, 30), color, -1)
        cv2.rectangle(strip, (x, 14), (x + 16, 30), (90, 90, 90), 1)
        cv2.putText(strip, name, (x + 22, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
        x += 40 + 10 * len(name)
    if um_per_px is not None:
        length_um = max((one for one in BAR_UM if one / um_per_px / factor <= width / 5), default=BAR_UM[0])
        length = round(length_um / um_per_px / factor)
        text = f"{length_um} um"
        left = width - 12 - length
        cv2.line(strip, (left, 32), (width - 12, 32), (40, 40, 40), 3)
        cv2.putText(strip, text, (left, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack([image, strip])


def _write(path: Path, image: NDArray[np.uint8]) -> Path:
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert done
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.tobytes())
    return path
