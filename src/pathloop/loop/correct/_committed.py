"""What a correction did."""

from dataclasses import dataclass

from pathloop.store import Change, JournalEntry

__all__ = ["Committed"]


@dataclass(frozen=True, slots=True, eq=False)
class Committed:
    """An entry of the journal, and everything that it changed, as it was applied."""

    entry: JournalEntry
    change: Change
