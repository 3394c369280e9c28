"""Running the command line, in this process or in one that can be killed."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

from pathloop.cli import main

SMALL = ("--tile-px", "512", "--device", "cpu")
"""Many small tiles: cores of 256 px."""


def call(*words: object) -> int:
    """Exit code of a command."""
    try:
        return main([str(word) for word in words])
    except SystemExit as stop:
        return int(stop.code or 0)


def start(*words: object, module: str = "pathloop", **options: object) -> subprocess.Popen[str]:
    """A command in a process of its own."""
    command = [sys.executable, "-m", module, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload,no-any-return]


@contextlib.contextmanager
def started(*words: object, **options: object):
    """A command that does not outlive the test."""
    process = start(*words, **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def events_until(process: subprocess.Popen[str], wanted) -> list[dict[str, object]]:
    """Events of a command, up to the first that is wanted; without one, the process must have ended well."""
    found = []
    assert process.stdout is not None
    for line in process.stdout:
        found.append(json.loads(line))
        if wanted(found[-1]):
            return found
    assert process.wait() == 0, process.stderr.read() if process.stderr else ""
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    """Content by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
