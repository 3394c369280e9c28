"""``pathloop segment``."""

import argparse
from pathlib import Path

from pathloop.cli._options import Subparsers, add_roi, add_srgb, as_rect, positive_float
from pathloop.cli._progress import follow
from pathloop.loop import DEFAULT_TILE_PX, SegmentRequest, segment
from pathloop.loop.tuning import current_model
from pathloop.networks import DEFAULT_MODEL
from pathloop.predict import DEVICES
from pathloop.store import counted, slide_stem

EPILOG = """\
examples:
  pathloop segment slide.svs
  pathloop segment photo.png --um-per-px 0.62
  pathloop segment scans/*.svs -o study.pathloop
  pathloop segment slide.svs --roi 10000 20000 4096 4096 --tasks nuclei

Stop it with Ctrl-C whenever you like: the same command goes on where it stopped. The project folder holds label
pyramids, object tables and the tissue map; take them out with 'pathloop export'.
"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "segment",
        help="segment slides into a project",
        description="Segment slides into nuclei, glands, lumina and tissue types.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "slides", nargs="+", metavar="SLIDE", help="SVS, TIFF, OME-TIFF, OME-Zarr, NDPI, MRXS, PNG, ..."
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="PROJECT",
        help="project folder (default: ./<slide>.pathloop, or ./cohort.pathloop for several slides)",
    )
    parser.add_argument(
        "--model", metavar="NAME|DIR", help=f"default: the one promoted in the project, else {DEFAULT_MODEL}"
    )
    parser.add_argument("--device", default="auto", choices=DEVICES, help="default: %(default)s")
    parser.add_argument(
        "--um-per-px", type=positive_float, metavar="F", help="um per px of level 0; beats what the file says"
    )
    add_roi(parser)
    add_srgb(parser)
    parser.add_argument(
        "--tasks", metavar="A,B", help="only these of the model's tasks, for example nuclei,gland (lumen brings gland)"
    )
    parser.add_argument("--no-tissue-mask", action="store_true", help="run on glass too")
    parser.add_argument("--force", action="store_true", help="run although the slide is far too coarse for the model")
    parser.add_argument(
        "--tile-px",
        type=int,
        default=DEFAULT_TILE_PX,
        metavar="N",
        help="input tile with margin (default: %(default)s)",
    )
    parser.add_argument(
        "--patchwise",
        action="store_true",
        help="cerberus only: patches of 448 px of which the central 144 px are kept, as its authors run it; about five"
        " times slower, for comparison",
    )
    parser.add_argument("--json", action="store_true", help="print events as JSON lines instead of a progress bar")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    slides = tuple(Path(name) for name in options.slides)
    project = options.output or default_project(slides)
    request = SegmentRequest(
        slides=slides,
        project=project,
        model=options.model or str(current_model(project) or DEFAULT_MODEL),
        device=options.device,
        um_per_px=options.um_per_px,
        roi=as_rect(options.roi),
        tasks=None
        if options.tasks is None
        else tuple(name.strip() for name in options.tasks.split(",") if name.strip()),
        use_tissue_mask=not options.no_tissue_mask,
        tile_px=options.tile_px,
        force=options.force,
        patchwise=options.patchwise,
        to_srgb=options.srgb,
    )
    finished = follow(segment(request), as_json=options.json)
    if not options.json:
        counts = ", ".join(counted(task, count) for task, count in finished.summary["objects"].items())
        print(f"{counts} in {finished.path}")
    return 0


def default_project(slides: tuple[Path, ...]) -> Path:
    """``./<stem>.pathloop`` for one slide, ``./cohort.pathloop`` for several."""
    return Path(f"{slide_stem(slides[0])}.pathloop") if len(slides) == 1 else Path("cohort.pathloop")
