"""A real Postgres, from its binaries: on a Unix socket, without durability, in about a second."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from tests.services.processes import (
    ServiceError,
    free_port,
    run_as,
    running,
    short_folder,
    unavailable,
    unprivileged_user,
    wait_until,
)

START_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class PostgresServer:
    """A running server. `port` is also its TCP port on 127.0.0.1 when started with `tcp=True`."""

    folder: Path
    port: int
    tcp: bool
    pid: int
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, database: str = "postgres", driver: str = "psycopg") -> str:
        """`postgresql+<driver>://…`; over TCP where the server has it, else over the socket."""
        if self.tcp:
            return f"postgresql+{driver}://postgres@127.0.0.1:{self.port}/{database}"
        return f"postgresql+{driver}://postgres@/{database}?host={self.folder}&port={self.port}"

    def create_database(self, prefix: str = "test", driver: str = "psycopg") -> str:
        """The URL of a new, empty database."""
        name = f"{prefix}_{next(self._numbers)}"
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        engine.dispose()
        return self.url(name, driver)


def postgres_binaries() -> Path | None:
    """The folder of initdb and postgres: from PATH, else Debian's newest."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(folders, key=lambda folder: float(folder.parent.name), default=None)


@contextlib.contextmanager
def running_postgres(*, tcp: bool = False) -> Iterator[PostgresServer]:
    """A server with an empty cluster. Raises ServiceError when it is not installed or does not start."""
    binaries = postgres_binaries()
    if binaries is None:
        raise ServiceError("Postgres is not installed: no initdb on PATH or under /usr/lib/postgresql")
    user, port = unprivileged_user(), free_port()
    with short_folder("pg-", user) as folder:
        data, log = folder / "data", folder / "log"
        initdb = [
            str(binaries / "initdb"),
            "-D",
            str(data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        run_as([*initdb, "--no-sync"], user, cwd=folder, timeout_s=START_TIMEOUT_S)
        listen = "127.0.0.1" if tcp else ""
        settings = [f"unix_socket_directories={folder}", f"listen_addresses={listen}", f"port={port}"]
        settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=100"]
        options = [part for setting in settings for part in ("-c", setting)]
        command = [str(binaries / "postgres"), "-D", str(data), *options]
        # SIGINT is the fast shutdown: connections that a failed test left open are ended.
        with running(command, cwd=folder, log=log, user=user, stop_with=signal.SIGINT) as process:
            server = PostgresServer(folder, port, tcp, process.pid)
            wait_until(lambda: _answers(server), process, log, START_TIMEOUT_S)
            yield server


def _answers(server: PostgresServer) -> bool:
    if not (server.folder / f".s.PGSQL.{server.port}").exists():
        return False
    engine = create_engine(server.url())
    try:
        with engine.connect():
            return True
    except OperationalError:
        return False
    finally:
        engine.dispose()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the session, on a Unix socket."""
    with _or_unavailable(tcp=False) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_tcp_server() -> Iterator[PostgresServer]:
    """One server for the session that also listens on 127.0.0.1, for clients that know no sockets."""
    with _or_unavailable(tcp=True) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of a new, empty database."""
    return postgres_server.create_database()


@contextlib.contextmanager
def _or_unavailable(*, tcp: bool) -> Iterator[PostgresServer]:
    if postgres_binaries() is None:
        unavailable("Postgres is not installed (Debian: apt-get install postgresql)")
    with running_postgres(tcp=tcp) as server:
        yield server
