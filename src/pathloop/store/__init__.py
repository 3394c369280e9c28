"""The project folder: slides, objects, label pyramids, maps and runs, with one writer and any number of readers."""

from pathloop.store._clock import now
from pathloop.store._database import on_network_drive, slide_fingerprints
from pathloop.store._edits import (
    CellChange,
    Change,
    FlagChange,
    ObjectChange,
    PixelChange,
    RegionChange,
)
from pathloop.store._folder import is_project
from pathloop.store._patches import changed_tiles
from pathloop.store._project import Project
from pathloop.store._records import ObjectCounts, ObjectStates, RunRecord, SlideRecord, TissueMap, UncertaintyMap
from pathloop.store._replacement import Overtaken, Replacement
from pathloop.store._review_records import (
    REGION_ORIGINS,
    REGION_STATES,
    Flag,
    JournalEntry,
    ObjectRow,
    Reason,
    Region,
    RegionState,
    TissueCell,
)
from pathloop.store._runs import run_folder
from pathloop.store._schema import OBJECT_STATES, SCHEMA_VERSION
from pathloop.store._slides import slide_stem
from pathloop.store._who import who_am_i
from pathloop.store._words import counted, named

__all__ = [
    "OBJECT_STATES",
    "REGION_ORIGINS",
    "REGION_STATES",
    "SCHEMA_VERSION",
    "CellChange",
    "Change",
    "Flag",
    "FlagChange",
    "JournalEntry",
    "ObjectChange",
    "ObjectCounts",
    "ObjectRow",
    "ObjectStates",
    "Overtaken",
    "PixelChange",
    "Project",
    "Reason",
    "Region",
    "RegionChange",
    "RegionState",
    "Replacement",
    "RunRecord",
    "SlideRecord",
    "TissueCell",
    "TissueMap",
    "UncertaintyMap",
    "changed_tiles",
    "counted",
    "is_project",
    "named",
    "now",
    "on_network_drive",
    "run_folder",
    "slide_fingerprints",
    "slide_stem",
    "who_am_i",
]
