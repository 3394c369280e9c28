"""Model cards: everything about a model but its numbers. Imports no torch."""

import re
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from pathloop.core import DataError, LabelSchema, ModelError, StrictConfig, file_sha256, one_line, read_json, write_json
from pathloop.networks._config import NetworkConfig

__all__ = [
    "CARD_NAME",
    "DEFAULT_MODEL",
    "WEIGHTS_NAME",
    "DataSource",
    "ModelCard",
    "read_card",
    "write_card",
]

CARD_NAME = "model.json"
WEIGHTS_NAME = "weights.safetensors"
DEFAULT_MODEL = "fast"
FORMAT = 1
_NON_COMMERCIAL = re.compile(r"\bNC\b|non-?commercial|research (use |purposes )?only", re.IGNORECASE)


class DataSource(StrictConfig):
    """A data set that a model was trained on.

    Parameters
    ----------
    name, licence, attribution
        As the source states them.
    tasks
        Tasks that it trained.
    n_images
        Images in the training folds.
    note
        What was derived rather than annotated, which scale was assumed.
    """

    name: str
    licence: str
    attribution: str
    tasks: tuple[str, ...]
    n_images: int = Field(ge=0)
    note: str = ""


class ModelCard(StrictConfig):
    """``model.json``: architecture, tasks, classes, scale, constants, data, licence, metrics and limits.

    Parameters
    ----------
    name, version
        How the model is called; ``--model NAME``.
    summary
        One sentence for users.
    architecture
        The network that the weights fit.
    labels
        Tasks, classes, colours and post-processing constants, in pixels at ``um_per_px``.
    um_per_px
        Input scale.
    margin_px
        Context around a tile's core, input pixels.
    experimental_tasks
        Tasks whose labels were derived, or whose validation is weak.
    training_data, licence, metrics, limits, intended_use
        For people; metrics by data set, task and name.
    parent
        Checksum of the model that this one was tuned from, or None.
    checksum
        SHA-256 of the weights file; checked on loading.
    """

    format_version: int = FORMAT
    name: str
    version: str
    summary: str
    architecture: NetworkConfig
    labels: LabelSchema
    um_per_px: float = Field(gt=0)
    margin_px: int = Field(ge=0)
    experimental_tasks: tuple[str, ...] = ()
    training_data: tuple[DataSource, ...] = ()
    licence: str = "unstated"
    metrics: dict[str, dict[str, dict[str, float]]] = Field(default_factory=dict)
    limits: tuple[str, ...] = ()
    intended_use: str = "Research use only, not for diagnosis."
    training: dict[str, Any] = Field(default_factory=dict)
    parent: str | None = None
    checksum: str = ""

    @property
    def is_research_only(self) -> bool:
        """Whether the licence forbids commercial use."""
        return _NON_COMMERCIAL.search(self.licence) is not None


def read_card(folder: Path) -> ModelCard:
    """Read the card of a model folder and check that its weights are the ones that the card names.

    Raises
    ------
    ModelError
        If the folder holds no card or weights, the card is wrong, or the checksum differs.
    """
    weights = folder / WEIGHTS_NAME
    if not (folder / CARD_NAME).is_file() or not weights.is_file():
        raise ModelError(f"{folder}: not a model folder (it needs {CARD_NAME} and {WEIGHTS_NAME})")
    try:
        values = read_json(folder / CARD_NAME)
        # first, since a newer card may hold keys that this version calls wrong
        version = values.get("format_version", FORMAT) if isinstance(values, dict) else FORMAT
        if version != FORMAT:
            raise ModelError(f"{folder / CARD_NAME}: has format version {version}, this program reads {FORMAT}")
        card = ModelCard.model_validate(values)
    except DataError as error:
        raise ModelError(str(error)) from error
    except ValidationError as error:
        raise ModelError(f"{folder / CARD_NAME}: {one_line(error)}") from error
    if file_sha256(weights) != card.checksum:
        raise ModelError(f"{weights}: does not match the checksum in its card; copy the model folder again")
    return card


def write_card(folder: Path, card: ModelCard) -> None:
    """Write ``model.json`` atomically."""
    write_json(folder / CARD_NAME, card.model_dump(mode="json"))
