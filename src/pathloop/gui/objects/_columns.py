"""The columns of an object table: what they are called, their values as arrays, and single cells as text."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import UsageError
from pathloop.gui.objects._words import UNKNOWN, id_text, is_provisional, number_text
from pathloop.loop import ObjectFrame

__all__ = ["Column", "cell_text", "column_values", "find_column", "numeric_columns", "table_columns"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Parameters
    ----------
    key
        Names it in code: ``id``, ``class``, ``probability``, ...
    title, unit
        Shown to users; the unit may be empty.
    tip
        One sentence for a tooltip.
    decimals
        How numbers are written; None = no number.
    """

    key: str
    title: str
    unit: str = ""
    tip: str = ""
    decimals: int | None = None

    @property
    def header(self) -> str:
        """Title with unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


ID = Column("id", "ID", tip="Number of the object. P: of a run that is not finished; the final number comes later.")
CLASS = Column("class", "Class", tip="What the model, or whoever corrected it, takes the object for.")
PROBABILITY = Column(
    "probability", "Class prob.", tip="How sure the model is of the class, 0 to 1. –: it tells no classes.", decimals=2
)
CONFIDENCE = Column("confidence", "Confidence", tip="How sure the model is that this is an object, 0 to 1.", decimals=2)
STATE = Column("state", "State", tip="Predicted by the model, edited by someone, or accepted as it is.")
LOCKED = Column("locked", "Locked", tip="Locked objects are protected from changes.")


def table_columns(frame: ObjectFrame) -> tuple[Column, ...]:
    """The columns of the table, from left to right; units depend on whether the scale is known."""
    return (ID, CLASS, PROBABILITY, CONFIDENCE, _area(frame), _centre("y"), _centre("x"), STATE, LOCKED)


def numeric_columns(frame: ObjectFrame) -> tuple[Column, ...]:
    """The columns that can be plotted."""
    unit = "px" if frame.scale is None else "µm"
    diameter = Column("diameter", "Diameter", unit, "Diameter of a circle of the same area.", 1)
    return (_area(frame), diameter, CONFIDENCE, PROBABILITY, _centre("x"), _centre("y"))


def find_column(frame: ObjectFrame, key: str) -> Column:
    """A column by its key.

    Raises
    ------
    UsageError
        If there is none.
    """
    for column in (*table_columns(frame), *numeric_columns(frame)):
        if column.key == key:
            return column
    raise UsageError(f"no such column: {key!r}")


def column_values(frame: ObjectFrame, key: str) -> NDArray[Any]:
    """(N,) numbers of a column, in the frame's order: what is sorted by, filtered by and plotted.

    Classes give the rank of their name, objects without one come last; NaN = no value.
    """
    instances = frame.instances
    match key:
        case "id":
            return instances.ids
        case "class":
            return _class_ranks(frame)[np.clip(instances.class_codes, 0, len(frame.classes))]
        case "probability":
            return instances.class_probabilities
        case "confidence":
            return instances.confidences
        case "area":
            return frame.areas_um2 if frame.scale is not None else instances.areas_px
        case "diameter":
            factor = 1.0 if frame.scale is None else frame.scale.um2_per_px
            return np.asarray(2 * np.sqrt(instances.areas_px * (factor / np.pi)))
        case "y" | "x":
            return instances.centroids[:, 0 if key == "y" else 1]
        case "state":
            return frame.states
        case "locked":
            return frame.locked.view(np.uint8)
    raise UsageError(f"no such column: {key!r}")


def cell_text(frame: ObjectFrame, row: int, column: Column) -> str:
    """One cell as it is shown."""
    key = column.key
    if key == "id":
        return id_text(int(frame.instances.ids[row]))
    if key == "class":
        code = int(frame.instances.class_codes[row])
        return frame.classes[code - 1].name if 0 < code <= len(frame.classes) else UNKNOWN
    if key == "state":
        return "not final" if is_provisional(int(frame.instances.ids[row])) else frame.state_names[frame.states[row]]
    if key == "locked":
        return "locked" if frame.locked[row] else ""
    return number_text(float(_cell_value(frame, row, key)), column.decimals or 0)


def _cell_value(frame: ObjectFrame, row: int, key: str) -> float:
    # one cell must not cost a column
    instances = frame.instances
    match key:
        case "probability":
            return float(instances.class_probabilities[row])
        case "confidence":
            return float(instances.confidences[row])
        case "y" | "x":
            return float(instances.centroids[row, 0 if key == "y" else 1])
    factor = 1.0 if frame.scale is None else frame.scale.um2_per_px
    area = float(instances.areas_px[row]) * factor
    return area if key == "area" else float(2 * np.sqrt(area / np.pi))


def _class_ranks(frame: ObjectFrame) -> NDArray[np.int16]:
    """(C + 1,) rank of each class code's name; 0, no class, last."""
    names = [spec.name.casefold() for spec in frame.classes]
    order = sorted(range(len(names)), key=lambda index: names[index])
    ranks = np.full(len(names) + 1, len(names), np.int16)
    ranks[np.array(order, np.int64) + 1] = np.arange(len(names), dtype=np.int16)
    return ranks


def _area(frame: ObjectFrame) -> Column:
    if frame.scale is None:
        return Column("area", "Area", "px", "Area in pixels: the slide's µm per pixel is not known.", 0)
    return Column("area", "Area", "µm²", "Area of the object.", 1)


def _centre(axis: str) -> Column:
    word = "Rows from the top" if axis == "y" else "Columns from the left"
    return Column(axis, f"Centre {axis}", "px", f"{word}, in pixels of the slide's finest level.", 0)
