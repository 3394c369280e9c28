"""Fine-tune the whole network, unfrozen by and by from the decoders down."""

from collections.abc import Callable, Generator, Sequence

from pathloop.core import Event, TrainingError
from pathloop.interchange import TrainingImage
from pathloop.learn._control import Wish
from pathloop.learn._parts import Phase, branches
from pathloop.learn._tune_config import TuneConfig
from pathloop.learn.recipes._tuning import Plan, reviewed_tasks, tuned
from pathloop.networks import ModelCard

__all__ = ["full"]


def full(config: TuneConfig, wish: Callable[[], Wish] = lambda: "go on") -> Generator[Event]:
    """Train branches, neck and norm layers at first, the deep stages from a tenth of the steps on, then the encoder.

    The whole encoder trains from a quarter of the steps on. Gradual unfreezing (Howard and Ruder 2018): branches that
    do not fit yet would spoil it with their first gradients. Statistics of norm layers stay the parent's, as in
    `quick`. See `tuned` for events and errors.
    """

    def plan(card: ModelCard, regions: Sequence[TrainingImage]) -> Plan:
        tasks = reviewed_tasks(regions, card.labels)
        if not tasks:
            raise TrainingError(f"no region is reviewed for a task of {card.name!r}: {', '.join(card.labels.names)}")
        top = ("norms", "neck", *branches(tasks))
        phases = (
            Phase(0.0, top, statistics=False),
            Phase(0.1, (*top, "layer3", "layer4"), statistics=False),
            Phase(0.25, (*top, "encoder"), statistics=False),
        )
        return Plan(card.labels, tasks, phases, forgets=True, like={})

    yield from tuned(config, plan, wish)
