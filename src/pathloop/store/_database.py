"""The SQLite file of a project: opening, transactions, and errors in one line."""

import contextlib
import re
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from pathloop.core import ProjectError
from pathloop.store._schema import SCHEMA_VERSION, migrate

__all__ = ["Database", "check_database", "on_network_drive", "open_database"]

BUSY_TIMEOUT_S = 30.0
FETCHED_ROWS = 50_000

_NETWORK_DRIVE = re.compile(
    r"9p|afpfs|afs|beegfs|ceph|cifs|davfs|fuse\.(davfs2|glusterfs|rclone|sshfs)|gfs2|glusterfs|gpfs|lustre|ncpfs|nfs4?"
    r"|ocfs2|smb2|smb3|smbfs|vboxsf|virtiofs|webdav"
)


class Database:
    """A connection in autocommit mode whose errors name the file.

    Parameters
    ----------
    path
        ``project.db``.
    connection
        Owned from now on.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query; also runs statements that give none."""
        with self._in_one_line():
            return self.connection.execute(sql, values).fetchall()

    def batches(self, sql: str, values: Sequence[Any] = ()) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a query in lists of 50,000, as they were when the query began."""
        with self._in_one_line():
            cursor = self.connection.execute(sql, values)
        try:
            while True:
                with self._in_one_line():
                    batch = cursor.fetchmany(FETCHED_ROWS)
                if not batch:
                    return
                yield batch
        finally:
            # whoever stopped reading may have closed the database first
            with contextlib.suppress(sqlite3.ProgrammingError):
                cursor.close()

    def many(self, sql: str, rows: Iterator[Sequence[Any]]) -> None:
        """Run one statement with many rows of values."""
        with self._in_one_line():
            self.connection.executemany(sql, rows)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, on disk when the block ends."""
        self.rows("BEGIN IMMEDIATE")
        try:
            yield
            self.rows("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.rows("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    @contextlib.contextmanager
    def _in_one_line(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise _problem(self.path, error) from error


def _problem(path: Path, error: sqlite3.DatabaseError) -> ProjectError:
    if isinstance(error, sqlite3.OperationalError):
        if "locked" in str(error):
            return ProjectError(f"{path}: another program reads or writes it for too long; close that and try again")
        return ProjectError(f"{path}: {error}; check that the drive is there, writable and not full")
    return ProjectError(f"{path}: damaged project database ({error}); restore the folder from a copy")


def slide_fingerprints(folder: Path) -> set[str]:
    """Fingerprints of the slides that a project folder of any version knows; nothing is brought up to date.

    Raises
    ------
    ProjectError
        If it is missing, damaged or of a newer version.
    """
    database = _opened(folder / "project.db", write=False)
    try:
        _version(database)
        return {str(row[0]) for row in database.rows("SELECT fingerprint FROM slides")}
    finally:
        database.close()


def check_database(path: Path) -> None:
    """Whether `open_database` would open it for writing; nothing is written.

    Raises
    ------
    ProjectError
        If it is missing, damaged or of a newer version.
    """
    database = _opened(path, write=False)
    try:
        _version(database)
    finally:
        database.close()


def open_database(path: Path, *, write: bool) -> Database:
    """Open ``project.db``, check its version, and for writing bring it up to date.

    Raises
    ------
    ProjectError
        If it is missing, damaged, of a newer version, or of an older one and opened for reading.
    """
    database = _opened(path, write=write)
    try:
        _bring_up_to_date(database, write=write)
    except BaseException:
        database.close()
        raise
    return database


def _opened(path: Path, *, write: bool) -> Database:
    if not path.is_file():
        raise ProjectError(f"{path.parent}: not a pathloop project (it has no {path.name}); give a .pathloop folder")
    try:
        connection = _connect(path, write=write)
    except sqlite3.DatabaseError as error:
        raise _problem(path, error) from error
    return Database(path, connection)


def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
    address = path.resolve().as_uri()
    if write:
        return _try(f"{address}?mode=rw", write=True)
    try:
        return _try(f"{address}?mode=rw", write=False)  # the last reader tidies up after a killed writer
    except sqlite3.OperationalError:
        if path.with_name(f"{path.name}-wal").exists():
            return _try(f"{address}?mode=ro", write=False)
        # a project at rest in a folder that we may not write: SQLite needs to be told that nobody writes
        return _try(f"{address}?immutable=1", write=False)


def _try(address: str, *, write: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if write:
            # WAL lets others read while we write, but needs memory that all of them share: one computer
            mode = (
                "DELETE" if on_network_drive(Path(connection.execute("PRAGMA database_list").fetchone()[2])) else "WAL"
            )
            connection.execute(f"PRAGMA journal_mode = {mode}")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA cache_spill = OFF")  # else a long transaction locks readers out in DELETE mode
            connection.execute("PRAGMA foreign_keys = ON")
        else:
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _version(database: Database) -> int:
    folder = database.path.parent
    try:
        [(text,)] = database.rows("SELECT value FROM meta WHERE key = 'schema_version'")
        version = int(text)
    except (ProjectError, ValueError) as error:
        if "no such table" not in str(error) and not isinstance(error, ValueError):
            raise
        raise ProjectError(
            f"{folder}: {database.path.name} is no pathloop database; give a .pathloop folder"
        ) from error
    if version > SCHEMA_VERSION:
        raise ProjectError(f"{folder}: made by a newer pathloop (format {version}); update pathloop")
    return version


def _bring_up_to_date(database: Database, *, write: bool) -> None:
    version, folder = _version(database), database.path.parent
    if version == SCHEMA_VERSION:
        return
    if not write:
        raise ProjectError(f"{folder}: has the older format {version}; open it once for writing to bring it up to date")
    try:
        migrate(database.connection, version)
    except sqlite3.DatabaseError as error:
        raise _problem(database.path, error) from error


def on_network_drive(path: Path) -> bool:
    """Whether a path lies on a drive that other computers share; True where a UNC path says so."""
    resolved = path.resolve()
    if str(resolved).startswith("\\\\"):
        return True
    best = ("", "", "")
    for drive in psutil.disk_partitions(all=True):
        if resolved.is_relative_to(drive.mountpoint) and len(drive.mountpoint) >= len(best[0]):
            best = (drive.mountpoint, drive.fstype.lower(), drive.opts)
    return bool(_NETWORK_DRIVE.fullmatch(best[1])) or (sys.platform == "win32" and "remote" in best[2])
