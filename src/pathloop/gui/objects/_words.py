"""Objects in words: what a task's objects are called, and how ids and numbers are written."""

import math

from pathloop.core import Scale, UsageError
from pathloop.loop import FIRST_PREVIEW_ID

__all__ = ["area_text", "id_text", "is_provisional", "noun", "number_text", "object_id", "task_title"]

UNKNOWN = "–"
_NOUNS = {"nuclei": ("nucleus", "nuclei"), "gland": ("gland", "glands"), "lumen": ("lumen", "lumina")}


def noun(task: str, count: int = 1) -> str:
    """What one or several objects of a task are called."""
    one, several = _NOUNS.get(task, (f"{task} object", f"{task} objects"))
    return one if count == 1 else several


def task_title(task: str) -> str:
    """A task's name on a button or in a list."""
    return noun(task, 2).capitalize()


def is_provisional(number: int) -> bool:
    """Whether an id is one of an unfinished run. The frame answers this for all objects, which takes as long."""
    return number >= FIRST_PREVIEW_ID


def id_text(number: int) -> str:
    """An object's number; those of an unfinished run are counted by themselves and begin with P."""
    return f"P{number - FIRST_PREVIEW_ID}" if is_provisional(number) else str(number)


def object_id(text: str) -> int:
    """The inverse of `id_text`; UsageError where a text is no such number."""
    digits = text.strip().upper()
    first = FIRST_PREVIEW_ID if digits.startswith("P") else 0
    digits = digits.removeprefix("P")
    if not digits.isdecimal():
        raise UsageError(f"{text.strip()!r} is no object number: write numbers such as 812, P13 or 100-199")
    return first + int(digits)


def number_text(value: float, decimals: int) -> str:
    """A number with thousands separators; a dash where there is none."""
    return UNKNOWN if math.isnan(value) else f"{value:,.{decimals}f}"


def area_text(area_px: float, scale: Scale | None) -> str:
    """An area in um2, px where the scale is unknown, with about three digits."""
    value, unit = (area_px, "px") if scale is None else (area_px * scale.um2_per_px, "µm²")
    decimals = 0 if scale is None or value >= 100 else 1
    return f"{value:,.{decimals}f} {unit}"
