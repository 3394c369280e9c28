"""What a slide's pyramid is made of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da

from pathloop.core import Scale

__all__ = ["Level", "LevelLayout", "SlideHeader", "exact_downsample", "same_proportions"]


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


def same_proportions(shapes: Sequence[tuple[int, int]]) -> list[int]:
    """Of sizes from large to small, the places of those that shrink and have the proportions of the first."""
    kept = [0] if shapes else []
    for index, (small_h, small_w) in enumerate(shapes[1:], start=1):
        height, width = shapes[0]
        if small_h >= shapes[kept[-1]][0] or small_w >= shapes[kept[-1]][1]:
            continue
        # Rounding a size moves it by less than one pixel.
        if abs(width / (height / small_h) - small_w) <= 1 + small_w / small_h:
            kept.append(index)
    return kept
