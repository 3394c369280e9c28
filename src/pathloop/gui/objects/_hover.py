"""What the status bar says of the object under the mouse."""

from pathloop.gui.objects._words import UNKNOWN, area_text, id_text, is_provisional, noun, number_text
from pathloop.loop import ObjectFrame

__all__ = ["class_text", "hover_text"]


def hover_text(frame: ObjectFrame, row: int) -> str:
    """One object in one line.

    Parameters
    ----------
    frame
        Its task's objects.
    row
        Its place in the frame.

    Returns
    -------
    str
        For example ``nucleus 812: tumour 0.93, 41.2 µm²; confidence 0.88; edited, locked``. A class that only repeats
        what the object is called is left out.
    """
    instances = frame.instances
    name = noun(frame.task)
    known = [text for text in (class_text(frame, row), area_text(int(instances.areas_px[row]), frame.scale)) if text]
    parts = [f"{name} {id_text(int(instances.ids[row]))}: {', '.join(known)}"]
    confidence = number_text(float(instances.confidences[row]), 2)
    if confidence != UNKNOWN:
        parts.append(f"confidence {confidence}")
    marks = []
    if is_provisional(int(instances.ids[row])):
        marks.append("not final")
    elif frame.states[row]:
        marks.append(frame.state_names[frame.states[row]])
    if frame.locked[row]:
        marks.append("locked")
    return "; ".join([*parts, ", ".join(marks)] if marks else parts)


def class_text(frame: ObjectFrame, row: int) -> str:
    """Class with its probability; empty where a task tells no classes, ``no class`` where this object has none."""
    code = int(frame.instances.class_codes[row])
    if not 0 < code <= len(frame.classes):
        return "no class" if len(frame.classes) > 1 else ""
    name = frame.classes[code - 1].name
    probability = number_text(float(frame.instances.class_probabilities[row]), 2)
    if probability != UNKNOWN:
        return f"{name} {probability}"
    return "" if name.casefold() in (noun(frame.task).casefold(), frame.task) else name
