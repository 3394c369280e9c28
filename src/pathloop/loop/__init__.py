"""The project's use cases. Importing this room loads no torch, OpenVINO or Qt."""

from pathloop.loop._export import EXPORT_FORMATS, ExportRequest, export
from pathloop.loop._overlay import draw_overlay, write_overlays
from pathloop.loop._segment import DEFAULT_TILE_PX, SegmentRequest, segment

__all__ = [
    "DEFAULT_TILE_PX",
    "EXPORT_FORMATS",
    "ExportRequest",
    "SegmentRequest",
    "draw_overlay",
    "export",
    "segment",
    "write_overlays",
]
