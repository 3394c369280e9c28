"""Teach a model to find something new: a new object decoder, everything else frozen."""

from collections.abc import Callable, Generator, Sequence

from pathloop.core import Event, TrainingError
from pathloop.interchange import TrainingImage
from pathloop.learn._control import Wish
from pathloop.learn._parts import Phase, branches
from pathloop.learn._tune_config import TuneConfig
from pathloop.learn.recipes._tuning import Plan, reviewed_tasks, tuned, with_task
from pathloop.networks import ModelCard

__all__ = ["new_task"]


def new_task(config: TuneConfig, wish: Callable[[], Wish] = lambda: "go on") -> Generator[Event]:
    """Train the decoder of ``config.task``, vessels for example (and the tissue head, where cells were corrected).

    It starts from the decoder of the parent's objects that are nearest in size. Not a bit of the other tasks moves.
    See `tuned` for events and errors.
    """

    def plan(card: ModelCard, regions: Sequence[TrainingImage]) -> Plan:
        task = config.task
        if task is None or task.output != "instance" or task.name in card.labels:
            raise TrainingError("a new task needs the name of objects that the parent model does not know")
        labels = with_task(card.labels, task)
        reviewed = reviewed_tasks(regions, labels)
        if task.name not in reviewed:
            raise TrainingError(f"no region is reviewed for {task.name}; draw some, then mark the region as done")
        tasks = tuple(one for one in reviewed if one == task.name or labels[one].output == "patch")
        known = card.labels.instance_tasks
        like = min(known, key=lambda one: abs(one.post.kernel_px - task.post.kernel_px), default=None)
        start = {} if like is None else {task.name: like.name}
        return Plan(labels, tasks, (Phase(0.0, branches(tasks)),), forgets=False, like=start)

    yield from tuned(config, plan, wish)
