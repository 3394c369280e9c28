"""What scores say, in sentences for a pathologist."""

from collections.abc import Iterable

__all__ = ["counted", "listed", "percent", "plural"]

_PLURALS = {"nuclei": ("nucleus", "nuclei"), "lumen": ("lumen", "lumina")}


def plural(task: str, count: float) -> str:
    """A task's objects by name.

    Examples
    --------
    >>> plural("gland", 2), plural("nuclei", 1), plural("blood_vessel", 3)
    ('glands', 'nucleus', 'blood vessels')
    """
    words = task.replace("_", " ")
    one, many = _PLURALS.get(task, (words, f"{words}s"))
    return one if count == 1 else many


def counted(count: float, task: str) -> str:
    """``3 lumina``."""
    return f"{count:,.0f} {plural(task, count)}"


def listed(parts: Iterable[str]) -> str:
    """``a``, ``a and b`` or ``a, b and c``."""
    *rest, last = parts
    return f"{', '.join(rest)} and {last}" if rest else last


def percent(share: float) -> str:
    """``38 %``."""
    return f"{100 * share:.0f} %"
