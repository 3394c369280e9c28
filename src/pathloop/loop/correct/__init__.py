"""What people do to a project, as use cases: each is one entry of the journal, and tells what it changed."""

from pathloop.loop.correct._cells import set_cells
from pathloop.loop.correct._committed import Committed
from pathloop.loop.correct._objects import delete_objects, set_flag, set_objects
from pathloop.loop.correct._paint import paint
from pathloop.loop.correct._regions import accept_region, add_regions, change_region, remove_region
from pathloop.loop.correct._steps import redo, undo
from pathloop.loop.correct._verify import RegionReview, require_verified, review_regions, verify_regions

__all__ = [
    "Committed",
    "RegionReview",
    "accept_region",
    "add_regions",
    "change_region",
    "delete_objects",
    "paint",
    "redo",
    "remove_region",
    "require_verified",
    "review_regions",
    "set_cells",
    "set_flag",
    "set_objects",
    "undo",
    "verify_regions",
]
