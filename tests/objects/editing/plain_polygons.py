"""Points in a polygon by counting the edges that a ray to the left crosses: to compare with."""

import numpy as np


def inside_polygon(polygon, shape):
    y, x = np.mgrid[: shape[0], : shape[1]]
    odd = np.zeros(shape, bool)
    for (ay, ax), (by, bx) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if ay != by:
            odd ^= ((ay <= y) != (by <= y)) & (x > ax + (y - ay) * (bx - ax) / (by - ay))
    return odd
