"""Opening a database: SQLite or Postgres, brought to the newest schema, with deadlines on every wait."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session

from datastore.errors import DatabaseError
from datastore.locks import advisory_key, exclusive
from datastore.tables import Table

__all__ = ["Database", "DatabaseError", "open_database"]

VERSION_TABLE = "stepcode_alembic_version"  # Prefect and MLflow keep an `alembic_version` of their own
CONNECT_TIMEOUT_S = 10
LOCK_TIMEOUT_S = 30
STATEMENT_TIMEOUT_S = 60
UPGRADE_TIMEOUT_S = 120.0


class Database:
    """An open database. `url` has no password in it; `path` is the file of a SQLite database, else None."""

    def __init__(self, engine: Engine, path: Path | None) -> None:
        self.engine = engine
        self.path = path
        self.url = engine.url.render_as_string(hide_password=True)
        self._writer = engine.execution_options(stepcode_write=True)
        # SQLite's readers see one state as they are.
        self._reader = engine if path else engine.execution_options(isolation_level="REPEATABLE READ")

    def __repr__(self) -> str:
        return f"Database({self.url!r})"

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; open locks keep theirs."""
        self.engine.dispose()

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database and changes nothing."""
        with self._explained(), Session(self._reader) as session:
            yield session

    @contextlib.contextmanager
    def write(self, scope: str) -> Iterator[Session]:
        """One transaction, committed when the block ends, rolled back when it raises.

        Writers of one scope run one after the other (SQLite: all writers do), so that a number can be
        taken as the highest plus one. Raises DatabaseError after LOCK_TIMEOUT_S of waiting.
        """
        with self._explained(), Session(self._writer, expire_on_commit=False) as session, session.begin():
            if self.path is None:
                session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": advisory_key(f"write:{scope}")})
            yield session

    def counts(self) -> dict[str, int]:
        """Rows per table."""
        with self.read() as session:
            return {
                table.name: session.scalar(select(func.count()).select_from(table)) or 0
                for table in Table.metadata.sorted_tables
            }

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise DatabaseError(f"{self.url}: {str(error.orig).strip()}. Check that the server runs.") from error


def open_database(url: str) -> Database:
    """Open `sqlite:///file` or `postgresql://…` and upgrade it to the newest schema.

    A missing SQLite file is made, with its folder; a Postgres database must exist. Safe to call from many
    processes at once. Raises DatabaseError: bad URL, unreachable, or written by a newer version of Stepcode.
    """
    database = _connectable(url)
    try:
        if _revision(database) != _scripts().get_current_head():
            with exclusive(database, "schema-upgrade", wait_s=UPGRADE_TIMEOUT_S):
                if database.path:
                    with database.engine.connect() as connection:
                        connection.connection.cursor().execute("PRAGMA journal_mode = WAL")  # kept in the file
                with database.engine.begin() as connection:
                    command.upgrade(alembic_config(connection), "head")
    except (DBAPIError, sqlite3.Error) as error:
        database.close()
        reason = str(getattr(error, "orig", error)).strip()
        raise DatabaseError(
            f"{database.url} cannot be opened: {reason}."
            " Check that the server runs, that the database exists, and user, password and rights."
        ) from error
    except CommandError as error:
        database.close()
        raise DatabaseError(
            f"{database.url} cannot be upgraded: {error}. If a newer version of Stepcode wrote it, upgrade Stepcode."
        ) from error
    return database


def schema_difference(database: Database) -> list[Any]:
    """What Alembic would still change to reach the tables of `tables.py`; empty when the migrations are complete."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, Table.metadata))


def _connectable(url: str) -> Database:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseError("not a database URL: use sqlite:///file.db or postgresql://user@host/name.") from None
    backend = parsed.get_backend_name() if parsed.drivername != "postgres" else "postgresql"
    if backend == "sqlite" and parsed.database and parsed.database != ":memory:":
        path = Path(parsed.database).absolute()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(f"the folder of {path} cannot be made: {error}.") from error
        return Database(_sqlite_engine(parsed.set(database=str(path))), path)
    if backend == "postgresql":
        return Database(_postgres_engine(parsed.set(drivername="postgresql+psycopg")), None)
    raise DatabaseError(
        f"{parsed.render_as_string(hide_password=True)}: use sqlite:///file.db (a file, not memory)"
        " or postgresql://user@host/name."
    )


def _postgres_engine(url: URL) -> Engine:
    options = f"-c statement_timeout={STATEMENT_TIMEOUT_S * 1000} -c lock_timeout={LOCK_TIMEOUT_S * 1000}"
    keepalive = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    arguments = {"connect_timeout": CONNECT_TIMEOUT_S, "options": options, **keepalive}
    return create_engine(url, connect_args=arguments, pool_pre_ping=True)


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": LOCK_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        # A writer takes the lock at once: a reader that turns writer could fail in spite of the timeout.
        write = connection.get_execution_options().get("stepcode_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _revision(database: Database) -> str | None:
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config(None))


def alembic_config(connection: Connection | None) -> Config:
    """Alembic's settings for our migrations on this connection (`alembic.command` takes it)."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
