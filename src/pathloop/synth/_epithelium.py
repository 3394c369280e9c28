"""Epithelium: the cells of crypts and of the mucosal surface."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pathloop.core import Rect
from pathloop.synth._canvas import NUCLEUS_CLASSES, Canvas, Look, Structure, largest_part
from pathloop.synth._crypts import Crypt
from pathloop.synth._layout import SURFACE_UM, Layout
from pathloop.synth._noise import Field
from pathloop.synth._shapes import Outline, along_normal, ellipses, walk

__all__ = ["claim_crypts", "paint_crypts", "paint_surface"]

_EPITHELIAL = NUCLEUS_CLASSES.index("epithelial")
_LYMPHOCYTE = NUCLEUS_CLASSES.index("lymphocyte")

# optical densities (haematoxylin, eosin) of cytoplasm at the base of the cells, at their apex, and of mucin
_CYTOPLASM = {False: ((0.24, 0.17), (0.10, 0.12)), True: ((0.27, 0.19), (0.19, 0.20))}
_MUCIN = (0.06, 0.014)
# cells must stay this tall between a lumen and the crypt's outline, um
_LEAST_CELL_UM = 11.0


@dataclass(frozen=True, slots=True)
class _Window:
    """A crypt's pixels."""

    box: Rect
    inside: npt.NDArray[np.bool_]
    epithelium: npt.NDArray[np.bool_]
    from_base_um: Field


def claim_crypts(canvas: Canvas, crypts: list[Crypt]) -> list[Crypt]:
    """Write the crypts' labels, lumina and structure; the crypts that got room are returned, number k has id k + 1."""
    kept: list[Crypt] = []
    lumina = 0
    for crypt in crypts:
        box, mask = canvas.fill(crypt.outline, margin=1)
        mask &= (canvas.gland[box.slices] == 0).view(np.uint8)
        mask &= (canvas.structure[box.slices] != Structure.GLASS).view(np.uint8)
        mask = largest_part(mask)
        if cv2.countNonZero(mask) < 16:
            continue
        kept.append(crypt)
        inside = mask.view(bool)
        canvas.gland[box.slices][inside] = len(kept)
        canvas.territory[box.slices][inside] = len(kept)
        canvas.structure[box.slices][inside] = Structure.ABNORMAL if crypt.abnormal else Structure.NORMAL
        depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
        deep = (depth * canvas.um_per_px > _LEAST_CELL_UM).view(np.uint8)
        for outline in crypt.lumina:
            lumina += _claim_lumen(canvas, outline, (box, deep), lumina + 1)
    return kept


def _claim_lumen(canvas: Canvas, outline: Outline, deep: tuple[Rect, npt.NDArray[np.uint8]], identity: int) -> bool:
    crypt_box, allowed = deep
    box, mask = canvas.fill(outline)
    common = box.intersect(crypt_box)
    if not common.area:
        return False
    mask = mask[common.relative_to(box).slices] & allowed[common.relative_to(crypt_box).slices]
    # a bridge of epithelium parts neighbouring lumina, so that each stays an object of its own
    near = cv2.dilate((canvas.lumen[common.slices] > 0).view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    mask = largest_part(np.ascontiguousarray(mask & (~near).view(np.uint8)))
    if cv2.countNonZero(mask) < 4:
        return False
    inside = mask.view(bool)
    canvas.lumen[common.slices][inside] = identity
    canvas.territory[common.slices][inside] = 0
    canvas.structure[common.slices][inside] = Structure.LUMEN
    return True


def paint_crypts(rng: np.random.Generator, canvas: Canvas, crypts: list[Crypt], texture: Field) -> None:
    """Cytoplasm, mucin and nuclei of every crypt that `claim_crypts` returned."""
    for number, crypt in enumerate(crypts, start=1):
        box, _ = canvas.fill(crypt.outline, margin=2)
        owned = canvas.gland[box.slices] == number
        epithelium = owned & (canvas.lumen[box.slices] == 0)
        depth = cv2.distanceTransform(np.pad(owned.view(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
        window = _Window(box, owned, epithelium, depth * np.float32(canvas.um_per_px))
        mucin = np.zeros(box.shape, np.float32)
        if not crypt.abnormal or rng.random() < 0.25:
            share = rng.uniform(0.1, 0.3) if crypt.abnormal else rng.uniform(0.75, 1.0)
            _goblets(rng, canvas, crypt, (box, mucin), share)
        _cytoplasm(canvas, crypt, window, mucin, texture)
        if crypt.abnormal:
            _crowded_nuclei(rng, canvas, crypt, number)
        else:
            _basal_nuclei(rng, canvas, crypt, number)


def _cytoplasm(canvas: Canvas, crypt: Crypt, window: _Window, mucin: Field, texture: Field) -> None:
    base, apex = _CYTOPLASM[crypt.abnormal]
    height = np.clip(window.from_base_um / crypt.cell_um, 0, 1)
    mucin = np.minimum(cv2.GaussianBlur(mucin, (0, 0), max(canvas.px(0.4), 0.4)), 1)
    rough = texture[window.box.slices]
    for layer, low, high, pale in zip((canvas.haematoxylin, canvas.eosin), base, apex, _MUCIN, strict=True):
        stain = (low + (high - low) * height) * (1 + 0.16 * rough)
        stain += mucin * (pale * (1 + 0.35 * rough) - stain)
        part = layer[window.box.slices]
        part[window.epithelium] = stain[window.epithelium]
        part[window.inside & ~window.epithelium] = 0.012


def _goblets(rng: np.random.Generator, canvas: Canvas, crypt: Crypt, target: tuple[Rect, Field], share: float) -> None:
    """Vacuoles of mucin: petals around the lumen, each between two cells' walls."""
    pitch = canvas.px(rng.uniform(9.5, 15))
    points, normals, curvature = walk(crypt.outline, pitch)
    chosen = rng.random(len(points)) < share
    points, normals, curvature = points[chosen], normals[chosen], curvature[chosen]
    if not len(points):
        return
    box, mucin = target
    count = len(points)
    cell = canvas.px(crypt.cell_um)
    start = canvas.px(10.5) + rng.uniform(0, 0.18, count) * cell
    end = cell * rng.uniform(0.72, 1.0, count) ** 0.7
    step = np.linspace(0.0, 1.0, 9)
    depth = start[:, None] + (np.maximum(end - start, canvas.px(4)))[:, None] * step
    shrink = np.clip(1 - depth * curvature[:, None], 0.16, 1.15)
    round_off = np.sqrt(np.clip(1 - np.abs(2 * step - 1) ** 3.2, 0, 1))
    width = 0.47 * pitch * rng.uniform(0.8, 1.0, (count, 1)) * shrink * round_off
    sideways = np.stack([-normals[:, 1], normals[:, 0]], axis=1)
    # petals lean a little, or every crypt would look like a wheel
    lean = rng.normal(0, 0.1, (count, 1)) * (depth - depth[:, :1])
    middle = points[:, None] + depth[..., None] * normals[:, None] + lean[..., None] * sideways[:, None]
    offset = width[..., None] * sideways[:, None]
    petals = np.concatenate([middle + offset, (middle - offset)[:, ::-1]], axis=1)
    for petal, strength in zip(petals, rng.uniform(0.72, 1.0, count), strict=True):
        corners = np.rint((petal[:, ::-1] - (box.x, box.y)) * 16).astype(np.int32)
        cv2.fillPoly(mucin, [corners], float(strength), cv2.LINE_8, 4)


def _basal_nuclei(rng: np.random.Generator, canvas: Canvas, crypt: Crypt, owner: int) -> None:
    """One row of round to oval nuclei along the base, now and then one above it."""
    points, normals, _ = walk(crypt.outline, canvas.px(rng.uniform(4.9, 5.7)))
    count = len(points)
    depth = canvas.px(1) * (rng.normal(6.0, 0.9, count) + (rng.random(count) < 0.25) * rng.uniform(3, 8, count))
    size = canvas.px(1) * np.stack([rng.normal(3.9, 0.5, count), rng.normal(2.75, 0.28, count)], axis=1)
    tilt = rng.normal(0, 0.22, count)
    shapes = ellipses(rng, points + depth[:, None] * normals, size, along_normal(normals) + tilt, wobble=0.06)
    dark = rng.normal(0.58, 0.07, count)
    for shape, density in zip(shapes, dark, strict=True):
        canvas.add_nucleus(shape, owner, _EPITHELIAL, Look(float(density), 0.2, 0.12, 0.2))
    _guests(rng, canvas, crypt, owner, 0.02)


def _crowded_nuclei(rng: np.random.Generator, canvas: Canvas, crypt: Crypt, owner: int) -> None:
    """Elongated dark nuclei at several heights (pseudostratified)."""
    outlines = [(crypt.outline, 1.0, 0.62)]
    outlines += [(lumen, -1.0, 0.4) for lumen in crypt.lumina] if len(crypt.lumina) > 1 else []
    for outline, sign, reach in outlines:
        points, normals, _ = walk(outline, canvas.px(2.0))
        count = len(points)
        depth = canvas.px(1) * rng.uniform(6, max(reach * crypt.cell_um, 7), count)
        length = rng.uniform(4.6, 7.6, count)
        size = canvas.px(1) * np.stack([length, rng.normal(2.5, 0.3, count)], axis=1)
        centres = points + sign * depth[:, None] * normals
        shapes = ellipses(rng, centres, size, along_normal(normals) + rng.normal(0, 0.16, count), wobble=0.08)
        dark = rng.normal(0.66, 0.09, count)
        for index in rng.permutation(count):
            look = Look(float(dark[index]), 0.22, 0.1, 0.24)
            canvas.add_nucleus(shapes[index], owner, _EPITHELIAL, look)
    _guests(rng, canvas, crypt, owner, 0.03)


def _guests(rng: np.random.Generator, canvas: Canvas, crypt: Crypt, owner: int, share: float) -> None:
    """Intraepithelial lymphocytes."""
    points, normals, _ = walk(crypt.outline, canvas.px(6))
    chosen = rng.random(len(points)) < share
    count = int(chosen.sum())
    depth = canvas.px(1) * rng.uniform(8, 18, (count, 1))
    size = np.full((count, 2), canvas.px(2.4))
    for shape in ellipses(rng, points[chosen] + depth * normals[chosen], size, np.zeros(count), wobble=0.05):
        canvas.add_nucleus(shape, owner, _LYMPHOCYTE, Look(0.74, 0.12, 0.0, 0.12))


def paint_surface(rng: np.random.Generator, canvas: Canvas, layout: Layout, texture: Field) -> None:
    """The columnar epithelium that covers the mucosa."""
    depth = layout.full(layout.depth)
    strip = (depth > 0) & (depth < SURFACE_UM) & (canvas.structure == Structure.STROMA) & (canvas.gland == 0)
    canvas.structure[strip] = Structure.NORMAL
    canvas.territory[strip] = Canvas.SURFACE
    height = 1 - depth[strip] / np.float32(SURFACE_UM)
    (low_h, low_e), (high_h, high_e) = _CYTOPLASM[False]
    rough = 1 + 0.16 * texture[strip]
    canvas.haematoxylin[strip] = (low_h + (high_h - low_h) * height) * rough
    canvas.eosin[strip] = (low_e + 0.05 + (high_e - low_e) * height) * rough
    row = (np.arange(layout.depth.shape[1]) + 0.5) * canvas.shape[1] / layout.depth.shape[1]
    top = canvas.px(1) * layout.top.astype(np.float64)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(row), np.diff(top)))])
    places = np.arange(0.0, along[-1], canvas.px(5.4))
    if not len(places):
        return
    points = np.stack([np.interp(places, along, top), np.interp(places, along, row)], axis=1)
    slope = np.interp(points[:, 1], row, np.gradient(top, row)) if len(row) > 1 else np.zeros(len(places))
    normals = np.stack([np.ones_like(slope), -slope], axis=1) / np.hypot(1, slope)[:, None]
    _surface_cells(rng, canvas, points, normals)


def _surface_cells(rng: np.random.Generator, canvas: Canvas, points: Outline, normals: Outline) -> None:
    count = len(points)
    angles = along_normal(normals)
    goblet = rng.random(count) < 0.22
    if goblet.any():
        size = canvas.px(1) * np.stack([rng.uniform(4.5, 7, count), rng.uniform(3, 4, count)], axis=1)
        centres = points + canvas.px(8.5) * normals
        for shape in ellipses(rng, centres[goblet], size[goblet], angles[goblet], wobble=0.05):
            canvas.stain(shape, *_MUCIN, Canvas.SURFACE)
    depth = canvas.px(1) * rng.normal(0.68 * SURFACE_UM, 1.2, (count, 1))
    size = canvas.px(1) * np.stack([rng.normal(4.2, 0.4, count), rng.normal(2.5, 0.2, count)], axis=1)
    for shape, dark in zip(
        ellipses(rng, points + depth * normals, size, angles + rng.normal(0, 0.12, count), wobble=0.05),
        rng.normal(0.58, 0.06, count),
        strict=True,
    ):
        canvas.add_nucleus(shape, Canvas.SURFACE, _EPITHELIAL, Look(float(dark), 0.2, 0.12, 0.2))
