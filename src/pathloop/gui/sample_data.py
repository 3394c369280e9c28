"""File > Open Sample: synthetic slides, drawn by a program, so that everything can be tried without own data."""

from pathlib import Path
from typing import Any

from pathloop.core import cache_folder

__all__ = ["bundled_slide", "larger_slide"]

LARGER_PX = (6144, 8192)
LARGER_NAME = "colon_6144x8192.tif"


def bundled_slide() -> list[Any]:
    """The sample slide that comes with the package."""
    from pathloop.gui.reader import _read_slide
    from pathloop.synth import sample_slide_path

    return list(_read_slide(str(sample_slide_path())))


def larger_slide() -> list[Any]:
    """A larger slide, drawn once into the user's cache folder. In a window that happens beside it.

    Returns
    -------
    list
        Its layer data; nothing where it is being drawn, because then it opens by itself as soon as it is there.
    """
    from pathloop.gui.reader import _read_slide, _session

    path = cache_folder() / "samples" / LARGER_NAME
    session = _session()
    if path.is_file() or session is None:
        _draw(path)
        return list(_read_slide(str(path)))
    session.say("Drawing a larger synthetic slide; it opens by itself in some seconds.")
    session.background.run(lambda: _draw(path), session.open_slide)
    return []


def _draw(path: Path) -> Path:
    """Draw it unless it is there."""
    from pathloop.synth import write_slide

    if not path.is_file():
        write_slide(path, LARGER_PX, seed=20)
    return path
