"""``pathloop pyramids``."""

import argparse
import json
from pathlib import Path

from pathloop.cli._options import Subparsers
from pathloop.cli._progress import follow
from pathloop.core import SlideError, UsageError
from pathloop.slides import PyramidFile, build_pyramid, open_slide, remove_pyramids, stored_pyramids

EPILOG = """\
A large image without reduced levels is slow to look at: every overview reads all of it. 'build' makes the levels once
and keeps them in your cache folder (PATHLOOP_CACHE, or the system's place for caches); from then on everything finds
them, napari too. They belong to the slide's content: it can be moved or renamed. The slide itself is never changed.

examples:
  pathloop pyramids                     what is kept, and how large it is
  pathloop pyramids build slide.tif     Ctrl-C stops it, nothing is left behind
  pathloop pyramids remove slide.tif    or an ID of the list
  pathloop pyramids remove --all
"""
ID_DIGITS = 12


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "pyramids",
        help="build, list and remove reduced levels of large images",
        description="Reduced levels of large images that have none, kept in the cache.",
        usage="pathloop pyramids | build SLIDE... | remove SLIDE|ID... | remove --all   [--json]",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="what to do, and with which slides (see above)")
    parser.add_argument("--all", action="store_true", help="remove: all of them")
    parser.add_argument("--json", action="store_true", help="print the list, or the build's events, as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    words: list[str] = options.words
    if options.all and words != ["remove"]:
        raise UsageError("--all stands alone after 'pathloop pyramids remove'")
    match words:
        case []:
            _list(as_json=options.json)
        case ["build", _, *_]:
            for name in words[1:]:
                _build(Path(name), as_json=options.json)
        case ["remove", _, *_]:
            _remove([one for name in words[1:] for one in _named(name)])
        case ["remove"] if options.all:
            _remove(stored_pyramids())
        case _:
            raise UsageError("say 'pathloop pyramids', 'pathloop pyramids build SLIDE' or '... remove SLIDE|ID|--all'")
    return 0


def _list(*, as_json: bool) -> None:
    found = stored_pyramids()
    if as_json:
        rows = [
            {
                "id": one.fingerprint[:ID_DIGITS],
                "slide": str(one.slide),
                "bytes": one.n_bytes,
                "levels": [list(shape) for shape in one.shapes],
                "file": str(one.path),
            }
            for one in found
        ]
        print(json.dumps({"schema": "pathloop-pyramids", "version": 1, "pyramids": rows}, indent=2, ensure_ascii=False))
        return
    for one in found:
        gone = "" if one.slide.exists() else "  (not there any more)"
        print(f"{one.fingerprint[:ID_DIGITS]}  {_megabytes(one.n_bytes):>10s}  {one.slide}{gone}")
    if found:
        print(f"{_megabytes(sum(one.n_bytes for one in found))} in {found[0].path.parent}")
    else:
        print("none; 'pathloop pyramids build SLIDE' makes one")


def _build(path: Path, *, as_json: bool) -> None:
    finished = follow(build_pyramid(path), as_json=as_json)
    if finished.summary["built"] and not as_json:
        print(f"{path.name}: {finished.summary['built']} levels, {_megabytes(finished.summary['bytes'])}")


def _named(name: str) -> list[PyramidFile]:
    """The pyramids of a slide, by its content, by where it was when they were built, or by their id."""
    path, known = str(Path(name).resolve()), _fingerprint(Path(name))
    found = [
        one
        for one in stored_pyramids()
        if str(one.slide) == path
        or one.fingerprint == known
        or (len(name) >= ID_DIGITS and one.fingerprint.startswith(name))
    ]
    if not found:
        raise UsageError(f"{name}: no pyramid of it is kept; 'pathloop pyramids' lists them")
    return found


def _fingerprint(path: Path) -> str | None:
    """Of a slide that may have been moved since; None where there is none."""
    try:
        with open_slide(path) as slide:
            return slide.fingerprint
    except SlideError:
        return None


def _remove(files: list[PyramidFile]) -> None:
    freed = remove_pyramids(files)
    print(f"{len(files)} removed, {_megabytes(freed)} freed")


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
