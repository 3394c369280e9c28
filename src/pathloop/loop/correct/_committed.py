"""What a correction did."""

from dataclasses import dataclass

from pathloop.store import Change, JournalEntry

__all__ = ["Committed", "counted"]

_SINGULAR = {"nuclei": "nucleus"}
_PLURAL = {"lumen": "lumina"}


@dataclass(frozen=True, slots=True, eq=False)
class Committed:
    """An entry of the journal, and everything that it changed, as it was applied."""

    entry: JournalEntry
    change: Change


def counted(task: str, n: int) -> str:
    """A number of objects in words.

    Examples
    --------
    >>> counted("gland", 2), counted("nuclei", 1), counted("lumen", 3)
    ('2 glands', '1 nucleus', '3 lumina')
    """
    if n == 1:
        return f"1 {_SINGULAR.get(task, task)}"
    plural = task if task in _SINGULAR else _PLURAL.get(task, f"{task}s")
    return f"{n:,} {plural}"
