"""Encoders, decoders, heads and model files. This module imports no torch; `multitask` and `weights` do."""

from pathloop.networks._card import (
    CARD_NAME,
    DEFAULT_MODEL,
    WEIGHTS_NAME,
    DataSource,
    ModelCard,
    read_card,
    write_card,
)
from pathloop.networks._config import CERBERUS, ENCODERS, FAST, NetworkConfig
from pathloop.networks._library import (
    add_model,
    added_models,
    bundled_models,
    export_model,
    find_model,
    known_models,
    models_folder,
)
from pathloop.networks._memory import keep_large_blocks

__all__ = [
    "CARD_NAME",
    "CERBERUS",
    "DEFAULT_MODEL",
    "ENCODERS",
    "FAST",
    "WEIGHTS_NAME",
    "DataSource",
    "ModelCard",
    "NetworkConfig",
    "add_model",
    "added_models",
    "bundled_models",
    "export_model",
    "find_model",
    "keep_large_blocks",
    "known_models",
    "models_folder",
    "read_card",
    "write_card",
]
