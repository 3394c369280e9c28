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
_STATES = tuple(STATE_COLORS)
_RGBA = np.array([(*color, 255) for color in STATE_COLORS.values()], np.float32) / 255


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
    if not regions:
        return np.zeros((0, 2, 2), np.float32), np.zeros((0, 4), np.float32), width
    rects = np.array([(one.rect.y, one.rect.x, one.rect.bottom, one.rect.right) for one in regions], np.float32)
    states = np.array([_STATES.index(one.state) for one in regions])
    sides = (rects[:, 2:] - rects[:, :2]).min(axis=1)
    is_large = sides >= LEAST_PX * screen_px
    dashed = is_large & np.array([one.holdout or one.origin == "random" for one in regions])
    is_current = np.array([one.id == current for one in regions])
    # pixel centres are whole numbers: a pixel's edge lies half a pixel before
    boxes = rects - np.float32(0.5)
    # inside, so that frames of neighbours lie side by side; what makes the current one thick comes outside
    inset = np.minimum(width / 2, sides / 4)
    found: list[tuple[Lines, NDArray[np.int64]]] = []
    for chosen, draw in ((~dashed, _solid), (dashed, _dashed)):
        found.append((draw(_grown(boxes[chosen], -inset[chosen]), width), states[chosen]))
    for state, sign in SIGNS.items():
        chosen = is_large & (states == _STATES.index(state))
        for shift in (0.0, width * STEP):  # twice makes it bold
            found.append((_sign(sign, boxes[chosen, :2], screen_px, shift), states[chosen]))
    for step in range(CURRENT_LINES):
        for chosen, draw in ((is_current & ~dashed, _solid), (is_current & dashed, _dashed)):
            found.append((draw(_grown(boxes[chosen], step * width * STEP - inset[chosen]), width), states[chosen]))
    lines = np.concatenate([one.reshape(-1, 2, 2) for one, _ in found])
    colors = np.concatenate([np.repeat(_RGBA[own], one.shape[1], axis=0) for one, own in found])
    return _clipped(lines, shape), colors, width


def _clipped(lines: Lines, shape: tuple[int, int]) -> Lines:
    ends = np.stack([lines[:, 0], lines.sum(axis=1)], axis=1)
    ends = np.clip(ends, np.float32(-0.5), np.array(shape, np.float32) - 0.5)
    return np.stack([ends[:, 0], ends[:, 1] - ends[:, 0]], axis=1)


def _grown(boxes: NDArray[np.float32], by: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(boxes + by[:, None] * np.array([-1, -1, 1, 1], np.float32), np.float32)


def _sides(boxes: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(n, 4, 2) corners, clockwise, and the ways to the next ones."""
    corners = boxes[:, [[0, 1], [0, 3], [2, 3], [2, 1]]]
    return corners, np.roll(corners, -1, axis=1) - corners


def _solid(boxes: NDArray[np.float32], width: float) -> Lines:
    """(n, 4, 2, 2) sides; they reach over the corners by half their width, so that these are square."""
    corners, along = _sides(boxes)
    ends = np.sign(along) * np.float32(width / 2)
    return np.stack([corners - ends, along + 2 * ends], axis=2)


def _dashed(boxes: NDArray[np.float32], width: float) -> Lines:
    """(n, 4 x `DASHES`, 2, 2) dashes; one begins and one ends each side, so that corners are closed."""
    corners, along = _sides(boxes)
    step = along / np.float32(DASHES - 1 + DASH_SHARE)
    starts = corners[:, :, None] + step[:, :, None] * np.arange(DASHES, dtype=np.float32)[:, None]
    dashes = np.broadcast_to(step[:, :, None] * np.float32(DASH_SHARE), starts.shape)
    return np.stack([starts, dashes], axis=3).reshape(-1, 4 * DASHES, 2, 2)


def _sign(sign: Sequence[tuple[float, float]], corners: NDArray[np.float32], screen_px: float, shift: float) -> Lines:
    """(n, corners of the sign - 1, 2, 2) lines."""
    size = np.float32(SIGN_PX * screen_px)
    places = np.array([(y, x) for x, y in sign], np.float32) * size + size / 2
    points = corners[:, None] + places + np.array([shift, 0], np.float32)
    return np.stack([points[:, :-1], np.diff(points, axis=1)], axis=2)
