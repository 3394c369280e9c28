"""The project's use cases. Importing this room loads no torch, OpenVINO or Qt."""

from pathloop.loop._assemble import assemble
from pathloop.loop._client import WorkerClient
from pathloop.loop._composition import (
    NO_CLASS,
    Composition,
    ObjectShare,
    TissueShare,
    composition,
    write_composition_csv,
)
from pathloop.loop._doctor import Check, check_up
from pathloop.loop._export import EXPORT_FORMATS, ExportRequest, export
from pathloop.loop._find_project import ProposedProject, RecentProjects, find_project, propose_project
from pathloop.loop._frames import FIRST_PREVIEW_ID, ObjectFrame, changed_frame, read_frame
from pathloop.loop._job_requests import MapsRequest, SegmentJobRequest
from pathloop.loop._land import land
from pathloop.loop._model_of import model_of
from pathloop.loop._overlay import draw_overlay, write_overlays
from pathloop.loop._plan import DEFAULT_TILE_PX, choose_tasks, core_size, empty_run_warning, plan_job
from pathloop.loop._preview import PREVIEW_SLOTS, SLOT_IDS, Preview, PreviewPart, inside, merged
from pathloop.loop._preview_writer import PreviewWriter
from pathloop.loop._region_maps import RegionMaps, join_maps, plan_maps, read_maps_block, write_maps_block
from pathloop.loop._result import RESULT_FOLDER
from pathloop.loop._runs import is_segmented, run_parameters
from pathloop.loop._segment import SegmentRequest, segment
from pathloop.loop._unfinished import read_preview, unfinished_runs

__all__ = [
    "DEFAULT_TILE_PX",
    "EXPORT_FORMATS",
    "FIRST_PREVIEW_ID",
    "NO_CLASS",
    "PREVIEW_SLOTS",
    "RESULT_FOLDER",
    "SLOT_IDS",
    "Check",
    "Composition",
    "ExportRequest",
    "MapsRequest",
    "ObjectFrame",
    "ObjectShare",
    "Preview",
    "PreviewPart",
    "PreviewWriter",
    "ProposedProject",
    "RecentProjects",
    "RegionMaps",
    "SegmentJobRequest",
    "SegmentRequest",
    "TissueShare",
    "WorkerClient",
    "assemble",
    "changed_frame",
    "check_up",
    "choose_tasks",
    "composition",
    "core_size",
    "draw_overlay",
    "empty_run_warning",
    "export",
    "find_project",
    "inside",
    "is_segmented",
    "join_maps",
    "land",
    "merged",
    "model_of",
    "plan_job",
    "plan_maps",
    "propose_project",
    "read_frame",
    "read_maps_block",
    "read_preview",
    "run_parameters",
    "segment",
    "unfinished_runs",
    "write_composition_csv",
    "write_maps_block",
    "write_overlays",
]
