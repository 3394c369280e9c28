"""One core while it is on, on Linux."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pathloop.worker._gentle import Gentle

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []

pytestmark = pytest.mark.skipif(len(CORES) < 2, reason="needs Linux and two cores")


def affinities():
    found = []
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            found.append(os.sched_getaffinity(int(thread.name)))
    return found


def test_all_threads_share_one_core_while_it_is_on():
    gentle = Gentle()
    over = threading.Event()
    threads = [threading.Thread(target=over.wait, daemon=True)]
    threads[0].start()
    try:
        gentle.set(on=True)
        gentle.set(on=True)
        threads.append(threading.Thread(target=over.wait, daemon=True))
        threads[1].start()
        assert all(cores == {CORES[-1]} for cores in affinities())
        # a thread that takes its cores back gets them taken away again
        os.sched_setaffinity(threads[0].native_id, CORES)
        deadline = time.monotonic() + 5
        while os.sched_getaffinity(threads[0].native_id) != {CORES[-1]}:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        gentle.set(on=False)
        over.set()
    gentle.set(on=False)
    assert all(cores == set(CORES) for cores in affinities())
    gentle.set(on=True)
    assert os.sched_getaffinity(0) == {CORES[-1]}
    gentle.set(on=False)
    assert os.sched_getaffinity(0) == set(CORES)


def test_one_core_is_left_alone():
    gentle = Gentle()
    os.sched_setaffinity(0, CORES[:1])
    try:
        gentle.set(on=True)
        gentle.set(on=False)
        assert os.sched_getaffinity(0) == {CORES[0]}
    finally:
        os.sched_setaffinity(0, CORES)


@pytest.mark.skipif(sys.platform == "win32", reason="niceness is of POSIX")
@pytest.mark.parametrize(("asked", "niceness"), [("", 19), ("0", 0), ("7", 7), ("77", 19), ("fast", 19)])
def test_who_works_behind_a_window_is_as_nice_as_asked(asked, niceness):
    code = "import os; from pathloop.worker._gentle import lower_priority; lower_priority(); print(os.nice(0))"
    mine = os.nice(0)
    found = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PATHLOOP_NICENESS": asked}, capture_output=True, check=True
    )
    assert int(found.stdout) == min(19, mine + niceness)
