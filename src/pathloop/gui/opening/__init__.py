"""Opening slides: image layers, saving label layers, the panel "Slides", view tools, settings. No Qt."""

from pathloop.gui.opening._adopt import adopt, can_adopt
from pathloop.gui.opening._image_layer import COARSEST_PX, open_slide_layer, slide_layer_data
from pathloop.gui.opening._labels_to_save import LabelsToSave, labels_of
from pathloop.gui.opening._screen import fit_to_screen, screen_rect
from pathloop.gui.opening._settings import GuiSettings, read_settings
from pathloop.gui.opening._slide_status import SlideStatus, count_words, last_slide, project_slides
from pathloop.gui.opening._units import UnitKeeper, unit_of, with_unit_of

__all__ = [
    "COARSEST_PX",
    "GuiSettings",
    "LabelsToSave",
    "SlideStatus",
    "UnitKeeper",
    "adopt",
    "can_adopt",
    "count_words",
    "fit_to_screen",
    "labels_of",
    "last_slide",
    "open_slide_layer",
    "project_slides",
    "read_settings",
    "screen_rect",
    "slide_layer_data",
    "unit_of",
    "with_unit_of",
]
