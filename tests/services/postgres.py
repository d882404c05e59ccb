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
from sqlalchemy import NullPool, create_engine, make_url, text
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
        self._execute("postgres", f'CREATE DATABASE "{name}"')
        return self.url(name, driver)

    def empty_database(self, url: str) -> None:
        """Drop everything in a database, and the connections to it: ten times faster than a new one."""
        name = make_url(url).database
        assert name is not None
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        self._execute(
            name, f"SELECT pg_terminate_backend(pid) {others}", "DROP SCHEMA public CASCADE", "CREATE SCHEMA public"
        )

    def _execute(self, database: str, *statements: str) -> None:
        engine = create_engine(self.url(database), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))


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


@pytest.fixture(scope="session")
def reused_postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of the database behind `postgres_url`."""
    return postgres_server.create_database("reused")


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, reused_postgres_url: str) -> str:
    """The URL of an empty database; a test that needs two takes `postgres_server.create_database()`."""
    postgres_server.empty_database(reused_postgres_url)
    return reused_postgres_url


@contextlib.contextmanager
def _or_unavailable(*, tcp: bool) -> Iterator[PostgresServer]:
    if postgres_binaries() is None:
        unavailable("Postgres is not installed (Debian: apt-get install postgresql)")
    with running_postgres(tcp=tcp) as server:
        yield server
