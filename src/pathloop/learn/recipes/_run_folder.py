"""The folder of a run: settings, one JSON line an event, and the card of the model in it."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pathloop.core import Event, TrainingError, write_text
from pathloop.learn._checkpoint import CHECKPOINT_NAME, check_resumable
from pathloop.learn._config import TrainConfig
from pathloop.learn._fit import Metrics, config_key
from pathloop.learn._processes import is_first_process
from pathloop.networks import DataSource, ModelCard

__all__ = ["CardFacts", "model_card", "model_folder", "recorded"]


def recorded(config: TrainConfig, events: Generator[Event]) -> Iterator[Event]:
    """Write ``config.json`` and each event to ``events.jsonl``, then pass the event on.

    Of several processes that train together only the first one writes.

    Raises
    ------
    TrainingError
        If the folder cannot be written, or holds a run with other settings; it stays as it was then.
    """
    if not is_first_process():
        yield from events
        return
    folder = config.output
    checkpoint = folder / CHECKPOINT_NAME
    if checkpoint.is_file():
        check_resumable(checkpoint, config_key(config))
    try:
        write_text(folder / "config.json", config.model_dump_json(indent=2) + "\n")
        log = (folder / "events.jsonl").open("a", encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"{folder}: cannot be written ({error}); choose another output folder") from error
    with log, closing(events):
        for event in events:
            log.write(event.to_json() + "\n")
            log.flush()
            yield event


def model_folder(config: TrainConfig) -> Path:
    """Where the run leaves its model."""
    return config.output / "model"


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a card says beside the configuration.

    Parameters
    ----------
    sources
        Data that trained the weights, a parent's included.
    experimental
        Tasks whose labels were derived.
    parent
        The card of the model that this one was made from, or None. If its licence allows research only, so does that
        of what is made from it.
    """

    sources: Sequence[DataSource]
    experimental: Sequence[str]
    parent: ModelCard | None = None


def model_card(config: TrainConfig, facts: CardFacts, metrics: Metrics, step: int) -> ModelCard:
    """The card of a model in training: what it is, what trained it, how it validated."""
    by_set: dict[str, dict[str, dict[str, float]]] = {}
    for key, values in metrics.items():
        source, _, task = key.partition("/")
        by_set.setdefault(f"{source} (validation fold)", {})[task] = values
    training: dict[str, object] = {
        "steps": step,
        "of": config.fit.steps,
        "seed": config.seed,
        "train_folds": list(config.train_folds),
    }
    if config.encoder_from is not None:
        training["encoder_from"] = config.encoder_from.name
    bound = facts.parent if facts.parent and facts.parent.is_research_only else None
    terms = {} if bound is None else {"licence": bound.licence, "intended_use": bound.intended_use}
    return ModelCard(
        name=config.name,
        version=config.version,
        summary=config.summary,
        architecture=config.network,
        labels=config.labels,
        um_per_px=config.um_per_px,
        margin_px=config.margin_px,
        experimental_tasks=tuple(facts.experimental),
        training_data=tuple(facts.sources),
        metrics=by_set,
        training=training,
        parent=facts.parent.checksum if facts.parent else None,
        **terms,
    )
