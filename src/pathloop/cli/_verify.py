"""``pathloop verify``."""

import argparse
import json
from pathlib import Path

from pathloop.cli._options import Subparsers
from pathloop.loop.correct import RegionReview, require_verified, review_regions, verify_regions
from pathloop.store import Project

EPILOG = """\
The last step of a study: when every region is done and no question is open, a person vouches for all of it. That is
written down by region, as one entry of the journal a slide, which undo takes back. Whoever changes something in a
verified region takes that word away: verify again.

--list only shows how far the review is; exit code 1 where something is missing.

JSON (--json): schema "pathloop-verification", version 1; keys in docs/reference/json.md.

examples:
  pathloop verify study.pathloop --list
  pathloop verify study.pathloop --by "Dr. A. Beck"
  pathloop export study.pathloop --format training --final -o final-set
"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "verify",
        help="vouch for all regions, before the final export",
        description="Write down who vouches for the regions of a project; refused while something is open.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("--by", default="", metavar="NAME", help="who vouches (default: whoever works here)")
    parser.add_argument("--slide", metavar="ID", help="only the regions of this slide")
    parser.add_argument("--list", action="store_true", help="show how far the review is, and change nothing")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    with Project.open(options.project, write=not options.list) as project:
        reviews = review_regions(project, options.slide)
        if not options.list:
            _vouch(project, reviews, options.by)
            reviews = review_regions(project, options.slide)
    print(_as_json(reviews) if options.json else _as_text(reviews))
    return 0 if reviews and all(one.verified_by for one in reviews) else 1


def _vouch(project: Project, reviews: list[RegionReview], name: str) -> None:
    # all or none: what is open on one slide is told before another one is written
    if not reviews or any(one.open_points for one in reviews):
        require_verified(reviews)
    for slide_id in dict.fromkeys(one.region.slide_id for one in reviews):
        verify_regions(project, slide_id, by=name)


def _as_text(reviews: list[RegionReview]) -> str:
    if not reviews:
        return "no region yet: rank or add regions, review them, then verify"
    lines = [f"{'slide':<20} {'region':>6}  {'verified by':<20} state"]
    for one in reviews:
        state = ", ".join(one.open_points) or _state(one)
        lines.append(f"{one.region.slide_id:<20} {one.region.id:>6}  {one.verified_by:<20} {state}")
    n = sum(bool(one.verified_by) for one in reviews)
    return "\n".join([*lines, f"{n} of {len(reviews)} regions verified"])


def _state(one: RegionReview) -> str:
    if one.verified_by:
        return f"since {one.verified_at[:16].replace('T', ' ')}"
    if one.changed_since is not None:
        return f"was verified, changed since (entry {one.changed_since} of 'pathloop log')"
    return "reviewed, to be verified"


def _as_json(reviews: list[RegionReview]) -> str:
    rows = [
        {
            "slide": one.region.slide_id,
            "region": one.region.id,
            "held_out": one.region.holdout,
            "open": list(one.open_points),
            "verified_by": one.verified_by or None,
            "verified_at": one.verified_at or None,
            "changed_since": one.changed_since,
        }
        for one in reviews
    ]
    return json.dumps({"schema": "pathloop-verification", "version": 1, "regions": rows}, indent=1)
