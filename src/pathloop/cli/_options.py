"""Options that several commands share."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pathloop.core import Rect, UsageError
from pathloop.interchange import DATASETS
from pathloop.learn import DataConfig

__all__ = ["Subparsers", "add_roi", "add_srgb", "as_rect", "data_sets", "positive_float"]

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


def add_srgb(parser: argparse.ArgumentParser) -> None:
    """``--srgb``."""
    parser.add_argument(
        "--srgb", action="store_true", help="convert colours to sRGB by the slide's colour profile, if it has one"
    )


def as_rect(values: list[int] | None) -> Rect | None:
    """The rectangle of ``--roi``."""
    return None if values is None else Rect(*values)


def data_sets(named: Sequence[str]) -> tuple[DataConfig, ...]:
    """Data sets that are given as KIND:PATH.

    Raises
    ------
    UsageError
        If one is not, or the kind is not known, or there is no such folder.
    """
    found = []
    for text in named:
        kind, _, path = text.partition(":")
        folder = Path(path).expanduser()
        if kind not in DATASETS or not path:
            raise UsageError(f"--with-data {text}: give KIND:PATH, with a kind of {', '.join(sorted(DATASETS))}")
        if not folder.is_dir():
            raise UsageError(f"--with-data {text}: no such folder")
        found.append(DataConfig(kind=kind, path=folder))
    return tuple(found)
