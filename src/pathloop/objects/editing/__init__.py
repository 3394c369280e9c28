"""Objects of a label window changed by hand: every operation gives a patch and leaves its input as it is."""

from pathloop.objects.editing._cut import split_by_line, split_by_shape
from pathloop.objects.editing._hints import Hint, find_hints, fix_hint, hints_of
from pathloop.objects.editing._outline import fill_holes, keep_largest, smooth, snap_to_maps
from pathloop.objects.editing._patch import LabelPatch, apply, changed_rects, object_box
from pathloop.objects.editing._propose import Maps, Proposal, best_threshold, propose, window_probability
from pathloop.objects.editing._shapes import delete, fill_gap, fill_polygon, merge

__all__ = [
    "Hint",
    "LabelPatch",
    "Maps",
    "Proposal",
    "apply",
    "best_threshold",
    "changed_rects",
    "delete",
    "fill_gap",
    "fill_holes",
    "fill_polygon",
    "find_hints",
    "fix_hint",
    "hints_of",
    "keep_largest",
    "merge",
    "object_box",
    "propose",
    "smooth",
    "snap_to_maps",
    "split_by_line",
    "split_by_shape",
    "window_probability",
]
