"""Opening and upgrading on SQLite and Postgres, and what is said when that is impossible."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from datastore.database import (
    VERSION_TABLE,
    Database,
    DatabaseError,
    alembic_config,
    open_database,
    schema_difference,
)
from datastore.tables import ArtifactRow, Table
from tests.datastore.children import child, wait_for_line

TABLES = {
    "artifact",
    "run",
    "edge",
    "dataset_version",
    "model_version",
    "checkpoint",
    "alias",
    "alias_history",
}


def test_an_empty_database_gets_every_table_and_a_version_of_our_own(database: Database) -> None:
    assert set(inspect(database.engine).get_table_names()) == TABLES | {VERSION_TABLE}
    assert database.counts() == dict.fromkeys(TABLES, 0)


def test_after_the_migrations_nothing_is_left_to_generate(database: Database) -> None:
    assert schema_difference(database) == []


def test_a_missing_column_is_seen_as_a_difference(database: Database) -> None:
    """The test above can fail."""
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE run DROP COLUMN flow_run_id"))
    assert [change[0] for change in schema_difference(database)] == ["add_column"]


def test_migrations_go_down_and_up_again(database: Database, database_url: str) -> None:
    with database.engine.begin() as connection:
        command.downgrade(alembic_config(connection), "base")
    assert set(inspect(database.engine).get_table_names()) == {VERSION_TABLE}
    with open_database(database_url) as again:
        assert schema_difference(again) == []


def test_every_constraint_has_a_name_so_that_migrations_can_refer_to_it() -> None:
    assert [table.name for table in Table.metadata.tables.values() for one in table.constraints if not one.name] == []


OPENER = """
import sys
from datastore.database import open_database
with open_database(sys.argv[1]) as database:
    print(sorted(database.counts()))
"""


def test_two_processes_may_open_a_new_database_at_once(database_url: str) -> None:
    with child(OPENER, database_url) as one, child(OPENER, database_url) as two:
        for opener in (one, two):
            out, error = opener.communicate(timeout=60)
            assert (opener.returncode, out.strip()) == (0, str(sorted(TABLES))), error


def test_a_database_of_a_newer_version_is_refused_with_advice(database: Database, database_url: str) -> None:
    with database.engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match=r"9999.*newer version of Stepcode"):
        open_database(database_url)


def test_other_peoples_migrations_in_the_same_database_do_not_disturb(database_url: str) -> None:
    with open_database(database_url) as database, database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('f00')"))
    with open_database(database_url) as again:
        assert again.counts()["run"] == 0


def test_a_transaction_that_raises_leaves_no_row(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write("test") as session:
        session.execute(text("INSERT INTO alias_history VALUES (1, 'm', 'a', 1, 2, 2, 'r', '{}', 'me', '20260101')"))
        _ = 1 / 0
    assert database.counts()["alias_history"] == 0


KILLED_WRITER = """
import sys, time
from sqlalchemy import text
from datastore.database import open_database
with open_database(sys.argv[1]) as database, database.write("test") as session:
    session.execute(text("INSERT INTO alias_history VALUES (1, 'm', 'a', 1, 2, 2, 'r', '{}', 'me', '20260101')"))
    print("written", flush=True)
    time.sleep(600)
"""


def test_a_writer_killed_in_its_transaction_leaves_no_row_and_no_lock(database: Database, database_url: str) -> None:
    with child(KILLED_WRITER, database_url) as writer:
        wait_for_line(writer, "written")
        assert database.counts()["alias_history"] == 0
        writer.kill()
        writer.wait()
    with database.write("test") as session:
        assert session.scalar(text("SELECT count(*) FROM alias_history")) == 0


def test_a_reader_sees_one_state_while_others_write(database: Database) -> None:
    count = text("SELECT count(*) FROM alias_history")
    with database.read() as session:
        assert session.scalar(count) == 0
        with database.write("test") as writer:
            writer.execute(text("INSERT INTO alias_history VALUES (1, 'm', 'a', 1, 2, 2, 'r', '{}', 'me', '20260101')"))
        assert session.scalar(count) == 0
    assert database.counts()["alias_history"] == 1


def test_foreign_keys_are_enforced(database: Database) -> None:
    statement = text("INSERT INTO edge VALUES ('no such run', 'in', 'role', 'no such artifact')")
    with pytest.raises(DatabaseError, match=r"(?i)foreign key"), database.write("test") as session:
        session.execute(statement)
    with pytest.raises(IntegrityError), database.engine.begin() as connection:
        connection.execute(statement)


def test_writers_of_one_scope_run_one_after_the_other(database: Database) -> None:
    """Eight threads each read the count and write the next number: none is taken twice."""

    def add() -> None:
        with database.write("count") as session:
            number = session.query(ArtifactRow).count()
            session.execute(
                text("INSERT INTO artifact VALUES (:id, 'k', :id, 'd', 0, 'm', '{}', '2026-01-01 00:00:00+00:00')"),
                {"id": str(number)},
            )

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert sorted(session.scalars(text("SELECT artifact_id FROM artifact"))) == [str(n) for n in range(8)]


def test_sqlite_writes_ahead_and_makes_missing_folders(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there" / "stepcode.db"
    with open_database(f"sqlite:///{path}") as database:
        assert database.path == path
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://host/name"])
def test_a_url_of_another_kind_is_refused_with_the_two_kinds_there_are(url: str) -> None:
    with pytest.raises(DatabaseError, match=r"sqlite:///file.db.*postgresql://"):
        open_database(url)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("not a database, but long enough to have a header of that size" * 20)
    with pytest.raises(DatabaseError, match=rf"{tmp_path}/x.db cannot be opened: file is not a database"):
        open_database(f"sqlite:///{tmp_path}/x.db")


def test_an_unreachable_server_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseError, match="Check that the server runs") as caught:
        open_database("postgresql://me:secret@127.0.0.1:1/name")
    assert "me:***@127.0.0.1:1/name" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.services
def test_a_missing_database_on_a_running_server_is_named(postgres_url: str) -> None:
    url = postgres_url.replace("/reused_", "/absent_")
    with pytest.raises(DatabaseError, match=r'database "absent_\d+" does not exist'):
        open_database(url)
