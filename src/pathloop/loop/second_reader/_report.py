"""How far two readers agree, for people and for programs."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pathloop.loop.second_reader._records import (
    DIFFERENCES,
    Disagreement,
    MatchedPlaces,
    ObjectAgreement,
    TissueAgreement,
)
from pathloop.loop.second_reader._text import aligned, number, with_interval
from pathloop.metrics import ClassConfusion, Kappa
from pathloop.store import SlideRecord

__all__ = ["AgreementReport", "disagreement_values"]

ALL = "all slides"


@dataclass(frozen=True, slots=True, eq=False)
class AgreementReport:
    """How far two readers agree.

    Parameters
    ----------
    first, second
        The two project folders; in words the first is "yours", the second "theirs".
    slides
        Those that were compared, as the first project has them.
    objects
        A row a slide and task.
    tissue
        A row a slide whose cells both reviewed.
    disagreements
        Where they differ.
    notes
        What to mind, in sentences.
    """

    first: Path
    second: Path
    slides: tuple[SlideRecord, ...]
    objects: tuple[ObjectAgreement, ...]
    tissue: tuple[TissueAgreement, ...]
    disagreements: tuple[Disagreement, ...]
    notes: tuple[str, ...]

    def pooled(self, task: str) -> ObjectAgreement:
        """A task's counts over all slides; ``slide_id`` is "".

        Raises
        ------
        KeyError
            If the task was not compared.
        """
        rows = [one for one in self.objects if one.task == task]
        if not rows:
            raise KeyError(task)
        total = rows[0]
        for one in rows[1:]:
            basis = one.compared_on if one.compared_on == total.compared_on else "mixed"
            total = ObjectAgreement(
                "",
                task,
                basis,
                total.area_px + one.area_px,
                total.objects + one.objects,
                total.object_dice + one.object_dice,
                total.pixels + one.pixels,
                ClassConfusion.pooled([total.classes, one.classes]),
                one.class_names,
                MatchedPlaces(
                    np.concatenate([total.matched.centres, one.matched.centres]),
                    np.concatenate([total.matched.ious, one.matched.ious]),
                ),
            )
        return total

    @property
    def tasks(self) -> tuple[str, ...]:
        """Object tasks that were compared."""
        return tuple(dict.fromkeys(one.task for one in self.objects))

    def to_table(self) -> str:
        """Aligned text: a row a slide and task, a row for all slides where there are several, and the notes."""
        head = ("slide", "task", "compared on", "yours", "theirs", "both", "Dice", "PQ", "DQ", "SQ", "F1 (95 %)")
        rows = [_object_row(one) for one in self.objects]
        rows += [_object_row(self.pooled(task)) for task in self.tasks if self._is_pooled(task)]
        blocks = [f"yours: {self.first}\ntheirs: {self.second}"]
        if rows:
            blocks.append(aligned([(*head, "object Dice", "kappa of classes (95 %)"), *rows], left=3))
        cells = [_tissue_row(one) for one in self.tissue]
        if cells:
            blocks.append(aligned([("slide", "cells", "agree", "kappa of tissue cells (95 %)"), *cells], left=1))
        if not blocks[1:]:
            blocks.append("nothing to compare: neither copy has objects or reviewed tissue cells")
        blocks.append(self._differences())
        blocks += ["\n".join(f"note: {note}" for note in self.notes)] if self.notes else []
        return "\n\n".join(blocks)

    def _is_pooled(self, task: str) -> bool:
        return sum(one.task == task for one in self.objects) > 1

    def _differences(self) -> str:
        counts = {
            (task, kind): sum(one.n for one in self.disagreements if (one.task, one.difference) == (task, kind))
            for task in dict.fromkeys(one.task for one in self.disagreements)
            for kind in DIFFERENCES
        }
        parts = [f"{task}: {n:,} {_IN_WORDS[kind]}" for (task, kind), n in counts.items() if n]
        return "\n".join(["disagreements", *(f"  {part}" for part in parts)]) if parts else "no disagreements"

    def to_json(self) -> str:
        """One JSON object; its keys are in docs/reference/json.md."""
        pooled = [_object_values(self.pooled(task)) for task in self.tasks]
        values = {
            "schema": "pathloop-agreement",
            "version": 1,
            "first": str(self.first),
            "second": str(self.second),
            "slides": [one.slide_id for one in self.slides],
            "objects": [_object_values(one) for one in self.objects],
            "objects_pooled": [one | {"slide_id": None} for one in pooled],
            "tissue": [_tissue_values(one) for one in self.tissue],
            "disagreements": [disagreement_values(one) for one in self.disagreements],
            "notes": list(self.notes),
        }
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)


_IN_WORDS = {
    "outline": "with other outlines",
    "first only": "only in yours",
    "second only": "only in theirs",
    "class": "of other classes",
    "cell": "cells of other classes",
}


def _object_row(one: ObjectAgreement) -> tuple[str, ...]:
    detection, kappa = one.detection, one.class_kappa
    return (
        one.slide_id or ALL,
        one.task,
        one.compared_on,
        f"{one.n_first:,}",
        f"{one.n_second:,}",
        f"{one.objects.detection.tp:,}",
        number(one.pixels.dice),
        number(one.objects.pq),
        number(one.objects.dq),
        number(one.objects.sq),
        with_interval(detection.value, detection.low, detection.high),
        number(one.object_dice.value),
        with_interval(kappa.value, kappa.low, kappa.high),
    )


def _tissue_row(one: TissueAgreement) -> tuple[str, ...]:
    kappa = one.kappa
    return (
        one.slide_id,
        f"{kappa.n:,}",
        number(kappa.observed),
        with_interval(kappa.value, kappa.low, kappa.high),
    )


def _object_values(one: ObjectAgreement) -> dict[str, Any]:
    counts, detection = one.objects.detection, one.detection
    return {
        "slide_id": one.slide_id,
        "task": one.task,
        "compared_on": one.compared_on,
        "area_px": one.area_px,
        "n_first": one.n_first,
        "n_second": one.n_second,
        "n_both": counts.tp,
        "n_first_only": counts.fp,
        "n_second_only": counts.fn,
        "dice": _value(one.pixels.dice),
        "object_dice": _value(one.object_dice.value),
        "pq": _value(one.objects.pq),
        "dq": _value(one.objects.dq),
        "sq": _value(one.objects.sq),
        "f1": _value(detection.value),
        "f1_low": _value(detection.low),
        "f1_high": _value(detection.high),
        "pixel_kappa": _value(one.pixel_kappa),
        "class_kappa": _kappa_values(one.class_kappa),
        "classes": list(one.class_names),
        "class_matrix": _matrix(one.classes, len(one.class_names)),
    }


def _tissue_values(one: TissueAgreement) -> dict[str, Any]:
    return {
        "slide_id": one.slide_id,
        "kappa": _kappa_values(one.kappa),
        "classes": list(one.class_names),
        "class_matrix": _matrix(one.classes, len(one.class_names)),
    }


def _kappa_values(kappa: Kappa) -> dict[str, Any]:
    return {key: value if key == "n" else _value(value) for key, value in asdict(kappa).items()}


def _matrix(confusion: ClassConfusion, n: int) -> list[list[int]]:
    """Row = first reader's class, column = second's, for all classes."""
    out = np.zeros((n, n), np.int64)
    at = np.array(confusion.codes, np.int64) - 1
    out[np.ix_(at, at)] = confusion.matrix.T
    values: list[list[int]] = out.tolist()
    return values


def _value(value: float) -> float | None:
    return None if math.isnan(value) else value


def disagreement_values(one: Disagreement) -> dict[str, Any]:
    """A disagreement as plain values."""
    rect = one.rect
    return {
        "slide_id": one.slide_id,
        "task": one.task,
        "difference": one.difference,
        "rect": [rect.y, rect.x, rect.height, rect.width],
        "n": one.n,
    }
