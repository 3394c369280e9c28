"""Engines and the slide pipeline. This module imports neither torch nor OpenVINO."""

from pathloop.predict._engine import DEVICES, ENGINES, Engine, EngineChoice, choose_engine, load_engine
from pathloop.predict._pipeline import UNCERTAINTY_STEP_PX, TileJob, segment_tiles, tile_grid, tiles_to_run
from pathloop.predict._tile_folder import FinishedTile, TileFolder

__all__ = [
    "DEVICES",
    "ENGINES",
    "UNCERTAINTY_STEP_PX",
    "Engine",
    "EngineChoice",
    "FinishedTile",
    "TileFolder",
    "TileJob",
    "choose_engine",
    "load_engine",
    "segment_tiles",
    "tile_grid",
    "tiles_to_run",
]
