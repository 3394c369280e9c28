"""Array keys (whole numbers, slices, ...) to rectangles."""

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from pathloop.core import Rect

__all__ = ["read_key"]


def read_key(shape: tuple[int, int], key: Any, read: Callable[[Rect], NDArray[Any]]) -> NDArray[Any]:
    """``array[key]`` for a two-dimensional array that can read rectangles.

    Parameters
    ----------
    shape
        (height, width).
    key
        Whole numbers, slices with positive steps, an ellipsis, or up to two of them.
    read
        Gives the pixels of a rectangle that lies in the array.

    Raises
    ------
    IndexError
        For any other key, and for whole numbers beyond the array.
    """
    parts = list(key) if isinstance(key, tuple) else [key]
    if any(part is Ellipsis for part in parts):
        place = next(index for index, part in enumerate(parts) if part is Ellipsis)
        parts[place : place + 1] = [slice(None)] * (3 - len(parts))
    parts += [slice(None)] * (2 - len(parts))
    if len(parts) > 2:
        raise IndexError(f"two-dimensional, not to be indexed with {key!r}")
    starts, stops, within = [], [], []
    for part, size in zip(parts, shape, strict=True):
        if isinstance(part, slice):
            start, stop, step = part.indices(size)
            if step < 1:
                raise IndexError(f"slices need a positive step, not {key!r}")
            within.append(slice(None, None, step))
            stop = max(stop, start)
        else:
            start = int(part.__index__()) + (size if part < 0 else 0)
            if not 0 <= start < size:
                raise IndexError(f"{part} lies beyond an array of {shape}")
            stop = start + 1
            within.append(0)  # type: ignore[arg-type]
        starts.append(start)
        stops.append(stop)
    return read(Rect.from_bounds(*starts, *stops))[tuple(within)]
