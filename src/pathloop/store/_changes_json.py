"""Everything of a change but its pixels, to and from the JSON of the journal: a pair of inverse functions."""

import json
from collections.abc import Callable
from dataclasses import asdict
from operator import attrgetter
from typing import Any, TypeVar

from pathloop.core import DataError, Rect
from pathloop.store._edits import CellChange, Change, FlagChange, ObjectChange, RegionChange
from pathloop.store._review_records import Flag, ObjectRow, Reason, Region, TissueCell

__all__ = ["change_from_json", "change_to_json", "region_from_values", "region_values"]

T = TypeVar("T")
_values_of = attrgetter(*ObjectRow.__dataclass_fields__)  # one call: an entry may hold thousands of rows


def change_to_json(change: Change) -> str:
    """Objects, cells, regions and flags of a change as one JSON object.

    ``objects`` holds ``[task, id, before, after]``; before and after are null or the values of `ObjectRow` in the
    order of its fields. ``cells`` holds ``[row, col, before, after]`` with null or ``[class_name, state]``,
    ``regions`` ``[id, before, after]`` and ``flags`` ``[task, id, before, after]`` with null or an object.
    """
    values = {
        "objects": [[one.task, one.id, _object(one.before), _object(one.after)] for one in change.objects],
        "cells": [[one.row, one.col, _cell(one.before), _cell(one.after)] for one in change.cells],
        "regions": [
            [one.id, _opt(region_values, one.before), _opt(region_values, one.after)] for one in change.regions
        ],
        "flags": [[one.task, one.id, _opt(asdict, one.before), _opt(asdict, one.after)] for one in change.flags],
    }
    return json.dumps({name: found for name, found in values.items() if found}, ensure_ascii=False, allow_nan=False)


def change_from_json(text: str) -> Change:
    """The change that `change_to_json` wrote, without pixels.

    Raises
    ------
    DataError
        If it is damaged.
    """
    try:
        values = json.loads(text)
        return Change(
            objects=tuple(
                ObjectChange(task, number, _to_object(before), _to_object(after))
                for task, number, before, after in values.get("objects", ())
            ),
            cells=tuple(
                CellChange(row, col, _to_cell(before), _to_cell(after))
                for row, col, before, after in values.get("cells", ())
            ),
            regions=tuple(
                RegionChange(number, _opt(region_from_values, before), _opt(region_from_values, after))
                for number, before, after in values.get("regions", ())
            ),
            flags=tuple(
                FlagChange(task, number, _opt(_to_flag, before), _opt(_to_flag, after))
                for task, number, before, after in values.get("flags", ())
            ),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"an entry of the journal is damaged ({error}); restore the project from a copy") from error


def region_values(region: Region) -> dict[str, Any]:
    """A region as plain values."""
    rect = region.rect
    return asdict(region) | {
        "rect": [rect.y, rect.x, rect.height, rect.width],
        "reasons": [[reason.score, reason.value, reason.words] for reason in region.reasons],
    }


def region_from_values(values: dict[str, Any]) -> Region:
    """The region that `region_values` took apart."""
    return Region(
        **values | {"rect": Rect(*values["rect"]), "reasons": tuple(Reason(*reason) for reason in values["reasons"])}
    )


def _opt(call: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else call(value)


def _object(row: ObjectRow | None) -> Any:
    return None if row is None else _values_of(row)


def _to_object(values: list[Any] | None) -> ObjectRow | None:
    if values is None:
        return None
    box, centroid, *rest = values
    top, left, bottom, right = box
    y, x = centroid
    return ObjectRow((top, left, bottom, right), (y, x), *rest)


def _cell(cell: TissueCell | None) -> list[str] | None:
    return None if cell is None else [cell.class_name, cell.state]


def _to_cell(values: list[str] | None) -> TissueCell | None:
    return None if values is None else TissueCell(*values)


def _to_flag(values: dict[str, Any]) -> Flag:
    return Flag(**values)
