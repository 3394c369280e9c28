"""The project folder: slides, objects, label pyramids, maps and runs, with one writer and any number of readers."""

from pathloop.store._database import on_network_drive
from pathloop.store._folder import is_project
from pathloop.store._project import Project
from pathloop.store._records import ObjectCounts, ObjectStates, RunRecord, SlideRecord, TissueMap, UncertaintyMap
from pathloop.store._replacement import Replacement
from pathloop.store._runs import run_folder
from pathloop.store._schema import OBJECT_STATES, SCHEMA_VERSION
from pathloop.store._slides import slide_stem

__all__ = [
    "OBJECT_STATES",
    "SCHEMA_VERSION",
    "ObjectCounts",
    "ObjectStates",
    "Project",
    "Replacement",
    "RunRecord",
    "SlideRecord",
    "TissueMap",
    "UncertaintyMap",
    "is_project",
    "on_network_drive",
    "run_folder",
    "slide_stem",
]
