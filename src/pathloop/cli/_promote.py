"""``pathloop compare``, ``pathloop promote`` and ``pathloop rollback``."""

import argparse
import json
from pathlib import Path

from pathloop.cli._options import Subparsers, data_sets
from pathloop.cli._progress import follow
from pathloop.loop.tuning import (
    CompareRequest,
    Comparison,
    Promotion,
    TuneRun,
    compare,
    comparison_of,
    comparison_text,
    find_tune_run,
    model_of_project,
    promote,
    repredict,
    rollback,
    tune_runs,
)
from pathloop.networks import find_model, read_card
from pathloop.predict import DEVICES
from pathloop.store import Project, counted

COMPARE_EPILOG = """\
MODEL is a fine-tuning run (tune-0002: its candidate), a model that is known by name, or a model folder.

Scores are those of 'pathloop evaluate': PQ, DQ, SQ and Dice are means over regions, F1 is pooled. Intervals are 95 %
bootstrap intervals of the gain, over patients where there are at least four, else over regions. Old skills are measured
on drawn slides, and on a fifth of the patients of each data set that is given.

JSON (--json): the comparison as a run's comparison/comparison.json holds it; see docs/reference/json.md.

examples:
  pathloop compare study.pathloop fast tune-0001
  pathloop compare study.pathloop tune-0001 tune-0002 --with-data ebhi_seg:~/datasets/ebhi_seg
"""

PROMOTE_EPILOG = """\
MODEL is a fine-tuning run (tune-0002: its candidate), a model that is known by name, or a model folder.

A model is refused (exit code 1) that is worse than the present one: that loses more than 0.02 PQ (mean F1 for types
and tissue) of any task, 0.005 of the mean over tasks, or 0.01 Dice of old skills. --force REASON promotes it all the
same and records the reason. With fewer than four held-out regions nothing is proved: --yes says that you know.

Then everything that nobody has reviewed is segmented anew where it was segmented before, for all tasks of the model;
reviewed objects and done regions stay. 'pathloop rollback' takes the promotion back.

examples:
  pathloop promote study.pathloop tune-0001
  pathloop promote study.pathloop tune-0002 --force "tissue map is not used in this study"
"""

ROLLBACK_EPILOG = """\
The model before the last promotion is put to work again, and everything that nobody has reviewed is segmented anew
with it. Rolled back twice, the promotion before that is taken back too. No model is deleted.

example:
  pathloop rollback study.pathloop
"""


def add_parser(commands: Subparsers) -> None:
    """Add the three commands."""
    parser = _command(commands, "compare", "say which of two models is better on held-out regions", COMPARE_EPILOG)
    parser.add_argument("model_a", metavar="MODEL_A", help="the present one")
    parser.add_argument("model_b", metavar="MODEL_B", help="the new one")
    _add_data(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run_compare)

    parser = _command(commands, "promote", "put a better model to work in a project", PROMOTE_EPILOG)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--force", metavar="REASON", help="although it is worse; the reason is recorded")
    parser.add_argument("--yes", action="store_true", help="although fewer than four held-out regions are done")
    _add_data(parser)
    _add_later(parser)
    parser.set_defaults(run=run_promote)

    parser = _command(commands, "rollback", "take the last promotion back", ROLLBACK_EPILOG)
    parser.add_argument("--device", default="auto", choices=DEVICES, help="default: %(default)s")
    _add_later(parser)
    parser.set_defaults(run=run_rollback)


def _command(commands: Subparsers, name: str, short: str, epilog: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=short,
        description=f"{short[0].upper()}{short[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("project", type=Path, metavar="PROJECT")
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--with-data", action="append", metavar="KIND:PATH", help="check old skills on this set too; may be given again"
    )
    parser.add_argument("--device", default="auto", choices=DEVICES, help="default: %(default)s")


def _add_later(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-predict", action="store_true", help="leave the present objects; 'pathloop segment' replaces them later"
    )


def _model(project: Path, name: str) -> tuple[Path, TuneRun | None]:
    """A model folder by the name that the user gave; and the run whose candidate it is."""
    if name.isdecimal() or any(run.name == name for run in tune_runs(project)):
        run = find_tune_run(project, name)
        comparison_of(run)
        return run.candidate, run
    own = project / "models" / name
    return (own if own.is_dir() else find_model(name)), None


def run_compare(options: argparse.Namespace) -> int:
    """Run ``compare``."""
    finished = follow(
        compare(
            CompareRequest(
                project=options.project,
                parent=_model(options.project, options.model_a)[0],
                candidate=_model(options.project, options.model_b)[0],
                with_data=data_sets(options.with_data or ()),
                device=options.device,
            )
        )
    )
    if options.json:
        print(json.dumps({"schema": "pathloop-comparison", "version": 1, **finished.summary}, indent=2))
    else:
        print(comparison_text(Comparison.model_validate(finished.summary)))
    return 0


def run_promote(options: argparse.Namespace) -> int:
    """Run ``promote``."""
    candidate, run = _model(options.project, options.model)
    with Project.open(options.project, write=False) as project:
        present = model_of_project(project)
    if run is not None and not options.with_data and comparison_of(run).parent.checksum == read_card(present).checksum:
        comparison = comparison_of(run)
    else:
        request = CompareRequest(
            options.project, present, candidate, with_data=data_sets(options.with_data or ()), device=options.device
        )
        comparison = Comparison.model_validate(follow(compare(request)).summary)
    print(comparison_text(comparison))
    with Project.open(options.project, write=True) as project:
        entry = promote(
            project,
            Promotion(
                candidate,
                comparison,
                run="" if run is None else run.name,
                reason=options.force,
                confirmed=options.yes,
            ),
        )
    print(f"{options.project} now works with {entry.model}")
    return _predict(options)


def run_rollback(options: argparse.Namespace) -> int:
    """Run ``rollback``."""
    with Project.open(options.project, write=True) as project:
        entry = rollback(project)
    print(f"{options.project} works with {entry.model} again")
    return _predict(options)


def _predict(options: argparse.Namespace) -> int:
    if not options.no_predict:
        finished = follow(repredict(options.project, device=options.device))
        counts = ", ".join(counted(task, count) for task, count in finished.summary["objects"].items())
        print(f"segmented anew: {counts or 'nothing was segmented before'}")
    return 0
