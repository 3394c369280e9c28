"""A slide as the data of a napari image layer."""

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.slides import Slide, open_slide
from pathloop.store import slide_stem

__all__ = ["COARSEST_PX", "open_slide_layer", "slide_layer_data"]

COARSEST_PX = 2048
"""napari keeps the coarsest level in memory: its longer side is at most this."""

CHUNK_PX = 512
KEPT_BYTES = 48 * 2**20


class _Reduced:
    """A level that the file does not have, as the array that dask slices.

    A coarse pixel costs many fine ones, so that blocks are kept, up to `KEPT_BYTES`.
    """

    def __init__(self, slide: Slide, downsample: float) -> None:
        self._slide, self._downsample = slide, downsample
        self._kept: OrderedDict[Rect, NDArray[np.uint8]] = OrderedDict()
        self._lock = threading.Lock()
        self.shape = (*slide.shape_downsampled(downsample), 3)
        self.dtype = np.dtype(np.uint8)
        self.ndim = 3

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.uint8]:
        (top, bottom, _), (left, right, _) = key[0].indices(self.shape[0]), key[1].indices(self.shape[1])
        pixels = self._block(Rect.from_bounds(top, left, bottom, right))
        return pixels[:: key[0].step, :: key[1].step, key[2]]

    def _block(self, rect: Rect) -> NDArray[np.uint8]:
        with self._lock:
            if rect in self._kept:
                self._kept.move_to_end(rect)
                return self._kept[rect]
        pixels = self._slide.read_downsampled(rect, self._downsample)
        pixels.flags.writeable = False
        with self._lock:
            self._kept[rect] = pixels
            while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > KEPT_BYTES:
                self._kept.popitem(last=False)
        return pixels


def slide_layer_data(slide: Slide, *, direct_zarr: bool = False) -> tuple[Any, dict[str, Any]]:
    """What napari's ``add_image`` takes. Where the file has no small level, one is computed here: call it in a thread.

    Parameters
    ----------
    slide
        An open slide; it stays open as long as the layer is used, and is closed by whoever removes the layer.
    direct_zarr
        Use the file's own zarr arrays where it has them, instead of dask arrays.

    Returns
    -------
    data
        (H, W, 3) uint8 arrays, finest first; a single array for a small image. Levels that a large file lacks are
        computed on the fly, so that the coarsest one is at most 2,048 px a side.
    options
        Keyword arguments: name, scale and units, metadata with the slide.
    """
    levels: list[Any] = [level.zarr if direct_zarr and level.zarr is not None else level.dask for level in slide.levels]
    single = max(slide.shape) <= COARSEST_PX
    if single:
        levels = levels[:1]
    step = slide.levels[-1].downsample[0]
    if max(levels[-1].shape[:2]) > COARSEST_PX:
        while max(slide.shape_downsampled(step)) > COARSEST_PX:
            step *= 2 if len(levels) > 1 or max(slide.shape) <= 2 * COARSEST_PX else 4
            levels.append(_reduced(slide, step))
        # napari asks for it at once, on the main thread; what is computed here is kept
        levels[-1].compute()
    options: dict[str, Any] = {
        "name": slide_stem(slide.path),
        "rgb": True,
        "multiscale": not single,
        # the slide keeps decoded tiles itself: napari's own cache of dask blocks would hold them twice
        "cache": False,
        "metadata": {"pathloop": {"kind": "slide", "path": str(slide.path), "slide": slide}},
    }
    if slide.scale is not None:
        options |= {"scale": (slide.scale.y, slide.scale.x), "units": ("um", "um")}
    return (levels[0] if single else levels), options


def open_slide_layer(
    path: Path, *, um_per_px: float | None = None, direct_zarr: bool = False
) -> tuple[Any, dict[str, Any]]:
    """Open a slide and give its layer, as `slide_layer_data` does; a slide that gives none is closed again."""
    slide = open_slide(path, um_per_px=um_per_px)
    try:
        return slide_layer_data(slide, direct_zarr=direct_zarr)
    except BaseException:
        slide.close()
        raise


def _reduced(slide: Slide, downsample: float) -> Any:
    source = _Reduced(slide, downsample)
    chunks = (min(CHUNK_PX, source.shape[0]), min(CHUNK_PX, source.shape[1]), 3)
    name = f"slide-{slide.fingerprint[:32]}-reduced-{downsample:g}"
    return da.from_array(  # type: ignore[no-untyped-call]
        source, chunks=chunks, name=name, asarray=False, inline_array=True, meta=np.empty((0, 0, 0), np.uint8)
    )
