"""``pathloop models``."""

import argparse
import json
from pathlib import Path

from pathloop.cli._options import Subparsers
from pathloop.core import ModelError, UsageError
from pathloop.networks import (
    CARD_NAME,
    ModelCard,
    add_model,
    added_models,
    bundled_models,
    export_model,
    find_model,
    models_folder,
    read_card,
)

PUBLISHED_NAME = "weights.tar"

EPILOG = """\
A model is a folder: model.json (its card) and weights.safetensors. 'add' copies one into your own models, after which
its name works wherever --model does and in napari's list; 'export' copies one out, to take it to another computer.
Neither changes the original. To forget a model that you added, delete its folder ('pathloop models' shows where).

'add' also takes the officially published Cerberus weights (weights.tar) that you have downloaded from their authors,
github.com/TissueImageAnalytics/cerberus, and converts them: types of nuclei and glands, and nine tissue classes. Their
licence, CC BY-NC-SA 4.0, allows research only; it is kept in the card and shown wherever models are listed.

examples:
  pathloop models                              list bundled and added models
  pathloop models fast                         the card of one model, or of a model folder
  pathloop models fast --json                  the card as JSON (the file model.json)
  pathloop models add runs/first/model --name colon-2
  pathloop models add ~/Downloads/weights.tar  the published Cerberus weights, called 'cerberus'
  pathloop models export colon-2 /media/stick/colon-2
"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "models",
        help="list models, show their cards, add and export them",
        description="Which models there are, what they were trained on, how good they are, what they cannot do.",
        usage="pathloop models [NAME|DIR] | add DIR|FILE [--name NAME] | export NAME|DIR TARGET   [--json]",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="a model to show, or add, or export (see above)")
    parser.add_argument("--name", metavar="NAME", help="add: how to call the model (default: as its card says)")
    parser.add_argument("--json", action="store_true", help="print the card, or the list of models, as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    words: list[str] = options.words
    if options.name is not None and words[:1] != ["add"]:
        raise UsageError("--name goes with 'pathloop models add'")
    if options.json and words[:1] in (["add"], ["export"]):
        raise UsageError("--json goes with the list and with a card, not with add or export")
    match words:
        case []:
            _list(as_json=options.json)
        case ["add", folder]:
            _add(Path(folder), options.name)
        case ["export", model, target]:
            place = export_model(model, Path(target))
            print(f"exported to {place}; elsewhere: pathloop models add {place.name}")
        case ["add" | "export", *_]:
            raise UsageError("say 'pathloop models add DIR|FILE' or 'pathloop models export NAME|DIR TARGET'")
        case [model]:
            card = read_card(find_model(model))
            print(card.model_dump_json(indent=2) if options.json else _text(card))
        case _:
            raise UsageError("name one model; see pathloop models --help")
    return 0


def _add(source: Path, name: str | None) -> None:
    """A model folder, or published weights: the file, or the folder that they came in."""
    if not (source / CARD_NAME).exists() and (source / PUBLISHED_NAME).is_file():
        source /= PUBLISHED_NAME
    if source.is_file():
        from pathloop.networks.foreign import add_weights  # loads torch

        name, place, card = add_weights(source, name)
        print(f"licence of these weights: {card.licence}. {card.intended_use}")
        print(*(f"from {one.name}: {one.attribution}" for one in card.training_data), sep="\n")
    else:
        name, place = add_model(source, name)
    print(f"added as {name!r} ({place}); try: pathloop segment SLIDE --model {name}")


def _list(*, as_json: bool) -> None:
    bundled, added = bundled_models(), added_models()
    if as_json:
        rows = [(name, path, "bundled") for name, path in bundled.items()]
        rows += [(name, path, "added") for name, path in added.items()]
        models = [
            {"name": name, "folder": str(path), "origin": origin, "licence": _licence(path)}
            for name, path, origin in rows
        ]
        print(json.dumps({"schema": "pathloop-models", "version": 1, "models": models}, indent=2, ensure_ascii=False))
        return
    for name, folder in bundled.items():
        print(f"{name:12s} {_summary(folder)}")
    for name, folder in added.items():
        print(f"{name:12s} {_summary(folder)}")
    if added:
        print(f"added models are in {models_folder()}")


def _summary(folder: Path) -> str:
    # one damaged copy must not hide the others
    try:
        card = read_card(folder)
    except ModelError as error:
        return f"damaged: {error}"
    return f"{card.summary} [research only, {card.licence}]" if card.is_research_only else card.summary


def _licence(folder: Path) -> str | None:
    """None for a damaged model."""
    try:
        return read_card(folder).licence
    except ModelError:
        return None


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
    mark = " (research only)" if card.is_research_only else ""
    lines += [f"licence   {card.licence}{mark}", f"use       {card.intended_use}"]
    return "\n".join(lines)
