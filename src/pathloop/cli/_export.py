"""``pathloop export``."""

import argparse
from pathlib import Path

from pathloop.cli._options import Subparsers, add_roi, as_rect
from pathloop.cli._progress import follow
from pathloop.loop import EXPORT_FORMATS, ExportRequest, export

EPILOG = """\
formats:
  labels-tiff   <slide>_<task>.tif: uint32 ids at level-0 size; <slide>_tissue.tif: class codes, legend in .json
  geojson       <slide>.geojson: outlines for QuPath (drag and drop); .geojson.gz above 100 MB
  csv           <slide>_objects.csv: one row an object

With --roi, label images are cut to the rectangle; tables and outlines keep every object whose box meets it, whole.

example:
  pathloop export slide.pathloop --format geojson -o out
"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "export",
        help="write label images, outlines or tables",
        description="Export what a project holds. The project is only read.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("--format", required=True, choices=EXPORT_FORMATS)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder; created if missing")
    parser.add_argument("--slide", metavar="ID", help="only this slide of the project")
    add_roi(parser)
    parser.add_argument("--with-tissue", action="store_true", help="geojson: also write <slide>_tissue.geojson")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    request = ExportRequest(
        project=options.project,
        format=options.format,
        output=options.output,
        slide_id=options.slide,
        roi=as_rect(options.roi),
        with_tissue=options.with_tissue,
    )
    finished = follow(export(request))
    names = finished.summary["files"]
    for name in names[:10]:
        print(f"{finished.path / name}")
    if len(names) > 10:
        print(f"and {len(names) - 10} more in {finished.path}")
    return 0
