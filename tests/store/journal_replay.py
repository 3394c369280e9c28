"""The journal read with nothing but SQLite and a zstd decoder, as docs/reference/project-format.md specifies it."""

import contextlib
import sqlite3
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray


def replay(path: Path, slide_id: str, task: str, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Labels of a slide that no run has segmented, from its journal alone."""
    labels = np.zeros(shape, np.int32)
    with contextlib.closing(sqlite3.connect(path / "project.db")) as database:
        entries = database.execute(
            "SELECT entry, kind, target FROM journal WHERE slide_id = ? ORDER BY entry", (slide_id,)
        ).fetchall()
        for entry, kind, target in entries:
            patches = database.execute(
                'SELECT top, "left", bottom, "right", ids FROM journal_pixels JOIN layers USING (layer)'
                " WHERE entry = ? AND slide_id = ? AND task = ?",
                (target or entry, slide_id, task),
            ).fetchall()
            for top, left, bottom, right, blob in patches:
                both = np.frombuffer(imagecodecs.zstd_decode(blob), "<i4").reshape(2, bottom - top, right - left)
                before, after = both[::-1] if kind == "undo" else both
                window = labels[top:bottom, left:right]
                differs = before != after
                assert (window[differs] == before[differs]).all(), f"entry {entry} does not follow on the one before"
                window[differs] = after[differs]
    return labels
