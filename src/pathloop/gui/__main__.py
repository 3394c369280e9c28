"""``python -m pathloop.gui [SLIDE] [--project PROJECT]``: napari with pathloop's panels."""

import argparse
from pathlib import Path


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(prog="python -m pathloop.gui", description="Open napari with pathloop's panels.")
    parser.add_argument("slide", nargs="?", type=Path, help="a slide to open")
    parser.add_argument("--project", type=Path, help="the project that keeps its work (default: found beside it)")
    options = parser.parse_args()
    from pathloop.gui._start import start

    return start(options.slide, options.project)


if __name__ == "__main__":
    raise SystemExit(main())
