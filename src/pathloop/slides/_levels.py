"""What a slide's pyramid is made of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np

from pathloop.core import Scale, UsageError

__all__ = ["Level", "LevelLayout", "SlideHeader", "exact_downsample", "isotropic_step", "shrinking", "spread_tiles"]


@dataclass(frozen=True, slots=True)
class LevelLayout:
    """What a reader knows of one level: size, level-0 px per level px, and the file's tiles, all (y, x)."""

    shape: tuple[int, int]
    downsample: tuple[float, float]
    tile: tuple[int, int]


@dataclass(frozen=True, slots=True)
class SlideHeader:
    """What a reader learns from a file on opening it; the first level is the finest."""

    format: str
    levels: tuple[LevelLayout, ...]
    scale: Scale | None
    objective_power: float | None = None
    associated: tuple[str, ...] = ()
    icc_profile: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One level of a slide's pyramid.

    Attributes
    ----------
    shape
        (height, width), px.
    downsample
        Level-0 pixels per pixel of this level, (y, x), >= 1; the first level has (1.0, 1.0).
    dask
        (height, width, 3) uint8, read on demand; chunks are whole file tiles.
    zarr
        The same pixels as a zarr array straight over the file, or None where the reader has none.
    tile
        (height, width) of the pieces in which the file is read, px.
    """

    shape: tuple[int, int]
    downsample: tuple[float, float]
    dask: da.Array
    zarr: Any | None
    tile: tuple[int, int]


def exact_downsample(full: tuple[int, int], shape: tuple[int, int]) -> tuple[float, float]:
    """Level-0 px per level px: the whole number that the level was made with where its size allows it, else the ratio.

    Writers round a level's size (4443 -> 2221 is 2, not 2.0005); over a large slide that error would be a drift.
    """
    ratios = [size / part for size, part in zip(full, shape, strict=True)]
    whole = max(1, round(math.sqrt(ratios[0] * ratios[1])))
    fits = all(abs(size / whole - part) < 1 for size, part in zip(full, shape, strict=True))
    return (float(whole), float(whole)) if fits else (ratios[0], ratios[1])


def shrinking(shapes: Sequence[tuple[int, int]]) -> list[int]:
    """Which images, (height, width) each, make a pyramid: the largest, and those smaller with its proportions."""
    order = sorted(range(len(shapes)), key=lambda index: shapes[index][0] * shapes[index][1], reverse=True)
    kept = order[:1]
    height, width = shapes[order[0]]
    for index in order[1:]:
        (small_h, small_w), (last_h, last_w) = shapes[index], shapes[kept[-1]]
        if small_h >= last_h or small_w >= last_w:
            continue
        # Rounding a size moves it by less than one pixel.
        ratio = height / small_h
        if abs(width / ratio - small_w) <= 1 + small_w / small_h:
            kept.append(index)
    return kept


def spread_tiles(layout: LevelLayout, count: int) -> list[tuple[int, int]]:
    """(row, column) of at most ``count`` of a level's tiles, spread evenly over it."""
    rows, columns = (-(-size // tile) for size, tile in zip(layout.shape, layout.tile, strict=True))
    chosen = np.unique(np.linspace(0, rows * columns - 1, min(rows * columns, count)).astype(int))
    return [divmod(int(index), columns) for index in chosen]


def isotropic_step(downsample: float) -> tuple[float, float]:
    """The same step along both axes; UsageError unless it is a positive number."""
    if not (math.isfinite(downsample) and downsample > 0):
        raise UsageError(f"a downsample must be a positive number, got {downsample:g}")
    return downsample, downsample
