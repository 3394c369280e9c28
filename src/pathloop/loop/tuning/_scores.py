"""From scored images to what a comparison says of a task: means, pooled counts, intervals of the gain."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import TaskSpec
from pathloop.learn import ImageScores
from pathloop.loop.tuning._comparison import ENOUGH, Gain, TaskComparison
from pathloop.metrics import PanopticCounts, bootstrap_gain

__all__ = ["compare_task", "region_score"]

Sums = NDArray[np.float64]
Statistic = Callable[[Sums], Sums]


def compare_task(
    task: TaskSpec, old: Sequence[ImageScores] | None, new: Sequence[ImageScores] | None
) -> TaskComparison:
    """One task over the same images; None for a model that does not know it."""
    images = new or old or []
    scores = _object_statistics() if task.output == "instance" else _class_statistics(len(_codes(task)))
    sides = [None if rows is None else np.stack([_sums(row, task) for row in rows]) for rows in (old, new)]
    groups = _groups(images)
    gains = {}
    if sides[0] is not None and sides[1] is not None:
        for name, statistic in scores.items():
            gains[name] = Gain.of(bootstrap_gain(sides[0], sides[1], statistic, groups=groups))
    values = [None if side is None else _values(side, scores) for side in sides]
    classes: dict[str, dict[str, dict[str, float]]] = {}
    for model, rows in (("parent", old), ("candidate", new)):
        if rows is not None and task.output != "instance":
            for name, found in _per_class(task, rows).items():
                classes.setdefault(name, {})[model] = found
    return TaskComparison(
        output=task.output,
        score="pq" if task.output == "instance" else "mf1",
        n=len(images),
        parent=values[0],
        candidate=values[1],
        gains=gains,
        classes=classes,
    )


def region_score(task: TaskSpec, row: ImageScores) -> float | None:
    """The score that decides, of one image; None where it is undefined."""
    name = "pq" if task.output == "instance" else "mf1"
    scores = _object_statistics() if task.output == "instance" else _class_statistics(len(_codes(task)))
    return _values(_sums(row, task)[None], {name: scores[name]}).get(name)


def _groups(images: Sequence[ImageScores]) -> list[Hashable] | None:
    """Patients are drawn as a whole where there are enough of them."""
    groups: list[Hashable] = [row.item.group for row in images]
    return groups if len(set(groups)) >= ENOUGH else None


def _values(sums: Sums, scores: dict[str, Statistic]) -> dict[str, float]:
    found = {name: float(statistic(sums.sum(axis=0))) for name, statistic in scores.items()}
    return {name: value for name, value in found.items() if not np.isnan(value)}


# objects: (value, counted) of each mean over images, then pooled tp, fp, fn
_MEANS = ("pq", "dq", "sq", "dice")


def _sums(row: ImageScores, task: TaskSpec) -> Sums:
    if task.output == "instance":
        scores = row.objects[task.name]
        detection = scores.objects.detection
        means = (scores.objects.pq, scores.objects.dq, scores.objects.sq, scores.pixels.dice)
        pairs = [(0.0, 0.0) if np.isnan(value) else (value, 1.0) for value in means]
        return np.array([*np.ravel(pairs), detection.tp, detection.fp, detection.fn], np.float64)
    codes, confusion = _codes(task), row.classes[task.name]
    matrix = np.zeros((len(codes), len(codes)))
    at = np.array(confusion.codes, np.int64) - 1
    matrix[np.ix_(at, at)] = confusion.matrix
    return matrix.ravel()


def _codes(task: TaskSpec) -> tuple[str, ...]:
    """Names of the codes 1, 2, ... in confusions: of a type task, 1 is "none"."""
    names = tuple(one.name for one in task.classes)
    return ("none", *names) if task.output == "type" else names


def _ratio(top: Sums, bottom: Sums) -> Sums:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(bottom > 0, top / bottom, np.nan))


def _object_statistics() -> dict[str, Statistic]:
    def mean(place: int) -> Statistic:
        return lambda sums: _ratio(sums[..., 2 * place], sums[..., 2 * place + 1])

    def f1(sums: Sums) -> Sums:
        tp, fp, fn = (sums[..., len(_MEANS) * 2 + place] for place in range(3))
        return _ratio(2 * tp, 2 * tp + fp + fn)

    return {**{name: mean(place) for place, name in enumerate(_MEANS)}, "f1": f1}


def _class_statistics(n: int) -> dict[str, Statistic]:
    def square(sums: Sums) -> Sums:
        return sums.reshape(*sums.shape[:-1], n, n)

    def accuracy(sums: Sums) -> Sums:
        return _ratio(np.trace(square(sums), axis1=-2, axis2=-1), sums.sum(axis=-1))

    def mf1(sums: Sums) -> Sums:
        matrix = square(sums)
        hits, truth, pred = np.diagonal(matrix, axis1=-2, axis2=-1), matrix.sum(axis=-1), matrix.sum(axis=-2)
        f1 = np.where(truth > 0, _ratio(2 * hits, truth + pred), 0.0)
        return _ratio(f1.sum(axis=-1), (truth > 0).sum(axis=-1).astype(np.float64))

    return {"mf1": mf1, "accuracy": accuracy}


def _per_class(task: TaskSpec, rows: Sequence[ImageScores]) -> dict[str, dict[str, float]]:
    names = _codes(task)
    matrix = np.sum([_sums(row, task) for row in rows], axis=0).reshape(len(names), len(names))
    found: dict[str, dict[str, float]] = {}
    for place, name in enumerate(names):
        total = matrix[place].sum() + matrix[:, place].sum()
        if matrix[place].sum():
            found[name] = {"f1": float(2 * matrix[place, place] / total)}
    typed = [row.typed[task.name] for row in rows if task.name in row.typed]
    for place, one in enumerate(task.classes):
        counts: Any = sum((row[place] for row in typed[1:]), typed[0][place]) if typed else None
        if isinstance(counts, PanopticCounts) and one.name in found:
            values = {"pq": counts.pq, "dq": counts.dq, "sq": counts.sq}
            found[one.name] |= {key: value for key, value in values.items() if not np.isnan(value)}
    return found
