"""Which project a slide belongs to, where a new one would go, and which were used lately."""

import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pathloop.core import DataError, PathloopError, config_folder, read_json, write_json
from pathloop.store import on_network_drive, slide_fingerprints, slide_stem

__all__ = ["ProposedProject", "RecentProjects", "find_project", "propose_project"]

SUFFIX = ".pathloop"
KEPT = 30

_writing = threading.Lock()


@dataclass(frozen=True, slots=True)
class ProposedProject:
    """Where a slide's new project would go.

    Parameters
    ----------
    path
        The folder.
    reason
        In words why not simply beside the slide, or what to mind there; empty if there is nothing to say.
    """

    path: Path
    reason: str = ""


def find_project(slide_path: Path, fingerprint: str, recent: Sequence[Path] = ()) -> Path | None:
    """The project that a slide belongs to; None where there is none. Reads only.

    Parameters
    ----------
    slide_path, fingerprint
        The slide and its `Slide.fingerprint`.
    recent
        Projects that were used lately, newest first.

    Notes
    -----
    Looked at in this order: ``<stem>.pathloop`` beside the slide, the other projects beside it, those in the working
    directory, recent ones; a project must know the slide, only the first may also be empty. Projects that cannot be
    read are passed over.
    """
    beside = slide_path.with_name(slide_stem(slide_path) + SUFFIX)
    seen: set[Path] = set()
    for path in (beside, *_candidates(slide_path, recent)):
        key = path.resolve()
        if key not in seen:
            seen.add(key)
            if _knows(path, fingerprint, or_empty=path == beside):
                return path
    return None


def _candidates(slide_path: Path, recent: Sequence[Path]) -> Iterator[Path]:
    for folder in (slide_path.parent, Path.cwd()):
        try:
            yield from sorted(folder.glob(f"*{SUFFIX}"))
        except OSError:
            continue
    yield from recent


def _knows(path: Path, fingerprint: str, *, or_empty: bool) -> bool:
    try:
        if not path.is_dir():
            return False
        known = slide_fingerprints(path)  # of any version: whoever opens it for writing brings it up to date
        return fingerprint in known or (or_empty and not known)
    except (PathloopError, OSError):
        return False


def propose_project(slide_path: Path) -> ProposedProject:
    """Where to make a slide's project: beside it, or in the home folder where that cannot be written.

    A folder that is there already under the wanted name and is no project of this slide is passed over by a number.
    """
    name, folder = slide_stem(slide_path), slide_path.resolve().parent
    if not _can_write(folder):
        home = Path.home() / "pathloop"
        place = _free(home, name)
        return ProposedProject(place, f"{folder} cannot be written, so the project goes to {place}")
    place = _free(folder, name)
    if on_network_drive(folder):
        return ProposedProject(place, f"{folder} is a network drive: saving may be slow; a local folder is quicker")
    return ProposedProject(place)


def _can_write(folder: Path) -> bool:
    """Tried, not asked: network drives and Windows answer wrongly."""
    try:
        with tempfile.TemporaryDirectory(prefix=".pathloop-", dir=folder):
            return True
    except OSError:
        return False


def _free(folder: Path, name: str) -> Path:
    place, number = folder / f"{name}{SUFFIX}", 1
    while place.exists() and any(place.iterdir() if place.is_dir() else [place]):
        number += 1
        place = folder / f"{name}-{number}{SUFFIX}"
    return place


class RecentProjects:
    """Projects that were used lately, newest first, in ``recent.json`` of the user's folder.

    The file is a list of ``{"project": PATH, "slide": PATH or null}``; what cannot be read counts as nothing.

    Parameters
    ----------
    folder
        None: `config_folder`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = (folder or config_folder()) / "recent.json"

    def paths(self) -> list[Path]:
        """Those that are still there."""
        return [path for path, _ in self._entries() if path.is_dir()]

    def last_slide(self, project: Path) -> Path | None:
        """The slide that was open last with a project; None where that is not known."""
        key = project.resolve()
        return next((slide for path, slide in self._entries() if path == key), None)

    def add(self, path: Path, slide: Path | None = None) -> None:
        """Put a project first; without ``slide`` its last slide stays. A folder that cannot be written is no error."""
        key = path.resolve()
        with _writing:
            entries = self._entries()
            slide = slide or next((last for one, last in entries if one == key), None)
            kept = [(key, slide), *(entry for entry in entries if entry[0] != key)][:KEPT]
            rows = [{"project": str(one), "slide": None if last is None else str(last)} for one, last in kept]
            try:
                write_json(self._file, rows)
            except OSError:
                return

    def _entries(self) -> list[tuple[Path, Path | None]]:
        try:
            rows: Any = read_json(self._file)
        except DataError:
            return []
        found: list[tuple[Path, Path | None]] = []
        for row in rows if isinstance(rows, list) else ():
            values = row if isinstance(row, dict) else {}
            project, slide = values.get("project"), values.get("slide")
            if isinstance(project, str):
                found.append((Path(project), Path(slide) if isinstance(slide, str) else None))
        return found
