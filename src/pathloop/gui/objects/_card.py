"""The facts about one object, in words."""

from dataclasses import dataclass

from pathloop.core import Rect, Scale
from pathloop.gui.objects._columns import cell_text, find_column
from pathloop.gui.objects._hover import class_text
from pathloop.gui.objects._words import UNKNOWN, area_text, id_text, is_provisional, noun
from pathloop.loop import ObjectFrame

__all__ = ["CONTEXT_UM", "Card", "around", "object_box", "object_card"]

CONTEXT_UM = 20.0
"""How much of the surroundings is shown on each side of an object; about two nuclei."""
_CONTEXT_PX = 40


@dataclass(frozen=True, slots=True)
class Card:
    """What is shown of one object.

    Parameters
    ----------
    task, id
        What names it.
    title
        For example "Nucleus 812".
    facts
        Label and value.
    color
        Of its class, sRGB; None without one.
    place
        Where it stands among those that the arrows step through: "3 of 12 selected".
    """

    task: str
    id: int
    title: str
    facts: tuple[tuple[str, str], ...]
    color: tuple[int, int, int] | None
    place: str = ""


def object_card(frame: ObjectFrame, row: int, *, origin: str = "", place: str = "") -> Card:
    """The card of an object.

    Parameters
    ----------
    frame, row
        The object.
    origin
        Which run it comes from; empty = unknown.
    place
        See `Card`.
    """
    instances, scale = frame.instances, frame.scale
    code = int(instances.class_codes[row])
    has_class = 0 < code <= len(frame.classes)
    number = int(instances.ids[row])
    y, x = instances.centroids[row].tolist()
    diameter = find_column_text(frame, row, "diameter")
    facts = [
        ("Class", class_text(frame, row) or (frame.classes[code - 1].name if has_class else UNKNOWN)),
        ("Confidence", find_column_text(frame, row, "confidence")),
        ("Area", area_text(int(instances.areas_px[row]), scale)),
        ("Eq. diameter", diameter),
        ("", f"x {x:,.0f}, y {y:,.0f} px"),
        *([] if scale is None else [("", f"x {x * scale.x:,.0f}, y {y * scale.y:,.0f} µm")]),
        ("State", _state_text(frame, row)),
    ]
    if origin:
        facts.append(("From", origin))
    color = frame.classes[code - 1].color if has_class else None
    return Card(frame.task, number, f"{noun(frame.task).capitalize()} {id_text(number)}", tuple(facts), color, place)


def find_column_text(frame: ObjectFrame, row: int, key: str) -> str:
    """A column's cell with its unit."""
    column = find_column(frame, key)
    text = cell_text(frame, row, column)
    return f"{text} {column.unit}" if column.unit and text != UNKNOWN else text


def object_box(frame: ObjectFrame, row: int) -> Rect:
    """An object's box, level-0 pixels."""
    return Rect.from_bounds(*frame.instances.boxes[row].tolist())


def around(box: Rect, scale: Scale | None) -> Rect:
    """A square around a box, with some of the surroundings."""
    margin = _CONTEXT_PX if scale is None else round(CONTEXT_UM / scale.um_per_px)
    side = max(box.height, box.width) + 2 * margin
    top, left = box.y + (box.height - side) // 2, box.x + (box.width - side) // 2
    return Rect(top, left, side, side)


def _state_text(frame: ObjectFrame, row: int) -> str:
    if is_provisional(int(frame.instances.ids[row])):
        return "predicted, not final"
    text = frame.state_names[frame.states[row]]
    return f"{text}, locked" if frame.locked[row] else text
