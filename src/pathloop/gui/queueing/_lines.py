"""Frames of regions as line segments: solid or dashed, with a sign of the state in a corner. Numpy only."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pathloop.store import Region

__all__ = ["STATE_COLORS", "WIDTH_PX", "frame_lines"]

STATE_COLORS = {"todo": (213, 31, 38), "doing": (230, 159, 0), "done": (0, 158, 115)}
"""By state of review; orange and green of Okabe and Ito, whose vermilion would be too near to orange on a frame."""

CURRENT_LINES = 3
"""Lines of the frame that is gone to; the others have one."""
WIDTH_PX = 2.5
"""Screen pixels of a line."""
STEP = 0.9
"""Between lines side by side, in widths: no gap shows."""
SIGN_PX = 16.0
"""Screen pixels of the sign in the corner, and its distance from the frame."""
LEAST_PX = 40.0
"""Frames smaller than this on screen have no sign and no dashes: nothing could be told apart."""

DASHES = 7
"""Of a side of a random region's frame."""
DASH_SHARE = 0.6

_TICK = ((0.0, 0.55), (0.35, 0.95), (1.0, 0.1))
_STROKE = ((0.0, 1.0), (1.0, 0.0))
SIGNS = {"done": _TICK, "doing": _STROKE}
"""Corners (x, y) of a line, as shares of the sign's size: a tick, a stroke; what is to do has none."""

Lines = NDArray[np.float32]


def frame_lines(
    regions: Sequence[Region], current: int | None, screen_px: float, shape: tuple[int, int]
) -> tuple[Lines, NDArray[np.float32], float]:
    """The frames of all regions.

    Parameters
    ----------
    regions
        What to draw; the current one comes last, on top.
    current
        Number of the region whose frame is thick; None = none.
    screen_px
        Level-0 pixels that a pixel of the screen covers.
    shape
        (height, width) of the slide. No line reaches beyond it: napari would slice every layer anew.

    Returns
    -------
    tuple
        (N, 2, 2) float32 start and direction (y, x) of lines in level-0 pixels, (N, 4) float32 RGBA 0..1, and the width
        of all lines in level-0 pixels.
    """
    width = WIDTH_PX * screen_px
    lines: list[Lines] = []
    colors: list[NDArray[np.float32]] = []
    ordered = sorted(regions, key=lambda region: region.id == current)
    for region in ordered:
        own = _frame(region, width, screen_px, n=CURRENT_LINES if region.id == current else 1)
        lines.append(own)
        rgba = np.array([*STATE_COLORS[region.state], 255], np.float32) / 255
        colors.append(np.broadcast_to(rgba, (len(own), 4)))
    if not lines:
        return np.zeros((0, 2, 2), np.float32), np.zeros((0, 4), np.float32), width
    return _clipped(np.concatenate(lines), shape), np.concatenate(colors), width


def _clipped(lines: Lines, shape: tuple[int, int]) -> Lines:
    ends = np.stack([lines[:, 0], lines.sum(axis=1)], axis=1)
    ends = np.clip(ends, np.float32(-0.5), np.array(shape, np.float32) - 0.5)
    return np.stack([ends[:, 0], ends[:, 1] - ends[:, 0]], axis=1)


def _frame(region: Region, width: float, screen_px: float, *, n: int) -> Lines:
    rect = region.rect
    # pixel centres are whole numbers: a pixel's edge lies half a pixel before
    low = np.array([rect.y, rect.x], np.float32) - 0.5
    high = np.array([rect.bottom, rect.right], np.float32) - 0.5
    is_large = min(rect.shape) >= LEAST_PX * screen_px
    dashed = is_large and (region.holdout or region.origin == "random")
    # inside, so that those of neighbours lie side by side; what makes the current one thick comes outside
    steps = np.arange(n) * width * STEP - min(width / 2, min(rect.shape) / 4)
    parts = [_rectangle(low - step, high + step, width, dashed=dashed) for step in steps.tolist()]
    if is_large and region.state in SIGNS:
        parts += [_sign(region.state, low, screen_px, shift=shift * width * STEP) for shift in (0, 1)]
    return np.concatenate(parts)


def _rectangle(low: NDArray[np.float32], high: NDArray[np.float32], width: float, *, dashed: bool) -> Lines:
    """Four sides; solid ones reach over the corners by half their width, so that these are square."""
    (top, left), (bottom, right) = low, high
    corners = np.array([[top, left], [top, right], [bottom, right], [bottom, left]], np.float32)
    along = np.roll(corners, -1, axis=0) - corners
    if not dashed:
        ends = np.sign(along) * (width / 2)
        return np.stack([corners - ends, along + 2 * ends], axis=1)
    # a dash begins and ends each side, so that corners are closed
    step = along / (DASHES - 1 + DASH_SHARE)
    starts = corners[:, None] + step[:, None] * np.arange(DASHES, dtype=np.float32)[None, :, None]
    dashes = np.broadcast_to(step[:, None] * DASH_SHARE, starts.shape)
    return np.stack([starts, dashes], axis=2).reshape(-1, 2, 2)


def _sign(state: str, corner: NDArray[np.float32], screen_px: float, *, shift: float) -> Lines:
    """One line of a sign; a second one a little below makes it bold."""
    size = SIGN_PX * screen_px
    points = corner + size / 2 + np.array([(y, x) for x, y in SIGNS[state]], np.float32) * size
    points[:, 0] += shift
    return np.stack([points[:-1], np.diff(points, axis=0)], axis=1).astype(np.float32)
