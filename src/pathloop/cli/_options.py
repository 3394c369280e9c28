"""Options that several commands share."""

import argparse
from typing import Any

from pathloop.core import Rect

__all__ = ["Subparsers", "add_roi", "as_rect", "positive_float"]

Subparsers = Any
"""argparse keeps the type of its sub-parser action private."""


def positive_float(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def add_roi(parser: argparse.ArgumentParser) -> None:
    """``--roi Y X H W``."""
    parser.add_argument(
        "--roi", nargs=4, type=int, metavar=("Y", "X", "H", "W"), help="only this rectangle, in level-0 pixels"
    )


def as_rect(values: list[int] | None) -> Rect | None:
    """The rectangle of ``--roi``."""
    return None if values is None else Rect(*values)
