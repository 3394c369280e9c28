"""Fine-tune the reviewed tasks and what they rest on, in few steps. Minutes on two cores."""

from collections.abc import Callable, Generator, Sequence

from pathloop.core import Event, TrainingError
from pathloop.interchange import TrainingImage
from pathloop.learn._control import Wish
from pathloop.learn._parts import Phase, branches
from pathloop.learn._tune_config import TuneConfig
from pathloop.learn.recipes._tuning import Plan, reviewed_tasks, tuned
from pathloop.networks import ModelCard

__all__ = ["quick"]


def quick(config: TuneConfig, wish: Callable[[], Wish] = lambda: "go on") -> Generator[Event]:
    """Train the branches of the reviewed tasks, the neck and the encoder, from the first step on.

    The encoder goes at a part of the rate (``fit.encoder_rate``). Decoders and norm layers alone, which costs the same
    time, fit the regions and serve other patients worse than the parent does: docs/explanation/the-loop.md. Statistics
    of all norm layers stay: the parent's weights fit those that it has from many laboratories, and those of a few
    regions in small batches spoil its decoders within ten steps. Tasks that nobody reviewed keep their branches
    (Adam makes whole steps of the smallest gradients: trained on the parent's answers alone, a decoder fell apart); the
    encoder is held to them by what the parent says. See `tuned` for events and errors.
    """

    def plan(card: ModelCard, regions: Sequence[TrainingImage]) -> Plan:
        tasks = reviewed_tasks(regions, card.labels)
        if not tasks:
            raise TrainingError(f"no region is reviewed for a task of {card.name!r}: {', '.join(card.labels.names)}")
        phase = Phase(0.0, ("encoder", "neck", *branches(tasks)), statistics=False)
        return Plan(card.labels, tasks, (phase,), forgets=True, like={})

    yield from tuned(config, plan, wish)
