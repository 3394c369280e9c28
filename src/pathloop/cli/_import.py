"""``pathloop import``."""

import argparse
from pathlib import Path

from pathloop.cli._options import Subparsers, add_roi, as_rect
from pathloop.cli._progress import follow
from pathloop.loop.importing import ImportRequest, import_file

EPILOG = """\
outlines (.geojson, .json, .geojson.gz, .zip), from QuPath for example:
  Objects that 'pathloop export --format geojson' wrote are found again by their id, whatever happened to their name,
  order or place. Another outline, class or lock changes the object; an outline that covers the same pixels does not.
  New outlines become objects of the task that their class belongs to, else of --task. Annotations that are classed
  Region*, and locked rectangles, become regions to be reviewed. Objects that are accepted or locked, and what lies in
  finished regions, keep their pixels. All of the file is one step that can be undone; if anything in it is wrong,
  nothing is changed.

  Objects that the file lacks are kept: it may be a part of the slide. With --delete-missing the file counts as
  complete: objects of the tasks that it has are deleted if it lacks them and their box meets --roi (without --roi:
  the box around all of the file's own objects). Accepted and locked ones stay.

label images (TIFF, PNG, .ome.zarr; 0 = background, one number an object):
  Become predictions of --task, as if a model of the file's name had been run: they replace free predictions, never
  what people corrected. The image must be as large as the slide's level 0, or as --roi.

examples:
  pathloop export slide.pathloop --format geojson -o out
  pathloop import slide.pathloop out/slide.geojson
  pathloop import study.pathloop from-qupath.zip --slide B-12 --task gland
  pathloop import slide.pathloop stardist.tif --task nuclei
"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "import",
        help="bring outlines of QuPath, or label images, into a project",
        description="Bring outlines that were changed elsewhere, or label images of another tool, into a project.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--slide", metavar="ID", help="the slide (default: the only one, or the one the file is about)")
    parser.add_argument("--task", metavar="T", help="task of label images, and of outlines whose class tells none")
    parser.add_argument("--delete-missing", action="store_true", help="outlines: delete objects that the file lacks")
    add_roi(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    request = ImportRequest(
        project=options.project,
        path=options.file,
        slide_id=options.slide,
        task=options.task,
        roi=as_rect(options.roi),
        delete_missing=options.delete_missing,
    )
    finished = follow(import_file(request))
    print(last_line(finished.summary))
    return 0


def last_line(summary: dict[str, object]) -> str:
    """What was done, and how to take it back."""
    words, slide = summary["words"], summary["slide"]
    unchanged = summary.get("unchanged", 0)
    if "task" in summary:
        return f"{words} in slide {slide}" if words else "nothing to do: these labels are in the project already"
    if summary["entry"] is not None:
        rest = f", {unchanged:,} unchanged" if unchanged else ""
        return f"{words}{rest}; undo with Ctrl+Z in napari, or Project.undo({slide!r}) in Python"
    return f"nothing to do: all {unchanged:,} outlines are as they are here" if unchanged else "nothing to do"
