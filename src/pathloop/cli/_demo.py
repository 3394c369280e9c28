"""``pathloop demo``."""

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from pathloop.cli._options import Subparsers
from pathloop.cli._progress import follow
from pathloop.loop import SegmentRequest, segment, write_overlays
from pathloop.predict import DEVICES
from pathloop.slides import open_slide
from pathloop.store import Project, counted
from pathloop.synth import sample_slide_path

EPILOG = """\
The sample is a synthetic slide, drawn by a program: it shows that everything works, not how good the model is.
"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help="segment the bundled sample, write pictures, open napari",
        description="Segment the bundled sample slide with the bundled model, write overlay pictures, and where there"
        " is a display open it in napari.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("demo-output"), metavar="DIR", help="folder (default: %(default)s)"
    )
    parser.add_argument("--device", default="auto", choices=DEVICES, help="default: %(default)s")
    parser.add_argument("--no-window", action="store_true", help="only write pictures")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    sample = sample_slide_path()
    project = options.output / "sample.pathloop"
    finished = follow(segment(SegmentRequest(slides=(sample,), project=project, device=options.device)))
    with Project.open(project, write=False) as opened, open_slide(sample) as slide:
        record = opened.slides()[0]
        pictures = write_overlays(opened, record.slide_id, slide, options.output)
    counts = ", ".join(counted(task, count) for task, count in finished.summary["objects"].items())
    print(f"{counts} found on the synthetic sample slide")
    for path in pictures:
        print(f"  look at  {path}")
    print(f"  project  {project}")
    print("next: pathloop segment YOUR_SLIDE.svs")
    return 0 if options.no_window else _open_window(sample, project)


def _open_window(sample: Path, project: Path) -> int:
    """Open napari on the segmented sample and wait for its end; say so where that cannot be."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return 0
    if importlib.util.find_spec("napari") is None:
        print("napari is not installed, so no window opens; pip install 'pathloop[gui]' brings it")
        return 0
    print("opening napari; close its window to come back here")
    sys.stdout.flush()
    # the window is a process of its own: it must never load what this one has loaded
    return subprocess.run(
        [sys.executable, "-m", "pathloop.gui", str(sample), "--project", str(project)], check=False
    ).returncode
