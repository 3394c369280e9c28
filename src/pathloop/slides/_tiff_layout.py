"""Which pages of a TIFF are the slide, its levels, and the label, macro and thumbnail beside it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tifffile import TiffFile, TiffPage

from pathloop.core import SlideError
from pathloop.slides._levels import shrinking

__all__ = ["Planes", "TiffLayout", "tiff_layout"]

ASSOCIATED = ("label", "macro", "thumbnail")
STACK_AXES = {"Z": "focal planes", "T": "time points", "I": "images", "Q": "images", "C": "channels"}


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """One image: the pages whose samples, side by side, make its channels (most often one page), and its series."""

    pages: tuple[TiffPage, ...]
    series: Any | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), px."""
        return int(self.keyframe.imagelength), int(self.keyframe.imagewidth)

    @property
    def keyframe(self) -> TiffPage:
        """The page whose tags hold for all."""
        return self.pages[0].keyframe


@dataclass(frozen=True, slots=True, eq=False)
class TiffLayout:
    """The slide's levels, finest first, and its associated images by name."""

    format: str
    levels: tuple[Planes, ...]
    associated: dict[str, Planes]


def tiff_layout(tiff: TiffFile, path: Path) -> TiffLayout:
    """Find the slide in a TIFF.

    Raises
    ------
    SlideError
        If the file holds no image, or a stack of planes or channels rather than an RGB-like image.
    """
    if tiff.is_svs:
        return _aperio_layout(tiff, path)
    series = [each for each in tiff.series if len(each.shape) >= 2]
    if not series:
        raise SlideError(f"{path}: this TIFF holds no image")
    main = max(series, key=lambda each: each.keyframe.imagelength * each.keyframe.imagewidth)
    levels = _shrinking([_planes(level, path) for level in main.levels])
    associated = {}
    for each in series:
        name = _associated_name(each.name or "")
        if each is not main and name and name not in associated:
            associated[name] = _planes(each, path)
    return TiffLayout("ome-tiff" if tiff.is_ome else "tiff", levels, associated)


def _aperio_layout(tiff: TiffFile, path: Path) -> TiffLayout:
    """Aperio: tiled pages are levels (of focal planes, the first), the others are named by their description."""
    levels: list[Planes] = []
    associated: dict[str, Planes] = {}
    for index, page in enumerate(tiff.pages):
        if not isinstance(page, TiffPage):
            raise SlideError(f"{path}: page {index} of this TIFF cannot be read")
        planes = Planes((page,))
        if page.is_tiled and not page.is_reduced:
            levels.append(planes)
            continue
        second_line = page.description.partition("\n")[2].strip()
        name = _associated_name(second_line.partition(" ")[0]) or ("thumbnail" if index == 1 else None)
        if name:
            associated.setdefault(name, planes)
    if not levels:
        raise SlideError(f"{path}: this TIFF holds no tiled image")
    return TiffLayout("aperio", _shrinking(levels), associated)


def _planes(series: Any, path: Path) -> Planes:
    """The pages of one series level that make an RGB-like image."""
    axes, sizes = series.axes, series.shape
    stack = {axis: size for axis, size in zip(axes, sizes, strict=True) if axis not in "YXS" and size > 1}
    channels = stack.pop("C", 1)
    if stack or channels not in (1, 3, 4) or not {"Y", "X"} <= set(axes):
        wrong = stack or {"C": channels}
        what = ", ".join(f"{size} {STACK_AXES.get(axis, f'planes ({axis})')}" for axis, size in wrong.items())
        raise SlideError(f"{path}: not an RGB image but a stack of {what}; export one RGB plane of it")
    pages = tuple(series.pages[index] for index in range(len(series.pages)))
    if any(page is None for page in pages) or (channels > 1 and len(pages) != channels):
        raise SlideError(
            f"{path}: the channels of this TIFF are stored in a way that is not supported; export it as RGB"
        )
    return Planes(pages, series)


def _shrinking(levels: list[Planes]) -> tuple[Planes, ...]:
    """Levels in order of size, each smaller than the one before and of the same proportions."""
    return tuple(levels[index] for index in shrinking([level.shape for level in levels]))


def _associated_name(text: str) -> str | None:
    lowered = text.lower()
    return next((name for name in ASSOCIATED if name in lowered), None)
