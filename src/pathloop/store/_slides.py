"""Slides of a project: names, identity, and finding a file that was moved."""

import math
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pathloop.core import ProjectError, Scale
from pathloop.store._clock import now
from pathloop.store._database import Database
from pathloop.store._records import SlideRecord

__all__ = ["add_slide", "find_slide", "find_slides", "slide_stem"]

_DOUBLE_SUFFIX = re.compile(r"\.ome\.(tiff?|btf|zarr)$", re.IGNORECASE)
_UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_COLUMNS = "slide_id, path, fingerprint, height, width, um_per_px_y, um_per_px_x, reader"


def slide_stem(path: Path) -> str:
    """The file's name without its suffix, fit for a folder's name on every system.

    Examples
    --------
    >>> slide_stem(Path("a/B-12.ome.tif"))
    'B-12'
    """
    name = _DOUBLE_SUFFIX.sub("", path.name)
    stem = name if name != path.name else path.stem
    return _UNFIT.sub("_", stem).strip(". ") or "slide"


def add_slide(database: Database, wanted: SlideRecord) -> SlideRecord:
    """Record a slide, or find the one that it is; ``wanted.slide_id`` is ignored.

    Raises
    ------
    ProjectError
        If another file lay at its path, or size or scale contradict objects that the slide has already.
    """
    path = wanted.path.resolve()
    with database.transaction():
        known = _select(database, "path = ?", str(path))
        if known and known[0].fingerprint != wanted.fingerprint:
            raise ProjectError(
                f"{path}: not the file that the project knows as slide {known[0].slide_id!r} (its content differs);"
                " put that file back, give this one another name, or start another project"
            )
        known = known or _select(database, "fingerprint = ?", wanted.fingerprint)
        if known:
            slide_id = known[0].slide_id
            _check_unchanged(database, known[0], wanted)
            sql = "UPDATE slides SET path = ?, height = ?, width = ?, um_per_px_y = ?, um_per_px_x = ?, reader = ?"
            database.rows(f"{sql} WHERE slide_id = ?", (str(path), *_measures(wanted), slide_id))
        else:
            names = {str(row[0]).casefold() for row in database.rows("SELECT slide_id FROM slides")}
            slide_id = _free_name(slide_stem(path), names)
            values = (slide_id, str(path), wanted.fingerprint, *_measures(wanted), now())
            database.rows(f"INSERT INTO slides ({_COLUMNS}, added) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    return find_slide(database, slide_id)


def find_slides(database: Database) -> list[SlideRecord]:
    """All slides, in the order in which they were added."""
    return _select(database, "1 = ?", 1)


def find_slide(database: Database, slide_id: str) -> SlideRecord:
    """One slide.

    Raises
    ------
    ProjectError
        If the project has no such slide.
    """
    found = _select(database, "slide_id = ?", slide_id)
    if not found:
        names = ", ".join(slide.slide_id for slide in find_slides(database)[:10]) or "none yet"
        raise ProjectError(f"{database.path.parent}: has no slide {slide_id!r}; its slides: {names}")
    return found[0]


def _select(database: Database, condition: str, value: str | int) -> list[SlideRecord]:
    rows = database.rows(f"SELECT {_COLUMNS} FROM slides WHERE {condition} ORDER BY rowid", (value,))
    return [
        SlideRecord(name, Path(path), fingerprint, (height, width), Scale(scale_y, scale_x), reader)
        for name, path, fingerprint, height, width, scale_y, scale_x, reader in rows
    ]


def _measures(slide: SlideRecord) -> tuple[Any, ...]:
    return *slide.shape, slide.scale.y, slide.scale.x, slide.reader


def _check_unchanged(database: Database, known: SlideRecord, wanted: SlideRecord) -> None:
    same_scale = math.isclose(known.scale.y, wanted.scale.y, rel_tol=1e-6) and math.isclose(
        known.scale.x, wanted.scale.x, rel_tol=1e-6
    )
    if same_scale and known.shape == wanted.shape:
        return
    sql = (
        "SELECT 1 FROM run_layers JOIN layers USING (layer) WHERE slide_id = ?1 AND top IS NOT NULL"
        " UNION ALL SELECT 1 FROM journal_pixels JOIN layers USING (layer) WHERE slide_id = ?1 LIMIT 1"
    )
    if not database.rows(sql, (known.slide_id,)):
        return
    if known.shape != wanted.shape:
        raise ProjectError(
            f"{wanted.path}: slide {known.slide_id!r} was segmented at {known.shape[0]} x {known.shape[1]} px, now it"
            f" reads as {wanted.shape[0]} x {wanted.shape[1]} px; start another project for it"
        )
    raise ProjectError(
        f"{wanted.path}: slide {known.slide_id!r} was segmented at {known.scale.um_per_px:g} um per px, not"
        f" {wanted.scale.um_per_px:g}; give {known.scale.um_per_px:g} again, or start another project"
    )


def _free_name(stem: str, taken: Collection[str]) -> str:
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    return name
