"""``pathloop rank``."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pathloop.cli._options import Subparsers
from pathloop.cli._progress import follow
from pathloop.loop.queue import STRATEGIES, NetworkPass, RankRequest, rank
from pathloop.predict import DEVICES

EPILOG = """\
strategies:
  difficulty   by what segmenting left behind: places the model is unsure of, faint objects, classes that are a
               toss-up, lumina outside glands, nuclei in lumina. Seconds.
  thorough     the same; then the network looks at the 200 most difficult regions again, mirrored (and turned, on a
               GPU), and regions that look alike are spread out. Needs the slide files and the model; on two CPU cores
               10 to 15 s a region. Ctrl-C stops it; nothing is stored then.
  entropy      by the uncertainty map alone
  random       by lot, to compare with

Where several slides are ranked, patients take turns (difficulty, thorough): a region counts half as much for every one
of the same patient before it, those that were taken up before too; so scores need not fall with the rank. A slide is a
patient, unless its name holds a TCGA barcode.

Regions are 500 x 500 um (1,000 x 1,000 px at 0.5 um per px). Every fourth one is drawn by lot and held out: review it
like the others; it is never trained on and tells whether a new model is better. From four patients on, every fourth
patient is held out instead, so that models are judged on patients that they never saw. Ranking again replaces only
regions that nobody has taken up. If the project is open in a window, the queue is shown and not stored: rank from that
window.

JSON (--json), one object: schema "pathloop-queue", version 1, project, strategy, stored true|false, reason (why it is
not stored, else ""), regions: a list by rank of {id (0 = not stored), slide_id, rect [y, x, height, width] in level-0
pixels, origin, rank or null, score 0..1, reasons [{score, value 0..1, words}], holdout, states {task: state}, assigned,
flag or null}. Keys are only ever added within one version.

examples:
  pathloop rank study.pathloop
  pathloop rank study.pathloop --strategy thorough --device cuda
  pathloop rank study.pathloop --slide B-12 --count 12 --tasks gland,lumen
  pathloop rank study.pathloop --dry-run --json > queue.json
"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "rank",
        help="say which regions to look at first, and why",
        description="Rank the regions of a project's slides by difficulty, in words, and store them as its queue.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument(
        "--strategy",
        default="difficulty",
        metavar="NAME",
        help=f"{', '.join(STRATEGIES.names())} (default: %(default)s)",
    )
    parser.add_argument("--slide", action="append", metavar="ID", help="only this slide; may be given again")
    parser.add_argument(
        "--count", type=int, default=40, metavar="N", help="regions that wait afterwards (default: %(default)s)"
    )
    parser.add_argument("--tasks", metavar="A,B", help="what is to be reviewed in them (default: all object tasks)")
    parser.add_argument("--model", metavar="NAME|DIR", help="default: the model that segmented the slide")
    parser.add_argument("--device", default="auto", choices=DEVICES, help="for 'thorough'; default: %(default)s")
    parser.add_argument(
        "--top", type=int, metavar="N", help="for 'thorough': regions that the network looks at (default: 200)"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the queue without storing it")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    top = {} if options.top is None else {"top": options.top}
    request = RankRequest(
        project=options.project,
        slide_ids=None if options.slide is None else tuple(options.slide),
        strategy=options.strategy,
        count=options.count,
        tasks=None if options.tasks is None else tuple(one.strip() for one in options.tasks.split(",") if one.strip()),
        network=NetworkPass(model=options.model, device=options.device, **top),
        store=not options.dry_run,
    )
    finished = follow(rank(request))
    summary = finished.summary
    if options.json:
        values = {"schema": "pathloop-queue", "version": 1, "project": str(finished.path), **summary}
        print(json.dumps(values, indent=2, ensure_ascii=False))
        return 0
    print(_table(summary["regions"]))
    held = sum(region["holdout"] for region in summary["regions"])
    where = f"in {finished.path}" if summary["stored"] else "shown only, nothing is stored"
    print(f"{len(summary['regions'])} regions wait, {held} of them held out; {where}")
    return 0


def _table(regions: Sequence[dict[str, Any]]) -> str:
    """One line a region."""
    head = ("rank", "slide", "y", "x", "height", "width", "score", "origin", "why")
    rows = [head, *(_row(region) for region in regions)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head) - 1)]
    # numbers to the right, names and words to the left
    left = {head.index("slide"), head.index("origin")}
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row[:-1], widths, strict=True))
        ]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return "\n".join(lines)


def _row(region: dict[str, Any]) -> tuple[str, ...]:
    place = [str(value) for value in region["rect"]]
    number = "-" if region["rank"] is None else str(region["rank"])
    origin = f"{region['origin']}, held out" if region["holdout"] else region["origin"]
    notes = [state for state in [_state(region["states"])] if state != "todo"]
    notes += [f"for {region['assigned']}"] if region["assigned"] else []
    notes += [f"question: {region['flag']}"] if region["flag"] is not None else []
    why = "; ".join([*notes, *(one["words"] for one in region["reasons"])]) or "nothing stands out"
    return number, region["slide_id"], *place, f"{region['score']:.2f}", origin, why


def _state(states: dict[str, str]) -> str:
    return "todo" if set(states.values()) <= {"todo"} else "doing"
