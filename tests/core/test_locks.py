"""The lock of a project."""

import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

from pathloop.core import LockHolder, ProjectError, ProjectLock, ProjectLockedError


def test_the_second_is_told_who_the_first_is(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with ProjectLock(path, program="pathloop segment") as first:
        assert first.is_held
        first.acquire()  # twice is once
        with pytest.raises(
            ProjectLockedError, match=rf"^{tmp_path}: is being written by pathloop segment \(process \d+ on "
        ):
            ProjectLock(path).acquire()
    assert not first.is_held
    with ProjectLock(path) as second:
        assert second.is_held


def test_a_lock_file_left_by_a_dead_process_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    path.write_text('{"program": "pathloop", "process": 1, "host": "elsewhere", "started": "2026-01-01"}')
    with ProjectLock(path) as lock:
        assert lock.is_held


def test_garbage_in_the_lock_file_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with ProjectLock(path):
        path.write_text("garbage")
        with pytest.raises(ProjectLockedError, match="another process"):
            ProjectLock(path).acquire()


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="cannot be written"):
        ProjectLock(tmp_path / "none" / "a.lock").acquire()


def test_the_message_holds_program_and_sub_command_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/pathloop", "Jane_Doe.svs", "segment"])
    assert ProjectLock(tmp_path / "a.lock").program == "pathloop"
    monkeypatch.setattr(sys, "argv", ["/site-packages/pathloop/__main__.py", "segment", "Jane_Doe.svs"])
    assert ProjectLock(tmp_path / "a.lock").program == "pathloop segment"
    assert str(LockHolder("pathloop", 3, "pc", "2026-11-20")) == "pathloop (process 3 on pc, since 2026-11-20)"


@pytest.mark.skipif(sys.platform != "linux", reason="fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_worker_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = ProjectLock(tmp_path / "a.lock")
    lock.acquire()
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
    worker.start()
    handle, lock._handle = lock._handle, None  # as a kill would: closed, never unlocked
    assert handle is not None
    os.close(handle)
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                with ProjectLock(tmp_path / "a.lock"):
                    break
            except ProjectLockedError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
    finally:
        worker.kill()
        worker.join()
