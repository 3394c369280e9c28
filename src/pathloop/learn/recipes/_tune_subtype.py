"""Teach a model the classes that the user gave to objects: a new type decoder, everything else frozen."""

from collections.abc import Callable, Generator, Sequence

from pathloop.core import Event, TrainingError
from pathloop.interchange import TrainingImage
from pathloop.learn._control import Wish
from pathloop.learn._parts import Phase, branches
from pathloop.learn._tune_config import TuneConfig
from pathloop.learn.recipes._tuning import Plan, reviewed_tasks, tuned, with_task
from pathloop.networks import ModelCard

__all__ = ["tune_subtype"]


def tune_subtype(config: TuneConfig, wish: Callable[[], Wish] = lambda: "go on") -> Generator[Event]:
    """Train the type decoder of ``config.task`` (and the tissue head, where cells were corrected), nothing else.

    The decoder starts from that of the objects that it classifies. Not a bit of the other tasks moves, so nothing can
    be forgotten (Graham et al. 2023, subtyping). See `tuned` for events and errors.
    """

    def plan(card: ModelCard, regions: Sequence[TrainingImage]) -> Plan:
        task = config.task
        if task is None or task.output != "type" or task.of not in card.labels:
            raise TrainingError("subtyping needs a task of classes, of objects that the parent model finds")
        labels = with_task(card.labels, task)
        reviewed = reviewed_tasks(regions, labels)
        if task.name not in reviewed:
            raise TrainingError(f"no reviewed region holds {task.of} with classes; give objects classes first")
        tasks = tuple(one for one in reviewed if one == task.name or labels[one].output == "patch")
        is_known = task.name in card.labels and card.labels[task.name].classes == task.classes
        like = {} if is_known else {task.name: str(task.of)}
        return Plan(labels, tasks, (Phase(0.0, branches(tasks)),), forgets=False, like=like)

    yield from tuned(config, plan, wish)
