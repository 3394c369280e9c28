"""Everything that can be done to a region, with its key: buttons, keys and the cheat sheet are made from this list."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["ACTIONS", "Action", "action", "cheat_sheet", "keys_of", "shown_key"]

Kind = Literal["tool", "object", "window"]


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a key or a button does.

    Parameters
    ----------
    name
        Lower-case identifier; also its name in the settings.
    title
        On its button.
    key
        In napari's writing ("Shift-N"), unless the settings say otherwise.
    tip
        In a sentence what it does.
    kind
        ``tool``: stays chosen, works with the mouse; ``object``: acts at once on the object under the mouse;
        ``window``: acts at once on the region or the window.
    """

    name: str
    title: str
    key: str
    tip: str
    kind: Kind


ACTIONS: tuple[Action, ...] = (
    Action("look", "Look", "Escape", "Move about; the mouse changes nothing. Drops a preview", "tool"),
    Action(
        "brush",
        "Brush",
        "P",
        "Paint: begun in an object it makes that larger, begun on tissue it draws a new one. Other objects are spared",
        "tool",
    ),
    Action("eraser", "Eraser", "E", "Erase: begun in an object it takes from that one only", "tool"),
    Action("lasso", "Lasso", "Q", "Draw round a new object; the outline closes by itself", "tool"),
    Action("polygon", "Polygon", "Y", "Click corners of a new object; double click closes it, Escape drops it", "tool"),
    Action("fill", "Fill", "F", "Click a closed gap: it becomes part of the object round it", "tool"),
    Action(
        "wand",
        "Find",
        "W",
        "Click an object that was missed: its outline as the network sees it. The wheel makes it larger or smaller,"
        " Enter or a click inside takes it",
        "tool",
    ),
    Action("split", "Split", "S", "Draw a line across objects to cut them", "tool"),
    Action("merge", "Merge", "G", "Draw from object to object, or click one after the other, to make them one", "tool"),
    Action("class_brush", "Class brush", "J", "Draw over objects to give them the chosen class", "tool"),
    Action("delete", "Delete", "D", "Delete the object under the mouse", "object"),
    Action("accept", "Accept", "A", "Say that the object under the mouse is right", "object"),
    Action("lock", "Lock", "K", "Lock the object under the mouse against every change, or unlock it", "object"),
    Action("relabel", "Give class", "R", "Give the object under the mouse the chosen class", "object"),
    Action(
        "mend",
        "Mend",
        "U",
        "Do what the warning about this object proposes; else fill its holes",
        "object",
    ),
    Action("smooth", "Smooth", "T", "Smooth the outline of the object under the mouse", "object"),
    Action("snap", "Snap", "I", "Move the outline to the edge that the network sees nearby", "object"),
    Action("divide", "Divide", "Shift-S", "Divide the object under the mouse at its waist, without a line", "object"),
    Action("ask", "Ask", "Shift-Q", "Ask a pathologist about the object under the mouse", "object"),
    Action("take", "Take it", "Enter", "Take the previewed outline", "window"),
    Action("next_task", "Next layer", "0", "Correct the next task's layer", "window"),
    Action("outline", "Outlines", "C", "Draw outlines only, or fill objects again", "window"),
    Action(
        "mend_all",
        "Mend alike",
        "Shift-U",
        "Do what the warning that is chosen in the list, or the one about the object under the mouse, proposes, for all"
        " warnings of its kind in one step",
        "window",
    ),
    Action("accept_region", "Region done", "Shift-A", "Accept everything in this region and mark it done", "window"),
    Action("next_region", "Next region", "N", "Go to the next region that is not done", "window"),
    Action("previous_region", "Previous region", "Shift-N", "Go to the region before", "window"),
    Action("undo", "Undo", "Control-Z", "Take back what was done last on this slide, whenever that was", "window"),
    Action("redo", "Redo", "Control-Shift-Z", "Do again what was taken back", "window"),
)


def action(name: str) -> Action:
    """One action by its name."""
    return next(one for one in ACTIONS if one.name == name)


def keys_of(settings: Mapping[str, str]) -> dict[str, str]:
    """Key of every action; "" = none. What the settings do not name is as by default."""
    return {one.name: settings.get(one.name, one.key).strip() for one in ACTIONS}


def shown_key(key: str) -> str:
    """A key as people write it: "Ctrl+Shift+Z" for "Control-Shift-Z"."""
    return key.replace("Control", "Ctrl").replace("Escape", "Esc").replace("-", "+")


def cheat_sheet(keys: Mapping[str, str]) -> str:
    """All keys as a Markdown page.

    Parameters
    ----------
    keys
        Key by action.
    """
    titles: dict[Kind, str] = {
        "tool": "Tools: stay chosen, work with the mouse",
        "object": "The object under the mouse",
        "window": "The region and the window",
    }
    lines: list[str] = []
    for kind, title in titles.items():
        lines += [f"## {title}", "", "| key | what | |", "|---|---|---|"]
        lines += [f"| `{shown_key(keys[one.name])}` | {one.title} | {one.tip} |" for one in ACTIONS if one.kind == kind]
        lines.append("")
    lines += [
        "## Always",
        "",
        "| key | what |",
        "|---|---|",
        "| `1` .. `9` | give the object under the mouse that class; with the class brush: choose it |",
        "| `H`, held | hide everything that is drawn |",
        "| `O`, held | with the objects of two models on the slide (panel Train): show those of the present model |",
        "| `Space`, held | move about |",
        "| `[` and `]` | brush smaller, larger |",
        "",
    ]
    return "\n".join(lines)
