"""A model in words."""

from pathloop.networks import ModelCard

__all__ = ["card_text", "task_words"]


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
    return "\n".join(lines).strip()


def task_words(card: ModelCard, task: str) -> str:
    """What a task finds, for its tooltip."""
    spec = card.labels[task]
    classes = ", ".join(one.name.replace("_", " ") for one in spec.classes)
    what = {"instance": "Outlines of", "type": "Types of objects:", "patch": "A map of tissue types:"}[spec.output]
    trust = " (experimental: its labels were derived, not annotated)" if task in card.experimental_tasks else ""
    return f"{what} {classes}{trust}"
