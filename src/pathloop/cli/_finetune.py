"""``pathloop finetune``."""

import argparse
import json
from collections.abc import Generator
from pathlib import Path

from pathloop.cli._options import Subparsers, data_sets
from pathloop.cli._progress import ProgressLine, follow
from pathloop.core import Event, TrainingError, outcome
from pathloop.loop.tuning import (
    Comparison,
    TuneRequest,
    TuneRun,
    comparison_text,
    find_tune_run,
    plan_text,
    prepare,
    rounds_text,
    same_run,
    start_process,
    tune,
    tune_runs,
    wish_for,
)
from pathloop.predict import DEVICES

EPILOG = """\
recipes:
  quick      the reviewed tasks and the layers below, in few steps; minutes on two CPU cores. The first choice.
  full       the same, unfrozen by and by, in three times the steps; a GPU, or half an hour and more
  subtype    classes that you gave to objects: a new type decoder, nothing else changes (--task nuclei)
  new-task   objects that the model does not know, painted by you: a new decoder, nothing else changes (--task vessels)
Corrected tissue cells train the tissue head in all of them.

Only regions that are done train, for the tasks that are reviewed in them; held-out regions never do: they tell whether
the new model is better. What the model knew before is kept by replaying drawn slides, or the data sets that you give,
and by drawing the new weights back towards the old ones until little is lost. Nothing changes in the project but for
its folder runs/; 'pathloop promote' puts the new model to work.

Ctrl-C stops; the same command goes on from the last checkpoint.

JSON (--json): events as lines, as 'pathloop train' prints them; "finished" holds the comparison with the parent.

examples:
  pathloop finetune study.pathloop
  pathloop finetune study.pathloop --with-data ebhi_seg:~/datasets/ebhi_seg
  pathloop finetune study.pathloop --recipe subtype --task nuclei
  pathloop finetune study.pathloop --background && pathloop finetune study.pathloop --list
"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "finetune",
        help="make a better model from reviewed regions",
        description="Fine-tune a project's model on its reviewed regions, and compare the result with what it was.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument(
        "--recipe",
        default="quick",
        choices=("quick", "full", "subtype", "new-task"),
        help="default: %(default)s",
    )
    parser.add_argument("--task", metavar="NAME", help="for 'subtype' and 'new-task': which objects")
    parser.add_argument("--model", metavar="NAME|DIR", help="where to start (default: the project's model)")
    parser.add_argument(
        "--with-data",
        action="append",
        metavar="KIND:PATH",
        help="mix in a data set of the initial training, for example ebhi_seg:DIR; may be given again",
    )
    parser.add_argument("--steps", type=int, metavar="N", help="optimiser steps (default: as the recipe says)")
    parser.add_argument("--device", default="auto", choices=DEVICES, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=5, metavar="N", help="default: %(default)s")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--background", action="store_true", help="start it and return; it outlives this shell")
    what.add_argument("--resume", metavar="RUN", help="go on with this run, for example tune-0002")
    what.add_argument("--new", action="store_true", help="start anew though an equal run was interrupted")
    what.add_argument("--list", action="store_true", help="show all rounds and what became of them")
    what.add_argument("--cancel", metavar="RUN", help="stop a run that works in the background; it can go on later")
    parser.add_argument("--json", action="store_true", help="print events as JSON lines instead of a progress bar")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.list:
        return _list(options)
    if options.cancel is not None:
        run = find_tune_run(options.project, options.cancel)
        wish_for(run, "cancel")
        print(f"{run.name}: will stop after the step that it is in")
        return 0
    with ProgressLine() as line:
        run = _chosen(options, line)
    if not options.json:
        print(plan_text(run))
    if options.background:
        start_process(run)
        print(f"started; see 'pathloop finetune {options.project} --list', and {run.folder / 'worker.log'} if it fails")
        return 0
    finished = follow(_until_end(run), as_json=options.json)
    if not options.json:
        comparison = Comparison.model_validate(finished.summary["comparison"])
        print(comparison_text(comparison))
        print(f"candidate in {finished.summary['model']}; try: pathloop promote {options.project} {run.name}")
    return 0


def _until_end(run: TuneRun) -> Generator[Event]:
    cancelled = False
    for event in tune(run.folder):
        yield event
        cancelled = event.kind == "cancelled"
    if cancelled:
        raise TrainingError(f"{run.name}: was cancelled; --resume {run.name} goes on with it")


def _chosen(options: argparse.Namespace, line: ProgressLine) -> TuneRun:
    """The run to work on: the named one, an equal one that was interrupted, or a new one."""
    if options.resume is not None:
        return find_tune_run(options.project, options.resume)
    request = TuneRequest(
        project=options.project,
        recipe=options.recipe,
        task=options.task,
        model=options.model,
        with_data=data_sets(options.with_data or ()),
        steps=options.steps,
        device=options.device,
        seed=options.seed,
    )
    if not options.new and (old := same_run(request)) is not None:
        return old
    return outcome(prepare(request), line.show)


def _list(options: argparse.Namespace) -> int:
    if not options.json:
        print(rounds_text(options.project))
        return 0
    rows = [
        {"run": run.name, "state": run.state, **run.facts.model_dump(mode="json")} for run in tune_runs(options.project)
    ]
    print(json.dumps({"schema": "pathloop-rounds", "version": 1, "rounds": rows}, indent=2, ensure_ascii=False))
    return 0
