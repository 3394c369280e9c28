"""``pathloop quality``."""

import argparse
import json
import sys
from pathlib import Path

from pathloop.cli._options import Subparsers, add_roi, as_rect, positive_float
from pathloop.cli._progress import ProgressLine
from pathloop.core import SlideError, outcome
from pathloop.loop import write_quality
from pathloop.slides import QualityNote, open_slide, quality_steps
from pathloop.store import slide_stem

EPILOG = """\
What is looked for, and why: tissue out of focus (nuclei are missed), pen on tissue, folds, and a stain unlike the H&E
that models learnt from (results cannot be trusted). 'info' and 'segment' say the same sentences.

With -o, for every slide: <slide>_quality.tif, uint8 codes of a grid of 8 um; <slide>_quality.json, what they mean;
<slide>_quality.png, the slide with what was found over it.

example:
  pathloop quality scans/*.svs -o notes
  pathloop quality slide.svs --roi 10000 20000 4096 4096

JSON schema (--json, version 1): version, slides [{path, shares by name 0..1, sentences [texts]}].
"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "quality",
        help="look for blur, pen, folds and stains unlike H&E",
        description="Look for blur, pen, folds and stains unlike H&E, before anything is segmented.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("slides", nargs="+", type=Path, metavar="SLIDE")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="folder for masks and pictures")
    parser.add_argument("--um-per-px", type=positive_float, metavar="F", help="um per px of level 0, beats the file")
    add_roi(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    found, failed = [], False
    stems = [slide_stem(path) for path in options.slides]
    for index, path in enumerate(options.slides):
        # equal stems are numbered, as in a project
        before = stems[:index].count(stems[index])
        try:
            note = _note(path, stems[index] + (f"-{before + 1}" if before else ""), options)
        except SlideError as error:
            print(f"pathloop: {error}", file=sys.stderr)
            failed = True
            continue
        found.append({"path": str(path), "shares": note.shares, "sentences": list(note.sentences)})
        if not options.json:
            print(f"{path}: {' '.join(note.sentences) or 'nothing found against it'}")
    if options.json:
        print(json.dumps({"version": 1, "slides": found}, indent=2))
    elif options.output is not None:
        print(f"masks and pictures in {options.output}")
    return int(failed)


def _note(path: Path, name: str, options: argparse.Namespace) -> QualityNote:
    roi = as_rect(options.roi)
    with open_slide(path, um_per_px=options.um_per_px) as slide, ProgressLine() as line:
        if options.output is None:
            return outcome(quality_steps(slide, roi=roi), line.show)
        return outcome(write_quality(slide, name, options.output, roi), line.show)
