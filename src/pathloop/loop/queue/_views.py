"""A picture turned and mirrored, and maps turned back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import UsageError

__all__ = ["VIEWS", "turned", "turned_back"]

VIEWS = (4, 8)
"""The picture as it is and mirrored along each axis and both; 8: the same of its transpose too."""


def turned(picture: NDArray[Any], view: int) -> NDArray[Any]:
    """One of the eight views of a picture.

    Parameters
    ----------
    picture
        (H, W, ...).
    view
        0 .. 7; 0 is the picture itself, 1 .. 3 are its flips, 4 .. 7 those of its transpose.

    Returns
    -------
    (H, W, ...) or (W, H, ...), contiguous.

    Raises
    ------
    UsageError
        If there is no such view.
    """
    if not 0 <= view < 8:
        raise UsageError(f"a picture has views 0 .. 7, not {view}")
    out = np.swapaxes(picture, 0, 1) if view & 4 else picture
    out = out[::-1] if view & 1 else out
    out = out[:, ::-1] if view & 2 else out
    return np.ascontiguousarray(out)


def turned_back(maps: NDArray[Any], view: int) -> NDArray[Any]:
    """Maps (C, h, w) of a view as maps of the picture itself; undoes `turned`."""
    out = maps[:, ::-1] if view & 1 else maps
    out = out[:, :, ::-1] if view & 2 else out
    return np.ascontiguousarray(np.swapaxes(out, 1, 2) if view & 4 else out)
