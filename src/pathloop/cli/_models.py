"""``pathloop models``."""

import argparse

from pathloop.cli._options import Subparsers
from pathloop.networks import ModelCard, bundled_models, find_model, read_card

EPILOG = """\
examples:
  pathloop models                 list the bundled models
  pathloop models fast            the card of one model, or of a model folder
  pathloop models fast --json     the card as JSON (the file model.json)
"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "models",
        help="list models and show their cards",
        description="Which models there are, what they were trained on, how good they are, what they cannot do.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", nargs="?", metavar="NAME|DIR", help="show this model's card")
    parser.add_argument("--json", action="store_true", help="print the card as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.model is not None:
        card = read_card(find_model(options.model))
        print(card.model_dump_json(indent=2) if options.json else _text(card))
        return 0
    for name, folder in bundled_models().items():
        print(f"{name:12s} {read_card(folder).summary}")
    return 0


def _text(card: ModelCard) -> str:
    lines = [f"{card.name} {card.version}: {card.summary}", ""]
    lines.append(f"input     {card.um_per_px:g} um per px; tissue cells of {card.architecture.cell_px} px")
    for task in card.labels.tasks:
        note = "  (experimental)" if task.name in card.experimental_tasks else ""
        lines.append(f"task      {task.name}: {', '.join(one.name for one in task.classes)}{note}")
    for source in card.training_data:
        lines.append(
            f"trained   {source.name}: {source.n_images} images for {', '.join(source.tasks)}; {source.licence}"
        )
        lines.append(f"          {source.attribution}" + (f". {source.note}" if source.note else ""))
    for name, by_task in card.metrics.items():
        for task_name, values in by_task.items():
            numbers = "  ".join(f"{key} {value:.3f}" for key, value in values.items() if key != "n")
            lines.append(f"measured  {name}, {task_name}: {numbers}")
    lines += [f"limit     {text}" for text in card.limits]
    lines += [f"licence   {card.licence}", f"use       {card.intended_use}"]
    return "\n".join(lines)
