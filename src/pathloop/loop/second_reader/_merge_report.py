"""What merging did, for people and for programs."""

import json
from dataclasses import dataclass
from pathlib import Path

from pathloop.loop.second_reader._records import Disagreement, Prefer, SlideMerge
from pathloop.loop.second_reader._report import disagreement_values
from pathloop.loop.second_reader._text import aligned
from pathloop.store import counted

__all__ = ["MergeReport", "in_words"]


@dataclass(frozen=True, slots=True, eq=False)
class MergeReport:
    """What merging did, or would do.

    Parameters
    ----------
    project, copy
        The two folders; in words "yours" and "theirs".
    prefer
        As asked for.
    is_written
        Whether it was done.
    slides
        A record a slide.
    notes
        What to mind, in sentences.
    """

    project: Path
    copy: Path
    prefer: Prefer
    is_written: bool
    slides: tuple[SlideMerge, ...]
    notes: tuple[str, ...]

    @property
    def conflicts(self) -> tuple[Disagreement, ...]:
        """What both readers changed differently and was left as yours."""
        return tuple(one for slide in self.slides for one in slide.conflicts)

    @property
    def has_changed(self) -> bool:
        """Whether anything was written."""
        return any(one.entry is not None for one in self.slides)

    def to_table(self) -> str:
        """Text: a row a slide, and the notes."""
        verb = "came in" if self.is_written else "would come in"
        rows = [("slide", verb, "conflicts", "settled for theirs", "entry")]
        for one in self.slides:
            entry = "-" if one.entry is None else str(one.entry)
            n, settled = (sum(part.n for part in parts) for parts in (one.conflicts, one.overruled))
            rows.append((one.slide.slide_id, in_words(one.taken) or "nothing new", str(n), str(settled), entry))
        blocks = [f"yours: {self.project}\ntheirs: {self.copy}", aligned(rows, left=2)]
        n = len([region for one in self.slides for region in one.regions])
        if n and self.is_written:
            regions = "1 region" if n == 1 else f"{n} regions"
            blocks.append(f"yours stays where there are conflicts; {regions} joined the queue to look at them together")
        elif self.conflicts:
            blocks.append("yours stays where there are conflicts (--prefer theirs takes theirs)")
        blocks += ["\n".join(f"note: {note}" for note in self.notes)] if self.notes else []
        return "\n\n".join(blocks)

    def to_json(self) -> str:
        """One JSON object; its keys are in docs/reference/json.md."""
        values = {
            "schema": "pathloop-merge",
            "version": 1,
            "project": str(self.project),
            "copy": str(self.copy),
            "prefer": self.prefer,
            "written": self.is_written,
            "slides": [
                {
                    "slide_id": one.slide.slide_id,
                    "entry": one.entry,
                    "taken": one.taken,
                    "conflicts": [disagreement_values(part) for part in one.conflicts],
                    "overruled": [disagreement_values(part) for part in one.overruled],
                    "regions": [region.id for region in one.regions],
                }
                for one in self.slides
            ],
            "notes": list(self.notes),
        }
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)


def in_words(taken: dict[str, int]) -> str:
    """What came in, as `SlideMerge.taken` counts it."""
    parts = []
    for key, n in taken.items():
        verb, _, task = key.partition(" ")
        if task:
            parts.append(f"{counted(task, n)} {verb}")
        else:
            parts.append(f"{n:,} {_NOUNS[key][n > 1]}")
    return ", ".join(parts)


_NOUNS = {
    "cells": ("tissue cell", "tissue cells"),
    "regions": ("region", "regions"),
    "flags": ("question", "questions"),
}
