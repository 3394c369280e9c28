"""What the user wants of a run that is under way, told through a file that any process may write."""

from pathlib import Path
from typing import Literal, get_args

from pathloop.core import DataError, read_json, write_json

__all__ = ["Wish", "read_wish", "write_wish"]

Wish = Literal["go on", "pause", "finish", "cancel"]
"""``finish``: train no further, go on with what there is. ``cancel``: stop now; the checkpoint stays."""


def write_wish(path: Path, wish: Wish) -> None:
    """Say what is wanted."""
    write_json(path, {"wish": wish})


def read_wish(path: Path) -> Wish:
    """What is wanted; "go on" where nothing, or nothing readable, was said."""
    if not path.exists():
        return "go on"
    try:
        wish = read_json(path)["wish"]
    except (DataError, KeyError, TypeError):
        return "go on"
    return wish if wish in get_args(Wish) else "go on"
