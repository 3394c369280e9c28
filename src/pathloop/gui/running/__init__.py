"""Running the model on a slide: what the panel "Segment" decides, without Qt."""

from pathloop.gui.running._anew import Anew
from pathloop.gui.running._conductor import Conductor, State, conductor_of
from pathloop.gui.running._places import PLACES, Place, PlaceChoice, drawn_regions, start_drawing_regions
from pathloop.gui.running._presenter import Button, RunPresenter, RunView
from pathloop.gui.running._progress import duration, estimate, progress_text
from pathloop.gui.running._quality import QualityWatch
from pathloop.gui.running._start import Command, place_in_project
from pathloop.gui.running._words import card_text

__all__ = [
    "PLACES",
    "Anew",
    "Button",
    "Command",
    "Conductor",
    "Place",
    "PlaceChoice",
    "QualityWatch",
    "RunPresenter",
    "RunView",
    "State",
    "card_text",
    "conductor_of",
    "drawn_regions",
    "duration",
    "estimate",
    "place_in_project",
    "progress_text",
    "start_drawing_regions",
]
