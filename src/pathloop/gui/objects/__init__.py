"""Objects as table, plots, card and composition: what is shown and selected. No Qt."""

from pathloop.gui.objects._card_presenter import CardPresenter
from pathloop.gui.objects._composition_presenter import CompositionPresenter
from pathloop.gui.objects._hover import hover_text
from pathloop.gui.objects._plots_presenter import PlotsPresenter
from pathloop.gui.objects._presenter import ObjectsPresenter
from pathloop.gui.objects._review import Review, ReviewPresenter

__all__ = [
    "CardPresenter",
    "CompositionPresenter",
    "ObjectsPresenter",
    "PlotsPresenter",
    "Review",
    "ReviewPresenter",
    "hover_text",
]
