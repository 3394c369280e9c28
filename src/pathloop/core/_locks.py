"""The lock of a project: a file that the operating system locks for one process at a time."""

import contextlib
import json
import os
import re
import socket
import sys
import weakref
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pathloop.core._errors import ProjectError, ProjectLockedError

__all__ = ["LockHolder", "ProjectLock", "lock_holder"]

if sys.platform == "win32":
    import msvcrt

    # msvcrt locks keep others from reading the locked byte: lock one far behind the holder's description
    _LOCKED_BYTE = 1 << 30

    def _try_lock(handle: int) -> None:
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

    def _unlock(handle: int) -> None:
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    # flock, not lockf: a lockf lock is lost as soon as anybody in this process closes the file
    def _try_lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds a lock.

    Parameters
    ----------
    program
        For example "pathloop segment". Never a file name: a slide's name may be a patient's label.
    process
        Process id on ``host``.
    host
        Name of the computer.
    started
        When the lock was taken, ISO 8601, UTC.
    """

    program: str
    process: int
    host: str
    started: str

    def __str__(self) -> str:
        return f"{self.program} (process {self.process} on {self.host}, since {self.started})"


class ProjectLock:
    """Makes this process the only writer of a project. Readers need no lock.

    The operating system holds the lock and frees it when the process ends, however it ends; the text in the
    file only says who it is. The file itself stays.

    Parameters
    ----------
    path
        The lock file; its folder must exist.
    program
        Shown to others; by default the running program and its first word ("pathloop segment").
    """

    def __init__(self, path: Path, *, program: str | None = None) -> None:
        self.path = path
        self.program = program or _program()
        self._handle: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._handle is not None

    def acquire(self) -> None:
        """Take the lock, or raise at once.

        Raises
        ------
        ProjectLockedError
            If another process (or another part of this one) holds it; the message names the holder.
        ProjectError
            If the lock file cannot be made, or its file system knows no locks.
        """
        if self._handle is not None:
            return
        folder = self.path.parent
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError as error:
            reason = error.strerror or error
            raise ProjectError(f"{folder}: cannot be written ({reason}); open it for reading, or copy it") from error
        try:
            _try_lock(handle)
        except (BlockingIOError, PermissionError) as error:
            os.close(handle)
            raise ProjectLockedError(
                f"{folder}: is being written by {lock_holder(self.path) or 'another process'};"
                " wait until that is done or close it, then try again"
            ) from error
        except OSError as error:
            os.close(handle)
            raise ProjectError(
                f"{folder}: its drive does not support file locks ({error.strerror}); copy the project to another drive"
            ) from error
        self._handle = handle
        _held.add(self)
        holder = LockHolder(
            self.program, os.getpid(), socket.gethostname(), datetime.now(UTC).isoformat("T", "seconds")
        )
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, json.dumps(asdict(holder)).encode())

    def release(self) -> None:
        """Give the lock back; does nothing where it is not held."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        _held.discard(self)
        os.ftruncate(handle, 0)
        _unlock(handle)
        os.close(handle)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _forget(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def lock_holder(path: Path) -> LockHolder | None:
    """Who wrote the lock file last and did not release it; None if nobody did or the text cannot be read."""
    try:
        return LockHolder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


_held: "weakref.WeakSet[ProjectLock]" = weakref.WeakSet()


def _close_in_forked_child() -> None:
    # a flock lives as long as any copy of its descriptor: a forked worker must not keep a dead parent's lock
    for lock in list(_held):
        with contextlib.suppress(OSError):
            lock._forget()
    _held.clear()


_register: Callable[..., None] | None = getattr(os, "register_at_fork", None)
if _register is not None:
    _register(after_in_child=_close_in_forked_child)


def _program() -> str:
    """The program's name and its sub-command; nothing else of the command line, which may name slides."""
    script = Path(sys.argv[0]) if sys.argv and sys.argv[0] else Path("python")
    name = script.parent.name if script.name == "__main__.py" else script.stem
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    return f"{name} {word}" if re.fullmatch(r"[a-z]{2,20}", word) else name
