"""COCO's run-length encoding of masks.

Pixels are counted down the columns, left column first. ``counts`` are the lengths of runs of 0 and 1 in turn, the
first of 0 (and perhaps of length 0). As text, each count (from the fourth on its difference to the one two before) is
written in groups of five bits, lowest first, each with a sixth bit that says "more follow", as the character 48 above
its value.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["object_runs", "runs_to_text"]


def object_runs(labels: NDArray[np.int32]) -> Iterator[tuple[int, tuple[int, int, int, int], list[int]]]:
    """Every object of a label image with numbers 1 .. n.

    Yields
    ------
    number
        1 .. n, those that have a pixel.
    box
        (top, left, bottom, right), half-open.
    counts
        Runs of the object's mask in the whole image.
    """
    height, width = labels.shape
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        rows, cols = box
        columns = np.zeros((cols.stop - cols.start, rows.stop - rows.start + 2), np.int8)
        columns[:, 1:-1] = (labels[box] == number).T
        steps = np.diff(columns, axis=1)
        col, row = np.nonzero(steps)
        edges = (col + cols.start) * height + rows.start + row
        # a run that goes on from the foot of a column to the head of the next one is one run
        starts, stops = edges[0::2], edges[1::2]
        joined = np.flatnonzero(starts[1:] == stops[:-1])
        edges = np.stack([np.delete(starts, joined + 1), np.delete(stops, joined)], axis=1).ravel()
        counts = np.diff(edges, prepend=0, append=height * width)
        found = counts.tolist() if counts[-1] else counts[:-1].tolist()
        yield number, (rows.start, cols.start, rows.stop, cols.stop), found


def runs_to_text(counts: list[int]) -> str:
    """The compressed form of counts."""
    letters: list[str] = []
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        while True:
            bits = value & 31
            value >>= 5
            # done when what is left is only the sign of what was written
            more = value != (-1 if bits & 16 else 0)
            letters.append(chr(48 + bits + 32 * more))
            if not more:
                break
    return "".join(letters)
