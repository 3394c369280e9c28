"""What a lost test process leaves behind: a plugin of pytest that conftest.py loads.

A process that a library, a signal or the system ends takes its output along, and pytest-xdist only says that it is
gone. Here each process keeps a file: the test it is in, what it holds, and the stacks of all threads if it dies of
something that can be caught. The summary of the run shows the files of those that were lost, with their exit status.
"""

import atexit
import contextlib
import ctypes
import faulthandler
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import psutil
import pytest

_NAMES = ("TRAP", "HUP", "USR1", "USR2", "SYS")
_NOTICED = (signal.SIGTERM, *(getattr(signal, f"SIG{name}") for name in _NAMES if hasattr(signal, f"SIG{name}")))
# what every stack ends in
_FRAME_OF_PYTEST = re.compile(r"/(_pytest|pluggy|xdist|execnet)/|^Extension modules|File \"<string>\"")
_KILLED = re.compile(r"oom|killed process|segfault|traps:", re.IGNORECASE)
LINES = 40
_lost: list[str] = []
_file: BinaryIO | None = None


def _path(run: str, worker: str) -> Path:
    return Path(tempfile.gettempdir()) / f"pathloop-tests-{run}-{worker}.txt"


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Open this process's file."""
    global _file
    if sys.platform == "win32":
        return
    words = getattr(config, "workerinput", None)
    if words is not None:
        # appended to, whatever was cut off between
        _file = _path(words["testrunuid"], words["workerid"]).open("ab", buffering=0)
        faulthandler.enable(file=_file)
    _end_loudly(_file.fileno() if _file is not None else os.dup(2))


def pytest_unconfigure() -> None:
    """A process that comes here was not lost."""
    if _file is not None:
        faulthandler.disable()
        for number in _NOTICED:
            faulthandler.unregister(number)
        _file.close()
        Path(_file.name).unlink(missing_ok=True)


def _end_loudly(errors: int) -> None:
    for number in _NOTICED:
        faulthandler.register(number, file=errors, chain=True)
    if sys.platform == "linux":
        # what calls exit(), as Qt does when the X server is gone, aborts instead, of which the stacks are written
        library = ctypes.CDLL(None)
        library.__cxa_atexit(ctypes.cast(library["raise"], ctypes.c_void_p), ctypes.c_void_p(signal.SIGABRT), None)
        atexit.register(_end_quietly)


def _end_quietly() -> None:
    """The end that is meant: whatever was enabled before pytest must not put back how an abort ends."""
    faulthandler.disable()
    signal.signal(signal.SIGABRT, signal.SIG_IGN)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note the test that begins, and what the process holds by now."""
    if _file is not None:
        me = psutil.Process()
        held = f"{me.memory_info().rss >> 20} MiB, {threading.active_count()} threads, {me.num_fds()} open files"
        with contextlib.suppress(OSError):
            _file.truncate(0)
            _file.write(f"{item.nodeid} began {time.strftime('%H:%M:%S')} with {held}\n".encode())
    return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """In the main process: read what a process left, and keep it if that was lost."""
    if not error or error == "keyboard-interrupt":
        return
    name, left = node.workerinput["workerid"], ""
    path = _path(node.workerinput["testrunuid"], name)
    with contextlib.suppress(OSError):
        left = path.read_text(errors="replace")
        path.unlink()
    _lost.append("\n".join([*_telling(left), f"{name}: {_status(node)}; {_machine()}"]))


def _telling(left: str) -> list[str]:
    """The test, what happened, and the stacks without pytest's own frames: the thread that it happened in first."""
    parts = left.split("\n\n")
    parts[1:] = sorted(parts[1:], key=lambda part: not part.startswith("Current thread"))
    lines = [line for line in "\n".join(parts).splitlines() if not _FRAME_OF_PYTEST.search(line)]
    return lines[:LINES]


def _status(node: Any) -> str:
    try:
        status = node.gateway._io.popen.wait(timeout=10)
    except (AttributeError, subprocess.TimeoutExpired) as error:
        return f"exit status unknown ({error!r})"
    return f"ended by signal {-status} ({signal.strsignal(-status)})" if status < 0 else f"exit status {status}"


def _machine() -> str:
    """The memory that is left, and the kernel's last words where they may be read (it names what it killed)."""
    memory = psutil.virtual_memory()
    text = f"memory available {memory.available >> 20} of {memory.total >> 20} MiB"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        words = subprocess.run(["dmesg"], capture_output=True, text=True, timeout=5, check=True).stdout
        text += "".join(f"\nkernel: {line}" for line in words.splitlines() if _KILLED.search(line))
    return text


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show what lost processes left."""
    for text in _lost:
        terminalreporter.section("lost test process")
        terminalreporter.write_line(text)
