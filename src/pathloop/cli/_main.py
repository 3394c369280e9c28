"""Argument parser, errors to exit codes: 0 done, 1 failed with one line, 2 wrong usage, 130 interrupted."""

import argparse
import errno
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from pathloop import __version__
from pathloop.cli import (
    _demo,
    _doctor,
    _evaluate,
    _export,
    _finetune,
    _import,
    _info,
    _log,
    _models,
    _promote,
    _pyramids,
    _rank,
    _second_reader,
    _segment,
    _train,
    _verify,
)
from pathloop.core import PathloopError, UsageError

__all__ = ["main"]

EPILOG = """\
start here:
  pathloop demo                        segment the bundled sample, write pictures, open napari
  pathloop info slide.svs              what is this slide, what is missing
  pathloop segment slide.svs           objects and tissue into ./slide.pathloop
  pathloop export slide.pathloop --format geojson -o out

Every command explains itself: pathloop COMMAND --help
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if options.debug else logging.ERROR, format="%(name)s: %(message)s")
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("pathloop: stopped; run the same command again to go on", file=sys.stderr)
        return 130
    except PathloopError as error:
        return _failed(error, debug=options.debug)
    except BrokenPipeError:
        # whoever read our output has closed it, which is fine; the interpreter must not complain on its way out
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno == errno.ENOSPC:
            place = f" at {error.filename}" if error.filename else ""
            error = OSError(f"no space left{place}; free some, then run the same command again")
        return _failed(error, debug=options.debug)
    except MemoryError as error:
        short = MemoryError(f"out of memory ({error}); close other programs, or try a smaller --tile-px or --roi")
        return _failed(error if options.debug else short, debug=options.debug)
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user unasked
        unforeseen = RuntimeError(f"unforeseen {type(error).__name__}: {error}; run with --debug for the traceback")
        return _failed(error if options.debug else unforeseen, debug=options.debug)
    return code


def _failed(error: Exception, *, debug: bool) -> int:
    if debug:
        raise error
    text = " ".join(str(error).split()) or type(error).__name__
    print(f"pathloop: {text}", file=sys.stderr)
    return 2 if isinstance(error, UsageError) else 1


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        """Print and exit."""
        self.exit(2, f"pathloop: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="pathloop",
        description="Segment H&E whole-slide images into nuclei, glands, lumina and tissue types.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pathloop {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks and log messages")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    modules = (
        _info,
        _segment,
        _export,
        _import,
        _rank,
        _finetune,
        _promote,
        _verify,
        _log,
        _second_reader,
        _evaluate,
        _train,
        _models,
        _doctor,
        _pyramids,
        _demo,
    )
    for module in modules:
        module.add_parser(commands)
    return parser
