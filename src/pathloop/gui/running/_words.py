"""A model in words."""

from collections.abc import Iterable

from pathloop.core import ModelError
from pathloop.networks import ModelCard, find_model, read_card

__all__ = ["card_text", "model_names", "task_words"]


def card_text(card: ModelCard) -> str:
    """A model's card in words: what it is for, how well it does, what it was not made for."""
    lines = [card.summary, ""]
    for name, tasks in card.metrics.items():
        scores = [
            f"{task} " + ", ".join(f"{what} {value:.2f}" for what, value in values.items() if what in ("dice", "pq"))
            for task, values in tasks.items()
            if {"dice", "pq"} & set(values)
        ]
        if scores:
            lines.append(f"{name}: {'; '.join(scores)}")
    lines += ["", *(f"- {limit}" for limit in card.limits), "", card.intended_use, f"Licence: {card.licence}"]
    if card.is_research_only:
        lines.insert(0, f"Research only: {card.licence}.")
    return "\n".join(lines).strip()


def model_names(names: Iterable[str]) -> list[tuple[str, str]]:
    """Known models' names or model folders, each with what a list calls it: weights that allow research only say so."""
    found = []
    for name in names:
        short = name.rstrip("/").rpartition("/")[2]
        try:
            is_bound = read_card(find_model(name)).is_research_only
        except ModelError:  # one damaged copy must not hide the others
            is_bound = False
        found.append((name, f"{short} (research only)" if is_bound else short))
    return found


def task_words(card: ModelCard, task: str) -> str:
    """What a task finds, for its tooltip."""
    spec = card.labels[task]
    classes = ", ".join(one.name.replace("_", " ") for one in spec.classes)
    what = {"instance": "Outlines of", "type": "Types of objects:", "patch": "A map of tissue types:"}[spec.output]
    trust = " (experimental: its labels were derived, not annotated)" if task in card.experimental_tasks else ""
    return f"{what} {classes}{trust}"
