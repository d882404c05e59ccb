"""One holder at a time for a named lock, across processes; released when the holder dies, however it dies.

SQLite: a lock of the kernel (flock) on a file beside the database, so it serves one machine. Postgres: an
advisory lock of a connection kept for it, so it serves every machine that uses the database.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from datastore.errors import Busy, DatabaseError

if TYPE_CHECKING:
    from datastore.database import Database

__all__ = ["Busy", "Holder", "exclusive"]

POLL_S = 0.1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Holder:
    """Who has a lock, as far as it can be told."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


@contextlib.contextmanager
def exclusive(database: Database, name: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock `name` of this database for the duration of the block.

    Waits at most `wait_s` seconds, then raises Busy, which names the holder. Not reentrant: a second
    attempt by the same process is Busy too. A process forked (not executed) inside the block shares a
    file lock and keeps it until it ends.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a lock: letters, digits, dot, dash, underscore, at most 100.")
    hold = _file_lock if database.path else _advisory_lock
    with hold(database, name, time.monotonic() + wait_s):
        yield


@contextlib.contextmanager
def _file_lock(database: Database, name: str, deadline: float) -> Iterator[None]:
    path = Path(f"{database.path}.{name}.lock")
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)  # executed children do not inherit it
    try:

        def attempt() -> bool:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        _wait(attempt, deadline, lambda: _busy(name, database.url, _read_holder(path), f"the lock file is {path}"))
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": _now()}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(holder).encode(), 0)
        try:
            yield
        finally:
            os.ftruncate(handle, 0)  # the file stays: removing it would let two processes lock two files
    finally:
        os.close(handle)


def _read_holder(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):  # it is just being written, or was released since
        return None


@contextlib.contextmanager
def _advisory_lock(database: Database, name: str, deadline: float) -> Iterator[None]:
    key = advisory_key(name)
    try:
        connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # this connection is the lock: closing it, by us or by the kernel, releases it
    except DBAPIError as error:
        raise DatabaseError(f"{database.url}: cannot be reached for the lock {name!r}: {error.orig}.") from error
    with contextlib.closing(connection):
        label = f"stepcode {os.getpid()} {socket.gethostname()}"[:63]
        connection.execute(text("SELECT set_config('application_name', :label, false)"), {"label": label})

        def attempt() -> bool:
            return bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}))

        _wait(attempt, deadline, lambda: _busy(name, database.url, _advisory_holder(connection, key), ""))
        yield


def advisory_key(name: str) -> int:
    """The signed 64-bit number that stands for a lock's name in Postgres."""
    return int.from_bytes(hashlib.sha256(f"stepcode:{name}".encode()).digest()[:8], "big", signed=True)


def _advisory_holder(connection: Connection, key: int) -> Holder | None:
    row = connection.execute(
        text(
            "SELECT a.application_name, a.state_change FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
            " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND l.classid::bigint = :high AND l.objid::bigint = :low"
        ),
        {"high": (key >> 32) & 0xFFFFFFFF, "low": key & 0xFFFFFFFF},
    ).first()
    match = re.fullmatch(r"stepcode (\d+) (.*)", (row and row[0]) or "")
    if row is None or match is None or row[1] is None:
        return None
    return Holder(int(match[1]), match[2], row[1].astimezone(UTC).isoformat(timespec="seconds"))


def _wait(attempt: Callable[[], bool], deadline: float, busy: Callable[[], Busy]) -> None:
    while not attempt():
        left = deadline - time.monotonic()
        if left <= 0:
            raise busy()
        time.sleep(min(POLL_S, left))


def _busy(name: str, url: str, holder: Holder | None, where: str) -> Busy:
    who = str(holder) if holder else "another process"
    return Busy(
        f"{name!r} is already running: {who} holds its lock in {url}{f' ({where})' if where else ''}."
        " Wait until it has ended, or end that process; the lock goes with it."
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
