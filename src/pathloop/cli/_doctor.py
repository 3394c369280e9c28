"""``pathloop doctor``."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from pathloop.cli._options import Subparsers
from pathloop.loop import check_up
from pathloop.predict import DEVICES

EPILOG = """\
Every line says what was found: ok, note (something optional is missing), warning (works, but not well), failed.
The self-test segments a drawn slide of half a millimetre with the device and model that a run would take.

example:
  pathloop doctor
  pathloop doctor --device cuda --json

JSON schema (--json, version 1): version, checks [{name, state: ok | note | warning | failed, text}].
Exit code 1 if a check failed. No names of slides are printed; of paths, the folders for projects and temporary files.
"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "doctor",
        help="check the installation: versions, device and why, disk, models, a self-test",
        description="Check the installation: versions, memory, device and why, disk, models, a self-test of seconds.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", default="auto", choices=DEVICES, help="default %(default)s")
    parser.add_argument("--model", default="fast", metavar="NAME|DIR", help="model of the self-test, default fast")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="where projects shall lie; the working directory by default"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    checks = []
    for check in check_up(options.device, options.model, options.output):
        checks.append(check)
        if not options.json:
            print(f"{check.state:8} {check.name}: {check.text}", flush=True)
    if options.json:
        print(json.dumps({"version": 1, "checks": [asdict(check) for check in checks]}, indent=2))
    return int(any(check.state == "failed" for check in checks))
