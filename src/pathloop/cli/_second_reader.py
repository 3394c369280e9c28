"""``pathloop merge`` and ``pathloop agreement``."""

import argparse
from pathlib import Path

from pathloop.cli._options import Subparsers
from pathloop.loop.second_reader import compare_readers, merge_copy, store_disagreements
from pathloop.store import Project

MERGE_EPILOG = """\
What only your colleague did since the copies parted comes in: objects that were edited, accepted, locked, drawn or
deleted, cells of the tissue map, regions with their states, questions. It is one entry of the journal a slide: undo it
in napari like a stroke. What both of you did, and differently, is a conflict: yours stays, and the place joins the
queue as a region. OTHER is only read. Merging the same copy again later brings what is new in it.

JSON (--json): schema "pathloop-merge", version 1; keys in docs/reference/json.md.

examples:
  pathloop merge study.pathloop study-from-bo.pathloop --dry-run
  pathloop merge study.pathloop study-from-bo.pathloop
  pathloop merge study.pathloop study-from-bo.pathloop --prefer theirs
"""
AGREEMENT_EPILOG = """\
Compared are the regions that are done in both copies; for a task without one, the places that either reader edited;
else everything. The note under the table says which. Objects match where their IoU exceeds 0.5; kappa is of the
classes of matched objects. Both projects are only read, unless --queue is given.

JSON (--json): schema "pathloop-agreement", version 1; keys in docs/reference/json.md.

examples:
  pathloop agreement study.pathloop study-from-bo.pathloop
  pathloop agreement study.pathloop study-from-bo.pathloop --queue
"""


def add_parser(commands: Subparsers) -> None:
    """Add the commands."""
    merge = commands.add_parser(
        "merge",
        help="bring a colleague's copy of a project back in",
        description="Merge what another reader did in a copy of the project, or to the same slides in another project.",
        epilog=MERGE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_projects(merge)
    merge.add_argument(
        "--prefer", default="ask", choices=("mine", "theirs"), help="settle conflicts instead of queueing them"
    )
    merge.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
    merge.add_argument("--json", action="store_true", help="print JSON instead of a table")
    merge.set_defaults(run=run_merge)
    agreement = commands.add_parser(
        "agreement",
        help="say how far two readers agree",
        description="Dice, PQ, F1 and kappa between two readers' copies of a project, or two projects of one slide.",
        epilog=AGREEMENT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_projects(agreement)
    agreement.add_argument("--tasks", metavar="A,B", help="object tasks and tissue (default: all)")
    agreement.add_argument(
        "--queue", action="store_true", help="store where the readers differ as regions of PROJECT's queue"
    )
    agreement.add_argument("--json", action="store_true", help="print JSON instead of a table")
    agreement.set_defaults(run=run_agreement)


def _add_projects(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT", help="your project")
    parser.add_argument("other", type=Path, metavar="OTHER", help="your colleague's")
    parser.add_argument("--slide", action="append", metavar="ID", help="only this slide; may be given again")


def run_merge(options: argparse.Namespace) -> int:
    """Merge."""
    with Project.open(options.project, write=not options.dry_run) as project:
        report = merge_copy(
            project, options.other, prefer=options.prefer, slide_ids=options.slide, dry_run=options.dry_run
        )
    print(report.to_json() if options.json else report.to_table())
    if not options.json:
        done = f"merged into {report.project}" if report.has_changed else "nothing new, nothing is stored"
        print(f"\n{done if report.is_written else 'tried only, nothing is stored'}")
    return 0


def run_agreement(options: argparse.Namespace) -> int:
    """Compare."""
    tasks = None if options.tasks is None else [one.strip() for one in options.tasks.split(",") if one.strip()]
    stored = 0
    with (
        Project.open(options.project, write=options.queue) as project,
        Project.open(options.other, write=False) as other,
    ):
        report = compare_readers(project, other, options.slide, tasks)
        if options.queue:
            before = {one.id for one in project.regions()}
            store_disagreements(project, report)
            stored = len({one.id for one in project.regions()} - before)
    print(report.to_json() if options.json else report.to_table())
    if options.queue and not options.json:
        print(f"\n{stored} new {'region' if stored == 1 else 'regions'} in the queue of {report.first}")
    return 0
