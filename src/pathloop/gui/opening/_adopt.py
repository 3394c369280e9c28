"""Images that another reader or a script brought into the viewer, as slides."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import PathloopError, Rect, Scale, UsageError
from pathloop.rasters import write_tiff_pyramid
from pathloop.slides import open_slide
from pathloop.store import slide_stem

__all__ = ["adopt", "can_adopt"]

SAMPLED_PX = 2048


def can_adopt(layer: Any) -> str:
    """Why an image layer cannot become a slide, in words; empty if it can."""
    shape = _shape(layer)
    if layer.rgb:
        return "" if len(shape) == 3 else f"{layer.name} is a stack; show one plane of it as a layer of its own"
    if len(shape) == 2:
        return ""
    return (
        f"{layer.name} has {' x '.join(map(str, shape))} values: only a flat grey or RGB image can be segmented;"
        " merge its channels to RGB, or show one plane as a layer of its own"
    )


def adopt(layer: Any, folder: Path, scale: Scale | None) -> Path:
    """The slide file that holds a layer's pixels: the layer's own file if it can be read, else a lossless copy.

    Slow for large layers: call it in a thread. The pixels are read and written block by block.

    Parameters
    ----------
    layer
        A napari Image layer: grey or RGB(A), 8 or 16 bits or floats, numpy, dask or zarr, multiscale or not.
    folder
        Where a copy goes.
    scale
        um per px, stored in the copy.

    Returns
    -------
    Path
        A file that `open_slide` reads.

    Raises
    ------
    UsageError
        If the layer is no flat grey or RGB image.
    """
    reason = can_adopt(layer)
    if reason:
        raise UsageError(reason)
    height, width = _shape(layer)[:2]
    own = getattr(layer.source, "path", None)
    if own and _holds(Path(own), (height, width)):
        return Path(own)
    level = layer.data[0] if layer.multiscale else layer.data
    to_rgb = _conversion(layer, level)
    path = _free(folder, slide_stem(Path(f"{layer.name}.tif")))
    write_tiff_pyramid(
        path,
        lambda rect: to_rgb(np.asarray(level[rect.slices])),
        shape=(height, width),
        um_per_px=scale,
        compression="deflate",
    )
    return path


def _shape(layer: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in (layer.data[0] if layer.multiscale else layer.data).shape)


def _holds(path: Path, shape: tuple[int, int]) -> bool:
    """Whether a file is a slide of this size."""
    try:
        with open_slide(path) as slide:
            return slide.shape == shape
    except (PathloopError, OSError):
        return False


def _conversion(layer: Any, level: Any) -> Callable[[NDArray[Any]], NDArray[np.uint8]]:
    """From stored values to (h, w, 3) uint8. Grey images become what the contrast limits show, as on screen."""
    dtype = np.dtype(level.dtype)
    if layer.rgb:
        low, high = 0.0, 1.0 if dtype.kind == "f" else _brightest(level, dtype)
    else:
        low, high = (float(value) for value in layer.contrast_limits)
    as_it_is = dtype == np.uint8 and (low, high) == (0.0, 255.0)

    def convert(block: NDArray[Any]) -> NDArray[np.uint8]:
        pixels = block if block.ndim == 3 else np.repeat(block[..., None], 3, axis=2)
        if not as_it_is:
            spread = (np.nan_to_num(pixels.astype(np.float64), nan=low) - low) * (255 / max(high - low, 1e-12))
            pixels = np.clip(np.rint(spread), 0, 255).astype(np.uint8)
        if pixels.shape[2] == 4:
            cover = pixels[..., 3:].astype(np.uint32)
            pixels = (pixels[..., :3].astype(np.uint32) * cover + 255 * (255 - cover) + 127) // 255
        return np.ascontiguousarray(pixels, np.uint8)

    return convert


def _brightest(level: Any, dtype: np.dtype[Any]) -> float:
    """What counts as full brightness: 8 bits are 8 bits, in 16 bits cameras store 10, 12, 14 or 16."""
    if dtype.itemsize == 1:
        return 255.0
    height, width = level.shape[:2]
    middle = Rect(max(0, (height - SAMPLED_PX) // 2), max(0, (width - SAMPLED_PX) // 2), SAMPLED_PX, SAMPLED_PX)
    largest = int(np.asarray(level[middle.slices])[..., :3].max(initial=0))
    return float(next((top for top in (255, 1023, 4095, 16_383, 65_535) if largest <= top), np.iinfo(dtype).max))


def _free(folder: Path, stem: str) -> Path:
    path, number = folder / f"{stem}.tif", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.tif"
    return path
