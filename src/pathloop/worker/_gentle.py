"""Manners of a process that works behind a window: a low priority, and one core only while the user moves about."""

import contextlib
import os
import sys
import threading
from pathlib import Path

import psutil

__all__ = ["Gentle", "lower_priority"]

NICENESS_VARIABLE = "PATHLOOP_NICENESS"
NICENESS = 19
REPEAT_S = 0.1
AUTOGROUP = Path("/proc/self/autogroup")
"""Where Linux weighs whole sessions against each other; a niceness alone then counts within a session only."""
THREADS = Path("/proc/self/task")
"""Where Linux lists the threads of this process; there, each thread has cores of its own."""


def lower_priority() -> None:
    """Let every other program go first. Threads that are born later inherit it.

    ``PATHLOOP_NICENESS`` (0 to 19) asks for less: at 19 hardly anything goes on beside a program that keeps all cores
    busy; at 0 the process is like any other.
    """
    wanted = _niceness()
    if wanted == 0:
        return
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        return
    os.nice(wanted)
    if AUTOGROUP.exists() and os.getsid(0) == os.getpid():
        # a kernel that refuses leaves the niceness as it is
        with contextlib.suppress(OSError):
            AUTOGROUP.write_text(str(wanted))


def _niceness() -> int:
    value = os.environ.get(NICENESS_VARIABLE, "").strip()
    return min(19, int(value)) if value.isdecimal() else NICENESS


class Gentle:
    """Keeps all threads of this process on one core while it is on.

    OpenVINO's threads choose their cores anew for every tile and new ones are born, so that it is said again ten times
    a second. Where the system cannot bind processes to cores (macOS), nothing happens.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._allowed: list[int] = []
        self._off = threading.Event()

    def set(self, *, on: bool) -> None:
        """Turn it on or off; from any thread, as often as you like."""
        with self._lock:
            if on and not self._allowed and len(allowed := _cores()) > 1:
                self._allowed, self._off = allowed, threading.Event()
                _bind(allowed[-1:])
                threading.Thread(target=self._repeat, args=(self._off,), name="gentle", daemon=True).start()
            elif not on and self._allowed:
                self._off.set()
                _bind(self._allowed)
                self._allowed = []

    def _repeat(self, off: threading.Event) -> None:
        while not off.wait(REPEAT_S):
            with self._lock:
                if not off.is_set():
                    _bind(self._allowed[-1:])


def _cores() -> list[int]:
    """Cores that this process may use; empty where that cannot be told."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    try:
        return sorted(psutil.Process().cpu_affinity())
    except (AttributeError, psutil.Error):
        return []


def _bind(cores: list[int]) -> None:
    """Bind every thread of this process to these cores."""
    if not THREADS.is_dir():
        psutil.Process().cpu_affinity(cores)
        return
    for thread in THREADS.iterdir():
        # a thread that has just ended is no loss
        with contextlib.suppress(OSError):
            if os.sched_getaffinity(int(thread.name)) != {*cores}:
                os.sched_setaffinity(int(thread.name), cores)
