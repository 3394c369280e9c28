"""``pathloop export``."""

import argparse
from pathlib import Path

from pathloop.cli._options import Subparsers, add_roi, as_rect
from pathloop.cli._progress import follow
from pathloop.interchange.training import TRAINING_FLAVOURS
from pathloop.loop import EXPORT_FORMATS, ExportRequest, export

EPILOG = """\
formats:
  labels-tiff   <slide>_<task>.tif: uint32 ids at level-0 size; <slide>_tissue.tif: class codes, legend in .json
  labels-zarr   <slide>.ome.zarr: OME-Zarr 0.5, a picture of the slide with the labels of every task
  geojson       <slide>.geojson: outlines for QuPath (drag and drop); .geojson.gz above 100 MB
  csv           <slide>_objects.csv: one row an object
  parquet       <slide>_objects.parquet: the same with typed columns, for pandas, R, DuckDB (extra "tables")
  training      OUT becomes a training set of the regions that are done: images, instance masks, class maps, masks of
                what to ignore, splits by patient, manifest; --flavour nnunet, cellpose, stardist, coco for these tools.
                Held-out regions are never in it. --final: every region of the project, held out or not, with who
                verified it ('pathloop verify'); patients that only measured models are its test set

With --roi, label images are cut to the rectangle; tables and outlines keep every object whose box meets it, whole.

example:
  pathloop export slide.pathloop --format geojson -o out
  pathloop export study.pathloop --format training --flavour nnunet --patients patients.csv -o set
  pathloop export study.pathloop --format training --final -o final-set
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
    parser.add_argument(
        "--flavour", default="pathloop", choices=TRAINING_FLAVOURS, help="training: default %(default)s"
    )
    parser.add_argument(
        "--patients", type=Path, metavar="CSV", help="training: whose slide is whose, columns slide and patient"
    )
    parser.add_argument("--final", action="store_true", help="training: the whole set, once all of it is verified")
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
        flavour=options.flavour,
        patients=options.patients,
        final=options.final,
    )
    finished = follow(export(request))
    names = finished.summary["files"]
    for name in names[:10]:
        print(f"{finished.path / name}")
    if len(names) > 10:
        print(f"and {len(names) - 10} more in {finished.path}")
    return 0
