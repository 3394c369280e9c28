"""What can be done with the queue now, and why the rest cannot, in words."""

from dataclasses import dataclass

from pathloop.gui._opened import OpenedSlide
from pathloop.gui.queueing._rows import FILTERS, Filter
from pathloop.gui.queueing._view import Button
from pathloop.store import Region

__all__ = ["Situation", "buttons", "empty_text"]

SELECT = "Select a region in the list first"
SELECT_ANY = "Select a region, or a question about an object, first"


@dataclass(frozen=True, slots=True)
class Situation:
    """What the buttons depend on.

    Parameters
    ----------
    opened
        The slide, None = none.
    is_read
        Whether its queue was read.
    is_segmented
        Whether a model ran on it.
    n_regions
        In its queue.
    chosen
        Selected regions.
    n_objects
        How many selected lines are questions about objects.
    is_ranking
        Whether a ranking goes on.
    """

    opened: OpenedSlide | None
    is_read: bool
    is_segmented: bool
    n_regions: int
    chosen: tuple[Region, ...]
    n_objects: int
    is_ranking: bool

    @property
    def no_slide(self) -> str:
        """Why nothing can be done at all."""
        return "Open a slide first (panel Slides)" if self.opened is None else ""

    @property
    def no_writing(self) -> str:
        """Why nothing can be written; "" = it can, or a project can be made for it."""
        opened = self.opened
        if opened is None:
            return self.no_slide
        if opened.scale is None:
            return "The um per px of this slide is not known: fill it in under Slides"
        if opened.project_path is not None and not opened.is_writer:
            return f"This project is open for reading only. {opened.project_reason}".strip()
        return ""

    @property
    def no_ranking(self) -> str:
        """Why regions cannot be ranked."""
        if self.no_writing:
            return self.no_writing
        assert self.opened is not None
        if self.opened.project_path is None or self.opened.slide_id is None or not self.is_segmented:
            return "Segment the slide first (panel Segment): ranking looks at what the model found"
        return "A ranking is going on" if self.is_ranking else ""


def buttons(now: Situation) -> dict[str, Button]:
    """State of rank, cancel, add, remove, assign, ask, done, back, open and step."""
    chosen = bool(now.chosen)
    one = SELECT if not chosen else ""
    any_line = SELECT_ANY if not chosen and not now.n_objects else ""
    states: set[str] = {state for region in now.chosen for state in region.states.values()}
    no_tasks = "Nothing is to be reviewed in the selected regions"
    off = {
        "rank": now.no_ranking,
        "add": now.no_writing,
        "remove": now.no_writing or one,
        "assign": now.no_writing or one,
        "ask": now.no_writing or any_line,
        "done": now.no_writing or one or ("" if states else no_tasks) or _only(states, "done", "done already"),
        "back": now.no_writing or one or ("" if states else no_tasks) or _only(states, "todo", "to do already"),
        "open": now.no_slide or any_line,
        "step": now.no_slide or ("" if now.n_regions else "There is no region yet"),
    }
    does = {
        "rank": "Put the regions that need a look first in the list, and say why. Regions that you have begun, assigned"
        " or asked about stay",
        "add": "Add what is on screen, or what you drew, to the list",
        "remove": "Take the selected regions out of the list. What was corrected in them stays",
        "assign": "Say who shall do the selected regions",
        "ask": "Ask a pathologist about what is selected, with a comment. Empty: take the question back",
        "done": "Accept everything in the selected regions and mark them done",
        "back": "The selected regions are to do again. Their objects stay as they are",
        "open": "Go to the selected region and open it for correcting (Enter or double click)",
        "step": "",
    }
    state = {name: Button(not reason, reason or does[name]) for name, reason in off.items()}
    return state | {"cancel": Button(now.is_ranking, "Stop ranking; nothing is stored")}


def _only(states: set[str], state: str, words: str) -> str:
    return f"The selected regions are {words}" if states == {state} else ""


def empty_text(now: Situation, chosen: Filter) -> str:
    """What to say in the place of an empty list: what to do to fill it."""
    if now.opened is None:
        return "Open a slide in the panel Slides; its regions are listed here."
    if not now.is_read:
        return ""
    if now.n_regions:
        name, words = FILTERS[chosen]
        return f"No line passes the filter {name}: {words[0].lower()}{words[1:]}."
    if now.no_writing:
        return f"No regions yet. {now.no_writing}."
    if now.no_ranking and not now.is_ranking:
        return (
            "No regions yet. Segment the slide in the panel Segment, then press Rank here: the regions that need a look"
            " come first, each with the reason. Or press Add for a region of your own."
        )
    return "No regions yet. Press Rank: the regions that need a look come first, each with the reason. Or press Add."
