"""What an import found in a file, counted, and the same in words."""

from collections import Counter
from dataclasses import dataclass, field

from pathloop.core import Message

__all__ = ["Findings"]


@dataclass(slots=True)
class Findings:
    """Counts, by what was done and what was not.

    Parameters
    ----------
    changed, new, classes, locks, regions, deleted
        What was done: outlines that are other pixels now, new objects, objects of another class, locked or unlocked
        ones, new regions, objects that were deleted because the file has them no more.
    trimmed, vanished
        Objects that are not in the file and lost some, or all, of their pixels to outlines of the file.
    unchanged
        Objects and regions of the file that are here already as they are there.
    mended, clipped, covered, empty, held, gone, shapeless, tissue, kept, missing, beyond
        What a person should know of.
    unknown
        Outlines of no task, by class name.
    """

    changed: int = 0
    new: int = 0
    classes: int = 0
    locks: int = 0
    regions: int = 0
    deleted: int = 0
    trimmed: int = 0
    vanished: int = 0
    unchanged: int = 0
    mended: int = 0
    clipped: int = 0
    covered: int = 0
    empty: int = 0
    held: int = 0
    gone: int = 0
    shapeless: int = 0
    tissue: int = 0
    kept: int = 0
    missing: int = 0
    beyond: int = 0
    unknown: Counter[str] = field(default_factory=Counter)

    def in_words(self) -> str:
        """What was done, in one line; "" if nothing was."""
        done = (
            _n(self.changed, "outline changed", "outlines changed"),
            _n(self.new, "new", "new"),
            _n(self.classes, "class", "classes"),
            _n(self.locks, "lock", "locks"),
            _n(self.regions, "region", "regions"),
            _n(self.deleted, "deleted", "deleted"),
            _n(self.trimmed, "neighbour trimmed", "neighbours trimmed"),
            _n(self.vanished, "replaced", "replaced"),
        )
        return ", ".join(one for one in done if one)

    def summary(self) -> dict[str, int]:
        """Counts that are not 0, by name."""
        found = {name: getattr(self, name) for name in self.__slots__ if name != "unknown"}
        return {name: n for name, n in {**found, "unknown": self.unknown.total()}.items() if n}

    def notes(self) -> list[Message]:
        """What was not done as the file says, a line a kind."""
        classes = ", ".join(f"{name} {n:,}" for name, n in self.unknown.most_common(5))
        warnings = (
            _n(
                self.unknown.total(),
                f"outline left out, its class tells no task ({classes}); give --task nuclei, for example",
                f"outlines left out, their classes tell no task ({classes}); give --task nuclei, for example",
            ),
            _n(
                self.gone,
                "outline left out: its object was deleted or replaced here since the export",
                "outlines left out: their objects were deleted or replaced here since the export",
            ),
            _n(self.shapeless, "point or line left out, it has no area", "points or lines left out, they have no area"),
            _n(self.tissue, "tissue area left out", "tissue areas left out", "; the tissue map is corrected in napari"),
            _n(self.empty, "outline left out: it covers", "outlines left out: they cover", " no pixel of the slide"),
            _n(self.mended, "outline was", "outlines were", " no valid polygon, mended"),
            _n(
                self.clipped,
                "outline keeps clear of",
                "outlines keep clear of",
                " objects that are accepted, locked, done or outlined in the file themselves",
            ),
            _n(
                self.covered,
                "outline left out: it lies wholly on",
                "outlines left out: they lie wholly on",
                " objects that are accepted, locked, done or outlined in the file themselves",
            ),
            _n(
                self.held,
                "locked object is left as it is",
                "locked objects are left as they are",
                " (one that the file unlocks changes when the file is imported again)",
            ),
            _n(self.kept, "accepted or locked object", "accepted or locked objects", " not in the file, not deleted"),
            _n(
                self.beyond,
                "object lies",
                "objects lie",
                " beyond all outlines of the file and may be missing there; give --roi to delete what lies in it",
            ),
        )
        infos = (
            _n(self.missing, "object is", "objects are", " not in the file and kept (--delete-missing deletes them)"),
        )
        return [Message(one, level="warning") for one in warnings if one] + [Message(one) for one in infos if one]


def _n(n: int, one: str, many: str, rest: str = "") -> str:
    """A number with its noun; "" for none."""
    return f"{n:,} {one if n == 1 else many}{rest}" if n else ""
