"""Engines and the slide pipeline. This module imports neither torch nor OpenVINO."""

from pathloop.predict._engine import (
    DEVICES,
    ENGINES,
    Engine,
    EngineChoice,
    choose_engine,
    load_engine,
    may_have_bf16,
    may_have_gpu,
)
from pathloop.predict._job import TileJob, tile_grid, tiles_to_run
from pathloop.predict._patchwise import PATCH_CORE_PX, PATCH_MARGIN_PX, PatchwiseEngine
from pathloop.predict._pipeline import UNCERTAINTY_STEP_PX, After, Pick, segment_tiles
from pathloop.predict._region_maps import BlockMaps, region_blocks, region_maps
from pathloop.predict._tile_folder import FinishedTile, TileFolder

__all__ = [
    "DEVICES",
    "ENGINES",
    "PATCH_CORE_PX",
    "PATCH_MARGIN_PX",
    "UNCERTAINTY_STEP_PX",
    "After",
    "BlockMaps",
    "Engine",
    "EngineChoice",
    "FinishedTile",
    "PatchwiseEngine",
    "Pick",
    "TileFolder",
    "TileJob",
    "choose_engine",
    "load_engine",
    "may_have_bf16",
    "may_have_gpu",
    "region_blocks",
    "region_maps",
    "segment_tiles",
    "tile_grid",
    "tiles_to_run",
]
